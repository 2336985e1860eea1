// The matrix as a table: the same cells for those who can't see the canvas, or would rather read.
import { element, link, shown } from "./element.js";
import { badge } from "./glyph.js";
import { look } from "./labels.js";

/** Cells up to which a table stands unseen for screen readers. 40,000 hold a browser up for seconds at each change. */
const UNSEEN = 2_500;

/** A table of `matrix`, or where it is to be made first if it is too large to be made for nothing. */
export function table(matrix, seen) {
  if (seen || matrix.cells.length <= UNSEEN) return whole(matrix, seen);
  return element("p", {}, `${matrix.cells.length} paths; the button “show as table” lists them.`);
}

/** While only screen readers meet it (`seen` false) its links are no stops of the Tab key. */
function whole(matrix, seen) {
  const cells = new Map(matrix.cells.map((cell) => [JSON.stringify([cell.source, cell.target]), cell]));
  const heads = matrix.targets.map((name) => element("th", { scope: "col" }, shown(name)));
  const rows = matrix.sources.map((source) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, shown(source)),
      matrix.targets.map((target) => field(cells.get(JSON.stringify([source, target])), seen)),
    ),
  );
  return element(
    "table",
    { class: "matrix" },
    element("caption", {}, "Sources down, targets across"),
    element("thead", {}, element("tr", {}, element("td"), heads)),
    element("tbody", {}, rows),
  );
}

function field(cell, seen) {
  if (!cell) return element("td", {}, element("span", { class: "unseen" }, "not probed"));
  const given = { href: link(cell.source, cell.target), tabindex: seen ? null : "-1" };
  return element("td", {}, element("a", given, badge(look(cell.label)), ` ${shown(look(cell.label).word)}`));
}
