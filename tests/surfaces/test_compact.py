"""A sign for each cell, and the pairs of zones, counted."""

from __future__ import annotations

import json

from prober.matrix import Matrix
from prober.surfaces import compact
from prober.verdict import Confidence, Label, Verdict

AT = "2026-11-25T03:00:00.000Z"
ZONES = {"a": "left", "b": "left", "x": "right", "y": "right"}


def matrix() -> Matrix:
    made = Matrix([("a", "x", 1.0), ("a", "y", 1.0), ("b", "y", 1.0)])
    made.take("a", "x", 1, 9.0, Verdict(Label.HEALTHY, Confidence.PROVEN, "answers"), 0.3)
    made.take("a", "y", 2, 9.5, Verdict(Label.RETURN_PATH_MISROUTE, Confidence.PROVEN, "went astray"), None)
    return made


def test_each_cell_is_a_sign():
    document = json.loads(compact.signs(matrix(), 10.0, AT))
    assert (document["at"], document["sources"], document["targets"]) == (AT, ["a", "b"], ["x", "y"])
    assert document["rows"] == [".^", " ?"]
    assert document["labels"] == {"healthy": 1, "return-path-misroute": 1, "unknown": 1}
    assert document["signs"]["^"] == "return-path-misroute" and document["signs"][" "] == "not probed"


def test_every_label_has_a_sign_of_its_own():
    assert set(compact.SIGNS) == set(Label) and len({*compact.SIGNS.values(), compact.NOBODY}) == len(Label) + 1


def test_a_matrix_of_nothing_is_empty():
    assert json.loads(compact.signs(Matrix([]), 10.0, AT))["rows"] == []
    assert json.loads(compact.by_zones(Matrix([]), {}, 10.0, AT))["zones"] == []


def test_zones_are_counted_by_label_and_no_failure_is_averaged_away():
    [zone] = json.loads(compact.by_zones(matrix(), ZONES, 10.0, AT))["zones"]
    assert zone == {
        "source_zone": "left", "target_zone": "right", "age_seconds": None, "sent": 2, "answered": 1,
        "labels": {"healthy": 1, "return-path-misroute": 1, "unknown": 1},
    }  # fmt: skip
