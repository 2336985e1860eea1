// The page: hears the matrix, hands it to each part, and keeps the address bar's path open in the panel.
import { agents } from "./agents.js";
import { ask } from "./api.js";
import { ago, at, clock, element, link, shown } from "./element.js";
import { findings, sentence } from "./findings.js";
import { flips } from "./flips.js";
import { badge } from "./glyph.js";
import { Heatmap, summary } from "./heatmap.js";
import { Incidents, fetched } from "./incidents.js";
import { look, onGround } from "./labels.js";
import { live } from "./live.js";
import { objectives } from "./objectives.js";
import { Panel } from "./panel.js";
import { run } from "./runs.js";
import { table } from "./table.js";

const SLOW = 5_000;
let matrix = null;
let asTable = false;

const heatmap = new Heatmap(at("heatmap"), {
  open: (cell) => (location.hash = link(cell.source, cell.target)),
  point: tooltip,
  say: (text) => (at("spoken").textContent = text),
});
const incidents = new Incidents(at("incidents"), {
  choose: (id) => (location.hash = id ? `#/incident/${encodeURIComponent(id)}` : "#/"),
  mark: (cells) => heatmap.mark(cells),
});
const panel = new Panel(at("panel"), () => {
  location.hash = "#/";
  heatmap.focusOn();
});

function show(heard) {
  const text = JSON.stringify(heard.cells.map((cell) => [cell.source, cell.target, cell.label, cell.culprit, cell.confidence]));
  const changed = show.text !== text;
  show.text = text;
  matrix = heard;
  const ages = heard.cells.map((cell) => cell.age_seconds).filter((age) => age !== null && age !== undefined);
  at("age").textContent = `${clock(heard.at)} UTC${ages.length ? ` · oldest cell ${ago(Math.max(...ages))}` : ""}`;
  heatmap.show(heard);
  incidents.tick(heard.at);
  if (changed) words();
  if (changed) slow();
  refresh();
}

/** Whatever says the matrix in words; only when it changed, so that nobody's reading place is lost. */
function words() {
  const found = findings(matrix);
  const worst = found[0]?.look ?? look(matrix.cells.length ? "healthy" : "unknown");
  const failing = found.some((one) => one.look.fails);
  at("sentence").replaceChildren(badge(worst, 22), sentence(matrix));
  document.title = `${failing ? "✗ " : ""}${shown(sentence(matrix))} · prober`;
  document.body.classList.toggle("failing", failing);
  at("legend").replaceChildren(...legend());
  at("findings").replaceChildren(...(found.length ? found.map(finding) : [element("li", { class: "faint" }, "None.")]));
  at("table").replaceChildren(table(matrix, asTable));
}

function legend() {
  const counts = new Map();
  for (const cell of matrix.cells) counts.set(cell.label, (counts.get(cell.label) ?? 0) + 1);
  const present = [...counts].sort(([a], [b]) => look(a).rank - look(b).rank);
  return present.map(([label, count]) => element("li", {}, badge(look(label), 16), `${shown(look(label).word)} ${count}`));
}

function finding(one) {
  return element("li", {}, badge(one.look), element("a", { href: link(one.source, one.target) }, one.line));
}

function tooltip(cell, x = 0, y = 0) {
  const tip = at("tooltip");
  tip.hidden = !cell;
  if (!cell) return;
  tip.replaceChildren(element("strong", {}, summary(cell)), element("span", {}, shown(cell.culprit ?? cell.sentence)));
  tip.style.left = `${Math.max(8, Math.min(x + 14, window.innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${y + 18 + tip.offsetHeight > window.innerHeight ? y - tip.offsetHeight - 10 : y + 18}px`;
}

function route() {
  const parts = /^#\/path\/([^/]+)\/([^/]+)$/.exec(location.hash)?.slice(1).map(decoded);
  document.body.classList.toggle("with-panel", Boolean(parts));
  heatmap.select(...(parts ?? [null, null]));
  if (!parts) incidents.select(/^#\/incident\/([^/]+)$/.exec(location.hash)?.slice(1).map(decoded)[0] ?? null);
  if (!parts) return panel.close();
  return panel.open(...parts);
}

/** A hand-typed link may hold a stray percent sign; it then names what it says. */
function decoded(part) {
  return /%(?![0-9a-f]{2})/i.test(part) ? part : decodeURIComponent(part);
}

/** The open path again; its evidence may have grown. */
function refresh() {
  if (!at("panel").hidden) route();
}

/** The incidents. */
async function timeline() {
  try {
    const heard = await fetched();
    incidents.tick(matrix?.at ?? new Date().toISOString());
    incidents.show(heard);
    renewed("incidents");
  } catch (error) {
    renewed("incidents", error);
  }
}

/** What was heard last stays when no other answer can be had, and says so: an incident outlives its controller. */
function renewed(id, error = null) {
  const holder = at(id);
  holder.querySelector(".late")?.remove();
  if (!error) return;
  const words = `${holder.children.length ? "This may be old: " : ""}${shown(error.message)}`;
  holder.append(element(holder.matches("ul, ol") ? "li" : "p", { class: "refused late" }, words));
}

/** What changes slowly; only what changed is drawn anew, or the Tab key would lose its place. */
async function slow() {
  timeline();
  const parts = [
    ["/api/v1/slos", "objectives", (heard) => [objectives(heard)]],
    ["/api/v1/agents", "agents", agents],
    ["/api/v1/flips", "flips", (heard) => flips(heard, matrix?.at ?? new Date().toISOString())],
  ];
  for (const [path, id, draw] of parts) {
    try {
      const heard = await ask(path);
      const text = JSON.stringify({ ...heard, at: null });
      if (slow[id] !== text) at(id).replaceChildren(...draw(heard));
      slow[id] = text;
      renewed(id);
    } catch (error) {
      renewed(id, error);
    }
  }
}

function silence(seconds) {
  at("stale").hidden = seconds === null;
  document.body.classList.toggle("old", seconds !== null);
  heatmap.fade(seconds !== null);
  if (seconds === null) return;
  at("stale").textContent = `This page has not heard from the controller for ${ago(seconds)}; what you see may be old.`;
}

function toggle() {
  asTable = !asTable;
  at("as-table").setAttribute("aria-pressed", String(asTable));
  at("as-table").textContent = asTable ? "show as heatmap" : "show as table";
  at("heatmap").hidden = asTable;
  at("table").classList.toggle("unseen", !asTable);
  if (matrix) at("table").replaceChildren(table(matrix, asTable));
}

window.addEventListener("hashchange", route);
at("run").addEventListener("click", run);
at("as-table").addEventListener("click", toggle);
onGround(() => {
  if (matrix) words();
  incidents.draw();
});
live(show, silence);
setInterval(slow, SLOW);
slow();
route();
