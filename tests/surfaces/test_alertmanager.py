"""What Alertmanager is posted; that the real one takes it is in tests/controller/test_receivers.py."""

from __future__ import annotations

import re

from prober.surfaces.alertmanager import LASTS, body, labels
from tests.alarms import hostile, incident, resolved

NOW = 1_700_000_300.0


def test_an_open_alert_ends_later_and_a_closed_one_when_it_did() -> None:
    opened, closed = body([incident()], NOW), body([resolved()], NOW + 400)
    assert opened[0]["labels"] == closed[0]["labels"]
    assert (opened[0]["startsAt"], opened[0]["endsAt"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:22:20.000Z")
    assert LASTS == 240
    assert closed[0]["endsAt"] == "2023-11-14T22:23:20.000Z"


def test_its_identity_is_the_same_whatever_becomes_known() -> None:
    later = incident(culprit="node7", label="ingress-drop", cells=400, zones=("lb",), revision=9)
    assert body([later], NOW)[0]["labels"] == body([incident()], NOW)[0]["labels"]


def test_one_that_became_worse_ends_as_what_it_was() -> None:
    mild, worse = body([incident(worn=("warning",))], NOW)
    assert (mild["labels"]["severity"], worse["labels"]["severity"]) == ("warning", "critical")
    assert mild["endsAt"] == "2023-11-14T22:18:20.000Z" < worse["endsAt"]


def test_names_of_labels_are_what_they_may_be_and_values_can_be_written() -> None:
    told = labels(hostile(), "critical")
    assert all(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) for name in told)
    for word in (*told.values(), *body([hostile()], NOW)[0]["annotations"].values()):
        assert word.encode("utf-8", "strict").decode().isprintable()


def test_what_is_not_known_is_left_out() -> None:
    (entry,) = body([incident(culprit="", link="", zones=(), cells=0)], NOW)
    assert "generatorURL" not in entry
    assert not {"culprit", "zones", "cells"} & entry["annotations"].keys()
