// Why a coil was judged so, and what is wrong on the line: in this language where it has words for the code, else as the
// agent wrote it.

import { el } from "./dom.js";
import { t, has, number, percent, deviation, bytes, time } from "./languages.js";

const SHARES = ["seen", "read", "share", "recall", "specificity", "under"];
const BYTES = ["used", "cap"];
const COUNTS = ["n", "hours", "missed", "found", "false_alarms", "passed", "labelled"];

export function reason({ code, text, ...values }) {
  if (!has(`reason.${code}`)) return el("span", { lang: "en" }, text);
  return t(`reason.${code}`, told(values));
}

// What is wrong and what to do, each `{ text, lang }`; `why` is the code with what belongs to it.
export function troubleWords({ text, to_do: toDo, why }) {
  const values = why ? told({ since: null, percent: null, ...why }) : {};
  const words = (key, english) => (why && has(key) ? { text: t(key, values), lang: null } : { text: english, lang: "en" });
  return [words(`trouble.${why?.code}`, text), words(`trouble.${why?.code}.do`, toDo)];
}

export function gaugeName({ side, number: n }) {
  return `${t(`side.${side}`)} ${n}`;
}

function told(values) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, one(name, value)]));
}

function one(name, value) {
  if (name === "gauges") return value.map(gaugeName).join(", ");
  if (name === "gauge") return gaugeName(value);
  if (name === "side") return t(`side.${value}`);
  if (name === "fault") return t(`order.${value}`);
  if (name === "model") return value === null ? t("scores.the_ensemble") : t("scores.model", { name: value });
  if (name === "since") return value === null ? "" : t("since_coil", { coil: value });
  if (name === "percent") return deviation(value);
  if (name === "until") return time(value);
  if (typeof value !== "number") return String(value);
  if (BYTES.includes(name)) return bytes(value);
  if (COUNTS.includes(name)) return number(value);
  // Never rounded up to the bound.
  if (name === "score") return percent(Math.floor(value * 1000) / 1000, 1);
  return SHARES.includes(name) ? percent(value) : number(value, name === "metres" ? 0 : 2);
}
