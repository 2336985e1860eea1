"""An alert in words and as a document."""

from __future__ import annotations

import json

import pytest

from prober.surfaces.alerting import answer, document, ending, headline, lasted
from tests.alarms import hostile, incident, resolved


def test_a_headline_says_how_bad_it_is_or_how_long_it_took() -> None:
    assert headline(incident()) == "Critical: return-path-misroute: node19, 4 paths"
    assert headline(resolved()) == "Resolved after 10 min: return-path-misroute: node19, 4 paths"


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (90, "90 s"), (600, "10 min"), (10_000, "2.8 h")])
def test_how_long(seconds: float, words: str) -> None:
    assert lasted(seconds) == words


def test_chats_are_told_what_to_do_as_long_as_there_is_something_to_do() -> None:
    told = answer(incident())
    assert told.sentence == "Critical: return-path-misroute: node19, 4 paths. 4 paths fail by node19."
    assert (told.culprit, told.next_step) == ("node19: node1 routes …", "Take node19 out.")
    assert answer(resolved()).next_step == ""


def test_an_end_that_is_no_healing_says_so() -> None:
    assert ending(resolved()) == ""
    assert answer(resolved(because="merged")).sentence.endswith("It turned out to be a part of another alert.")


def test_a_document_has_every_key_and_nothing_unprintable() -> None:
    told = document(hostile())
    assert told.keys() == document(resolved()).keys()
    json.dumps(told, ensure_ascii=False).encode("utf-8", "strict")
    assert "\x1b" not in told["title"] and "\u202e" not in told["zones"][0]
    assert told["closed_at"] is None
    assert document(resolved())["closed_at"] == "2023-11-14T22:23:20.000Z"
