// Small figures: a bar with its interval, and the gauges' offsets. Text beside them says the same.

import { el, svg } from "./dom.js";
import { t, deviation } from "./languages.js";
import { gaugeName } from "./reasons.js";

// An estimate from `from` to 1 as a bar with a whisker over its 95 % interval.
export function whisker(estimate, from = 0) {
  const x = (value) => Math.max(0, Math.min(100, ((value - from) / (1 - from)) * 100));
  const at = x(0);
  const [low, high, value] = [x(estimate.low), x(estimate.high), x(estimate.value)];
  const line = (a, b, y, z) => svg("line", { x1: a, x2: b, y1: y, y2: z, class: "arm" });
  return svg("svg", { viewBox: "0 0 100 12", preserveAspectRatio: "none", class: "whisker", "aria-hidden": "true" },
    svg("rect", { x: 0, y: 0, width: 100, height: 12, class: "ground" }),
    svg("rect", { x: Math.min(at, value), y: 2, width: Math.max(0.5, Math.abs(value - at)), height: 8, class: "value" }),
    line(low, high, 6, 6), line(low, low, 2, 10), line(high, high, 2, 10));
}

// Offsets are drawn up to this, in per cent.
const MOST = 10;

// Eighteen gauges side by side: how far each reads off, and whether it is well.
export function gaugeStrip(gauges) {
  const [wide, high, middle] = [40, 120, 52];
  const bars = gauges.map((gauge, i) => {
    const x = i * wide + (i >= 9 ? 20 : 0);
    const off = gauge.offset_percent;
    const length = off === null ? 0 : Math.min(1, Math.abs(off) / MOST) * 44;
    const unknown = gauge.state === "unknown";
    const well = gauge.state === "fine";
    return svg("g", {}, svg("title", {}, `${gaugeName(gauge.gauge)}: ${gauge.text}`),
      svg("rect", { x: x + 4, y: 8, width: wide - 8, height: 88, class: unknown ? "slot unknown" : "slot" }),
      svg("rect", { x: x + 8, y: off > 0 ? middle - length : middle, width: wide - 16, height: Math.max(length, 1.5), class: well || unknown ? "off" : "off bad" }),
      well || unknown ? null : svg("text", { x: x + wide / 2, y: 24, class: "sign" }, "!"),
      svg("text", { x: x + wide / 2, y: 114, class: "name" }, String(gauge.gauge.number)));
  });
  const worst = gauges.reduce((most, gauge) => (Math.abs(gauge.offset_percent ?? 0) > Math.abs(most?.offset_percent ?? 0) ? gauge : most), null);
  const text = worst ? t("drift.worst", { gauge: gaugeName(worst.gauge), offset: deviation(worst.offset_percent) }) : t("drift.none");
  return el("figure", { class: "gauges" },
    svg("svg", { viewBox: "-46 0 790 122", role: "img", "aria-label": text },
      svg("text", { x: -4, y: 16, class: "axis" }, `+${MOST} %`), svg("text", { x: -4, y: middle + 5, class: "axis" }, "0"), svg("text", { x: -4, y: 96, class: "axis" }, `−${MOST} %`),
      bars, svg("line", { x1: 0, x2: 740, y1: middle, y2: middle, class: "zero" })),
    el("figcaption", { class: "sides" }, el("span", {}, t("side.top")), el("span", {}, t("side.bottom"))),
    el("p", { class: "quiet" }, text));
}
