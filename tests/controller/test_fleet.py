"""What agents say of themselves, as it is told to people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.controller.desk import Desk
from prober.controller.fleet import Fleet
from prober.ondisk import read_targets
from prober.report import Gap, Held
from prober.store.engine import Store, open_store
from prober.store.schema import upgrade
from tests.controller.centres import TARGETS
from tests.controller.reports import Reporter


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'prober.sqlite'}"
    upgrade(url)
    one = open_store(url)
    yield one
    one.close()


@pytest.fixture
def fleet(store: Store) -> Fleet:
    return Fleet(store, Desk(read_targets(TARGETS)), b"s" * 32, lambda: 100.0)


def told(fleet: Fleet, name: str) -> dict[str, object]:
    return next(one for one in fleet.document() if one["name"] == name)


def test_one_that_never_reported_is_there_with_nothing_known(fleet: Fleet) -> None:
    one = told(fleet, "firewall")
    assert (one["age_seconds"], one["note"], one["gaps"]) == (None, None, [])
    assert one["outbox"] == {"reports": 0, "bytes": 0, "memory": False}


def test_what_it_holds_is_of_live_reports_and_what_it_let_go_adds_up(fleet: Fleet) -> None:
    by, gap = Reporter("firewall"), Gap(1, 3, 5, 0, 1, 6, 2, "the disk is full")
    fleet.hear(by.report([], [], held=Held(7, 4096, memory=True), gaps=[gap], notes=["can't listen"]))
    fleet.hear(by.report([], [], held=Held(9, 1, memory=False), gaps=[gap], live=False))
    one = told(fleet, "firewall")
    assert (one["outbox"], one["note"]) == ({"reports": 7, "bytes": 4096, "memory": True}, "can't listen")
    assert fleet.let_go == {"firewall": 6}
