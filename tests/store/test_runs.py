"""On-demand runs outlive the process that ran them."""

from __future__ import annotations

import msgspec
import pytest

from prober.errors import Refused
from prober.store.engine import Store
from prober.store.runs import Run, create_run, get_run, list_runs, update_run

ASKED = Run("r1", "running", "slack:U1", 100, request={"from": ["firewall"], "to": [], "flows": 3, "why": "é → ok"})


def test_a_run_comes_back_as_it_was_asked(store: Store) -> None:
    assert create_run(store, ASKED)
    assert get_run(store, "r1") == ASKED
    assert get_run(store, "r2") is None


def test_the_same_run_twice_is_one(store: Store) -> None:
    assert create_run(store, ASKED)
    assert not create_run(store, msgspec.structs.replace(ASKED, asked_by="someone else"))
    assert get_run(store, "r1") == ASKED


def test_the_end_of_a_run_leaves_its_beginning_alone(store: Store) -> None:
    create_run(store, ASKED)
    update_run(store, Run("r1", "finished", "", 0, 200, {}, b"cells"))
    assert get_run(store, "r1") == msgspec.structs.replace(ASKED, state="finished", finished_ns=200, body=b"cells")


def test_a_run_that_was_never_created_has_no_end(store: Store) -> None:
    with pytest.raises(Refused, match="there is no run 'r9'"):
        update_run(store, msgspec.structs.replace(ASKED, id="r9"))


def test_runs_are_listed_newest_first_by_pages(store: Store) -> None:
    for number in range(4):
        create_run(store, msgspec.structs.replace(ASKED, id=f"r{number}", created_ns=number))
    assert [run.id for run in list_runs(store, 2)] == ["r3", "r2"]
    assert [run.id for run in list_runs(store, 9, before_ns=2)] == ["r1", "r0"]
