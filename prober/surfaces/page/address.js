// What the address bar names: a path, a finding, an incident, a pair of zones, or nothing.

const NAMED = /^#\/(path|finding|zones)\/([^/]*)\/([^/]*)$/;
const INCIDENT = /^#\/incident\/([^/]+)$/;

/** {path, finding, pair}: pairs of names or null, and `incident`: an id or null. A finding is also its first path. */
export function named(hash) {
  const [, kind, ...ends] = NAMED.exec(hash) ?? [];
  const pair = kind ? ends.map(decoded) : null;
  const path = kind === "zones" ? null : pair;
  const incident = INCIDENT.exec(hash)?.[1] ?? null;
  return {
    path,
    finding: kind === "finding" ? pair : null,
    pair: kind === "zones" ? pair : null,
    incident: incident === null ? null : decoded(incident),
  };
}

/** A hand-typed link may hold a stray percent sign; it then names what it says. */
function decoded(part) {
  return /%(?![0-9a-f]{2})/i.test(part) ? part : decodeURIComponent(part);
}
