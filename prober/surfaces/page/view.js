// What is shown of the matrix: all of it, or, where it doesn't fit, its pairs of zones, or the cells of one of them.
import { pairLink, shown } from "./element.js";
import { cellsOf } from "./findings.js";
import { legible } from "./layout.js";
import { leftOut, narrowed } from "./narrow.js";
import { CellSheet, key } from "./sheet.js";
import { ZoneSheet, between, zoneName, zoneOf } from "./zones.js";

const FITS = { healthy: { rows: 0, columns: 0 }, wrong: { rows: 0, columns: 0 } };

/**
 * Hands `heatmap` its sheet. `place` is the element for the pair that is open and the way back, `rest` for what is not
 * drawn; `say(text)` for screen readers, `drawn(sheet)` whenever there is another one.
 */
export class View {
  constructor({ heatmap, place, rest, say, drawn }) {
    Object.assign(this, { heatmap, place, rest, say, drawn, matrix: null, whole: null, zones: null, pair: null });
    Object.assign(this, { wanted: null, path: null, finding: null, marked: null });
    Object.assign(this, { standing: null, many: false, all: false, room: null });
  }

  /** A new document; what is open stays open. */
  show(matrix) {
    const cells = new Map(matrix.cells.map((cell) => [key(cell.source, cell.target), cell]));
    this.matrix = matrix;
    this.whole = new CellSheet(matrix.sources, matrix.targets, cells);
    this.zones = null;
    this.draw();
  }

  /** What the address bar names: a pair of zones, a path, a finding by its first path; each may be null. */
  follow({ pair, path, finding }) {
    Object.assign(this, { wanted: pair, path, finding });
    this.draw();
    this.heatmap.select(...(path ?? [null, null]));
  }

  /** These cells stand out, and the pair of zones with most of them is opened; null for all alike. */
  mark(cells) {
    this.marked = cells;
    this.draw();
  }

  /** Whether the tiles are pairs of zones. */
  get pairs() {
    return this.zones !== null && this.pair === null;
  }

  /** Where the reader is sent when a path is closed: to the pair of zones it lies in, if pairs are shown. */
  home() {
    return this.pair && this.many ? pairLink(...this.pair) : "#/";
  }

  /** Out of the open pair of zones; the keyboard goes to its tile. */
  up() {
    if (!this.pair || !this.many) return;
    const left = this.pair;
    this.marked = null;
    location.hash = "#/";
    this.follow({ pair: null, path: null, finding: null });
    this.heatmap.focusAt(...left);
    this.heatmap.focusOn();
    this.heatmap.relight();
    this.say(this.zones.line(...left));
  }

  /** All rows and columns of the open pair, or again only what is wrong. */
  showAll() {
    this.all = !this.all;
    this.draw();
  }

  /** Draws what fits now. */
  draw() {
    if (!this.matrix) return;
    this.room = this.heatmap.room(this.whole) ?? this.room;
    if (!this.room) return;
    this.choose();
    const marked = this.marks();
    const { sheet, table, left, unlisted } = this.some(marked);
    this.words(left, unlisted);
    this.heatmap.show(sheet, marked);
    this.drawn(table);
  }

  /** Whether pairs of zones are shown, and which is open. */
  choose() {
    const before = this.pair;
    const small = legible(this.whole, this.room) && !this.matrix.left_out;
    this.zones = small ? null : (this.zones ?? ZoneSheet.of(this.matrix));
    this.many = !small && this.zones.tiles.size > 1;
    this.standing = (this.finding && cellsOf(this.matrix, this.finding)) ?? this.marked;
    this.pair = small ? null : this.opened();
    if (JSON.stringify(this.pair) === JSON.stringify(before)) return;
    this.all = false;
    if (this.pair && this.many) this.say(`${this.title()}. Escape leads back to all zones.`);
  }

  /** Which pair is open: the one asked for, that of the open path, that of most marked cells, the only one, or none. */
  opened() {
    const known = (pair) => (pair && this.zones.tile(...pair) ? pair : null);
    if (!this.many) return [...this.zones.tiles.values()].map((tile) => [tile.source, tile.target])[0] ?? null;
    if (this.wanted) return known(this.wanted);
    if (this.path) return known(this.zonesOf({ source: this.path[0], target: this.path[1] }));
    return this.standing ? known(most(this.standing.map((cell) => this.zonesOf(cell)))) : null;
  }

  /** What is drawn: the whole, the zones, or the cells of the open pair, as far as they fit; `table` is all of it. */
  some(marked) {
    if (!this.zones) return { sheet: this.whole, table: this.whole, left: FITS, unlisted: 0 };
    const open = this.pair && between(this.matrix, this.whole.cells, this.zones.tile(...this.pair));
    const { sheet, unlisted } = open ?? { sheet: this.zones, unlisted: 0 };
    const room = this.heatmap.room(sheet) ?? this.room;
    if (!open && sheet.rows.length <= room.rows && sheet.columns.length <= room.columns) {
      return { sheet, table: sheet, left: FITS, unlisted };
    }
    const { sheet: few, ...left } = narrowed(sheet, this.all ? null : room, open ? (this.path ?? []) : [], marked);
    return { sheet: few, table: sheet, left, unlisted };
  }

  /** The keys of the tiles that stand out. */
  marks() {
    if (!this.standing) return null;
    const name = (one) => (this.pairs ? zoneOf(this.matrix, one) : one);
    return new Set(this.standing.map((cell) => key(name(cell.source), name(cell.target))));
  }

  /** The pair that is open, and what is not drawn. */
  words(left, unlisted) {
    this.place.hidden = !(this.pair && this.many);
    if (!this.place.hidden) this.place.querySelector("span").textContent = this.title();
    const text = [leftOut(left, unlisted), this.elsewhere()].filter(Boolean).join(" · ");
    const more = this.rest.querySelector("button");
    this.rest.hidden = !text && !this.all;
    this.rest.querySelector("span").textContent = text;
    more.textContent = this.all ? "show only what is wrong" : "show all";
    more.hidden = !this.all && !leftOut(left);
  }

  /** How many of the marked cells the open pair does not hold, in words. */
  elsewhere() {
    if (!this.pair || !this.standing) return "";
    const here = key(...this.pair);
    const away = this.standing.filter((cell) => key(...this.zonesOf(cell)) !== here).length;
    return away && `${away} of the ${this.standing.length} marked paths lie in other pairs of zones`;
  }

  zonesOf(cell) {
    return [cell.source, cell.target].map((name) => zoneOf(this.matrix, name));
  }

  title() {
    const [source, target] = this.pair.map((zone) => shown(zoneName(zone)));
    return `${source} → ${target}: ${this.zones.state(...this.pair)}`;
  }
}

/** The pair that is there most often. */
function most(pairs) {
  const found = new Map();
  for (const pair of pairs) found.set(key(...pair), { pair, count: (found.get(key(...pair))?.count ?? 0) + 1 });
  return [...found.values()].sort((a, b) => b.count - a.count)[0]?.pair ?? null;
}
