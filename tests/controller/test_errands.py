"""An agent gets what it is to do in parts that it takes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prober.controller.errands import Errand, Errands, copied
from prober.report import MOST_COPIED, Echo
from prober.store.engine import open_store
from prober.store.schema import upgrade
from tests.controller.reports import Reporter


def test_no_more_copies_go_out_at_once_than_an_agent_takes(tmp_path: Path) -> None:
    upgrade(url := f"sqlite:///{tmp_path / 'prober.sqlite'}")
    store, by = open_store(url), Reporter("firewall")
    one = Errands(store)
    for probe in range(3):
        one.add(store, {"firewall": Errand(echoes=[Echo(probe, [64] * (MOST_COPIED // 2))])})
    got = [copied(asyncio.run(one.fetch(by.answered(), new=True))) for _ in range(3)]
    assert got == [MOST_COPIED, MOST_COPIED // 2, 0]
    store.close()
