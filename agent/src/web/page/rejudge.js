// Blind re-judging: the same coils twice, without id, verdict or words; then how far people agree.

import { el, put, tell } from "./dom.js";
import { get, post, path } from "./api.js";
import { t, number } from "./languages.js";
import { heatMap } from "./heat.js";
import { labelButtons } from "./say.js";
import { askWho } from "./login.js";
import { dialog, title } from "./dialog.js";
import { session, forgotten } from "./session.js";
import { faultText } from "./faults.js";
import { agreement } from "./agreement.js";

const SIZES = [30, 40, 50];
// As in say.js: the finger was still on its way to the coil before.
const SETTLE_MS = 500;

export function rejudgeView(host, { shout }) {
  let open = true;
  let item = null;
  let busy = false;
  let shown = 0;
  let known = "";
  const buttons = labelButtons((label) => answer(label));

  // Does `act` as somebody, asking who it is where nobody is known.
  async function asSomebody(act) {
    if (!session.operator && !(await askWho(t("rejudge.why")))) return undefined;
    try {
      return await act();
    } catch (fault) {
      if (fault.status !== 401) throw fault;
      forgotten();
      return (await askWho(t("rejudge.why"))) ? act() : undefined;
    }
  }

  async function guarded(act) {
    if (busy) return;
    busy = true;
    try {
      await act();
    } catch (fault) {
      // No coil is on the page any more: no key answers one.
      item = null;
      if (!open) shout(faultText(fault));
      else put(host, el("div", { class: "sheet" }, el("p", { class: "failed large", role: "alert" }, faultText(fault)),
        el("button", { type: "button", class: "start", onclick: () => overview() }, t("again"))));
    }
    busy = false;
  }

  const overview = (afresh = true) => guarded(async () => {
    const answer = await get("/rejudge");
    // What is as it was stays as it stands, and with it the focus.
    if (!open || (!afresh && known === JSON.stringify(answer))) return;
    known = JSON.stringify(answer);
    item = null;
    const { session: going, agreement: agreed } = answer;
    const begin = (size) => el("button", { type: "button", class: "start", onclick: () => start(size) }, t("rejudge.start", { n: size }));
    const state = going ? [
      el("p", {}, t("rejudge.going", { n: going.size, name: going.started_by })),
      going.inspectors.length ? el("ul", { class: "inspectors" }, going.inspectors.map(({ name, done }) =>
        el("li", {}, el("b", {}, name), " ", t("rejudge.rounds", { a: number(done[0]), b: number(done[1]), n: going.size }),
          progress((done[0] + done[1]) / (2 * going.size))))) : null,
      el("button", { type: "button", class: "start main", onclick: begun }, t("rejudge.go_on")),
      el("details", {}, el("summary", {}, t("rejudge.anew")), el("div", { class: "starts" }, SIZES.map(begin))),
    ] : el("div", { class: "starts" }, SIZES.map(begin));
    put(host, el("div", { class: "sheet" }, el("h1", {}, t("rejudge.title")), el("p", { class: "lead" }, t("rejudge.lead")), state,
      agreed ? agreement(agreed) : el("p", { class: "none" }, t(going ? "rejudge.agreement_later" : "rejudge.no_agreement"))));
  });

  const start = (size) => guarded(async () => {
    if ((await asSomebody(() => startAsked(size))) !== undefined) await next();
  });

  // What others have answered is dropped only when whoever drops it has seen how much that is; the agent holds to it, too.
  async function startAsked(size) {
    let { session: going } = await get("/rejudge");
    const asked = unfinished(going);
    if (asked && !(await mayDrop(going))) return undefined;
    try {
      return await post("/rejudge", { size });
    } catch (fault) {
      if (fault.code !== "session_running") throw fault;
    }
    if (!asked) {
      ({ session: going } = await get("/rejudge"));
      if (!(await mayDrop(going))) return undefined;
    }
    return post("/rejudge", { size, replaces: going.id });
  }

  function mayDrop(going) {
    const answers = number(going.inspectors.reduce((sum, { done }) => sum + done[0] + done[1], 0));
    const name = "replace";
    return dialog(name, (close) => [
      title(name, t("rejudge.running")),
      el("p", { class: "large" }, t("rejudge.going", { n: number(going.size), name: going.started_by }), " ", t("rejudge.dropped", { n: answers })),
      el("div", { class: "choices" },
        el("button", { type: "button", class: "leave", autofocus: true, onclick: () => close(false) }, t("rejudge.keep")),
        el("button", { type: "button", class: "anyway", onclick: () => close(true) }, t("rejudge.drop", { n: answers }))),
    ]);
  }

  const begun = () => guarded(next);

  async function next() {
    const coil = await asSomebody(() => get("/rejudge/next"));
    if (!open || coil === undefined) return;
    if (coil === null) {
      tell(t("rejudge.through"));
      busy = false;
      return overview();
    }
    const matrix = await get(`/rejudge/items${path(coil.item)}/matrix`);
    if (!open) return;
    item = coil.item;
    shown = performance.now();
    const order = coil.order ? t("coil.order", { class: coil.order.tolerance_class, weight: number(coil.order.nominal_g_m2, 0), width: number(coil.order.width_mm) }) : t("coil.no_order");
    const left = t("rejudge.left", { round: coil.round, n: number(coil.left) });
    put(host, el("div", { class: "coil" },
      el("div", { class: "left" },
        el("div", { class: "head" }, el("button", { type: "button", class: "arrow", "aria-label": t("back_out"), title: t("back_out"), onclick: () => overview() }, "☰"),
          el("h1", { class: "blind" }, left), el("p", { class: "facts" }, [order, coil.length_m ? `${number(coil.length_m)} m` : null].filter(Boolean).join(" · "))),
        heatMap(matrix)),
      el("section", { class: "panel", "aria-label": t("say.title") }, buttons.OK, buttons.NOK,
        el("div", { class: "state" }, el("p", { class: "quiet" }, t("say.as", { name: session.operator })), el("p", { class: "quiet" }, t("rejudge.blind"))))));
    tell(left);
  }

  const answer = (label) => item && performance.now() - shown >= SETTLE_MS && guarded(async () => {
    const now = item;
    if ((await asSomebody(() => post(`/rejudge/items${path(now)}`, { label }))) !== undefined) await next();
  });

  overview();
  const keys = { o: () => answer("OK"), n: () => answer("NOK"), Escape: () => { if (item) overview(); } };
  return { title: t("nav.rejudge"), refresh: () => { if (!item) overview(false); }, keys, close: () => { open = false; } };
}

// Whether somebody has begun and not judged both rounds.
function unfinished(going) {
  return going !== null && going.inspectors.some(({ done }) => done[0] + done[1] < 2 * going.size);
}

function progress(share) {
  const inner = el("span", {});
  inner.style.width = `${share * 100}%`;
  return el("span", { class: "bar", "aria-hidden": "true" }, inner);
}
