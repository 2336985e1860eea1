"""What each agent is told to do next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.controller.desk import Desk
from prober.controller.dispatch import Dispatch
from prober.controller.errands import Errand
from prober.errors import Refused
from prober.ondisk import read_targets
from prober.report import Task
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


def test_an_agents_number_outlives_the_controller_and_a_strangers_is_refused(store: Store) -> None:
    desk = Desk(read_targets(TARGETS))
    one = Dispatch(store, desk, b"s" * 32)
    given = {name: one.number(name) for name in ("vm", "firewall", "lb")}
    assert len(set(given.values())) == 3
    other = Dispatch(store, desk, b"s" * 32)
    assert {name: other.number(name) for name in reversed(given)} == given
    with pytest.raises(Refused, match="agent nobody has a key and is not in targets.yaml: declare it there"):
        one.number("nobody")


def test_a_plan_goes_once_and_a_report_that_waited_long_brings_no_orders(store: Store) -> None:
    one, by = Dispatch(store, Desk(read_targets(TARGETS)), b"s" * 32), Reporter("firewall")
    work = Errand([Task("ingress", "10.4.76.34", 8080, 0.0, 1, 1.0)])
    first = one.orders(by.report([], []), work)
    assert first.plan is not None and first.plan_version == one.version("firewall") and first.once == work.once
    again = one.orders(by.report([], []), Errand(), first.plan_version)
    assert (again.plan, again.plan_version) == (None, first.plan_version)
    late = one.orders(by.report([], [], live=False), work, first.plan_version)
    assert (late.acknowledged, late.plan, late.plan_version, late.once) == (3, None, "", [])
