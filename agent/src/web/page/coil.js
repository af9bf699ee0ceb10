// One coil: what it looks like, why it was judged so, what people said, and the two buttons.

import { el, put, mark, tell } from "./dom.js";
import { get, path } from "./api.js";
import { t, number, time } from "./languages.js";
import { heatMap } from "./heat.js";
import { sayPanel } from "./say.js";
import { place } from "./queues.js";
import { details } from "./details.js";
import { reason } from "./reasons.js";
import { faultText } from "./faults.js";
import { onSession } from "./session.js";

let showing = null;
// Who is logged in stands beside the buttons, too.
onSession(() => showing?.heard());

// `from` is the queue that is being worked off, if any; `byItself` whether nobody asked for this coil.
export function coilView(host, { id, from, byItself, go, shout }) {
  const view = { panel: null, heard: () => {} };
  showing = view;
  let around = { before: null, behind: null, next: null };
  let open = true;
  let known = "";
  let names = { newer: null, older: null };
  const working = from === "review" || from === "drawn";
  const back = () => go(`/${from ?? "all"}`);
  const left = el("div", { class: "left" }, el("p", { class: "wait" }, t("loading")));
  const page = el("div", { class: "coil" }, left);
  const remark = el("input", { type: "text", maxlength: 1000, class: "remark-in", "aria-label": t("remark.label"), placeholder: t("remark.label") });
  const rest = details({ from, remark, withdrawn: read, shout });
  // Whoever looks closer, or writes, wants to stay.
  for (const what of ["pointerdown", "focusin", "input"]) left.addEventListener(what, () => view.panel?.stay());
  put(host, page);

  function towards(other) {
    if (other) go(`/coils/${encodeURIComponent(other)}/${from ?? "all"}`);
    else shout(t("coil.no_more"));
  }
  const forward = () => towards(working ? around.behind : names.older);
  const backward = () => towards(working ? around.before : names.newer);

  async function next() {
    try {
      const other = await around.next();
      if (!open) return;
      if (other) go(`/coils/${encodeURIComponent(other)}/${from}`, true);
      else { tell(t("queue.done")); back(); }
    } catch (fault) {
      if (open) shout(faultText(fault));
    }
  }

  function head(a) {
    const order = a.order;
    const facts = [
      order ? t("coil.order", { class: order.tolerance_class, weight: number(order.nominal_g_m2, 0), width: number(order.width_mm) }) : t("coil.no_order"),
      a.length_m ? `${number(a.length_m)} m` : null, time(a.timing.closed_at ?? a.pass),
    ].filter(Boolean).join(" · ");
    const arrow = (text, label, act) => el("button", { type: "button", class: "arrow", "aria-label": label, title: label, onclick: act }, text);
    return el("div", { class: "head" },
      arrow("☰", t("back"), back), mark(a.verdict, "big"), el("h1", { class: "id" }, a.coil_id),
      el("span", { class: "steps" }, arrow("‹", working ? t("coil.before") : t("coil.newer"), backward), arrow("›", working ? t("coil.skip") : t("coil.older"), forward)),
      el("p", { class: "facts" }, facts), el("p", { class: "why" }, a.reasons.length ? reason(a.reasons[0]) : t("coil.no_reason")));
  }

  async function start() {
    try {
      const [coil, queue] = await Promise.all([get(`/coils${path(id)}`), working ? place(from, id) : around]);
      if (!open) return;
      around = queue;
      names = coil;
      const map = el("div", { class: "map-here" }, el("p", { class: "wait" }, t("loading")));
      put(left, head(coil.assessment), map, rest.element);
      view.panel = sayPanel({
        id, coilId: coil.assessment.coil_id, byItself, shout, next: working ? next : null,
        remark: () => remark.value.trim(), clear: () => { remark.value = ""; }, changed: read,
      });
      page.append(view.panel.element);
      show(coil);
      if (coil.matrix !== "kept") return put(map, el("p", { class: "none" }, t(`matrix.${coil.matrix}`)));
      const matrix = await get(`/coils${path(id)}/matrix`);
      if (open) put(map, heatMap(matrix, coil.assessment.evidence));
    } catch (fault) {
      if (open) put(left, el("p", { class: "failed", role: "alert" }, faultText(fault)), el("button", { type: "button", onclick: back }, t("back")));
    }
  }

  function show(coil) {
    const now = JSON.stringify(coil);
    if (now === known) return;
    known = now;
    names = coil;
    view.panel.update(coil.standing);
    rest.show(coil);
    view.heard = () => { view.panel.refresh(); rest.show(names); };
  }

  // Only the latest question's answer counts: an older one tells what no longer is.
  let asked = 0;
  async function read() {
    if (!view.panel) return;
    asked += 1;
    const mine = asked;
    try {
      const coil = await get(`/coils${path(id)}`);
      if (open && mine === asked) show(coil);
    } catch (fault) {
      // A word that is stored stays stored: only the rest of the page is old, and the header says so if it is the link.
      if (open && mine === asked && !fault.unreachable) shout(faultText(fault));
    }
  }

  start();
  const keys = {
    o: () => view.panel?.say("OK"), n: () => view.panel?.say("NOK"), u: () => view.panel?.undo(), Escape: back,
    ArrowDown: forward, j: forward, ArrowRight: forward, ArrowUp: backward, k: backward, ArrowLeft: backward,
  };
  return { title: t("coil.title"), refresh: read, keys, close: () => { open = false; view.panel?.close(); if (showing === view) showing = null; } };
}
