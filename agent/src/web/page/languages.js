// The page's words, by file; numbers and times as the language writes them.

let words = {};
let fallback = {};
export let language = "en";

async function load(name) {
  const response = await fetch(`/static/${name}.json`, { cache: "no-store" });
  if (!response.ok) throw new Error(`no words for ${name}`);
  return response.json();
}

// What was chosen here before, else what the browser prefers.
export function preferred(offered) {
  let kept = null;
  try { kept = localStorage.getItem("language"); } catch { /* storage may be forbidden: the browser's language then */ }
  const wished = [kept, ...navigator.languages.map((name) => name.slice(0, 2))];
  return wished.find((name) => offered.includes(name)) ?? "en";
}

export async function choose(name) {
  if (!("name" in fallback)) fallback = await load("en");
  words = name === "en" ? fallback : await load(name);
  language = name;
  document.documentElement.lang = name;
  try { localStorage.setItem("language", name); } catch { /* chosen for now only */ }
}

// The words under a key, with {name} filled in; the key itself where a file lacks it.
export function t(key, values = {}) {
  const text = words[key] ?? fallback[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export function has(key) {
  return key in words || key in fallback;
}

export function number(value, digits = 0) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

// 0.123 as 12 %.
export function percent(share, digits = 0) {
  if (share === null || share === undefined) return "–";
  return new Intl.NumberFormat(language, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(share);
}

// A deviation that is in per cent already, with its sign.
export function deviation(value) {
  if (value === null || value === undefined) return "–";
  const style = { style: "percent", signDisplay: "exceptZero", minimumFractionDigits: 1, maximumFractionDigits: 1 };
  return new Intl.NumberFormat(language, style).format(value / 100);
}

export function bytes(value) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let unit = 0;
  for (; value >= 1000 && unit < 4; unit += 1) value /= 1000;
  return new Intl.NumberFormat(language, { style: "unit", unit: units[unit], maximumFractionDigits: 1 }).format(value);
}

export function duration(seconds) {
  const [value, unit] = seconds < 5400 ? [seconds / 60, "minute"] : seconds < 129600 ? [seconds / 3600, "hour"] : [seconds / 86400, "day"];
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 }).format(value);
}

// The time alone if it is today, else with its day.
export function time(text) {
  const when = text ? new Date(text) : null;
  if (!when || Number.isNaN(when.getTime())) return "–";
  const today = when.toDateString() === new Date().toDateString();
  const day = today ? {} : { day: "2-digit", month: "2-digit" };
  return new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...day }).format(when);
}
