"""A large matrix in few bytes: a sign for each cell, or its pairs of zones counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from prober.matrix import LABELS, NOT_DECLARED, Matrix
from prober.surfaces.glyphs import look

SIGNS = {label: look(label.value).ascii for label in LABELS}
"""What the terminal draws, too."""
NOBODY = " "
"""A pair that is not declared."""


def signs(matrix: Matrix, now: float, at: str) -> bytes:
    """JSON: ``rows[i][j]`` is the sign of ``sources[i]`` → ``targets[j]``, ``signs`` what each means."""
    told = matrix.codes(now)
    table = np.full(256, ord(NOBODY), np.uint8)
    table[: len(LABELS)] = [ord(SIGNS[label]) for label in LABELS]
    width, text = len(told.targets), table[told.codes].tobytes().decode("ascii")
    counts = np.bincount(told.codes.ravel(), minlength=NOT_DECLARED + 1)
    return msgspec.json.encode({
        "at": at, "sources": told.sources, "targets": told.targets,
        "signs": {SIGNS[label]: label.value for label in LABELS} | {NOBODY: "not probed"},
        "labels": {label.value: int(counts[code]) for code, label in enumerate(LABELS) if counts[code]},
        "rows": [text[start : start + width] for start in range(0, len(text), width)] if width else [],
    })  # fmt: skip


def by_zones(matrix: Matrix, zones: Mapping[str, str], now: float, at: str) -> bytes:
    """JSON: `zone_pairs`."""
    return msgspec.json.encode({"at": at, "zones": zone_pairs(matrix, zones, now)})


def zone_pairs(matrix: Matrix, zones: Mapping[str, str], now: float) -> list[dict[str, Any]]:
    """Each pair of zones: its cells by label, the oldest one's age (None: one was never judged) and its probes."""
    return [
        {
            "source_zone": one.source, "target_zone": one.target,
            "labels": {label.value: count for label, count in one.labels.items()},
            "age_seconds": round(one.age, 1) if np.isfinite(one.age) else None,
            "sent": one.sent, "answered": one.answered,
        }
        for one in matrix.by_zones(zones, now)
    ]  # fmt: skip
