// How each label looks: the table of prober/surfaces/glyphs.py and the strokes of strokes.py, worst first; a test keeps
// them equal. `dark` and `light` are [fill, ink] on such a ground.

export const LOOKS = [
  {"label": "return-path-misroute", "word": "return-path misroute", "phrase": "is a return-path misroute", "glyph": "↰", "dark": ["#d55e00", "#ffffff"], "light": ["#d55e00", "#ffffff"], "fails": true},
  {"label": "return-path-loss", "word": "return-path loss", "phrase": "is a return-path loss", "glyph": "←", "dark": ["#cc79a7", "#260617"], "light": ["#cc79a7", "#260617"], "fails": true},
  {"label": "ingress-drop", "word": "ingress drop", "phrase": "is an ingress drop", "glyph": "→", "dark": ["#e69f00", "#241800"], "light": ["#e69f00", "#241800"], "fails": true},
  {"label": "target", "word": "target", "phrase": "fails at the target", "glyph": "◆", "dark": ["#f0e442", "#2a2700"], "light": ["#f0e442", "#2a2700"], "fails": true},
  {"label": "local", "word": "local", "phrase": "fails at the prober's own host", "glyph": "⌂", "dark": ["#0072b2", "#ffffff"], "light": ["#0072b2", "#ffffff"], "fails": true},
  {"label": "intermittent", "word": "intermittent", "phrase": "is intermittent", "glyph": "≈", "dark": ["#8a5cf0", "#ffffff"], "light": ["#8a5cf0", "#ffffff"], "fails": true},
  {"label": "unknown", "word": "unknown", "phrase": "is unknown", "glyph": "?", "dark": ["#3b424b", "#ccd3db"], "light": ["#c6ccd4", "#333a43"], "fails": false},
  {"label": "detour", "word": "detour", "phrase": "takes a detour", "glyph": "↷", "dark": ["#56b4e9", "#06202f"], "light": ["#56b4e9", "#06202f"], "fails": false},
  {"label": "healthy", "word": "healthy", "phrase": "is healthy", "glyph": "•", "dark": ["#17352d", "#5cbd9b"], "light": ["#d9eee6", "#1d7a5d"], "fails": false}
];

/** The glyphs as polylines on a unit square, y downwards; one of a single point is a dot. */
export const STROKES = {
  "return-path-misroute": [[[0.78, 0.8], [0.78, 0.34], [0.22, 0.34]], [[0.42, 0.14], [0.22, 0.34], [0.42, 0.54]]],
  "return-path-loss": [[[0.84, 0.5], [0.16, 0.5]], [[0.4, 0.26], [0.16, 0.5], [0.4, 0.74]]],
  "ingress-drop": [[[0.16, 0.5], [0.84, 0.5]], [[0.6, 0.26], [0.84, 0.5], [0.6, 0.74]]],
  "target": [[[0.5, 0.16], [0.84, 0.5], [0.5, 0.84], [0.16, 0.5], [0.5, 0.16]]],
  "local": [[[0.12, 0.5], [0.5, 0.16], [0.88, 0.5]], [[0.26, 0.5], [0.26, 0.84], [0.74, 0.84], [0.74, 0.5]]],
  "intermittent": [[[0.14, 0.42], [0.28, 0.3], [0.42, 0.34], [0.58, 0.42], [0.72, 0.42], [0.86, 0.3]], [[0.14, 0.7], [0.28, 0.58], [0.42, 0.62], [0.58, 0.7], [0.72, 0.7], [0.86, 0.58]]],
  "unknown": [[[0.32, 0.3], [0.4, 0.19], [0.56, 0.16], [0.68, 0.26], [0.68, 0.38], [0.52, 0.5], [0.5, 0.64]], [[0.5, 0.84]]],
  "detour": [[[0.14, 0.74], [0.16, 0.54], [0.27, 0.38], [0.44, 0.3], [0.61, 0.34], [0.74, 0.46], [0.8, 0.66]], [[0.6, 0.58], [0.8, 0.68], [0.92, 0.48]]],
  "healthy": [[[0.5, 0.5]]]
};
export const SOLID = ["target"];

const BY_LABEL = new Map(LOOKS.map((look, rank) => [look.label, { ...look, rank }]));

/** How `label` looks; a label that is not in the table looks unknown, under its own name. */
export function look(label) {
  const known = BY_LABEL.get(label);
  return known ?? { ...BY_LABEL.get("unknown"), label, word: String(label), phrase: `is ${label}` };
}

const NIGHT = window.matchMedia("(prefers-color-scheme: dark)");

/** [fill, ink] of a look on the ground the reader has chosen. */
export const colours = (seen) => (NIGHT.matches ? seen.dark : seen.light);

/** Calls back when the reader's ground changes. */
export const onGround = (then) => NIGHT.addEventListener("change", then);
