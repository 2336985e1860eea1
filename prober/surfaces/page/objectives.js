// The objectives: what was promised, what was kept, and how much error budget is left.
import { drawn, element, shown } from "./element.js";

/** A row for each objective of GET /api/v1/slos. */
export function objectives(document) {
  const list = document.slos;
  if (!list.length) return element("p", { class: "faint" }, "targets.yaml declares no objectives.");
  return element("ul", { class: "objectives" }, list.map(row));
}

function row(one) {
  const measured = one.attainment !== null && one.attainment !== undefined;
  const met = measured && one.attainment >= one.availability;
  const has = measured ? percent(one.attainment) : "not measured";
  return element(
    "li",
    { class: measured ? (met ? "met" : "missed") : "unmeasured" },
    element("span", { class: "objective" }, shown(one.name)),
    element("span", { class: "has" }, `${met || !measured ? "" : "✗ "}${has}`),
    element("span", { class: "faint" }, `of ${percent(one.availability)}`),
    measured && budget(one.budget_left, met),
    element("span", { class: "faint left-over" }, measured ? left(one.budget_left) + burn(one.burn) : ""),
  );
}

function budget(share, met) {
  const width = 100 * Math.max(0, Math.min(1, share ?? 0));
  return drawn(
    "svg",
    { class: "budget", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    drawn("rect", { width: 100, height: 6, class: "all" }),
    drawn("rect", { width, height: 6, class: met ? "kept" : "spent" }),
  );
}

function left(share) {
  if (share === null || share === undefined) return "";
  return share >= 0 ? `${Math.round(share * 100)} % of the budget left` : `budget overspent ${(-share).toFixed(1)}×`;
}

/** The burn rate over the hour; what has no count in that hour has none. */
const burn = (rates) => (rates?.["1h"] === undefined ? "" : ` · burning ${rates["1h"].toFixed(1)}×`);

/** A share as people write availability; never rounded up to 100 %. */
export function percent(share) {
  return share >= 1 ? "100 %" : `${String(Math.floor(share * 1e5 + 1e-7) / 1e3)} %`;
}
