// The ladder: a column for each place that watched, the packets as arrows between them, and where it died.
import { cut, drawn, element, shown } from "./element.js";

const STEP = 30;
const TOP = 52;
const MARKS = { seen: "seen", "not seen": "died", "not watched": "unwatched" };

/** An SVG of `path.ladder`, `width` pixels wide, or null when nothing was drawn. Steps are read in order. */
export function ladder(path, width) {
  const columns = path.ladder.columns;
  if (!columns.length) return null;
  const [gutter, places] = [54, new Map()];
  const room = (width - gutter) / columns.length;
  columns.forEach((column, index) => places.set(column.id, { x: gutter + index * room + 8, role: column.role }));
  const sketch = { places, room, y: TOP, shapes: [] };
  const steps = path.ladder.steps.filter((step) => places.has(step.column));
  steps.forEach((step, index) => draw(sketch, steps[index - 1], step, steps.slice(index + 1)));
  const height = sketch.y + 6;
  const given = { class: "ladder", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": told(steps) };
  return drawn("svg", given, columns.map((column) => head(column, sketch, height)), sketch.shapes);
}

/** The same steps as a list, for those who can't see arrows. */
export function steps(path) {
  return element("ol", { class: "unseen" }, path.ladder.steps.map((step) => element("li", {}, sentence(step))));
}

function head(column, { places, room }, height) {
  const x = places.get(column.id).x;
  const most = Math.floor(room / 8);
  return drawn(
    "g",
    {},
    drawn("text", { x: x - 4, y: 14, class: "name" }, cut(shown(column.id), most)),
    drawn("text", { x: x - 4, y: 29, class: "faint" }, shown(column.role)),
    drawn("line", { x1: x, y1: 38, x2: x, y2: height, class: "line" }),
  );
}

function draw(sketch, before, step, later) {
  if (before?.packet !== step.packet) packet(sketch, step);
  event(sketch, step);
  if (step.to && step.to !== step.column && sketch.places.has(step.to)) arrow(sketch, step, later);
}

function packet(sketch, step) {
  sketch.y += 6;
  const text = drawn("text", { x: 0, y: sketch.y, class: "packet" }, shown(step.text || step.packet));
  sketch.shapes.push(text);
  sketch.y += 20;
}

function event(sketch, step) {
  const { x } = sketch.places.get(step.column);
  const mark = MARKS[step.state] ?? "unwatched";
  const [words, ...below] = fitting(step, sketch.places.get(step.column).role, Math.floor((sketch.room - 14) / 6.4));
  const y = sketch.y;
  const time = step.at_ms === null ? null : drawn("text", { x: 44, y: y + 4, class: "time" }, step.at_ms.toFixed(2));
  sketch.shapes.push(
    drawn(
      "g",
      { class: mark },
      drawn("title", {}, sentence(step)),
      time,
      mark === "died" ? cross(x, y) : drawn("circle", { cx: x, cy: y, r: 4.5 }),
      drawn("text", { x: x + 11, y: y + 4 }, words),
      below.map((line) => drawn("text", { x: x + 11, y: y + 18 }, line)),
    ),
  );
  sketch.y += 22 + 14 * below.length;
}

/** Place and interface (or state). In a column too narrow for both an interface goes; a state has a line of its own. */
function fitting(step, role, most) {
  const note = step.state === "seen" ? step.interface : step.state.replace("not watched", "unwatched");
  const full = [where(step.place, role), note && shown(note)].filter(Boolean).join(" · ");
  if (full.length <= most) return [full];
  return [cut(where(step.place, role), most), ...(step.state === "seen" ? [] : [note])];
}

function cross(x, y) {
  return drawn("path", { d: `M${x - 5} ${y - 5}l10 10m0 -10l-10 10`, class: "cross" });
}

/** From a column to the one the packet left for: a cross where it was not seen to arrive, dotted where nobody says. */
function arrow(sketch, step, later) {
  const [from, to] = [sketch.places.get(step.column), sketch.places.get(step.to)];
  const arrives = later.find((one) => one.column === step.to && one.packet === step.packet)?.state ?? "not watched";
  const astray = to.role === "witness" ? " astray" : "";
  const way = Math.sign(to.x - from.x);
  const [start, y] = [from.x + 2 * way, sketch.y + 8];
  const end = arrives === "not seen" ? from.x + (to.x - from.x) * 0.78 : to.x - 3 * way;
  const tip = arrives === "not seen" ? cross(end, y) : drawn("path", { d: `M${end - 7 * way} ${y - 4.5}l${7 * way} 4.5l${-7 * way} 4.5`, class: "tip" });
  const label = drawn("text", { x: (from.x + to.x) / 2, y: y - 5, class: "label" }, shown(step.packet));
  const line = drawn("line", { x1: start, y1: y, x2: end, y2: y, class: "shaft" });
  sketch.shapes.push(drawn("g", { class: `arrow ${MARKS[arrives] ?? "unwatched"}${astray}` }, line, tip, label));
  sketch.y += STEP;
}

/** A place of the vector as it reads under its own column. */
function where(place, role) {
  if (role === "witness" && place.endsWith("NIC in")) return "caught here";
  return shown(place).replace(/^(.*?'s (node )?|A )/, "");
}

function sentence(step) {
  const when = step.at_ms === null ? "" : ` at ${step.at_ms.toFixed(2)} ms`;
  const on = step.interface ? ` on ${shown(step.interface)}` : "";
  const to = step.to ? `, on its way to ${shown(step.to)}` : "";
  return `${shown(step.packet)} ${step.state} at ${shown(step.column)}, ${shown(step.place)}${on}${when}${to}`;
}

const told = (list) => `Ladder of ${list.length} steps; a list of them follows`;
