// A label's glyph, as strokes: on a canvas for the heatmap, as an SVG for words beside it.
import { drawn } from "./element.js";
import { SOLID, STROKES, colours } from "./labels.js";

const strokesOf = (label) => STROKES[label] ?? STROKES.unknown;

/** Paints the glyph into the square of `side` at (x, y). */
export function glyph(pen, label, ink, x, y, side) {
  const [inner, pad] = [side * 0.62, side * 0.19];
  Object.assign(pen, { strokeStyle: ink, fillStyle: ink, lineCap: "round", lineJoin: "round" });
  for (const stroke of strokesOf(label)) {
    pen.lineWidth = Math.max(1.5, side / 12) * (stroke.length === 1 ? 1.6 : 1);
    pen.beginPath();
    for (const [a, b] of stroke) pen.lineTo(x + pad + inner * a, y + pad + inner * b);
    if (stroke.length === 1) pen.lineTo(x + pad + inner * stroke[0][0] + 0.01, y + pad + inner * stroke[0][1]);
    if (SOLID.includes(label)) pen.fill();
    pen.stroke();
  }
}

/** The tile of a look as a small SVG; words beside it say the same, so it is hidden from screen readers. */
export function badge(seen, side = 18) {
  const [fill, ink] = colours(seen);
  const lines = strokesOf(seen.label).map((stroke) => {
    const points = (stroke.length === 1 ? [...stroke, ...stroke] : stroke).map(([a, b]) => `${19 + 62 * a},${19 + 62 * b}`);
    return drawn("polyline", {
      points: points.join(" "),
      fill: SOLID.includes(seen.label) ? ink : "none",
      stroke: ink,
      "stroke-width": stroke.length === 1 ? 14 : 9,
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
    });
  });
  const given = { viewBox: "0 0 100 100", width: side, height: side, class: "badge", "aria-hidden": "true" };
  return drawn("svg", given, drawn("rect", { width: 100, height: 100, rx: 16, fill }), lines);
}
