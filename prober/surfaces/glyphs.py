"""The one table of how a label looks: glyph, colours, words. Every surface draws from it, the page too.

The colours are those of Okabe and Ito (2008) and a violet, told apart with any of the common colour blindnesses; the
glyph says the same again for those who see no colour at all. Healthy is quiet on purpose: what fails must be loudest.
`prober/surfaces/page/labels.js` is this table for the browser; a test keeps the two equal.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple


class Look(NamedTuple):
    """How one label is shown. `fill` and `ink` are ``#rrggbb``, on a dark and on a light ground."""

    label: str
    word: str
    phrase: str
    """What follows "firewall → ingress" in a sentence."""
    glyph: str
    ascii: str
    dark: tuple[str, str]
    light: tuple[str, str]
    fails: bool
    """Whether a path with this label counts as failing; a detour answers, and of `unknown` nothing is known."""


def _strong(fill: str, ink: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (fill, ink), (fill, ink)


LOOKS: tuple[Look, ...] = (
    Look("return-path-misroute", "return-path misroute", "is a return-path misroute", "↰", "^",
         *_strong("#d55e00", "#ffffff"), True),
    Look("return-path-loss", "return-path loss", "is a return-path loss", "←", "<",
         *_strong("#cc79a7", "#260617"), True),
    Look("ingress-drop", "ingress drop", "is an ingress drop", "→", ">", *_strong("#e69f00", "#241800"), True),
    Look("target", "target", "fails at the target", "◆", "#", *_strong("#f0e442", "#2a2700"), True),
    Look("local", "local", "fails at the prober's own host", "⌂", "@", *_strong("#0072b2", "#ffffff"), True),
    Look("intermittent", "intermittent", "is intermittent", "≈", "%", *_strong("#8a5cf0", "#ffffff"), True),
    Look("unknown", "unknown", "is unknown", "?", "?", ("#3b424b", "#ccd3db"), ("#c6ccd4", "#333a43"), False),
    Look("detour", "detour", "takes a detour", "↷", "~", *_strong("#56b4e9", "#06202f"), False),
    Look("healthy", "healthy", "is healthy", "•", ".", ("#17352d", "#5cbd9b"), ("#d9eee6", "#1d7a5d"), False),
)  # fmt: skip
"""Worst first: the order of legends and of findings."""

_BY_LABEL = {look.label: look for look in LOOKS}
_RANK = {look.label: rank for rank, look in enumerate(LOOKS)}

_ASCII = str.maketrans({
    "→": "->", "←": "<-", "·": "-", "—": "-", "–": "-", "…": "...", "✗": "x", "’": "'", "“": '"', "”": '"', "×": "x",
    "≤": "<=", "≥": ">=", "●": "*", "•": "*", "◌": "o", "✓": "+", "µ": "u",
})  # fmt: skip


def look(label: str) -> Look:
    """How `label` looks. A label this table does not have (a newer controller's) looks unknown, under its own name."""
    known = _BY_LABEL.get(label)
    if known is not None:
        return known
    word = shown(label)
    return _BY_LABEL["unknown"]._replace(label=word, word=word, phrase=f"is {word}")


def rank(label: str) -> int:
    """0 for the worst label; what the table does not have ranks as unknown."""
    return _RANK.get(label, _RANK["unknown"])


def present(document: dict[str, Any]) -> list[tuple[Look, int]]:
    """The labels a matrix document holds, worst first, each with its number of cells."""
    labels = counted(document)
    return [(look(label), labels[label]) for label in sorted(labels, key=lambda one: (rank(one), one))]


def counted(document: dict[str, Any]) -> Counter[str]:
    """How many cells of a matrix document have which label, those among them that it does not list."""
    return Counter(str(cell["label"]) for cell in document["cells"]) + Counter(document.get("left_out", {}))


def shown(text: object) -> str:
    """A name or sentence fit to be shown: control, escape and bidi characters (all not printable) become ``\ufffd``.

    Names come from YAML, pods and agents; one with ESC in it could rewrite the terminal it is printed to.
    """
    return "".join(char if char.isprintable() else "\ufffd" for char in str(text))


def to_ascii(text: str) -> str:
    """`text` for an output that has no more than ASCII: signs are spelt, what has no spelling becomes ``?``."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
