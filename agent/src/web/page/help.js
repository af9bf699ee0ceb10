// The keys, for those who have a keyboard.

import { el } from "./dom.js";
import { dialog, title } from "./dialog.js";
import { t } from "./languages.js";

const KEYS = [
  ["1 2 3", "queues"], ["↓ j · ↑ k", "move"], ["Enter", "open"], ["o", "ok"], ["n", "nok"], ["u", "undo"], ["Esc", "back"],
  ["← → ↑ ↓", "map"], ["?", "help"],
];

export function help() {
  return dialog("help", (close) => [
    title("help", t("help")),
    el("p", {}, t("help.shapes")),
    el("dl", {}, KEYS.map(([keys, what]) => [el("dt", {}, keys.split(" ").map((key) => (key === "·" ? " " : el("kbd", {}, key)))), el("dd", {}, t(`help.${what}`))])),
    el("p", {}, t("help.badge")),
    el("button", { type: "button", autofocus: true, onclick: () => close(null) }, t("close")),
  ]);
}
