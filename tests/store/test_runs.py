"""On-demand runs outlive the process that ran them."""

from __future__ import annotations

import time

import msgspec

from prober.store import errands
from prober.store.engine import Store
from prober.store.errands import Errand
from prober.store.runs import (
    Run,
    close_run,
    count_runs,
    create_run,
    ended_runs,
    get_run,
    list_runs,
    open_runs,
    revise_run,
)

ASKED = Run("r1", "running", "slack:U1", 100, request={"from": ["firewall"], "to": [], "flows": 3, "why": "é → ok"})


def test_a_run_comes_back_as_it_was_asked(store: Store) -> None:
    assert create_run(store, ASKED)
    assert get_run(store, "r1") == ASKED
    assert get_run(store, "r2") is None


def test_the_same_run_twice_is_one(store: Store) -> None:
    assert create_run(store, ASKED)
    assert not create_run(store, msgspec.structs.replace(ASKED, asked_by="someone else"))
    assert get_run(store, "r1") == ASKED


def test_a_run_ends_once_and_what_comes_late_revises_its_end(store: Store) -> None:
    create_run(store, ASKED, [Errand("firewall", "r1", b"what to do")])
    ended = msgspec.structs.replace(ASKED, state="finished", finished_ns=200, body=b"cells")
    assert not revise_run(store, ended)
    assert close_run(store, ended)
    assert not close_run(store, msgspec.structs.replace(ended, state="cancelled", finished_ns=300, body=b""))
    assert get_run(store, "r1") == ended
    assert errands.fetch(store, "firewall", 1, 1) == ([], False), "nobody is sent for what is over"
    assert revise_run(store, msgspec.structs.replace(ended, body=b"more"))
    assert get_run(store, "r1") == msgspec.structs.replace(ended, body=b"more")
    assert not close_run(store, msgspec.structs.replace(ASKED, id="r9"))


def test_runs_under_way_are_found_by_who_did_not_start_them(store: Store) -> None:
    now_ns = time.time_ns()
    for name, state, ago in (("old", "running", 1000), ("new", "running", 5), ("over", "finished", 5)):
        create_run(store, msgspec.structs.replace(ASKED, id=name, state=state, created_ns=now_ns - ago * 10**9))
    assert [run.id for run in open_runs(store, 900.0)] == ["new"]
    assert [run.id for run in ended_runs(store, ["new", "over"])] == ["over"]
    assert (count_runs(store, 900.0), count_runs(store, 3600.0)) == (2, 3)


def test_runs_are_listed_newest_first_by_pages(store: Store) -> None:
    for number in range(4):
        create_run(store, msgspec.structs.replace(ASKED, id=f"r{number}", created_ns=number))
    assert [run.id for run in list_runs(store, 2)] == ["r3", "r2"]
    assert [run.id for run in list_runs(store, 9, before_ns=2)] == ["r1", "r0"]
