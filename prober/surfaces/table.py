"""The matrix as CSV for spreadsheets and as plain text for what shows neither colour nor pictures."""

from __future__ import annotations

import csv
import io
from typing import Any

from prober.surfaces.findings import findings, sentence
from prober.surfaces.glyphs import look, present, shown

COLUMNS = ("source", "target", "label", "cause", "confidence", "culprit", "sentence", "age_seconds", "rtt_ms", "sent",
           "answered")  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(document: dict[str, Any]) -> str:
    """One line a cell (RFC 4180), the columns of `COLUMNS`.

    A text that a spreadsheet would run as a formula gets an apostrophe before it (OWASP, CSV injection).
    """
    result = io.StringIO()
    writer = csv.writer(result)
    writer.writerow(COLUMNS)
    for cell in document["cells"]:
        writer.writerow([_field(cell.get(column)) for column in COLUMNS])
    return result.getvalue()


def text(document: dict[str, Any]) -> str:
    """Sentence, matrix, legend and findings in lines of plain text, for a monospaced block in chat."""
    numbers = [str(at + 1) for at in range(len(document["targets"]))]
    wide = max([len(shown(name)) for name in document["sources"]] or [0])
    step = max([len(number) for number in numbers] or [1]) + 1
    lines = [shown(sentence(document)), "", " " * wide + "".join(number.rjust(step) for number in numbers)]
    cells = {(cell["source"], cell["target"]): look(cell["label"]).glyph for cell in document["cells"]}
    for source in document["sources"]:
        row = "".join(cells.get((source, target), " ").rjust(step) for target in document["targets"])
        lines.append((shown(source).ljust(wide) + row).rstrip())
    names = zip(numbers, document["targets"], strict=True)
    lines += ["", "  ".join(f"{number} {shown(name)}" for number, name in names)]
    lines += ["  ".join(f"{seen.glyph} {seen.word} {count}" for seen, count in present(document)), ""]
    lines += [shown(one.line) for one in findings(document)]
    return "\n".join(lines).rstrip() + "\n"


def _field(value: object) -> object:
    if not isinstance(value, str):
        return value
    clean = shown(value)
    return "'" + clean if value.startswith(_FORMULA) else clean
