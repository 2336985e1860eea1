// How large the tiles of a sheet are, and how many of them can still be read in the width there is.
import { shown } from "./element.js";

export const FONT = "13px system-ui, sans-serif";
/** The names of the columns rise at this angle. */
export const STEEP = (-50 * Math.PI) / 180;
const LONGEST = 170;
/** A tile is never drawn smaller (CSS pixels). */
const LEAST = 18;
/** Rows that can still be taken in at a look. */
const TALL = 60;
/** A matrix with at most so many names on a side is drawn whole however narrow the panel. */
const SMALL = 24;
/** The largest tile of each kind of sheet: wide, high. */
const MOST = { cells: [46, 46], zones: [104, 46] };

/** Sizes in CSS pixels of `sheet` in a panel of `room` pixels; `over` is what the last column's name needs beside it. */
export function layout(pen, sheet, room) {
  const { left, top, over } = margins(pen, sheet);
  const [widest, tallest] = MOST[sheet.kind];
  const fair = Math.floor((room - left - over - 12) / Math.max(1, sheet.columns.length - 0.5));
  const wide = Math.max(LEAST, Math.min(widest, fair));
  const high = Math.min(wide, tallest);
  const width = left + Math.max(wide * sheet.columns.length, wide * (sheet.columns.length - 0.5) + over + 10) + 2;
  return { left, top, wide, high, width, height: top + high * sheet.rows.length + 4 };
}

/** How many rows and columns of `sheet` fit into a panel of `room` pixels. */
export function capacity(pen, sheet, room) {
  const { left, over } = margins(pen, sheet);
  return { rows: TALL, columns: Math.max(1, Math.floor((room - left - over - 12) / LEAST + 0.5)) };
}

/** Whether a whole matrix is drawn as it is. */
export function legible(sheet, { rows, columns }) {
  const [down, across] = [sheet.rows.length, sheet.columns.length];
  return (down <= SMALL && across <= SMALL) || (down <= rows && across <= columns);
}

/** The row and column of the tile at (x, y), or null outside of the tiles. */
export function placeAt({ left, top, wide, high }, sheet, x, y) {
  const place = { row: Math.floor((y - top) / high), column: Math.floor((x - left) / wide) };
  return sheet.at(place) ? place : null;
}

function margins(pen, { rows, columns, name }) {
  pen.font = FONT;
  const measured = (one) => Math.min(LONGEST, pen.measureText(shown(name(one))).width);
  const widest = (names) => Math.max(0, ...names.map(measured));
  const over = columns.length ? measured(columns.at(-1)) * Math.cos(STEEP) : 0;
  return { left: Math.ceil(widest(rows)) + 12, top: Math.ceil(widest(columns) * Math.sin(-STEEP)) + 18, over };
}

/** `text` as far as there is room for a name. */
export function fit(pen, text) {
  if (pen.measureText(text).width <= LONGEST) return text;
  let short = text;
  while (short && pen.measureText(`${short}…`).width > LONGEST) short = short.slice(0, -1);
  return `${short}…`;
}
