// The heatmap of a sheet on a canvas of its own, by mouse, by touch and by keyboard.
import { element } from "./element.js";
import { onGround } from "./labels.js";
import { capacity, layout, placeAt } from "./layout.js";
import { Painter } from "./painter.js";

/**
 * The heatmap inside `holder`. `open(tile)` on click or Enter, `leave()` on Escape, `point(tile, x, y)` on what is
 * pointed at (or null), `say(text)` for what the keyboard reaches, `resized()` when there is another width.
 */
export class Heatmap {
  constructor(holder, { open, leave, point, say, resized }) {
    Object.assign(this, { holder, open, leave, point, say, resized, sheet: null, at: null });
    Object.assign(this, { hover: null, focus: { row: 0, column: 0 }, selected: null, marked: null, dim: false });
    this.canvas = element("canvas", {
      tabindex: "0",
      role: "application",
      "aria-roledescription": "heatmap",
      "aria-label": LABELS.cells,
    });
    holder.append(this.canvas);
    this.painter = new Painter(this.canvas);
    this.listen();
  }

  /** A sheet to draw, in which the tiles with these keys stand out (null: all alike); the keyboard keeps its names. */
  show(sheet, marked) {
    const [source, target] = this.sheet ? this.names(this.focus) : (this.selected ?? []);
    const hovered = this.hover && this.names(this.hover);
    Object.assign(this, { sheet, marked });
    this.focus = this.find(source, target) ?? { row: 0, column: 0 };
    this.hover = hovered && this.find(...hovered);
    if (hovered && !this.hover) this.point(null);
    this.canvas.setAttribute("aria-label", LABELS[sheet.kind]);
    this.draw();
  }

  /** How many rows and columns of `sheet` fit; null while there is no room at all, as behind the table. */
  room(sheet) {
    const width = this.holder.clientWidth;
    return width ? capacity(this.painter.pen, sheet, width) : null;
  }

  /** Marks the tile of these names, whose ladder is open, and takes the keyboard there; null for none. */
  select(source, target) {
    const same = this.selected?.[0] === source && this.selected?.[1] === target;
    this.selected = source === null ? null : [source, target];
    if (!same) this.focusAt(source, target);
    this.draw();
  }

  /** Greyed out: what is shown may be old. */
  fade(dim) {
    if (dim !== this.dim) this.draw((this.dim = dim));
  }

  focusOn() {
    this.canvas.focus();
  }

  /** The keyboard goes to the tile of these names, if it is drawn. */
  focusAt(source, target) {
    this.focus = (this.sheet && this.find(source, target)) ?? this.focus;
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("pointermove", (event) => this.pointed(event));
    canvas.addEventListener("pointerleave", () => this.left());
    canvas.addEventListener("click", (event) => this.chosen(this.place(event)));
    canvas.addEventListener("keydown", (event) => this.pressed(event));
    canvas.addEventListener("focus", () => this.relight());
    canvas.addEventListener("blur", () => this.left());
    new ResizeObserver(() => this.resized()).observe(this.holder);
    onGround(() => this.draw());
  }

  draw() {
    if (!this.sheet || !this.holder.clientWidth) return;
    this.at = layout(this.painter.pen, this.sheet, this.holder.clientWidth);
    this.marks = this.marking();
    this.painter.paint(this.sheet, this.at, this.marks);
  }

  /** The pointer or the keyboard is elsewhere: only what it left and what it reached is painted. */
  relight() {
    if (!this.at || !this.marks) return;
    const [before, now] = [this.marks, this.marking()];
    const moved = LIT.filter((one) => JSON.stringify(before[one]) !== JSON.stringify(now[one]));
    this.marks = now;
    if (moved.length) this.painter.repaint(now, moved.flatMap((one) => [before[one], now[one]]).filter(Boolean));
  }

  marking() {
    const held = document.activeElement === this.canvas && this.sheet.rows.length > 0 && this.sheet.columns.length > 0;
    return {
      hover: this.hover,
      focus: held ? this.focus : null,
      ringed: held && this.canvas.matches(":focus-visible") ? this.focus : null,
      selected: this.selected && this.find(...this.selected),
      marked: this.marked,
      dim: this.dim,
    };
  }

  find(source, target) {
    const place = { row: this.sheet.rows.indexOf(source), column: this.sheet.columns.indexOf(target) };
    return place.row < 0 || place.column < 0 ? null : place;
  }

  names({ row, column }) {
    return [this.sheet.rows[row], this.sheet.columns[column]];
  }

  /** The row and column under a pointer, or null. */
  place({ offsetX, offsetY }) {
    return this.at && placeAt(this.at, this.sheet, offsetX, offsetY);
  }

  pointed(event) {
    this.hover = this.place(event);
    this.canvas.classList.toggle("pointing", this.hover !== null);
    this.point(this.hover && this.sheet.at(this.hover), event.clientX, event.clientY);
    this.relight();
  }

  left() {
    this.hover = null;
    this.point(null);
    this.relight();
  }

  chosen(place) {
    if (!place) return;
    this.focus = place;
    this.open(this.sheet.at(place));
  }

  pressed(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (!this.sheet) return;
    if (event.key === "Enter" || event.key === " ") this.chosen(this.sheet.at(this.focus) ? this.focus : null);
    else if (event.key === "Home" || event.key === "End") this.move(0, event.key === "Home" ? -1e6 : 1e6);
    else if (event.key === "Escape") this.leave();
    else if (moves[event.key]) this.move(...moves[event.key]);
    else return;
    event.preventDefault();
  }

  move(rows, columns) {
    const within = (value, list) => Math.max(0, Math.min(list.length - 1, value));
    const { row, column } = this.focus;
    this.focus = { row: within(row + rows, this.sheet.rows), column: within(column + columns, this.sheet.columns) };
    this.relight();
    this.reveal(this.focus);
    this.say(this.sheet.line(...this.names(this.focus)));
  }

  /** Scrolls to a tile, where the sheet is larger than the panel or the window. */
  reveal({ row, column }) {
    const { left, top, wide, high } = this.at;
    const [x, y] = [left + column * wide, top + row * high + this.canvas.getBoundingClientRect().top];
    const { scrollLeft, clientWidth } = this.holder;
    this.holder.scrollLeft = Math.min(x - wide, Math.max(scrollLeft, x + 2 * wide - clientWidth));
    window.scrollBy(0, Math.min(y - high, 0) + Math.max(y + 2 * high - window.innerHeight, 0));
  }
}

const LIT = ["hover", "focus", "ringed"];
const LABELS = {
  cells: "Matrix of paths, sources down and targets across. Arrow keys move, Enter opens a path.",
  zones: "Matrix of zones, sources down and targets across. Arrow keys move, Enter opens the paths of two zones.",
};
