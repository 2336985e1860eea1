// Who reports: how many agents do, and a line for each of which there is something to say.
import { ago, element, shown } from "./element.js";

const SILENT = 10;

/** The lines of GET /api/v1/agents. */
export function agents(document) {
  const list = document.agents;
  const silent = list.filter((one) => one.age_seconds === null || one.age_seconds > SILENT);
  const count = `${list.length - silent.length} of ${list.length} ${list.length === 1 ? "agent reports" : "agents report"}`;
  return [element("li", { class: silent.length ? "" : "faint" }, `${count}.`), ...list.flatMap(lines)];
}

function lines(one) {
  return [silence(one), one.detour && `${one.detour}.`, one.alarm, one.note && `${one.name}: ${one.note}`]
    .filter(Boolean)
    .map((text) => element("li", {}, element("span", { class: "warned", "aria-hidden": "true" }, "!"), element("span", {}, shown(text))));
}

function silence({ name, age_seconds: age }) {
  if (age === null) return `${name} has not reported yet.`;
  return age > SILENT ? `${name} has been silent for ${ago(10 * Math.floor(age / 10))}.` : null;
}
