// The side panel: one path's sentence, its ladder, what to do next, and how it came to this.
import { ask, download } from "./api.js";
import { clock, element, shown } from "./element.js";
import { badge } from "./glyph.js";
import { look } from "./labels.js";
import { ladder, steps } from "./ladder.js";

/** The panel in `holder`; `closed()` when the reader shuts it. */
export class Panel {
  constructor(holder, closed) {
    Object.assign(this, { holder, closed, path: null, turn: 0 });
    holder.addEventListener("keydown", (event) => event.key === "Escape" && closed());
    new ResizeObserver(() => this.fit()).observe(holder);
  }

  /** Opens, or refreshes, the path; a later call overtakes an earlier one still on its way. */
  async open(source, target) {
    const turn = ++this.turn;
    const url = `/api/v1/paths/${encodeURIComponent(source)}/${encodeURIComponent(target)}`;
    const fresh = this.path?.cell.source !== source || this.path?.cell.target !== target;
    if (fresh) this.fill({ source, target }, element("p", { class: "faint" }, "Reading the evidence…"));
    let found = null;
    try {
      found = await ask(url);
    } catch (error) {
      if (turn === this.turn) this.fill({ source, target }, element("p", { class: "refused" }, shown(error.message)));
      return;
    }
    if (turn !== this.turn || told(found) === this.told || this.marked()) return;
    const unfolded = !fresh && this.holder.querySelector("details")?.open;
    Object.assign(this, { path: found, told: told(found) });
    this.fill(found.cell, this.body(found));
    this.holder.querySelector("details")?.toggleAttribute("open", unfolded);
  }

  close() {
    Object.assign(this, { path: null, told: null, turn: this.turn + 1 });
    this.holder.hidden = true;
  }

  /** Whether the reader has marked words here, to copy them: not the moment to put others in their place. */
  marked() {
    const marks = window.getSelection();
    return !marks.isCollapsed && this.holder.contains(marks.anchorNode);
  }

  fill(cell, body) {
    const kept = this.holder.contains(document.activeElement) && document.activeElement !== this.holder;
    const shut = element("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => this.closed() }, "✕");
    const title = element("h2", {}, `${shown(cell.source)} → ${shown(cell.target)}`);
    const appears = this.holder.hidden;
    this.holder.hidden = false;
    this.holder.replaceChildren(element("div", { class: "bar" }, title, shut), ...[body].flat());
    if (appears) this.holder.focus({ preventScroll: false });
    else if (kept) shut.focus();
  }

  body(path) {
    const { verdict } = path;
    const seen = look(verdict.label);
    this.ladder = element("div", { class: "ladder-box scroll" });
    const drawnAt = Math.max(300, this.holder.clientWidth - 34);
    const picture = ladder(path, drawnAt);
    if (picture) this.ladder.append(picture);
    return [
      element(
        "p",
        { class: "verdict" },
        badge(seen, 22),
        element("strong", {}, shown(seen.word)),
        verdict.confidence && element("span", { class: "chip" }, shown(verdict.confidence)),
        verdict.cause && element("span", { class: "chip", title: shown(verdict.cause_title) }, shown(verdict.cause)),
      ),
      element("p", { class: "sentence" }, shown(verdict.sentence)),
      this.ladder,
      steps(path),
      facts(path),
      history(path),
      evidence(path),
    ].filter(Boolean);
  }

  /** The ladder anew at the panel's width. */
  fit() {
    if (!this.path || !this.ladder?.isConnected) return;
    const width = Math.max(300, this.holder.clientWidth - 34);
    const picture = ladder(this.path, width);
    if (picture && this.ladder.firstChild?.getAttribute("width") !== String(width)) this.ladder.replaceChildren(picture);
  }
}

/** What a path says, without what changes at each probe: ages, counts, times, ports. */
function told({ cell, verdict, history, ladder, experiments }) {
  const steps = ladder.steps.map(({ packet, column, to, place, state }) => [packet, column, to, place, state]);
  return JSON.stringify([cell.source, cell.target, verdict, history, ladder.columns, steps, experiments]);
}

function facts({ verdict, cell, experiments }) {
  const rows = [
    ["Culprit", verdict.culprit, "culprit"],
    ["Cause", [verdict.cause, verdict.cause_title].filter(Boolean).join(" · ")],
    ...(experiments ?? []).map((one) => ["Tried", `${one.name}: ${one.result || "under way"}`]),
    ["Next", verdict.next_step],
    ...(verdict.missing ?? []).map((one) => ["Missing", one]),
    ["Probes", `${cell.answered} of ${cell.sent} answered${cell.rtt_ms === null ? "" : ` · ${cell.rtt_ms.toFixed(2)} ms`}`],
  ];
  const filled = rows.filter(([, words]) => words);
  return element(
    "dl",
    { class: "facts" },
    filled.map(([name, words, kind]) => [element("dt", {}, name), element("dd", { class: kind }, shown(words))]).flat(),
  );
}

function history({ history }) {
  if (!history?.length) return null;
  const lines = history.slice(0, 8).map((one) =>
    element(
      "li",
      { title: shown(one.sentence) },
      element("time", { datetime: one.at }, clock(one.at)),
      badge(look(one.label), 14),
      element("span", {}, [look(one.label).word, one.confidence].filter(Boolean).map(shown).join(" · ")),
    ),
  );
  return element("section", {}, element("h3", {}, "History (UTC)"), element("ol", { class: "flips" }, lines));
}

function evidence({ evidence, links, cell }) {
  const rows = (evidence ?? []).flatMap((one) =>
    one.packets.map((packet) =>
      element("li", {}, `${packet.at_ms.toFixed(2)} ms  ${shown(one.agent)} ${shown(one.interface)}  ${shown(packet.text)}`),
    ),
  );
  const file = `${cell.source}-${cell.target}.pcapng`.replace(/[^\w.-]/g, "_");
  const save = (event) => {
    event.preventDefault();
    download(links.pcapng, file).catch((error) => event.target.replaceWith(shown(error.message)));
  };
  const anchor = rows.length > 0 && element("a", { href: links.pcapng, download: file, onclick: save }, "Packets of both ends (.pcapng)");
  return element(
    "section",
    {},
    element("h3", {}, "Evidence"),
    rows.length ? null : element("p", { class: "faint" }, "No packet of this path is held."),
    anchor,
    rows.length > 0 && element("details", {}, element("summary", {}, `${rows.length} packets`), element("ul", { class: "packets" }, rows)),
  );
}
