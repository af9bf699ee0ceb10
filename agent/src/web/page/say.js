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

// `remark()` gives and `clear()` empties the remark; `changed(word)` is told of what was stored, `next()` brings the
// queue's next coil (null where no queue is worked off), `shout(text)` shows what concerns no coil that is on the page.
export function sayPanel({ id, coilId, remark, clear, changed, next, byItself, shout }) {
  const buttons = labelButtons((label) => say(label));
  const state = el("div", { class: "state" });
  const stands = el("p", { class: "stands", hidden: true });
  const element = el("section", { class: "panel", "aria-label": t("say.title") }, buttons.OK, buttons.NOK, state);
  const shown = performance.now();
  let [standing, ready, busy, kept, failed, timer, gone, noted] = [null, false, false, null, null, null, false, null];

  function update(word) {
    standing = word;
    ready = true;
    for (const [label, button] of Object.entries(buttons)) {
      button.setAttribute("aria-pressed", String(standing?.label === label));
    }
    stands.hidden = !standing;
    put(stands, standing ? [t("say.stands"), " ", mark(standing.label), " ", standing.by] : "");
    // What was kept here has been replaced or taken back elsewhere: it no longer says so.
    if (kept && standing?.disposition_id !== kept.disposition_id) {
      stay();
      kept = null;
    }
    if (busy) return;
    if (failed && own(standing, failed.label) && standing.disposition_id !== failed.seen) return stored(standing);
    if (!kept && !failed) idle();
  }

  // Whether a word is what was said here: sent before the connection broke, it has arrived after all.
  function own(word, label) {
    return word !== null && word.label === label && word.by === session.operator;
  }

  // A note stays until something else is said: the page reads the coil again meanwhile.
  function idle(note = noted) {
    noted = note;
    put(state, note ? el("p", { class: "note" }, note) : null, stands,
      el("p", { class: "quiet" }, session.operator ? t("say.as", { name: session.operator }) : t("say.nobody")));
  }

  async function say(label) {
    if (!ready || busy || (byItself && performance.now() - shown < SETTLE_MS)) return;
    // A second touch of the same key is the same word.
    if (kept?.label === label && remark() === "") return;
    // What stood there at the touch is what is replaced, and nothing that comes while somebody types a code.
    const seen = standing?.disposition_id ?? null;
    stay();
    busy = true;
    noted = null;
    failed = null;
    element.classList.add("busy");
    put(state, el("p", {}, t("say.sending", { label })));
    try {
      await send(label, seen);
    } finally {
      busy = false;
      element.classList.remove("busy");
    }
  }

  async function send(label, seen) {
    if (!session.operator) {
      const there = !gone && await askWho(t("login.why", { label, coil: coilId }));
      if (gone) return missed(label);
      if (!there) return unsaid();
    }
    try {
      const words = remark();
      const body = { label, standing: seen };
      if (words !== "") body.remark = words;
      stored(await post(`/coils${path(id)}/feedback`, body));
    } catch (fault) {
      await refused(label, seen, fault);
    }
  }

  // The coil has left the page: nothing is asked over another one, and what was not kept is said where it is seen.
  function missed(label, fault = null) {
    const text = t(fault?.unreachable ? "say.unknown_of" : "say.not_kept_of", { label, coil: coilId });
    shout(fault && !fault.unreachable ? `${text} ${faultText(fault)}` : text);
  }

  function unsaid() {
    kept = null;
    idle(t("say.not_said"));
  }

  async function refused(label, seen, fault) {
    const now = fault.body?.standing ?? null;
    if (fault.status === 409 && own(now, label)) return stored(now);
    if (gone) return missed(label, fault);
    if (fault.status === 401) {
      forgotten();
      return send(label, seen);
    }
    if (fault.status === 409) {
      update(now);
      const anyway = await meanwhile(label, now);
      if (gone) return missed(label);
      if (anyway) return send(label, now?.disposition_id ?? null);
      changed(null);
      return unsaid();
    }
    kept = null;
    failed = { label, seen };
    const [what, why] = fault.unreachable ? [t("say.unknown"), null] : [t("say.not_kept"), faultText(fault)];
    tell([what, why].filter(Boolean).join(" "));
    put(state, el("div", { class: "failed", role: "alert" }, el("strong", {}, what), why ? el("p", {}, why) : null),
      el("button", { type: "button", class: "again", onclick: () => say(label) }, t("say.again", { label })), stands);
  }

  // Somebody else was quicker: what they said, and whether it is still meant.
  function meanwhile(label, now) {
    const name = "meanwhile";
    const they = now ? t("say.they", { name: now.by, at: time(now.at) }) : t("say.they_withdrew");
    return dialog(name, (close) => [
      title(name, t("say.meanwhile", { coil: coilId })),
      el("p", { class: "large" }, they, " ", now ? mark(now.label) : null),
      now?.remark ? el("p", { class: "remark" }, now.remark) : null,
      el("p", { class: "large" }, t("say.you"), " ", mark(label)),
      el("div", { class: "choices" },
        el("button", { type: "button", class: "leave", autofocus: true, onclick: () => close(false) }, t("say.leave")),
        el("button", { type: "button", class: "anyway", onclick: () => close(true) }, t("say.anyway", { label }))),
    ]);
  }

  function stored(word) {
    [kept, failed] = [word, null];
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
    if (busy) return;
    if (!kept) {
      tell(t("say.nothing_to_undo"));
      if (!failed) idle(t("say.nothing_to_undo"));
      return;
    }
    stay();
    busy = true;
    let fault = null;
    try {
      const answer = await post(`/dispositions${path(kept.disposition_id)}/withdraw`, {});
      kept = null;
      update(answer.standing);
      idle(t("say.undone"));
      tell(t("say.undone"));
      changed(null);
    } catch (error) {
      fault = error;
    }
    busy = false;
    if (fault) return undoFailed(fault);
  }

  async function undoFailed(fault) {
    if (fault.status === 401 && !gone) {
      forgotten();
      return (await askWho(t("login.why_undo", { coil: coilId }))) && !gone ? undo() : undefined;
    }
    const text = fault.unreachable ? t("say.unknown_undo") : `${t("say.not_undone")} ${faultText(fault)}`;
    if (gone) return shout(`${coilId}: ${text}`);
    // It is taken back after all, or replaced: what stands says so.
    if (!kept) return idle();
    state.querySelector(".failed")?.remove();
    state.prepend(el("p", { class: "failed", role: "alert" }, text));
  }

  const refresh = () => { if (!kept && !busy && !failed) idle(); };
  return { element, update, say, undo, stay, refresh, close: () => { gone = true; stay(); } };
}
