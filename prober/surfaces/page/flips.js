// What changed, newest first: a strip of time above, a line for each change below.
import { clock, drawn, element, link, shown } from "./element.js";
import { badge } from "./glyph.js";
import { colours, look } from "./labels.js";

const MOST = 12;

/** The strip and the lines of GET /api/v1/flips, as of `now` (an RFC 3339 time). */
export function flips(document, now) {
  const list = document.flips;
  if (!list.length) return [element("li", { class: "faint" }, "Nothing has changed since the controller started.")];
  return [element("li", { class: "strip" }, strip(list, Date.parse(now))), ...list.slice(0, MOST).map(line)];
}

function strip(list, now) {
  const times = list.map((one) => Date.parse(one.at));
  const span = Math.max(60_000, now - Math.min(...times)) * 1.03;
  const marks = list.map((one, index) => {
    const seen = look(one.after);
    const x = 1000 * (1 - (now - times[index]) / span);
    const tall = seen.label === "healthy" ? 10 : 22;
    return drawn("rect", { x: x - 2, y: 24 - tall, width: 4, height: tall, rx: 1, fill: colours(seen)[seen.label === "healthy" ? 1 : 0] });
  });
  const base = drawn("line", { x1: 0, y1: 24.5, x2: 1000, y2: 24.5, class: "line" });
  return [
    drawn("svg", { viewBox: "0 0 1000 26", preserveAspectRatio: "none", "aria-hidden": "true" }, base, marks),
    element("span", { class: "faint" }, clock(new Date(now - span).toISOString())),
    element("span", { class: "faint" }, "now"),
  ];
}

function line(one) {
  const after = look(one.after);
  return element(
    "li",
    { title: shown(one.sentence) },
    element("time", { datetime: one.at }, clock(one.at)),
    badge(look(one.before ?? "unknown"), 14),
    element("span", { class: "faint", "aria-hidden": "true" }, "→"),
    badge(after, 14),
    element("a", { href: link(one.source, one.target) }, `${shown(one.source)} → ${shown(one.target)}`),
    element("span", {}, shown(after.word)),
    one.culprit && element("span", { class: "faint" }, shown(one.culprit)),
  );
}
