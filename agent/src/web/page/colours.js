// The heat map's scale: blue where there is less than ordered, white as ordered, orange to brown where there is more.
// It differs in lightness to both sides and needs no red or green (after ColorBrewer's RdBu and PuOr halves).

// Beyond this, in per cent, the colour says no more. Fixed, so that a colour means the same on every coil.
export const RANGE = 20;

const STOPS = [
  [-1, [5, 48, 97]], [-0.5, [67, 147, 195]], [-0.15, [209, 229, 240]], [0, [250, 250, 250]],
  [0.15, [254, 232, 200]], [0.5, [235, 145, 45]], [1, [110, 50, 5]],
];

// [r, g, b] of a deviation in per cent.
export function colour(percent) {
  const x = Math.max(-1, Math.min(1, percent / RANGE));
  const upper = Math.max(1, STOPS.findIndex(([at]) => at >= x));
  const [[from, a], [to, b]] = [STOPS[upper - 1], STOPS[upper]];
  const share = (x - from) / (to - from);
  return a.map((c, i) => Math.round(c + (b[i] - c) * share));
}

export function css([r, g, b]) {
  return `rgb(${r},${g},${b})`;
}

// Stripes for what was not read, in device pixels.
export function hatch(context, scale) {
  const tile = document.createElement("canvas");
  const size = Math.round(8 * scale);
  tile.width = size;
  tile.height = size;
  const draw = tile.getContext("2d");
  draw.fillStyle = "#c9c9c9";
  draw.fillRect(0, 0, size, size);
  draw.strokeStyle = "#4a4a4a";
  draw.lineWidth = 1.5 * scale;
  for (const shift of [-size, 0, size]) {
    draw.beginPath();
    draw.moveTo(shift, size);
    draw.lineTo(shift + size, 0);
    draw.stroke();
  }
  return context.createPattern(tile, "repeat");
}
