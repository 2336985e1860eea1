// What the heatmap draws: names down and across, and for each place a tile or nothing; here of a matrix's cells.
import { ago, link, shown } from "./element.js";
import { look } from "./labels.js";

/** What a tile is known by. */
export const key = (source, target) => JSON.stringify([source, target]);

export const UNSURE = "unsure";

/**
 * The cells between `rows` and `columns`, out of `cells` by key. `others` is the label of every cell that is not
 * listed, null where those are not probed, `UNSURE` where they may be either.
 */
export class CellSheet {
  kind = "cells";

  constructor(rows, columns, cells, others = null) {
    Object.assign(this, { rows, columns, cells, others });
  }

  at({ row, column }) {
    if (!(row in this.rows && column in this.columns)) return null;
    return this.tile(this.rows[row], this.columns[column]);
  }

  tile(source, target) {
    const cell = this.cells.get(key(source, target));
    if (cell || !this.others || this.others === UNSURE || source === target) return cell ?? null;
    return { source, target, label: this.others };
  }

  /** A place in a line, for tooltip and screen reader. */
  line(source, target) {
    const tile = this.tile(source, target);
    if (tile) return summary(tile);
    return `${shown(source)} to ${shown(target)}: ${this.none}`;
  }

  /** What is said of a place that has no tile. */
  get none() {
    return this.others === UNSURE ? "not listed: healthy or not probed" : "not probed";
  }

  /** How many tiles there are at most. */
  get size() {
    return this.others === null ? this.cells.size : this.rows.length * this.columns.length;
  }

  href(tile) {
    return link(tile.source, tile.target);
  }

  name(one) {
    return one;
  }

  /** The same with other rows and columns. */
  of(rows, columns) {
    return new CellSheet(rows, columns, this.cells, this.others);
  }
}

/** A cell in a line. */
export function summary(cell) {
  const ends = `${shown(cell.source)} → ${shown(cell.target)}`;
  if (cell.sent === undefined) return `${ends}: ${look(cell.label).word}`;
  const parts = [look(cell.label).word, cell.confidence, `${cell.answered} of ${cell.sent} answered`];
  if (cell.rtt_ms !== null && cell.rtt_ms !== undefined) parts.push(`${cell.rtt_ms.toFixed(2)} ms`);
  return `${ends}: ${parts.filter(Boolean).join(" · ")} · ${cell.age_seconds === null ? "never judged" : `${ago(cell.age_seconds)} old`}`;
}
