// A sheet painted on a canvas: names, tiles and rings; of what the pointer marks only what changed is painted anew.
import { shown } from "./element.js";
import { glyph } from "./glyph.js";
import { colours, look } from "./labels.js";
import { FONT, STEEP, fit } from "./layout.js";
import { key } from "./sheet.js";

const SMALLER = "11px system-ui, sans-serif";

/**
 * Paints on `canvas`. What it is given each time is a sheet, its layout, and `marks`: {hover, focus, ringed, selected}
 * are places or null (`focus` while the keyboard is here, `ringed` where its ring belongs), `marked` is a set of the
 * keys of tiles that stand out, or null; `dim` greys all of them.
 */
export class Painter {
  constructor(canvas) {
    Object.assign(this, { canvas, pen: canvas.getContext("2d"), sheet: null, at: null, marks: null });
  }

  /** All of it. */
  paint(sheet, at, marks) {
    Object.assign(this, { sheet, at, marks, ground: getComputedStyle(document.documentElement) });
    const dense = window.devicePixelRatio || 1;
    this.canvas.width = Math.ceil(at.width * dense);
    this.canvas.height = Math.ceil(at.height * dense);
    this.canvas.style.width = `${Math.ceil(at.width)}px`;
    this.canvas.style.height = `${Math.ceil(at.height)}px`;
    this.pen.scale(dense, dense);
    this.names();
    this.sheet.rows.forEach((_, row) => this.sheet.columns.forEach((_, column) => this.tile({ row, column })));
    this.rings();
  }

  /** The marks are others now: the names, and the tiles at `places` with what their rings touch. */
  repaint(marks, places) {
    this.marks = marks;
    const { pen, at } = this;
    pen.clearRect(0, 0, at.width, at.top - 1);
    pen.clearRect(0, 0, at.left - 1, at.height);
    this.names();
    pen.save();
    pen.beginPath();
    for (const { row, column } of places) {
      pen.rect(at.left + column * at.wide - 1, at.top + row * at.high - 1, at.wide + 2, at.high + 2);
    }
    pen.clip();
    pen.clearRect(0, 0, at.width, at.height);
    for (const place of this.around(places)) this.tile(place);
    this.rings();
    pen.restore();
  }

  /** These places and their neighbours, each once. */
  around(places) {
    const near = new Map();
    const inside = (row, column) => row in this.sheet.rows && column in this.sheet.columns;
    for (const { row, column } of places) {
      for (const [down, across] of NEAR) {
        const place = { row: row + down, column: column + across };
        if (inside(place.row, place.column)) near.set(`${place.row} ${place.column}`, place);
      }
    }
    return near.values();
  }

  names() {
    const { pen, sheet, marks } = this;
    const { left, top, wide, high } = this.at;
    const pointed = marks.hover ?? marks.focus;
    const ink = (strong) => this.ground.getPropertyValue(strong ? "--text" : "--soft");
    Object.assign(pen, { font: FONT, textBaseline: "middle", textAlign: "right" });
    sheet.rows.forEach((name, row) => {
      pen.fillStyle = ink(pointed?.row === row);
      pen.fillText(fit(pen, shown(sheet.name(name))), left - 8, top + high * (row + 0.5));
    });
    pen.textAlign = "left";
    sheet.columns.forEach((name, column) => {
      pen.save();
      pen.translate(left + wide * (column + 0.5), top - 6);
      pen.rotate(STEEP);
      pen.fillStyle = ink(pointed?.column === column);
      pen.fillText(fit(pen, shown(sheet.name(name))), 0, 0);
      pen.restore();
    });
  }

  tile(place) {
    const { pen, marks } = this;
    const tile = this.sheet.at(place);
    const box = this.box(place, 1);
    const [fill, ink] = tile ? colours(look(tile.label)) : [this.ground.getPropertyValue("--hollow"), null];
    const aside = marks.marked && !(tile && marks.marked.has(key(tile.source, tile.target)));
    pen.globalAlpha = (marks.dim ? 0.5 : 1) * (aside ? 0.25 : 1);
    pen.fillStyle = fill;
    pen.beginPath();
    pen.roundRect(box.x, box.y, box.wide, box.high, 3);
    pen.fill();
    if (tile) this.sign(tile, ink, box);
    pen.globalAlpha = 1;
  }

  /** The glyph, and under it how many fail, in as few words as there is room for. */
  sign(tile, ink, { x, y, wide, high }) {
    const { pen } = this;
    pen.font = SMALLER;
    const counts = high < 36 ? [] : (tile.counts ?? []);
    const count = counts.find((text) => pen.measureText(text).width <= wide - 6);
    const side = Math.min(wide, high) - (count ? 14 : 0);
    glyph(pen, look(tile.label).label, ink, x + (wide - side) / 2, y + (count ? 1 : (high - side) / 2), side);
    if (!count) return;
    Object.assign(pen, { fillStyle: ink, textAlign: "center", textBaseline: "alphabetic" });
    pen.fillText(count, x + wide / 2, y + high - 5);
  }

  rings() {
    const { hover, ringed, selected } = this.marks;
    if (selected) this.ring(selected, "--text", 2);
    if (hover) this.ring(hover, "--soft", 1.5);
    if (ringed) this.ring(ringed, "--focus", 3);
  }

  ring(place, colour, width) {
    const { pen } = this;
    const { x, y, wide, high } = this.box(place, 0.5);
    Object.assign(pen, { strokeStyle: this.ground.getPropertyValue(colour), lineWidth: width });
    pen.globalAlpha = this.marks.dim ? 0.5 : 1;
    pen.beginPath();
    pen.roundRect(x, y, wide, high, 4);
    pen.stroke();
    pen.globalAlpha = 1;
  }

  /** Where a tile lies, `inset` pixels off its edges. */
  box({ row, column }, inset) {
    const { left, top, wide, high } = this.at;
    return { x: left + column * wide + inset, y: top + row * high + inset, wide: wide - 2 * inset, high: high - 2 * inset };
  }
}

const NEAR = [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((across) => [down, across]));
