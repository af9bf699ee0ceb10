// OK and NOK, always in the same place: one touch says it, one takes it back. "Kept" stands there only once the agent
// has stored it.

import { el, put, shape, mark, tell } from "./dom.js";
import { post, path } from "./api.js";
import { t, time } from "./languages.js";
import { session, forgotten } from "./session.js";
import { askWho } from "./login.js";
import { dialog, title } from "./dialog.js";
import { faultText } from "./faults.js";

// How long a word may be taken back before the queue's next coil comes.
export const UNDO_S = 8;
// A coil that has just come by itself takes no word for a moment: the finger was still on its way to the last one.
const SETTLE_MS = 700;

export function labelButtons(say) {
  const button = (label, key) => el("button", {
    type: "button", class: `say ${label.toLowerCase()}`, "aria-keyshortcuts": key, onclick: () => say(label),
  }, shape(label), el("span", {}, label));
  return { OK: button("OK", "o"), NOK: button("NOK", "n") };
}

// `coil` names what is judged; `remark()` gives and `clear()` empties the remark; `changed(word)` is told of what was
// stored, `next()` brings the queue's next coil (null where no queue is worked off).
export function sayPanel({ id, coilId, remark, clear, changed, next, byItself }) {
  const buttons = labelButtons((label) => say(label));
  const state = el("div", { class: "state" });
  const element = el("section", { class: "panel", "aria-label": t("say.title") }, buttons.OK, buttons.NOK, state);
  const shown = performance.now();
  let [standing, ready, busy, kept, timer, gone, noted] = [null, false, false, null, null, false, null];

  function update(word) {
    standing = word;
    ready = true;
    for (const [label, button] of Object.entries(buttons)) {
      button.setAttribute("aria-pressed", String(standing?.label === label));
    }
    if (!kept && !busy) idle();
  }

  // A note stays until something else is said: the page reads the coil again meanwhile.
  function idle(note = noted) {
    noted = note;
    const stands = standing ? [el("p", { class: "stands" }, t("say.stands"), " ", mark(standing.label), " ", standing.by)] : [];
    put(state, note ? el("p", { class: "note" }, note) : null, stands,
      el("p", { class: "quiet" }, session.operator ? t("say.as", { name: session.operator }) : t("say.nobody")));
  }

  async function say(label) {
    if (!ready || busy || (byItself && performance.now() - shown < SETTLE_MS)) return;
    // A second touch of the same key is the same word.
    if (kept?.label === label && remark() === "") return;
    stay();
    busy = true;
    noted = null;
    element.classList.add("busy");
    put(state, el("p", {}, t("say.sending", { label })));
    try {
      await send(label);
    } finally {
      busy = false;
      element.classList.remove("busy");
    }
  }

  async function send(label) {
    if (!session.operator && !(await askWho(t("login.why", { label, coil: coilId })))) {
      kept = null;
      return idle(t("say.not_said"));
    }
    try {
      const words = remark();
      const body = { label, standing: standing?.disposition_id ?? null };
      if (words !== "") body.remark = words;
      stored(await post(`/coils${path(id)}/feedback`, body));
    } catch (fault) {
      await refused(label, fault);
    }
  }

  async function refused(label, fault) {
    if (fault.status === 401) {
      forgotten();
      return send(label);
    }
    if (fault.status === 409) {
      const now = fault.body?.standing ?? null;
      // What was sent before the connection broke has arrived after all.
      if (now && now.label === label && now.by === session.operator) return stored(now);
      update(now);
      if (await meanwhile(label, now)) return send(label);
      kept = null;
      changed(null);
      return idle(t("say.not_said"));
    }
    kept = null;
    tell(`${t("say.not_kept")} ${faultText(fault)}`);
    put(state, el("div", { class: "failed", role: "alert" }, el("strong", {}, t("say.not_kept")), el("p", {}, faultText(fault))),
      el("button", { type: "button", class: "again", onclick: () => say(label) }, t("say.again", { label })));
  }

  // Somebody else was quicker: what they said, and whether it is still meant.
  function meanwhile(label, now) {
    const name = "meanwhile";
    const they = now ? t("say.they", { name: now.by, at: time(now.at) }) : t("say.they_withdrew");
    return dialog(name, (close) => [
      title(name, t("say.meanwhile")),
      el("p", { class: "large" }, they, " ", now ? mark(now.label) : null),
      now?.remark ? el("p", { class: "remark" }, now.remark) : null,
      el("p", { class: "large" }, t("say.you"), " ", mark(label)),
      el("div", { class: "choices" },
        el("button", { type: "button", class: "leave", autofocus: true, onclick: () => close(false) }, t("say.leave")),
        el("button", { type: "button", class: "anyway", onclick: () => close(true) }, t("say.anyway", { label }))),
    ]);
  }

  function stored(word) {
    kept = word;
    update(word);
    clear();
    changed(word);
    tell(t("say.kept_told", { label: word.label, coil: coilId }));
    const undoing = el("button", { type: "button", class: "undo", "aria-keyshortcuts": "u", onclick: undo }, el("span", { class: "sand" }), t("undo"));
    undoing.style.setProperty("--undo", `${UNDO_S}s`);
    const on = next && !gone ? el("button", { type: "button", class: "next", onclick: leave }, t("say.next")) : null;
    put(state, el("p", { class: "kept" }, t("say.kept"), " ", mark(word.label)), undoing, on);
    if (on) {
      undoing.classList.add("running");
      timer = setTimeout(leave, UNDO_S * 1000);
    }
  }

  // Whoever looks closer wants to stay.
  function stay() {
    clearTimeout(timer);
    timer = null;
    state.querySelector(".running")?.classList.remove("running");
  }

  function leave() {
    stay();
    if (!gone) next();
  }

  async function undo() {
    if (!kept || busy) {
      if (!kept) tell(t("say.nothing_to_undo"));
      return;
    }
    stay();
    busy = true;
    try {
      const answer = await post(`/dispositions${path(kept.disposition_id)}/withdraw`, {});
      kept = null;
      update(answer.standing);
      idle(t("say.undone"));
      tell(t("say.undone"));
      changed(null);
    } catch (fault) {
      if (fault.status === 401) {
        forgotten();
        busy = false;
        return (await askWho(t("login.why_undo"))) ? undo() : undefined;
      }
      state.prepend(el("p", { class: "failed", role: "alert" }, t("say.not_undone"), " ", faultText(fault)));
    }
    busy = false;
    if (!kept) idle(t("say.undone"));
  }

  return { element, update, say, undo, stay, refresh: () => { if (!kept && !busy) idle(); }, close: () => { gone = true; stay(); } };
}
