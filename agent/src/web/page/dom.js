// Builds elements. Text only ever becomes text nodes: ids, remarks and names come from outside.

const SVG = "http://www.w3.org/2000/svg";

// An element with attributes; `onclick` and the like become listeners, what is null or false is left out.
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Replaces what a node holds.
export function put(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

// A verdict's shape: a disc with a tick, an octagon with a cross, a triangle with a question. Each is told from the
// others without its colour.
const SHAPES = {
  OK: ["M16 2a14 14 0 1 0 0 28a14 14 0 1 0 0-28z", "M9 16.5l5 5l9-11"],
  NOK: ["M10 2h12l8 8v12l-8 8h-12l-8-8v-12z", "M10.5 10.5l11 11M21.5 10.5l-11 11"],
  REVIEW: ["M16 2l15 27h-30z", "M12.5 14.5a3.5 3.5 0 1 1 4.6 3.3q-1.1 .5 -1.1 2M16 24.2v.6"],
};

export function shape(verdict) {
  const [outline, sign] = SHAPES[verdict] ?? SHAPES.REVIEW;
  return svg("svg", { viewBox: "0 0 32 32", class: `shape ${verdict.toLowerCase()}`, "aria-hidden": "true" },
    svg("path", { d: outline, class: "outline" }), svg("path", { d: sign, class: "sign" }));
}

// Shape and word together.
export function mark(verdict, more = "") {
  return el("span", { class: `mark ${verdict.toLowerCase()} ${more}` }, shape(verdict), el("span", {}, verdict));
}

// Says something to whoever listens instead of looking. The same text twice is said twice.
export function tell(text) {
  const told = document.getElementById("told");
  told.textContent = "";
  setTimeout(() => { told.textContent = text; }, 30);
}
