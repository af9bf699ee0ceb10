// Lines and their history, asked for again every ten seconds, and the history of one coil or set. What comes is text and stays text.
"use strict";
const by = (id) => document.getElementById(id);
const rows = (id, list) => by(id).replaceChildren(...list.map((cells) => {
  const row = document.createElement("tr");
  row.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text ?? "" })));
  return row;
}));
const when = (at) => at ? new Date(at).toLocaleString() : "";
const percent = (share) => (100 * share).toFixed(1);
async function ask(path) {
  const answer = await fetch(path);
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error((await answer.json()).error.message);
  return answer.json();
}
const decides = (line) => line.slots?.active ? `${line.slots.active.name} (release ${line.slots.active.release})` : "";
function right(line) {
  const row = line.report?.performance.find((row) => row.judge === "ensemble" && row.window === "200c" && !row.tolerance_class);
  return row?.interval ? `${percent(row.score)} % (${percent(row.interval[0])} to ${percent(row.interval[1])})` : "not known yet";
}
const asks = (line) => line.report?.triggers.filter((trigger) => trigger.holds).map((trigger) => trigger.text).join(" ");
async function show() {
  try {
    const [{ lines }, { history }] = await Promise.all([ask("api/v1/lines"), ask("api/v1/history")]);
    rows("lines", lines.map((line) =>
      [line.line, decides(line), right(line), asks(line), line.coils, line.labelled, when(line.newest), when(line.heard)]));
    rows("history", history.map((one) => [when(one.at), one.line, one.what]));
    by("trouble").textContent = "";
  } catch (error) {
    by("trouble").textContent = `The record does not answer: ${error.message}`;
  }
}
async function ofCoil(id) {
  const { coils } = await ask(`api/v1/coils?limit=20&coil=${encodeURIComponent(id)}`);
  const passes = await Promise.all(coils.map((coil) =>
    ask(`api/v1/lines/${encodeURIComponent(coil.line)}/coils/${encodeURIComponent(coil.decision_id)}`)));
  return coils.flatMap((coil, n) => [
    [when(coil.closed), coil.line, `${coil.verdict}${coil.p_nok === null ? "" : `, P(NOK) ${coil.p_nok.toFixed(3)}`}, by ${coil.set}`],
    ...passes[n].words.map((word) =>
      [when(word.at), word.by, `${word.label ?? "takes it back"}${word.withdrawn ? " (taken back)" : ""}`]),
  ]);
}
async function ofModel(fingerprint) {
  const found = await ask(`api/v1/models/${encodeURIComponent(fingerprint)}`);
  return found && [
    ...found.lines.map((model) =>
      [when(model.last), model.line, `${model.name}: ${model.coils} coils, ${model.labelled} with a label${model.slot ? `, ${model.slot} now` : ""}`]),
    ...found.triggers.map((one) => [when(one.at), "", `${one.what} (${one.holds ? "holds" : "over"})`]),
    ...found.history.map((one) => [when(one.at), one.line, one.what]),
  ];
}
by("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const of = by("of").value.trim();
  try {
    let found = await ofCoil(of);
    if (!found.length) found = await ofModel(of) ?? [["", "", `The record knows no coil and no set ${of}.`]];
    rows("found", found);
    by("found").closest("table").hidden = false;
  } catch (error) {
    by("trouble").textContent = `The record does not answer: ${error.message}`;
  }
});
show();
setInterval(show, 10_000);
