// A sheet as a table: the same tiles for those who can't see the canvas, or would rather read.
import { element, shown } from "./element.js";
import { badge } from "./glyph.js";
import { colours, look } from "./labels.js";

/** Tiles up to which a table stands unseen for screen readers. 40,000 hold a browser up for seconds at each change. */
const UNSEEN = 2_500;

/** A table of `sheet`, or where it is to be made first if it is too large to be made for nothing. */
export function table(sheet, seen) {
  if (seen || sheet.size <= UNSEEN) return whole(sheet, seen);
  return element("p", {}, `${sheet.size} paths; the button “show as table” lists them.`);
}

/** All that `table` would say, to tell whether it has to be made anew. */
export function said(sheet, seen) {
  if (!seen && sheet.size > UNSEEN) return String(sheet.size);
  const fields = sheet.rows.map((source) => sheet.columns.map((target) => sheet.tile(source, target)).map(told));
  return JSON.stringify([sheet.kind, sheet.rows, sheet.columns, fields, sheet.none, seen, colours(look("healthy"))]);
}

const told = (tile) => tile && [tile.label, tile.counts?.[0]];

/** While only screen readers meet it (`seen` false) its links are no stops of the Tab key. */
function whole(sheet, seen) {
  const heads = sheet.columns.map((name) => element("th", { scope: "col" }, shown(sheet.name(name))));
  const rows = sheet.rows.map((source) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, shown(sheet.name(source))),
      sheet.columns.map((target) => field(sheet, source, target, seen)),
    ),
  );
  return element(
    "table",
    { class: "matrix" },
    element("caption", {}, sheet.kind === "zones" ? "Zones: sources down, targets across" : "Sources down, targets across"),
    element("thead", {}, element("tr", {}, element("td"), heads)),
    element("tbody", {}, rows),
  );
}

function field(sheet, source, target, seen) {
  const tile = sheet.tile(source, target);
  if (!tile) return element("td", {}, element("span", { class: "unseen" }, sheet.none));
  const given = { href: sheet.href(tile), tabindex: seen ? null : "-1" };
  const count = tile.counts?.[0] ? `${tile.counts[0]} ` : "";
  return element("td", {}, element("a", given, badge(look(tile.label)), ` ${count}${shown(look(tile.label).word)}`));
}
