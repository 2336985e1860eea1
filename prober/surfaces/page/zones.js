// A matrix by pairs of zones: how many cells of each pair fail, and as what.
import { pairLink, shown } from "./element.js";
import { look } from "./labels.js";
import { CellSheet, UNSURE, key } from "./sheet.js";

/** The zone of an agent or target; what has none is in the zone "". */
export const zoneOf = (matrix, name) => matrix.zones?.[name] ?? "";

/** A zone as it is called. */
export const zoneName = (zone) => (zone === "" ? "no zone" : zone);

const number = (count) => count.toLocaleString("en");

/** The pairs of zones of a matrix as a sheet: each tile has the worst label in it and how many of how many fail. */
export class ZoneSheet {
  kind = "zones";

  constructor(rows, columns, tiles) {
    Object.assign(this, { rows, columns, tiles });
  }

  /** `matrix` is a document of GET /api/v1/matrix; of a large one the pairs are told, cells being left out. */
  static of(matrix) {
    const pairs = matrix.left_out && matrix.zone_pairs ? told(matrix.zone_pairs) : counted(matrix);
    const sides = ["source", "target"].map((side) => matrix[`${side}s`].map((name) => zoneOf(matrix, name)));
    const tiles = [...pairs.values()].map((pair) => [key(pair.source, pair.target), tile(pair)]);
    return new ZoneSheet(...sides.map((zones) => [...new Set(zones)]), new Map(tiles));
  }

  at({ row, column }) {
    return this.tile(this.rows[row], this.columns[column]);
  }

  tile(source, target) {
    return this.tiles.get(key(source, target)) ?? null;
  }

  line(source, target) {
    return `zone ${shown(zoneName(source))} to zone ${shown(zoneName(target))}, ${this.state(source, target)}`;
  }

  /** How many of how many paths fail, and as what at worst. */
  state(source, target) {
    return state(this.tile(source, target));
  }

  get none() {
    return "not probed";
  }

  get size() {
    return this.tiles.size;
  }

  href(tile) {
    return pairLink(tile.source, tile.target);
  }

  name(one) {
    return zoneName(one);
  }

  of(rows, columns) {
    return new ZoneSheet(rows, columns, this.tiles);
  }
}

/** The cells of `matrix` from one zone to another; `cells` are those that are listed, by key. */
export function between(matrix, cells, { source, target, labels, total }) {
  const rows = matrix.sources.filter((name) => zoneOf(matrix, name) === source);
  const columns = matrix.targets.filter((name) => zoneOf(matrix, name) === target);
  const present = rows.flatMap((row) => columns.map((column) => cells.get(key(row, column)))).filter(Boolean);
  const listed = new Map(present.map((cell) => [key(cell.source, cell.target), cell]));
  if (!matrix.left_out) return { sheet: new CellSheet(rows, columns, listed), unlisted: 0 };
  const rest = { ...labels };
  for (const cell of present) rest[cell.label] = (rest[cell.label] ?? 0) - 1;
  const left = Object.keys(rest).filter((label) => rest[label] > 0);
  const places = rows.length * columns.length - rows.filter((name) => columns.includes(name)).length;
  const others = !left.length ? null : left.length === 1 && total === places ? left[0] : UNSURE;
  const unlisted = left.filter((label) => label !== "healthy").reduce((sum, label) => sum + rest[label], 0);
  return { sheet: new CellSheet(rows, columns, listed, others), unlisted };
}

function told(zonePairs) {
  return new Map(zonePairs.map((one) => [key(one.source_zone, one.target_zone), { source: one.source_zone, target: one.target_zone, labels: one.labels }]));
}

function counted(matrix) {
  const pairs = new Map();
  for (const cell of matrix.cells) {
    const [source, target] = [zoneOf(matrix, cell.source), zoneOf(matrix, cell.target)];
    const at = key(source, target);
    if (!pairs.has(at)) pairs.set(at, { source, target, labels: {} });
    const { labels } = pairs.get(at);
    labels[cell.label] = (labels[cell.label] ?? 0) + 1;
  }
  return pairs;
}

function tile({ source, target, labels }) {
  const present = Object.keys(labels).sort((a, b) => look(a).rank - look(b).rank);
  const sum = (names) => names.reduce((total, label) => total + labels[label], 0);
  const [failing, total] = [sum(present.filter((label) => look(label).fails)), sum(present)];
  const words = present.map((label) => `${shown(look(label).word)} ${number(labels[label])}`);
  const counts = failing ? [`${number(failing)}/${number(total)}`, number(failing)] : [];
  return { source, target, label: present[0], labels, failing, total, counts, sentence: words.join(", ") };
}

function state(pair) {
  if (!pair) return "not probed";
  const paths = `${number(pair.total)} ${pair.total === 1 ? "path" : "paths"}`;
  const word = shown(look(pair.label).word);
  if (pair.failing) return `${number(pair.failing)} of ${paths} fail, ${word}`;
  return pair.label === "healthy" ? `all ${paths} healthy` : `none of ${paths} is known to fail, ${word}`;
}
