// A sheet narrowed to what is wrong in it: rows and columns that fail first, and, where not all fit, no healthy ones.
import { look } from "./labels.js";
import { key } from "./sheet.js";

/**
 * `sheet` with its failing rows and columns first. Where it is larger than `room` ({rows, columns}) only those with
 * something wrong are drawn, as many as fit; `keep` ([source, target]) is never left out, and what has keys in `marked` comes
 * first. With the sheet: how many `healthy` rows and columns are not drawn, and how many `wrong` ones.
 */
export function narrowed(sheet, room, keep = [], marked = null) {
  const rows = weighed(sheet.rows, (row) => sheet.columns.map((column) => sheet.tile(row, column)), marked);
  const columns = weighed(sheet.columns, (column) => sheet.rows.map((row) => sheet.tile(row, column)), marked);
  if (!room || (rows.length <= room.rows && columns.length <= room.columns)) {
    return { sheet: sheet.of(rows.map(named), columns.map(named)), healthy: NONE, wrong: NONE };
  }
  const [down, across] = [few(rows, room.rows, keep[0]), few(columns, room.columns, keep[1])];
  const counts = (kind) => ({ rows: down[kind], columns: across[kind] });
  return { sheet: sheet.of(down.names, across.names), healthy: counts("healthy"), wrong: counts("wrong") };
}

/** What is not drawn, in words; "" when all is. `unlisted` counts cells that are wrong and that nobody knows the place of. */
export function leftOut({ healthy, wrong }, unlisted = 0) {
  const more = counted({ rows: wrong.rows, columns: wrong.columns }, "more ");
  const calm = counted(healthy);
  const parts = [
    more && `${more} with something wrong`,
    calm && `${calm} ${unlisted ? "with nothing wrong that is listed" : "that are all healthy"}`,
    unlisted > 0 && `${unlisted.toLocaleString("en")} more paths that are not healthy and not listed`,
  ].filter(Boolean);
  return parts.length ? `and ${parts.join(", ")}` : "";
}

const NONE = { rows: 0, columns: 0 };

const named = (one) => one.name;

/** Names with how many of their tiles are marked, fail, and are wrong at all; the worst first, else in their order. */
function weighed(names, tilesOf, marked) {
  const all = names.map((name) => {
    const tiles = tilesOf(name).filter(Boolean);
    const wrong = tiles.filter((tile) => tile.label !== "healthy");
    const stands = marked ? tiles.filter((tile) => marked.has(key(tile.source, tile.target))).length : 0;
    return { name, stands, wrong: wrong.length, fails: wrong.filter((tile) => look(tile.label).fails).length };
  });
  return all.sort((a, b) => b.stands - a.stands || b.fails - a.fails || (b.wrong > 0) - (a.wrong > 0));
}

function few(all, most, keep) {
  const wrong = all.filter((one) => one.wrong > 0 || one.stands > 0);
  const drawn = wrong.slice(0, most);
  const kept = all.find((one) => one.name === keep);
  if (kept && !drawn.includes(kept)) drawn.splice(Math.min(drawn.length, most - 1), 1, kept);
  const left = all.filter((one) => !drawn.includes(one));
  return { names: drawn.map(named), healthy: left.filter((one) => !one.wrong).length, wrong: left.filter((one) => one.wrong).length };
}

function counted({ rows, columns }, more = "") {
  const count = (number, noun) => number > 0 && `${number.toLocaleString("en")} ${more}${noun}${number === 1 ? "" : "s"}`;
  return [count(rows, "row"), count(columns, "column")].filter(Boolean).join(" and ");
}
