// What a matrix says in words: the same sentences as prober/surfaces/findings.py, kept equal by a test.
import { shown } from "./element.js";
import { look } from "./labels.js";

const CONFIDENCES = ["proven", "likely", "inferred", "ambiguous"];

/** Whatever is not healthy, one finding a culprit, worst first: {look, paths, also, confidence, culprit, others, cells, line}. */
export function findings(matrix) {
  const groups = new Map();
  for (const cell of matrix.cells) {
    if (cell.label === "healthy") continue;
    const key = element(cell);
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  return [...groups.values()].map(finding).sort(worstFirst);
}

/** The state of the whole network in one sentence. */
export function sentence(matrix) {
  const cells = matrix.cells;
  if (!cells.length) return "Nothing has been measured yet";
  const failing = findings(matrix).filter((one) => one.look.fails);
  if (!failing.length) return calm(cells);
  const failed = cells.filter((cell) => look(cell.label).fails).length;
  const first = failing[0];
  const more = failing.length > 1 ? `, and ${count(failing.length - 1, "other finding")}` : "";
  const start = `${failed} of ${count(cells.length, "path")} fail`;
  if (first.cells.length === 1) return `${start}: ${first.paths} ${first.look.phrase}${more}`;
  return `${start}: ${first.look.word}, ${paths(first.cells, 1)}${more}`;
}

function calm(cells) {
  const having = (label) => cells.filter((cell) => cell.label === label).length;
  const [total, healthy, detours] = [cells.length, having("healthy"), having("detour")];
  if (healthy === total) return total > 1 ? `All ${count(total, "path")} are healthy` : "The one path is healthy";
  const parts = [`${healthy} of ${count(total, "path")} healthy`];
  if (detours) parts.push(`${detours} by a detour`);
  if (total - healthy - detours) parts.push(`${total - healthy - detours} unknown`);
  return `No path is known to fail: ${parts.join(", ")}`;
}

function element(cell) {
  return cell.culprit ? `of ${cell.culprit.split(": ", 1)[0]}` : `as ${cell.label} ${cell.cause}`;
}

function worstFirst(a, b) {
  const [left, right] = [a, b].map((one) => one.look.rank);
  return left - right || b.cells.length - a.cells.length || (a.paths < b.paths ? -1 : 1);
}

function finding(group) {
  const cells = [...group].sort((a, b) => look(a.label).rank - look(b.label).rank);
  const words = [...new Set(cells.map((cell) => look(cell.label).word))];
  const culprits = [...new Set(cells.filter((cell) => cell.culprit).map((cell) => shown(cell.culprit)))];
  const confidence = CONFIDENCES.find((one) => cells.some((cell) => cell.confidence === one)) ?? null;
  const one = {
    look: look(cells[0].label),
    paths: paths(cells, 4),
    also: words.slice(1),
    confidence,
    culprit: culprits[0] ?? null,
    others: Math.max(0, culprits.length - 1),
    cells,
  };
  return { ...one, line: line(one) };
}

function line(one) {
  const word = [one.look.word, ...one.also].join(" and ");
  const like = one.others ? ` (and ${one.others} more at ${one.culprit.split(": ", 1)[0]})` : "";
  const culprit = one.culprit ? one.culprit + like : null;
  return `${one.paths}: ${[word, one.confidence, culprit].filter(Boolean).join(" · ")}`;
}

function paths(cells, most) {
  const targets = new Map();
  for (const cell of cells) {
    const source = shown(cell.source);
    targets.set(source, [...(targets.get(source) ?? []), shown(cell.target)]);
  }
  const sources = new Map();
  for (const [source, list] of targets) {
    const key = list.join("\n");
    sources.set(key, { left: [...(sources.get(key)?.left ?? []), source], right: list });
  }
  const arrows = [...sources.values()];
  const rest = arrows.slice(most).reduce((sum, one) => sum + one.left.length * one.right.length, 0);
  const text = arrows.slice(0, most).map((one) => `${names(one.left)} → ${names(one.right)}`).join("; ");
  return rest ? `${text} and ${count(rest, "other path")}` : text;
}

const names = (list) =>
  list.length <= 6 ? list.join(", ") : `${list.slice(0, 5).join(", ")} and ${list.length - 5} more`;
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
