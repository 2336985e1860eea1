// Incidents as a timeline: a table whose rows end in a bar from opened to closed, open ones on top.
import { ask } from "./api.js";
import { ago, clock, drawn, element, link, shown } from "./element.js";
import { badge } from "./glyph.js";
import { colours, look } from "./labels.js";

const LEAST = 120_000;
const MOST = 12;
const LINKS = 12;
const URL = "/api/v1/incidents";

/** What the timeline shows: every open incident and the newest of the others, one that was another all along left out. */
export async function fetched() {
  const [open, last] = [await ask(`${URL}?open=true&limit=50`), await ask(`${URL}?limit=50`)];
  const closed = last.incidents.filter((one) => one.closed_at && one.closed_because !== "merged");
  return { incidents: [...open.incidents, ...closed].slice(0, Math.max(MOST, open.incidents.length)) };
}

/** The timeline in `holder`. `choose(id or null)` when a row is chosen, `mark(cells or null)` for the chosen one's. */
export class Incidents {
  constructor(holder, { choose, mark }) {
    Object.assign(this, { holder, choose, mark, list: [], now: 0, chosen: null, whole: null, text: null });
    holder.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** It is this late now (an RFC 3339 time): what is open has grown. */
  tick(now) {
    this.now = Math.max(Date.parse(now), this.now);
    this.grow();
  }

  /** A new list; the chosen one and the keyboard's place stay. */
  show(document) {
    const text = JSON.stringify(document);
    if (text === this.text) return;
    Object.assign(this, { list: document.incidents, text });
    this.draw();
    if (this.chosen) this.select(this.chosen);
  }

  /** Opens the incident with this id; null for none. One that is not listed is asked for. */
  async select(id) {
    const known = this.list.find((one) => one.id === id) ?? (this.whole?.id === id ? this.whole : null);
    Object.assign(this, { chosen: id, whole: known });
    this.draw();
    this.mark(known?.cells ?? null);
    if (id === null || (known && known.cells.length >= known.cells_total)) return;
    const found = await ask(`${URL}/${encodeURIComponent(id)}`).catch((error) => ({ trouble: error.message }));
    if (this.chosen !== id) return;
    this.whole = found.id ? found : known;
    this.draw();
    this.mark(this.whole?.cells ?? null);
    if (!this.whole) this.holder.append(element("p", { class: "refused" }, shown(found.trouble)));
  }

  draw() {
    const focused = this.holder.contains(document.activeElement) ? document.activeElement.id : null;
    const rows = this.whole && !this.list.some((one) => one.id === this.whole.id) ? [...this.list, this.whole] : this.list;
    const none = this.text === null ? [] : [element("p", { class: "faint" }, "None has been told.")];
    if (!rows.length) return this.holder.replaceChildren(...none);
    const heads = HEADS.map(([name, kind]) => element("th", { scope: "col", class: kind }, name));
    const scale = element("th", { class: "lane", "aria-hidden": "true" }, element("span"), element("span", {}, "now"));
    const head = element("thead", {}, element("tr", {}, heads, scale));
    const body = element("tbody", {}, rows.flatMap((one) => this.row(one)));
    this.holder.replaceChildren(element("table", { class: "incidents" }, head, body));
    this.grow();
    if (focused) document.getElementById(focused)?.focus();
  }

  row(one) {
    const chosen = one.id === this.chosen;
    const name = element(
      "button",
      { id: `incident-${one.id}`, type: "button", class: "quiet", "aria-expanded": String(chosen), onclick: () => this.choose(chosen ? null : one.id) },
      badge(look(one.label)),
      element("span", {}, element("strong", {}, shown(one.element)), ` ${shown(look(one.label).word)}`),
    );
    const paths = one.closed_at || one.cells_failing === one.cells_total ? one.cells_total : `${one.cells_failing} of ${one.cells_total}`;
    const line = element(
      "tr",
      { class: one.closed_at ? "over" : "open" },
      element("th", { scope: "row" }, name),
      element("td", { class: "few" }, String(paths)),
      element("td", { class: "when opened" }, element("time", { datetime: one.opened_at }, when(one.opened_at, this.now))),
      element("td", { class: "when lasts" }),
      element("td", { class: "lane", "aria-hidden": "true" }, bar(one)),
    );
    return chosen ? [line, element("tr", { class: "more" }, element("td", { colspan: "5" }, this.more(one)))] : [line];
  }

  more(one) {
    const cells = (this.whole?.id === one.id ? this.whole : one).cells;
    const links = cells.slice(0, LINKS).map((cell) =>
      element("li", {}, badge(look(stands(one, cell)), 14), element("a", { href: link(cell.source, cell.target) }, `${shown(cell.source)} → ${shown(cell.target)}`)),
    );
    const rest = one.cells_total - links.length;
    return [
      element("p", {}, shown(one.sentence)),
      one.next_step && element("p", {}, element("span", { class: "faint" }, "Next: "), shown(one.next_step)),
      ENDS[one.closed_because] && element("p", { class: "faint" }, ENDS[one.closed_because]),
      element("ul", { class: "cells" }, links, rest > 0 && element("li", { class: "faint" }, `and ${rest} other paths`)),
      one.zones.length > 0 && element("p", { class: "faint" }, `Zones: ${one.zones.map(shown).join(", ")}`),
    ];
  }

  /** Bars and durations as of now; nothing else moves with time. */
  grow() {
    const from = Math.min(this.now - LEAST, ...this.list.map((one) => Date.parse(one.opened_at)));
    const place = (at) => (1000 * (at - from)) / (this.now - from);
    for (const one of this.whole ? [...this.list, this.whole] : this.list) {
      const line = document.getElementById(`incident-${one.id}`)?.closest("tr");
      if (!line) continue;
      const [opened, closed] = [Date.parse(one.opened_at), one.closed_at ? Date.parse(one.closed_at) : this.now];
      const start = Math.max(0, Math.min(994, place(opened)));
      const shape = line.querySelector(".span");
      shape.setAttribute("x", start);
      shape.setAttribute("width", Math.max(6, place(closed) - start));
      line.querySelector(".lasts").textContent = `${one.closed_at ? "" : "open, "}${ago(Math.max(0, (closed - opened) / 1000))}`;
    }
    const scale = this.holder.querySelector("th.lane span");
    if (scale) scale.textContent = when(new Date(from).toISOString(), this.now);
  }

  /** Up and down go from row to row, Escape leaves the chosen one. */
  pressed(event) {
    const names = [...this.holder.querySelectorAll("th button")];
    const at = names.indexOf(document.activeElement);
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === "Escape" && this.chosen) this.choose(null);
    else if (step && at >= 0) names[Math.max(0, Math.min(names.length - 1, at + step))].focus();
    else return;
    event.preventDefault();
  }
}

const HEADS = [["Incident"], ["Paths", "few"], ["Opened (UTC)", "when opened"], ["Lasts", "when lasts"]];
const ENDS = { undeclared: "Nobody asks its paths any more; they were not seen to heal.", merged: "It turned out to be another incident." };

function bar(one) {
  const [fill] = colours(look(one.label));
  return drawn(
    "svg",
    { viewBox: "0 0 1000 10", preserveAspectRatio: "none" },
    drawn("rect", { class: "track", y: 4.5, width: 1000, height: 1 }),
    drawn("rect", { class: "span", y: one.closed_at ? 2 : 0, height: one.closed_at ? 6 : 10, fill, x: 0, width: 0 }),
  );
}

/** What a cell is now; of an incident that is over, what it was. */
const stands = (one, cell) => (one.closed_at ? cell.label : cell.until ? "healthy" : (cell.now ?? cell.label));

/** hh:mm:ss, with the day before it where it is another one. */
const when = (at, now) => (at.slice(0, 10) === new Date(now).toISOString().slice(0, 10) ? clock(at) : `${at.slice(5, 10)} ${clock(at).slice(0, 5)}`);
