// What a matrix says in words. The words are the controller's (prober/surfaces/findings.py); here they get their looks.
import { shown } from "./element.js";
import { look } from "./labels.js";

/** Whatever is not healthy, one finding a culprit, worst first: the document's rows, each with its `look`. */
export const findings = (matrix) =>
  matrix.findings.map((one) => ({ ...one, look: look(one.label), line: shown(one.line) }));

/** The state of the whole network in one sentence. */
export const sentence = (matrix) => shown(matrix.sentence);

/** How many cells have which label, those that the document leaves out with them. */
export function counts(matrix) {
  const found = new Map(Object.entries(matrix.left_out ?? {}));
  for (const cell of matrix.cells) found.set(cell.label, (found.get(cell.label) ?? 0) + 1);
  return found;
}

/** The cells of the finding whose first cell is source → target; null where it is no finding's any more. */
export function cellsOf(matrix, [source, target]) {
  const one = matrix.findings.find((each) => each.source === source && each.target === target);
  if (!one) return null;
  return matrix.cells.filter((cell) => cell.label !== "healthy" && belongs(one, cell, matrix.zones ?? {}));
}

/** As prober/localise.py shares them out: by the culprit that is named, else by label and what ends they share. */
function belongs(one, cell, zones) {
  if (cell.source === one.source && cell.target === one.target) return true;
  if (Boolean(one.culprit) !== Boolean(cell.culprit)) return false;
  if (one.culprit) {
    const [head, ...rest] = cell.culprit.split(": ");
    return head === one.element || (one.kind !== "node" && rest.join(": ").includes(one.element));
  }
  const ends = { target: cell.target, source: cell.source, "target zone": zones[cell.target], "source zone": zones[cell.source] };
  return cell.label === one.label && ends[one.kind] === one.element;
}
