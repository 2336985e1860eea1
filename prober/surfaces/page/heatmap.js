// The matrix on a canvas of its own: a tile and a glyph for each cell, by mouse, by touch and by keyboard.
import { ago, element, shown } from "./element.js";
import { colours, look, onGround } from "./labels.js";
import { glyph } from "./glyph.js";

const FONT = "system-ui, sans-serif";
const STEEP = (-50 * Math.PI) / 180;
const LONGEST = 170;

/** The heatmap inside `holder`. `open(cell)` on click or Enter, `point(cell, x, y)` on what is pointed at (or null). */
export class Heatmap {
  constructor(holder, { open, point, say }) {
    Object.assign(this, { holder, open, point, say, matrix: null, cells: new Map() });
    Object.assign(this, { hover: null, focus: { row: 0, column: 0 }, selected: null, marked: null, dim: false });
    this.canvas = element("canvas", {
      tabindex: "0",
      role: "application",
      "aria-roledescription": "heatmap",
      "aria-label": "Matrix of paths, sources down and targets across. Arrow keys move, Enter opens a path.",
    });
    holder.append(this.canvas);
    this.listen();
  }

  /** A new document; the keyboard's place and the selection stay. */
  show(matrix) {
    this.matrix = matrix;
    this.cells = new Map(matrix.cells.map((cell) => [key(cell.source, cell.target), cell]));
    this.draw();
  }

  /** Marks the cell whose ladder is open; null for none. */
  select(source, target) {
    this.selected = source === null ? null : key(source, target);
    if (!this.matrix || source === null) return this.draw();
    const [row, column] = [this.matrix.sources.indexOf(source), this.matrix.targets.indexOf(target)];
    if (row >= 0 && column >= 0) this.focus = { row, column };
    return this.draw();
  }

  /** The cells of an incident stand out; null for all alike. */
  mark(cells) {
    this.marked = cells && new Set(cells.map((cell) => key(cell.source, cell.target)));
    this.draw();
  }

  /** Greyed out: what is shown may be old. */
  fade(dim) {
    if (dim !== this.dim) this.draw((this.dim = dim));
  }

  focusOn() {
    this.canvas.focus();
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("pointermove", (event) => this.pointed(event));
    canvas.addEventListener("pointerleave", () => this.left());
    canvas.addEventListener("click", (event) => this.chosen(this.place(event)));
    canvas.addEventListener("keydown", (event) => this.pressed(event));
    canvas.addEventListener("focus", () => this.draw());
    canvas.addEventListener("blur", () => this.left());
    new ResizeObserver(() => this.draw()).observe(this.holder);
    onGround(() => this.draw());
  }

  /** Sizes in CSS pixels from the width there is. */
  layout(pen) {
    const { sources, targets } = this.matrix;
    pen.font = `13px ${FONT}`;
    const widest = (names) => Math.min(LONGEST, Math.max(0, ...names.map((name) => pen.measureText(shown(name)).width)));
    const [left, tall] = [Math.ceil(widest(sources)) + 12, Math.ceil(widest(targets) * Math.sin(-STEEP)) + 18];
    const last = targets.length ? pen.measureText(shown(targets.at(-1))).width : 0;
    const over = Math.min(LONGEST, last) * Math.cos(STEEP);
    const side = Math.floor((this.holder.clientWidth - left - over - 12) / Math.max(1, targets.length - 0.5));
    const size = Math.max(18, Math.min(46, side));
    const width = left + Math.max(size * targets.length, size * (targets.length - 0.5) + over + 10) + 2;
    return { left, top: tall, size, width, height: tall + size * sources.length + 4 };
  }

  draw() {
    if (!this.matrix || !this.holder.clientWidth) return;
    const pen = this.canvas.getContext("2d");
    this.at = this.layout(pen);
    const [dense, { width, height }] = [window.devicePixelRatio || 1, this.at];
    this.canvas.width = Math.ceil(width * dense);
    this.canvas.height = Math.ceil(height * dense);
    this.canvas.style.width = `${Math.ceil(width)}px`;
    this.canvas.style.height = `${Math.ceil(height)}px`;
    pen.scale(dense, dense);
    pen.font = `13px ${FONT}`; // sizing a canvas resets it
    this.ground = getComputedStyle(document.documentElement);
    this.names(pen);
    pen.globalAlpha = this.dim ? 0.5 : 1;
    this.matrix.sources.forEach((source, row) =>
      this.matrix.targets.forEach((target, column) => this.tile(pen, source, target, row, column)),
    );
    this.rings(pen);
  }

  names(pen) {
    const { left, top, size } = this.at;
    const pointed = this.hover ?? (document.activeElement === this.canvas ? this.focus : null);
    const ink = (strong) => this.ground.getPropertyValue(strong ? "--text" : "--soft");
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    this.matrix.sources.forEach((name, row) => {
      pen.fillStyle = ink(pointed?.row === row);
      pen.fillText(fit(pen, shown(name)), left - 8, top + size * (row + 0.5));
    });
    pen.textAlign = "left";
    this.matrix.targets.forEach((name, column) => {
      pen.save();
      pen.translate(left + size * (column + 0.5), top - 6);
      pen.rotate(STEEP);
      pen.fillStyle = ink(pointed?.column === column);
      pen.fillText(fit(pen, shown(name)), 0, 0);
      pen.restore();
    });
  }

  tile(pen, source, target, row, column) {
    const cell = this.cells.get(key(source, target));
    const { left, top, size } = this.at;
    const [x, y, side] = [left + column * size + 1, top + row * size + 1, size - 2];
    const [fill, ink] = cell ? colours(look(cell.label)) : [this.ground.getPropertyValue("--hollow"), null];
    const full = pen.globalAlpha;
    if (this.marked && !this.marked.has(key(source, target))) pen.globalAlpha = full * 0.25;
    pen.fillStyle = fill;
    pen.beginPath();
    pen.roundRect(x, y, side, side, 3);
    pen.fill();
    if (cell) glyph(pen, look(cell.label).label, ink, x, y, side);
    pen.globalAlpha = full;
  }

  rings(pen) {
    const ring = (row, column, colour, width) => {
      const { left, top, size } = this.at;
      pen.strokeStyle = this.ground.getPropertyValue(colour);
      pen.lineWidth = width;
      pen.beginPath();
      pen.roundRect(left + column * size + 0.5, top + row * size + 0.5, size - 1, size - 1, 4);
      pen.stroke();
    };
    const { sources, targets } = this.matrix;
    sources.forEach((source, row) =>
      targets.forEach((target, column) => key(source, target) === this.selected && ring(row, column, "--text", 2)),
    );
    if (this.hover) ring(this.hover.row, this.hover.column, "--soft", 1.5);
    if (this.canvas.matches(":focus-visible")) ring(this.focus.row, this.focus.column, "--focus", 3);
  }

  /** The row and column under a pointer, or null. */
  place({ offsetX, offsetY }) {
    if (!this.at) return null;
    const { left, top, size } = this.at;
    const [column, row] = [Math.floor((offsetX - left) / size), Math.floor((offsetY - top) / size)];
    return this.cell({ row, column }) ? { row, column } : null;
  }

  cell({ row, column }) {
    return this.cells.get(key(this.matrix?.sources[row], this.matrix?.targets[column]));
  }

  pointed(event) {
    this.hover = this.place(event);
    this.canvas.classList.toggle("pointing", this.hover !== null);
    this.point(this.hover && this.cell(this.hover), event.clientX, event.clientY);
    this.draw();
  }

  left() {
    this.hover = null;
    this.point(null);
    this.draw();
  }

  chosen(place) {
    if (!place) return;
    this.focus = place;
    this.open(this.cell(place));
  }

  pressed(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key === "Enter" || event.key === " ") this.chosen(this.cell(this.focus) ? this.focus : null);
    else if (event.key === "Home" || event.key === "End") this.move(0, event.key === "Home" ? -1e6 : 1e6);
    else if (moves[event.key]) this.move(...moves[event.key]);
    else return;
    event.preventDefault();
  }

  move(rows, columns) {
    const within = (value, list) => Math.max(0, Math.min(list.length - 1, value));
    const { row, column } = this.focus;
    this.focus = { row: within(row + rows, this.matrix.sources), column: within(column + columns, this.matrix.targets) };
    this.draw();
    const [source, target] = [this.matrix.sources[this.focus.row], this.matrix.targets[this.focus.column]];
    const cell = this.cell(this.focus);
    this.say(cell ? summary(cell) : `${shown(source)} to ${shown(target)}: not probed`);
  }
}

/** A cell in a line, for tooltip and screen reader. */
export function summary(cell) {
  const parts = [look(cell.label).word, cell.confidence, `${cell.answered} of ${cell.sent} answered`];
  if (cell.rtt_ms !== null && cell.rtt_ms !== undefined) parts.push(`${cell.rtt_ms.toFixed(2)} ms`);
  return `${shown(cell.source)} → ${shown(cell.target)}: ${parts.filter(Boolean).join(" · ")} · ${cell.age_seconds === null ? "never judged" : `${ago(cell.age_seconds)} old`}`;
}

const key = (source, target) => JSON.stringify([source, target]);

function fit(pen, text) {
  if (pen.measureText(text).width <= LONGEST) return text;
  let short = text;
  while (short && pen.measureText(`${short}…`).width > LONGEST) short = short.slice(0, -1);
  return `${short}…`;
}
