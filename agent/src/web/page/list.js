// The first page: three queues and their coils.

import { el, put, mark, tell } from "./dom.js";
import { get } from "./api.js";
import { t, number, time } from "./languages.js";
import { faultText } from "./faults.js";
import { QUEUES } from "./queues.js";
import { reason } from "./reasons.js";

const PAGE = 50;
const MOST = 200;
// Rows that have just moved take no touch for a moment: the finger was on its way to another one.
const SETTLE_MS = 500;
// Which coil of a queue was looked at last: coming back, it has the focus.
const lastOf = {};

// `queue` may be null: then what waits for a person, if anything does.
export function listView(host, { queue, go }) {
  let chosen = queue;
  let open = true;
  let wanted = PAGE;
  let known = "";
  let reviews = null;
  let rows = new Map();
  const filter = { q: "", verdict: "" };
  const tabs = el("nav", { class: "queues", "aria-label": t("queues") });
  const list = el("ul", { class: "rows" });
  const more = el("button", { type: "button", class: "more", hidden: true, onclick: () => { wanted = Math.min(MOST, wanted + PAGE); read(); } }, t("list.more"));
  const end = el("p", { class: "none end", hidden: true }, t("list.end", { n: MOST }));
  let moved = -Infinity;
  list.addEventListener("click", (event) => {
    // A key's click goes to the row that has the focus, wherever that went.
    if (event.detail > 0 && performance.now() - moved < SETTLE_MS) event.preventDefault();
  });
  const body = el("div", { class: "scroll" }, el("p", { class: "wait" }, t("loading")));
  put(host, el("h1", { class: "unseen" }, t("nav.coils")), tabs, body);

  function search() {
    const field = el("input", { type: "search", "aria-label": t("list.search"), placeholder: t("list.search"), maxlength: 64, value: filter.q });
    let timer = null;
    field.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => { filter.q = field.value.trim(); read(); }, 250);
    });
    const only = ["OK", "NOK", "REVIEW"].map((verdict) => el("button", {
      type: "button", "aria-pressed": "false", "aria-label": t("list.only", { verdict }),
      onclick: (event) => {
        filter.verdict = filter.verdict === verdict ? "" : verdict;
        only.forEach((button) => button.setAttribute("aria-pressed", String(button === event.currentTarget && filter.verdict !== "")));
        read();
      },
    }, mark(verdict)));
    return el("div", { class: "search", role: "search" }, field, only);
  }

  function showTabs(counts) {
    const focus = document.activeElement?.dataset?.queue;
    put(tabs, QUEUES.map((name, i) => el("a", {
      href: `#/${name}`, class: `queue ${name}${counts[name] > 0 ? " some" : ""}`, "data-queue": name,
      "aria-current": name === chosen ? "page" : null, "aria-keyshortcuts": String(i + 1),
    }, el("span", { class: "count" }, number(counts[name])), el("span", {}, t(`queue.${name}`)))));
    if (focus) tabs.querySelector(`[data-queue=${focus}]`)?.focus();
    if (reviews !== null && counts.review > reviews) tell(t("list.waiting", { n: counts.review }));
    reviews = counts.review;
  }

  function line(coil) {
    const facts = [
      time(coil.closed_at ?? coil.pass), coil.tolerance_class ? t("list.class", { class: coil.tolerance_class }) : t("coil.no_order"),
      coil.nominal_g_m2 ? `${number(coil.nominal_g_m2)} g/m²` : null,
    ].filter(Boolean).join(" · ");
    return el("li", {}, el("a", {
      href: `#/coils/${encodeURIComponent(coil.decision_id)}/${chosen}`, class: "row", "data-id": coil.decision_id,
      onfocus: () => { lastOf[chosen] = coil.decision_id; },
    },
    mark(coil.verdict, "big"), el("span", { class: "id" }, coil.coil_id), el("span", { class: "facts" }, facts),
    el("span", { class: "why" }, coil.why ? reason({ ...coil.why, text: coil.reason }) : coil.drawn ? t("list.drawn") : ""),
    el("span", { class: "said" }, coil.label ? [el("span", { class: "by" }, coil.by), mark(coil.label)] : el("span", { class: "quiet" }, t("said.nobody")))));
  }

  function showRows(coils) {
    // Rows that stay keep their elements, and with them the focus and the finger that is on its way.
    const focus = list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    const before = rows;
    rows = new Map();
    for (const coil of coils) {
      const text = JSON.stringify(coil);
      const old = before.get(coil.decision_id);
      rows.set(coil.decision_id, old?.text === text ? old : { text, node: line(coil) });
    }
    if (before.size > 0 && [...rows.keys()].join() !== [...before.keys()].join()) moved = performance.now();
    put(list, [...rows.values()].map((row) => row.node));
    if (focus) rows.get(focus)?.node.firstChild.focus({ preventScroll: true });
    if (coils.length === 0) put(list, el("li", { class: "empty" }, t(filter.q || filter.verdict ? "list.nothing_found" : `empty.${chosen}`)));
  }

  let asked = 0;
  async function read() {
    asked += 1;
    const mine = asked;
    try {
      const narrowed = chosen === "all" ? filter : {};
      let answer = await get("/coils", { queue: chosen ?? "review", limit: wanted, ...narrowed });
      if (!open || mine !== asked) return;
      if (chosen === null) {
        chosen = answer.counts.review > 0 ? "review" : "all";
        if (chosen === "all") answer = await get("/coils", { queue: "all", limit: wanted });
        if (!open || mine !== asked) return;
      }
      const first = known === "";
      const now = JSON.stringify([answer.coils, answer.counts]);
      if (first) put(body, chosen === "all" ? search() : null, list, more, end);
      more.hidden = answer.next === null || wanted >= MOST;
      end.hidden = answer.next === null || wanted < MOST;
      if (now === known) return;
      known = now;
      showTabs(answer.counts);
      showRows(answer.coils);
      if (first && (document.activeElement === document.body || document.activeElement === host)) rows.get(lastOf[chosen])?.node.firstChild.focus();
    } catch (fault) {
      // With rows there already, the loud line above says that they are old.
      if (open && known === "") put(body, el("p", { class: "failed", role: "alert" }, faultText(fault)), el("button", { type: "button", onclick: read }, t("again")));
    }
  }

  function step(by) {
    const links = [...list.querySelectorAll("a.row")];
    const at = links.indexOf(document.activeElement);
    const to = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.max(0, Math.min(links.length - 1, at + by))];
    to?.focus();
  }

  read();
  const [down, up] = [() => step(1), () => step(-1)];
  const openFirst = () => { const link = list.querySelector("a.row"); if (link) go(link.hash.slice(1)); };
  const keys = { ArrowDown: down, j: down, ArrowUp: up, k: up };
  keys.Enter = (event) => { if (event.target === document.body || event.target === host) openFirst(); };
  return { title: t("nav.coils"), refresh: read, keys, close: () => { open = false; } };
}
