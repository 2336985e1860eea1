// Elements without markup: whatever comes from the network goes in as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element; `given` are attributes (`onclick` and the like are listeners), children are nodes or text. */
export function element(name, given = {}, ...children) {
  return fill(document.createElement(name), given, children);
}

/** The same in SVG. */
export function drawn(name, given = {}, ...children) {
  return fill(document.createElementNS(SVG, name), given, children);
}

function fill(node, given, children) {
  for (const [key, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** The element with this id. */
export const at = (id) => document.getElementById(id);

// Control, bidi and other format characters would let a name lie about itself.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/** A name or sentence fit to be shown. */
export const shown = (text) => String(text ?? "").replace(UNSEEN, "\ufffd");

/** `text` in at most `most` characters. */
export const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** hh:mm:ss of an RFC 3339 time, in UTC. */
export const clock = (at) => String(at ?? "").slice(11, 19);

/** Seconds as people say them. */
export function ago(seconds) {
  if (seconds === null || seconds === undefined) return "never";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** The hash of a path's deep link. */
export const link = (source, target) => `#/path/${encodeURIComponent(source)}/${encodeURIComponent(target)}`;

/** The hash of a pair of zones. */
export const pairLink = (source, target) => `#/zones/${encodeURIComponent(source)}/${encodeURIComponent(target)}`;

/** The hash of a finding: its first path's ladder, and all of its cells marked. */
export const findingLink = (source, target) => `#/finding/${encodeURIComponent(source)}/${encodeURIComponent(target)}`;
