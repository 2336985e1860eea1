// The page: hears the matrix, hands it to each part, and keeps the address bar's path open in the panel.
import { named } from "./address.js";
import { agents } from "./agents.js";
import { ask } from "./api.js";
import { ago, at, clock, element, findingLink, link, pairLink, shown } from "./element.js";
import { counts, findings, sentence } from "./findings.js";
import { flips } from "./flips.js";
import { badge } from "./glyph.js";
import { Heatmap } from "./heatmap.js";
import { Incidents, fetched } from "./incidents.js";
import { look, onGround } from "./labels.js";
import { live } from "./live.js";
import { objectives } from "./objectives.js";
import { Panel } from "./panel.js";
import { run } from "./runs.js";
import { said, table } from "./table.js";
import { View } from "./view.js";

const SLOW = 5_000;
let matrix = null;
let asTable = false;

const say = (text) => (at("spoken").textContent = text);
const heatmap = new Heatmap(at("heatmap"), {
  open: (tile) => (location.hash = view.pairs ? pairLink(tile.source, tile.target) : link(tile.source, tile.target)),
  leave: () => view.up(),
  point: tooltip,
  say,
  resized: () => view.draw(),
});
const view = new View({ heatmap, place: at("place"), rest: at("rest"), say, drawn: tabled });
const incidents = new Incidents(at("incidents"), {
  choose: (id) => (location.hash = id ? `#/incident/${encodeURIComponent(id)}` : "#/"),
  mark: (cells) => view.mark(cells),
});
const panel = new Panel(at("panel"), () => {
  location.hash = view.home();
  heatmap.focusOn();
});

function show(heard) {
  const cells = heard.cells.map((cell) => [cell.source, cell.target, cell.label, cell.culprit, cell.confidence]);
  const text = JSON.stringify([cells, heard.left_out, heard.zones]);
  const changed = show.text !== text;
  show.text = text;
  matrix = heard;
  const aged = [...heard.cells, ...(heard.zone_pairs ?? [])];
  const ages = aged.map((one) => one.age_seconds).filter((age) => age !== null && age !== undefined);
  at("age").textContent = `${clock(heard.at)} UTC${ages.length ? ` · oldest cell ${ago(Math.max(...ages))}` : ""}`;
  view.show(heard);
  incidents.tick(heard.at);
  if (changed) words();
  if (changed) slow();
  refresh();
}

/** Whatever says the matrix in words; only when it changed, so that nobody's reading place is lost. */
function words() {
  const found = findings(matrix);
  const worst = found[0]?.look ?? look(counts(matrix).size ? "healthy" : "unknown");
  const failing = found.some((one) => one.look.fails);
  at("sentence").replaceChildren(badge(worst, 22), sentence(matrix));
  document.title = `${failing ? "✗ " : ""}${shown(sentence(matrix))} · prober`;
  document.body.classList.toggle("failing", failing);
  at("legend").replaceChildren(...legend());
  at("findings").replaceChildren(...(found.length ? found.map(finding) : [element("li", { class: "faint" }, "None.")]));
}

/** The same as a table; made anew only where it says something else, as `words`. */
function tabled(sheet) {
  const text = said(sheet, asTable);
  if (tabled.text !== text) at("table").replaceChildren(table(sheet, asTable));
  tabled.text = text;
}

function legend() {
  const present = [...counts(matrix)].sort(([a], [b]) => look(a).rank - look(b).rank);
  return present.map(([label, count]) => element("li", {}, badge(look(label), 16), `${shown(look(label).word)} ${count}`));
}

function finding(one) {
  return element("li", {}, badge(one.look), element("a", { href: findingLink(one.source, one.target) }, one.line));
}

function tooltip(tile, x = 0, y = 0) {
  const tip = at("tooltip");
  tip.hidden = !tile;
  if (!tile) return;
  const line = heatmap.sheet.line(tile.source, tile.target);
  tip.replaceChildren(element("strong", {}, line), element("span", {}, shown(tile.culprit ?? tile.sentence)));
  tip.style.left = `${Math.max(8, Math.min(x + 14, window.innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${y + 18 + tip.offsetHeight > window.innerHeight ? y - tip.offsetHeight - 10 : y + 18}px`;
}

function route() {
  const { path, finding, pair, incident } = named(location.hash);
  document.body.classList.toggle("with-panel", path !== null);
  if (!path || finding) incidents.select(incident);
  view.follow({ path, finding, pair });
  if (!path) return panel.close();
  return panel.open(...path);
}

/** The open path again; its evidence may have grown. */
function refresh() {
  if (!at("panel").hidden) panel.open(...named(location.hash).path);
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
  at("rest").classList.toggle("unseen", asTable);
  view.draw();
}

window.addEventListener("hashchange", route);
at("run").addEventListener("click", run);
at("as-table").addEventListener("click", toggle);
at("up").addEventListener("click", () => view.up());
at("all").addEventListener("click", () => view.showAll());
onGround(() => {
  if (matrix) words();
  incidents.draw();
});
live(show, silence);
setInterval(slow, SLOW);
slow();
route();
