// Who says it: a short code on large keys, or a badge held to a scanner that types.

import { el, put, tell } from "./dom.js";
import { asking, dialog, title } from "./dialog.js";
import { t } from "./languages.js";
import { session, login } from "./session.js";
import { faultText } from "./faults.js";

const LONGEST = 64;
let open = null;

// Asks who is there, and says whether somebody now is. `why` is what the login is for.
export async function askWho(why) {
  if (open) return open.promise;
  open = {};
  open.promise = dialog("login", (close) => pad(why, close));
  const answer = await open.promise;
  open = null;
  return answer === true;
}

function pad(why, close) {
  let busy = false;
  const code = el("input", {
    type: "password", class: "code", autocomplete: "off", inputmode: "none", maxlength: LONGEST, autofocus: true,
    "aria-label": t("login.code"), "aria-describedby": "login-said",
  });
  const said = el("p", { id: "login-said", role: "alert" }, why ?? t("login.hint"));
  const type = (text) => { code.value = (code.value + text).slice(0, LONGEST); code.focus(); };
  const enter = async (given = code.value) => {
    if (busy || given === "") return;
    busy = true;
    put(said, t("login.asking"));
    try {
      await login(given);
      tell(t("login.welcome", { name: session.operator }));
      close(true);
    } catch (fault) {
      code.value = "";
      code.focus();
      put(said, el("strong", {}, faultText(fault)));
    }
    busy = false;
  };
  open.enter = enter;
  const digit = (text) => el("button", { type: "button", onclick: () => type(text) }, text);
  const keys = el("div", { class: "pad" }, "123456789".split("").map(digit),
    el("button", { type: "button", class: "less", "aria-label": t("login.delete"), onclick: () => { code.value = code.value.slice(0, -1); code.focus(); } }, "⌫"),
    digit("0"),
    el("button", { type: "button", class: "enter", onclick: () => enter() }, t("login.enter")));
  return [
    el("div", { class: "asked" }, title("login", t("login.title")), said,
      el("form", { onsubmit: (event) => { event.preventDefault(); enter(); } }, code),
      el("button", { type: "button", class: "plain", onclick: () => close(false) }, t("cancel"))),
    keys,
  ];
}

// Characters nearer to each other than this come from a scanner: nobody types so fast.
const SCANNER_MS = 70;
const SHORTEST = 4;

// The only keys that a held key repeats: one that is jammed must not judge a whole queue.
const HELD = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "j", "k", "J", "K"];

// Tells a badge from keys. Characters that may begin a badge wait a moment before `key(event)` hears of them, so that a
// badge with an "o" in it says nothing of a coil. In a field they are written at once; what turns out to be a badge is
// taken out again, for a code must not be read. Returns nothing; listens as long as the page lives.
export function listen(key) {
  let badge = "";
  let last = -Infinity;
  let waiting = null;
  // The field that is written into, if any, and what it held before the first character.
  let [field, held] = [null, ""];
  addEventListener("keydown", (event) => {
    const plain = event.key.length === 1 && !event.ctrlKey && !event.altKey && !event.metaKey;
    const into = event.target instanceof Element && event.target.matches("input, textarea") ? event.target : null;
    // The question for a code has a field of its own for it.
    if (event.repeat || (into && asking())) {
      badge = "";
      if (into) return;
      if (HELD.includes(event.key)) key(event);
      else if (event.key === "Enter") event.preventDefault();
      return;
    }
    const quick = event.timeStamp - last < SCANNER_MS && into === field;
    last = event.timeStamp;
    if (event.key === "Enter" && quick && badge.length >= SHORTEST) {
      event.preventDefault();
      event.stopImmediatePropagation();
      const code = badge;
      badge = "";
      if (into) {
        into.value = held;
        into.dispatchEvent(new Event("input", { bubbles: true }));
      }
      scanned(code);
      return;
    }
    if (!plain) {
      // Shift and the like are part of what a scanner types.
      if (["Shift", "CapsLock", "AltGraph"].includes(event.key)) return;
      badge = "";
      if (!into) key(event);
      return;
    }
    if (!quick) [field, held] = [into, into?.value ?? ""];
    badge = quick ? (badge + event.key).slice(-LONGEST) : event.key;
    clearTimeout(waiting);
    if (into) return;
    if (badge.length === 1) waiting = setTimeout(() => key(event), SCANNER_MS);
    else event.preventDefault();
  }, true);
}

// Whoever holds a badge there is who is there, also where somebody else was.
async function scanned(code) {
  if (open) { open.enter?.(code); return; }
  try {
    await login(code);
    tell(t("login.welcome", { name: session.operator }));
  } catch (fault) {
    askWho(faultText(fault));
  }
}
