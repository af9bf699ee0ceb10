// A coil as a picture: top and bottom side one above the other, metres along x, nine gauges across y from the operator
// side to the drive side, colour by deviation from the order. A finger on it reads a cell out.

import { el, put, tell } from "./dom.js";
import { t, number, deviation } from "./languages.js";
import { RANGE, colour, css, hatch } from "./colours.js";

const SIDE = 9;

// What each cell deviates by, in per cent of the order; without an order, of the coil's own median.
export function deviations(matrix) {
  const read = matrix.mean.filter((value) => value !== null).sort((a, b) => a - b);
  const base = matrix.nominal_g_m2 ?? read[read.length >> 1] ?? null;
  return { base, cells: matrix.mean.map((value) => (value === null || !base ? null : (value / base - 1) * 100)) };
}

// Steps of 1, 2 or 5 so that labels do not touch.
function step(length, most) {
  const rough = length / Math.max(1, most);
  const ten = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((n) => n * ten).find((n) => n >= rough);
}

// The map with its legend and the line that reads cells out. `matrix` as the agent gives it, `evidence` the stretches
// to frame.
export function heatMap(matrix, evidence = []) {
  const { base, cells } = deviations(matrix);
  const { chunks, gauges } = matrix;
  // Without a length there are no metres: places are then shares of the strip, and evidence lies at chunks.
  const known = matrix.length_m > 0;
  const length = known ? matrix.length_m : chunks;
  const [most, unit] = known ? [length, "m"] : [100, "%"];
  const canvas = el("canvas", { class: "map", tabindex: "0", role: "img", "aria-label": summary(cells, evidence) });
  const hint = t(matrix.nominal_g_m2 ? "map.hint" : "map.hint_no_order");
  const readout = el("p", { class: "readout" }, hint);
  const scale = el("canvas", { class: "scale", "aria-hidden": "true" });
  const legend = el("div", { class: "legend" },
    el("span", {}, `≤ ${deviation(-RANGE).replace(/[.,]0/, "")}`), scale, el("span", {}, `≥ ${deviation(RANGE).replace(/[.,]0/, "")}`),
    el("span", { class: "gap", "aria-hidden": "true" }), el("span", {}, t("map.gap")));
  let plot = null;
  let cursor = null;

  function draw() {
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (width < 60 || height < 60) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const size = Math.max(12, Math.min(20, parseFloat(style.fontSize) * 0.78));
    const left = labelWidth(context, style, size);
    const between = Math.round(size * 0.7);
    const row = Math.floor((height - between - size * 1.9) / (2 * SIDE));
    plot = { left, width: width - left - 2, row, top: [0, SIDE * row + between], ratio };
    // What tests and other programs find cells by, in CSS pixels.
    canvas.dataset.plot = JSON.stringify(plot);
    context.scale(ratio, ratio);
    const pattern = hatch(context, 1);
    const edge = (chunk) => Math.round((left + (plot.width * chunk) / chunks) * ratio) / ratio;
    for (let chunk = 0; chunk < chunks; chunk += 1) {
      const [from, to] = [edge(chunk), edge(chunk + 1)];
      for (let gauge = 0; gauge < gauges; gauge += 1) {
        const value = cells[chunk * gauges + gauge];
        context.fillStyle = value === null ? pattern : css(colour(value));
        context.fillRect(from, plot.top[Math.floor(gauge / SIDE)] + (gauge % SIDE) * row, to - from, row);
      }
    }
    label(context, style, size);
    evidence.forEach((stretch, i) => frame(context, stretch, i + 1, size));
    if (cursor) point(context);
  }

  // Side names are bold and larger than those of its edges.
  function labelWidth(context, style, size) {
    const wide = (font, ...names) => {
      context.font = font;
      return Math.max(...names.map((name) => context.measureText(t(name)).width));
    };
    const edges = wide(`${size * 0.86}px ${style.fontFamily}`, "map.operator", "map.drive");
    return Math.ceil(Math.max(edges, wide(`bold ${size * 1.1}px ${style.fontFamily}`, "side.top", "side.bottom"))) + 8;
  }

  function label(context, style, size) {
    context.fillStyle = style.color;
    context.strokeStyle = style.color;
    context.lineWidth = 1;
    context.textBaseline = "alphabetic";
    for (const [side, name] of [[0, t("side.top")], [1, t("side.bottom")]]) {
      const top = plot.top[side];
      const bottom = top + SIDE * plot.row;
      context.strokeRect(plot.left - 0.5, top + 0.5, plot.width + 1, SIDE * plot.row - 1);
      context.textAlign = "right";
      context.font = `${size * 0.86}px ${style.fontFamily}`;
      context.fillText(t("map.operator"), plot.left - 6, top + size * 0.86);
      context.fillText(t("map.drive"), plot.left - 6, bottom - 3);
      context.font = `bold ${size * 1.1}px ${style.fontFamily}`;
      context.fillText(name, plot.left - 6, (top + bottom) / 2 + size * 0.4);
    }
    context.font = `${size}px ${style.fontFamily}`;
    const bottom = plot.top[1] + SIDE * plot.row;
    const apart = step(most, plot.width / (size * 5));
    for (let along = 0; along <= most; along += apart) {
      const x = plot.left + (plot.width * along) / most;
      context.fillRect(x - 0.5, bottom, 1, 5);
      // The end has the unit.
      if (x > plot.left + plot.width - size * 5.5) continue;
      context.textAlign = along === 0 ? "left" : "center";
      context.fillText(number(along), x, bottom + 6 + size);
    }
    context.textAlign = "right";
    context.fillText(`${number(most)} ${unit}`, plot.left + plot.width, bottom + 6 + size);
  }

  // Black on white, so that it shows on every colour.
  function frame(context, stretch, name, size) {
    const x = plot.left + (plot.width * stretch.from_m) / length;
    const wide = Math.max(6, (plot.width * (stretch.to_m - stretch.from_m)) / length);
    const numbers = stretch.gauges.map((gauge) => gauge.number).sort((a, b) => a - b);
    const top = plot.top[stretch.side === "top" ? 0 : 1];
    const [first, last] = [numbers[0] ?? 1, numbers[numbers.length - 1] ?? SIDE];
    const [y, high] = [top + (first - 1) * plot.row, (last - first + 1) * plot.row];
    for (const [colour, line] of [["#fff", 5], ["#000", 2.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.strokeRect(x, y + 1, wide, high - 2);
    }
    const side = size * 1.25;
    // The number beside the stretch, on whichever side there is room.
    const nx = x + wide + side < plot.left + plot.width ? x + wide : x - side;
    context.fillStyle = "#000";
    context.fillRect(nx, y, side, side);
    context.fillStyle = "#fff";
    context.font = `bold ${size}px sans-serif`;
    context.textAlign = "center";
    context.fillText(String(name), nx + side / 2, y + size * 1.02);
  }

  function point(context) {
    const x = plot.left + (plot.width * (cursor.chunk + 0.5)) / chunks;
    const y = plot.top[Math.floor(cursor.gauge / SIDE)] + ((cursor.gauge % SIDE) + 0.5) * plot.row;
    for (const [colour, line] of [["#fff", 4], ["#000", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.beginPath();
      context.arc(x, y, 8, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  function read(chunk, gauge, aloud) {
    cursor = { chunk, gauge };
    const at = chunk * gauges + gauge;
    const side = t(gauge < SIDE ? "side.top" : "side.bottom");
    const where = t("map.where", { along: `${number(((chunk + 0.5) / chunks) * most, 1)} ${unit}`, side, gauge: (gauge % SIDE) + 1 });
    const value = matrix.mean[at];
    const text = value === null ? t("map.nothing", { where }) :
      t("map.cell", { where, weight: number(value, 1), spread: number(matrix.std[at], 1), deviation: deviation(cells[at]) });
    put(readout, text);
    if (aloud) tell(text);
    draw();
  }

  function under(event) {
    if (!plot) return;
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const chunk = Math.floor(((x - plot.left) / plot.width) * chunks);
    const side = y >= plot.top[1] ? 1 : 0;
    const gauge = Math.floor((y - plot.top[side]) / plot.row);
    if (chunk >= 0 && chunk < chunks && gauge >= 0 && gauge < SIDE) read(chunk, side * SIDE + gauge, false);
  }

  canvas.addEventListener("pointerdown", under);
  canvas.addEventListener("pointermove", under);
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const by = steps[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const from = cursor ?? { chunk: chunks >> 1, gauge: 4 };
    const far = event.shiftKey ? 10 : 1;
    const within = (value, most) => Math.max(0, Math.min(most - 1, value));
    read(within(from.chunk + by[0] * far, chunks), within(from.gauge + by[1], gauges), true);
  });
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const look = new ResizeObserver(() => {
    if (canvas.isConnected) {
      draw();
      return drawScale(scale);
    }
    // Gone from the page: nothing must hold it.
    look.disconnect();
    scheme.removeEventListener("change", draw);
  });
  look.observe(canvas);
  scheme.addEventListener("change", draw);
  const title = base === null ? t("map.nothing_read") : t(matrix.nominal_g_m2 ? "map.title" : "map.title_no_order", { base: number(base, 0) });
  return el("figure", { class: "heat" }, canvas,
    el("figcaption", {}, readout, el("div", { class: "key" }, el("span", {}, title), legend)));
}

function drawScale(canvas) {
  canvas.width = canvas.clientWidth;
  canvas.height = canvas.clientHeight;
  const context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x += 1) {
    context.fillStyle = css(colour(((2 * x) / canvas.width - 1) * RANGE));
    context.fillRect(x, 0, 1, canvas.height);
  }
}

// The picture in a sentence, for those who do not see it.
function summary(cells, evidence) {
  const mean = (from) => {
    const read = cells.filter((value, i) => value !== null && Math.floor((i % (2 * SIDE)) / SIDE) === from);
    return deviation(read.length ? read.reduce((a, b) => a + b, 0) / read.length : null);
  };
  const gaps = cells.filter((value) => value === null).length / cells.length;
  return t("map.summary", { top: mean(0), bottom: mean(1), gaps: number(gaps * 100), evidence: evidence.length });
}
