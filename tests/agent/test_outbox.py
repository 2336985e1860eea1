"""What is to be reported: in columns, numbered."""

from __future__ import annotations

import numpy as np
import pytest

from prober.agent import outbox
from prober.agent.outbox import Lasting, Outbox
from prober.report import OUTCOME, HalfOpen
from prober.sighting import SIGHTING


def closed(box: Outbox, targets: list[str] | None = None, runs: list[str] | None = None, dropped: int = 0) -> None:
    box.close(100, (1, 99), dropped, {}, {1: "lo", 2: "eth0"}, targets or [], runs or [""])


def seen(count: int, interface: int = 2) -> np.ndarray:
    rows = np.zeros(count, SIGHTING)
    rows["interface"] = interface
    return rows


def ended(target: int, run: int = 0) -> np.ndarray:
    rows = np.zeros(1, OUTCOME)
    rows["target"], rows["run"] = target, run
    return rows


def test_a_report_names_only_what_it_speaks_of() -> None:
    box = Outbox("firewall", 7)
    box.saw(seen(2), [b"a", b"b"])
    box.ended(ended(2, 1))
    box.ended(ended(0))
    closed(box, ["ingress", "pod2", "vm"], ["", "r1"])
    report = box.waiting[0]
    assert (report.interfaces, report.targets, report.runs) == (["eth0"], ["vm", "ingress"], ["", "r1"])
    assert report.outcome_rows()["target"].tolist() == [0, 1]
    assert report.outcome_rows()["run"].tolist() == [1, 0]
    assert (report.epoch, report.sequence, report.frames) == (7, 1, [b"a", b"b"])


def test_an_interface_that_is_gone_is_named_by_its_index() -> None:
    box = Outbox("firewall", 7)
    box.saw(seen(1, 44), [b""])
    closed(box)
    assert box.waiting[0].interfaces == ["if44"]


def test_each_report_begins_empty_and_has_the_next_number() -> None:
    box = Outbox("firewall", 7)
    box.note("once")
    box.note("once")
    for _ in range(2):
        closed(box)
    assert [(one.sequence, one.notes) for one in box.waiting] == [(1, ["once"]), (2, [])]


def test_more_sightings_than_a_report_holds_count_as_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST_SIGHTINGS", 5)
    box = Outbox("firewall", 7)
    box.saw(seen(4), [b"f"] * 4)
    box.saw(seen(4), [b"f"] * 4)
    closed(box, dropped=2)
    closed(box)
    first, second = box.waiting
    assert (len(first.sighting_rows()), len(first.frames), first.dropped, second.dropped) == (5, 5, 5, 0)


def test_lasting_names_stay_bounded_and_keep_their_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "NAMES", 4)
    names = Lasting("")
    assert [names.index(one) for one in ("", "a", "b", "a", "c")] == [0, 1, 2, 1, 3]
    assert names.index("d") == 1, "the oldest made room"
    assert names.order == ["", "d", "b", "c"]
    assert names.index("a") == 2
    for number in range(1000):
        names.index(f"r{number}")
    assert len(names.order) == 4
    assert names.index("") == 0


def test_half_open_sockets_go_into_the_next_report_and_the_lack_of_a_tap_is_said():
    box = Outbox("here", 1)
    box.tap = False
    found = [HalfOpen("10.0.0.1", 61440, "10.0.0.2", 7007, 5)]
    box.found(found)
    for _ in range(2):
        box.close(0, (0, 0), 0, {}, {}, [], [""])
    first, second = box.waiting
    assert (first.halfopen, first.tap) == (found, False)
    assert second.halfopen == []
