// What stands under a coil's heat map: evidence, reasons, votes, similar coils, and the words of people.

import { el, put, mark, shape, tell } from "./dom.js";
import { post, path } from "./api.js";
import { t, number, percent, deviation, time } from "./languages.js";
import { session } from "./session.js";
import { faultText } from "./faults.js";
import { reason } from "./reasons.js";

// Of a coil whose length is unknown places are told in these instead of metres.
const CHUNKS = 264;

// The parts stand from the beginning and only their content is replaced, each where it has changed: what somebody is
// writing into the remark keeps its field, and the field the focus.
export function details({ from, remark, withdrawn, shout }) {
  const known = {};
  const bodies = Object.fromEntries(["evidence", "words", "votes", "reasons", "similar"].map((name) => [name, el("div", {})]));
  const part = (name, ...more) => el("section", { class: `part ${name}`, "aria-labelledby": `part-${name}` }, el("h2", { id: `part-${name}` }, t(`coil.${name}`)), bodies[name], more);
  const element = el("div", { class: "details" }, part("evidence"), part("words", remark), part("votes"), part("reasons"), part("similar"));
  function set(name, source, build) {
    const now = JSON.stringify(source);
    if (known[name] === now) return;
    known[name] = now;
    put(bodies[name], build());
  }
  function show(coil) {
    const a = coil.assessment;
    set("evidence", a, () => evidence(a));
    set("words", [coil.dispositions, coil.standing, session.operator], () => words(coil, (word) => withdraw(word, withdrawn, shout)));
    set("votes", a, () => votes(a));
    set("reasons", a, () => reasons(a));
    set("similar", coil.similar, () => similar(coil.similar, from));
  }
  return { element, show };
}

function none(text) {
  return el("p", { class: "none" }, text);
}

function evidence(a) {
  if (a.evidence.length === 0) return none(t(a.verdict === "OK" ? "evidence.ok" : "evidence.none"));
  return el("ol", { class: "evidence-list" }, a.evidence.map((e, i) => {
    const gauges = e.gauges.map((gauge) => gauge.number).sort((x, y) => x - y);
    const span = gauges.length > 1 ? `${gauges[0]}–${gauges[gauges.length - 1]}` : String(gauges[0] ?? "–");
    const along = a.length_m ? t("evidence.metres", { from: number(e.from_m), to: number(e.to_m) }) :
      t("evidence.share", { from: percent(e.from_m / CHUNKS), to: percent(e.to_m / CHUNKS) });
    const where = t("evidence.where", { side: t(`side.${e.side}`), along, gauges: span });
    return el("li", {}, el("span", { class: "number" }, String(i + 1)),
      el("span", {}, el("b", {}, deviation(e.deviation_percent)), " ", where,
        el("span", { class: "quiet" }, " ", t("evidence.without", { p: percent(e.p_nok_without) }))));
  }));
}

function reasons(a) {
  const seen = t("coverage", { chunks: percent(a.coverage.chunks), gauges: percent(a.coverage.gauges), cells: percent(a.coverage.cells) });
  const model = t("coil.model", { bundle: a.model.bundle, release: a.model.release, ms: number(a.timing.judged_in_ms, 1) });
  return [
    a.reasons.length ? el("ul", {}, a.reasons.map((one) => el("li", {}, reason(one)))) : none(t("coil.no_reason")),
    el("p", { class: "quiet" }, seen), el("p", { class: "quiet" }, model),
  ];
}

// A bar from 0 to 1.
function bar(share, verdict) {
  const inner = el("span", { class: verdict.toLowerCase() });
  inner.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return el("span", { class: "bar", "aria-hidden": "true" }, inner);
}

function votes(a) {
  const line = (name, verdict, p, note) => el("tr", {}, el("th", { scope: "row" }, name),
    el("td", {}, verdict ? mark(verdict) : "–"), el("td", { class: "wide" }, p === null ? "" : bar(p, verdict ?? "REVIEW")),
    el("td", { class: "figure" }, percent(p)), el("td", { class: "quiet figure" }, note));
  return el("table", { class: "votes" },
    el("caption", { class: "unseen" }, t("votes.caption")),
    el("thead", { class: "unseen" }, el("tr", {}, ["model", "verdict", "bar", "p", "weight"].map((name) => el("th", { scope: "col" }, t(`votes.${name}`))))),
    el("tbody", {}, line(t("votes.together"), a.by_score, a.p_nok, ""),
      a.votes.map((vote) => line(vote.model, vote.verdict, vote.p_nok, `× ${number(vote.weight, 2)}`))));
}

function similar(coils, from) {
  if (coils.length === 0) return none(t("similar.none"));
  return el("ul", { class: "similar-list" }, coils.map((other) => el("li", {},
    el("a", { href: `#/coils/${encodeURIComponent(other.decision_id)}/all`, class: "alike" },
      mark(other.verdict), el("span", { class: "id" }, other.coil_id),
      el("span", { class: "said" }, other.label ? [t("said"), " ", mark(other.label)] : t("said.nobody"))))));
}

// Oldest first, as they came; what no longer counts is struck through, and says why.
function words(coil, takeBack) {
  if (coil.dispositions.length === 0) return none(t("words.none"));
  const replaced = new Set(coil.dispositions.filter((word) => word.label !== null).map((word) => word.supersedes));
  return el("ol", { class: "words-list" }, coil.dispositions.map((word) => {
    if (word.label === null) return el("li", { class: "withdrawal" }, t("words.withdrew", { name: word.by, at: time(word.at) }));
    const stands = coil.standing?.disposition_id === word.disposition_id;
    const gone = word.withdrawn ? t("words.withdrawn") : !stands && replaced.has(word.disposition_id) ? t("words.superseded") : null;
    const text = [shape(word.label), el("b", {}, word.label), " ", word.by, " · ", time(word.at), word.remark ? [" · ", el("q", {}, word.remark)] : null];
    const mine = stands && word.by === session.operator && word.source === "page";
    return el("li", { class: stands ? "stands" : "past" },
      gone ? [el("s", {}, text), " ", el("span", { class: "gone" }, gone)] : text,
      mine ? el("button", { type: "button", class: "withdraw", onclick: () => takeBack(word) }, t("undo")) : null);
  }));
}

async function withdraw(word, withdrawn, shout) {
  try {
    await post(`/dispositions${path(word.disposition_id)}/withdraw`, {});
    tell(t("say.undone"));
  } catch (fault) {
    shout(fault.unreachable ? t("say.unknown_undo") : `${t("say.not_undone")} ${faultText(fault)}`);
  }
  withdrawn();
}
