// The second page: is all well, which models judge, how well they do, whether gauges drift, what waits where.

import { el, put, mark } from "./dom.js";
import { get } from "./api.js";
import { t, number, percent, bytes, duration, time } from "./languages.js";
import { gaugeStrip } from "./figures.js";
import { scores } from "./scores.js";
import { faultText } from "./faults.js";
import { troubleWords } from "./reasons.js";
import { references } from "./references.js";

const WINDOWS = ["200c", "30d", "all"];

export function statusView(host) {
  let open = true;
  let chosen = "200c";
  const parts = ["health", "model", "scores", "triggers", "drift", "queues"];
  const bodies = Object.fromEntries(parts.map((name) => [name, el("div", { class: "body" }, el("p", { class: "wait" }, t("loading")))]));
  const choice = el("div", { class: "windows", role: "group", "aria-label": t("scores.window") }, WINDOWS.map((name) => el("button", {
    type: "button", "data-window": name, "aria-pressed": String(name === chosen), onclick: () => {
      chosen = name;
      choice.querySelectorAll("button").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.window === name)));
      part("scores", () => get("/scores", { window: chosen }), scores);
    },
  }, t(`window.${name}`))));
  put(host, el("h1", { class: "unseen" }, t("nav.status")), el("div", { class: "sheet" }, el("div", { class: "cards" }, parts.map((name) =>
    el("section", { class: `part ${name}`, "aria-labelledby": `part-${name}` },
      el("div", { class: "title" }, el("h2", { id: `part-${name}` }, t(`status.${name}`)), name === "scores" ? choice : null), bodies[name])))));

  const known = {};
  // Each part stands for itself: one that cannot be had leaves the others.
  async function part(name, ask, show) {
    try {
      const answer = await ask();
      const now = JSON.stringify(answer);
      if (!open || known[name] === now) return;
      known[name] = now;
      put(bodies[name], show(answer));
    } catch (fault) {
      if (open && (known[name] === undefined || !fault.unreachable)) {
        known[name] = undefined;
        put(bodies[name], el("p", { class: "failed" }, faultText(fault)));
      }
    }
  }

  function refresh() {
    const status = get("/status");
    part("health", () => status, health);
    part("queues", () => status, queues);
    part("model", () => get("/models"), models);
    part("scores", () => get("/scores", { window: chosen }), scores);
    part("triggers", () => get("/triggers"), triggers);
    part("drift", () => get("/drift"), (report) => drift(report, () => { known.drift = undefined; refresh(); }));
  }
  refresh();
  return { title: t("nav.status"), refresh, keys: {}, close: () => { open = false; } };
}

function health(status) {
  const troubles = status.health ?? [];
  const link = status.connected ? null : { text: t("health.broker"), to_do: t("health.broker_to_do"), own: true };
  const all = [...(link ? [link] : []), ...troubles];
  if (all.length === 0) return el("p", { class: "well" }, mark("OK"), " ", t("health.well"));
  return el("ul", { class: "troubles" }, all.map((one) => trouble(one)));
}

// What the page has no words for is English, as the agent wrote it; what it says of the connection is not.
function trouble(one) {
  const [what, act] = one.own ? [{ text: one.text }, { text: one.to_do }] : troubleWords(one);
  return el("li", {}, el("b", { lang: what.lang }, what.text), one.at ? el("span", { class: "quiet" }, ` · ${time(one.at)}`) : null,
    act.text ? el("p", { lang: act.lang }, "→ ", act.text) : null);
}

function queues(status) {
  const q = status.queues ?? {};
  const rows = [
    ["open_coils", number(q.open_coils)], ["outbox", number(q.outbox)], ["unacknowledged", number(q.unacknowledged)], ["unconfirmed", number(q.unconfirmed)],
    ["decisions", number(status.decisions)], ["messages", number(status.sums?.messages?.received)],
    ["set_aside", number(Object.values(status.sums?.messages?.set_aside ?? {}).reduce((a, b) => a + b, 0))],
    ["up", status.up_s === undefined ? "–" : duration(status.up_s)], ["agent", status.agent],
  ];
  const [used, cap] = status.archive_bytes ?? [0, 0];
  const disk = el("meter", { min: 0, max: cap || 1, value: used, high: cap * 0.9, "aria-label": t("queues.disk") });
  return [el("dl", { class: "facts-list" }, rows.map(([name, value]) => [el("dt", {}, t(`queues.${name}`)), el("dd", {}, value ?? "–")])),
    el("p", {}, t("queues.disk"), ": ", cap ? t("queues.of", { used: bytes(used), cap: bytes(cap) }) : "–"), cap ? disk : null];
}

// What judges bears the name of its bundle, what is in a slot its own.
function set(it) {
  const name = it?.bundle ?? it?.name;
  return name ? t("model.set", { bundle: name, release: it.release ?? "–" }) : null;
}

function models(m) {
  const rows = ["judges", "active", "last_good", "candidate"].map((name) => [name, set(m[name])]).filter(([, text]) => text);
  const shadow = m.shadow;
  return [
    rows.length ? el("dl", { class: "facts-list" }, rows.map(([name, text]) => [el("dt", {}, t(`model.${name}`)), el("dd", {}, text)])) : el("p", { class: "none" }, t("model.none")),
    shadow ? el("p", {}, t("model.shadow", { judged: shadow.judged, wanted: shadow.wanted, agreed: shadow.judged ? percent(shadow.agreed / shadow.judged) : "–" })) : null,
    m.probation ? el("p", {}, t("model.probation")) : null,
    m.trail?.length ? el("details", {}, el("summary", {}, t("model.trail")),
      el("ol", { class: "trail", lang: "en" }, m.trail.map((entry) => el("li", {}, el("span", { class: "quiet" }, time(entry.at)), " ", entry.text)))) : null,
  ];
}

function triggers({ triggers: all }) {
  if (all.length === 0) return el("p", { class: "none" }, t("triggers.none"));
  return el("ul", { class: "troubles" }, all.slice(0, 10).map((one) => trouble({ ...one, why: { ...one, code: one.rule } })));
}

function drift(report, changed) {
  // Nothing has been compared since the agent started.
  if (!report) return el("p", { class: "none" }, t("drift.none"));
  const sample = (name, s) => t(`drift.${name}`, { n: number(s.n), wanted: number(s.wanted) });
  return [
    el("p", {}, t(`drift.${report.state}`), " ", el("span", { class: "quiet" }, sample("reference", report.reference), " ", sample("window", report.window))),
    gaugeStrip(report.gauges),
    report.findings.length ? el("ul", { class: "troubles" }, report.findings.map((one) => trouble(one))) : el("p", { class: "none" }, t("drift.no_findings")),
    report.order_mix.changed ? el("p", { class: "quiet", lang: "en" }, report.order_mix.text) : null,
    columns(report.columns.filter((column) => column.drifted)),
    references(report, changed),
  ];
}

function columns(drifted) {
  if (drifted.length === 0) return null;
  return el("details", {}, el("summary", {}, t("drift.columns", { n: drifted.length })), el("ul", { lang: "en" }, drifted.map((column) =>
    el("li", {}, column.text, column.figures.psi === null ? null : el("span", { class: "quiet" }, ` PSI ${number(column.figures.psi, 2)}`)))));
}
