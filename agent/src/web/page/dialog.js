// Questions in front of the page. The browser keeps the focus inside, and Escape closes.

import { el } from "./dom.js";

// Shows `content` until `close(value)` is called; Escape is `null`. `build` gets `close`.
export function dialog(name, build) {
  return new Promise((resolve) => {
    const box = el("dialog", { class: name, "aria-labelledby": `${name}-title` });
    let answer = null;
    const close = (value) => { answer = value; box.close(); };
    box.append(...build(close).filter(Boolean));
    box.addEventListener("close", () => { box.remove(); resolve(answer); });
    document.body.append(box);
    box.showModal();
  });
}

export function title(name, text) {
  return el("h2", { id: `${name}-title` }, text);
}

// Whether a question is open: shortcuts then mean nothing.
export function asking() {
  return document.querySelector("dialog[open]") !== null;
}
