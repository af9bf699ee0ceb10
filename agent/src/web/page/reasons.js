// Why a coil was judged so, in this language where it has words for the cause, else as the agent wrote it.

import { el } from "./dom.js";
import { t, has, number, percent } from "./languages.js";

const SHARES = ["seen", "read"];

export function reason({ code, text, ...values }) {
  if (!has(`reason.${code}`)) return el("span", { lang: "en" }, text);
  return t(`reason.${code}`, Object.fromEntries(Object.entries(values).map(([name, value]) => [name, told(name, value)])));
}

function told(name, value) {
  if (name === "gauges") return value.map((gauge) => `${t(`side.${gauge.side}`)} ${gauge.number}`).join(", ");
  if (name === "fault") return t(`order.${value}`);
  if (typeof value !== "number") return String(value);
  return SHARES.includes(name) ? percent(value) : number(value, name === "metres" ? 0 : 2);
}
