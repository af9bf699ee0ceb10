// Lines and their history, asked for again every ten seconds. What comes is text and stays text.
"use strict";
const rows = (id, list) => document.getElementById(id).replaceChildren(...list.map((cells) => {
  const row = document.createElement("tr");
  row.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text ?? "" })));
  return row;
}));
const when = (at) => at ? new Date(at).toLocaleString() : "";
async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error((await answer.json()).error.message);
  return answer.json();
}
async function show() {
  try {
    const [{ lines }, { history }] = await Promise.all([ask("api/v1/lines"), ask("api/v1/history")]);
    const decides = (line) => line.slots?.active ? `${line.slots.active.name} (release ${line.slots.active.release})` : "";
    rows("lines", lines.map((line) => [line.line, decides(line), line.coils, line.labelled, when(line.newest), when(line.heard)]));
    rows("history", history.map((one) => [when(one.at), one.line, one.what]));
    document.getElementById("trouble").textContent = "";
  } catch (error) {
    document.getElementById("trouble").textContent = `The record does not answer: ${error.message}`;
  }
}
show();
setInterval(show, 10_000);
