"""What chat is told of a run or a path: a neutral value that each chat's renderer dresses in its own markup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from prober.surfaces import table
from prober.surfaces.findings import CONFIDENCES, findings, sentence
from prober.surfaces.glyphs import look, rank, shown

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """Plain words, nothing escaped yet. ``details`` are lines under the sentence; ``grid`` is fixed-width text."""

    sentence: str
    grid: str = ""
    details: tuple[str, ...] = ()
    confidence: str = ""
    culprit: str = ""
    next_step: str = ""
    link: str = ""
    note: str = ""

    @property
    def head(self) -> tuple[str, str]:
        """The first sentence, which says what is wrong, and those that say why."""
        first, _, rest = self.sentence.partition(". ")
        return (f"{first}.", rest) if rest else (self.sentence, "")


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for who asked, plain words. ``commands`` are pairs: what to type, what that does."""

    sentence: str
    commands: tuple[tuple[str, str], ...] = ()


def worst(document: Document) -> Document | None:
    """The cell that deserves the first look: the worst label, then the surest; None where all is healthy."""
    wrong = [cell for cell in document["cells"] if cell["label"] != "healthy"]
    return min(wrong, key=_gravity, default=None)


def _gravity(cell: Document) -> tuple[int, int]:
    sure = cell.get("confidence")
    return rank(str(cell["label"])), CONFIDENCES.index(sure) if sure in CONFIDENCES else len(CONFIDENCES)


def of_matrix(document: Document, next_step: str = "", base: str | None = None, note: str = "") -> Answer:
    """The answer to a matrix or a run of ``GET /api/v1/…``; `next_step` is that of its `worst` cell."""
    cell = worst(document)
    one = document["cells"][0] if len(document["cells"]) == 1 else None
    details = () if one else tuple(finding.line for finding in findings(document))
    said = _ended(str(one["sentence"]) if one else sentence(document))
    if cell is not None and one is None and look(str(cell["label"])).fails:
        said = f"{said} {cell['sentence']}"
    pointed = cell or one
    return Answer(
        said, grid(document), details, _confidence(cell), str(cell.get("culprit") or "") if cell else "", next_step,
        link(base, pointed if len(document["cells"]) == 1 or cell else None), note,
    )  # fmt: skip


def described(document: Document) -> str:
    """A picture of the matrix in words, for those who can't see it."""
    return " ".join(_ended(one) for one in (sentence(document), *(found.line for found in findings(document))))


def of_path(document: Document, base: str | None = None) -> Answer:
    """The answer to ``why``: the verdict of ``GET /api/v1/paths/{source}/{target}``, its ladder in lines of text."""
    cell, verdict = document["cell"], document["verdict"]
    missing = tuple(f"missing: {one}" for one in verdict["missing"])
    return Answer(
        verdict["sentence"], _ladder(document["ladder"]["steps"]), missing, _confidence(cell), verdict["culprit"] or "",
        verdict["next_step"] or "", link(base, cell),
    )  # fmt: skip


def _confidence(cell: Document | None) -> str:
    return str(cell.get("confidence") or "") if cell else ""


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."


def grid(document: Document) -> str:
    """The matrix as plain text without the sentence above it and the findings below it."""
    lines = table.text(document).rstrip("\n").split("\n")
    return "\n".join(lines[2 : len(lines) - len(findings(document))]).rstrip()


def _ladder(steps: list[Document]) -> str:
    """One line a step: mark, where, and what the packet said."""
    marks = {"seen": "●", "not seen": "✗"}
    wide = max((len(shown(step["column"])) for step in steps), default=0)
    lines = []
    for step in steps:
        towards = f" → {shown(step['to'])}" if step.get("to") else ""
        column = shown(step["column"]).ljust(wide)
        lines.append(f"{marks.get(step['state'], '◌')} {column}  {shown(step['text'] or step['place'])}{towards}")
    return "\n".join(lines)


def link(base: str | None, cell: Document | None = None) -> str:
    """The page, opened at a path where there is one; '' without a `base` that a browser can open."""
    if not base or not base.startswith(("http://", "https://")):
        return ""
    if cell is None:
        return f"{base.rstrip('/')}/"
    source, target = (quote(str(cell[key]), safe="") for key in ("source", "target"))
    return f"{base.rstrip('/')}/#/path/{source}/{target}"
