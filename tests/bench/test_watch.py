"""Faults elsewhere, what was told of them, and what is made of that; the lab itself is `python -m bench.watch`."""

from __future__ import annotations

import pytest

from bench.watch import faults, told, trials
from bench.watch.ear import Ear, Told
from prober.lab import incident
from prober.verdict import Label

TRIAL = {"kind": "trial", "fault": "filter", "cells": {"a → b": 2.0, "a → c": 4.1}, "wrong": [], "healed": 3.0}
QUIET = {"kind": "ambient", "minutes": 60.0, "probes": 212_000, "lost": 900, "dropped": 1100, "flips": [],
         "first": None, "troubles": []}  # fmt: skip


def test_an_incident_elsewhere_is_the_same_one_with_other_names_and_addresses():
    one = incident.load("incident")
    moved = faults.elsewhere(one, faults.CLIENT | faults.SERVER)
    assert moved.break_steps["node2"] == ("ip route add 10.50.0.0/16 via 10.224.0.23",)
    assert moved.heal_steps["node19"] == ("ip route del 10.50.0.0/16 dev pods0",)
    assert faults.cells(moved)["remote", "pod2"] == (Label.RETURN_PATH_MISROUTE,)
    assert moved.network == one.network
    assert faults.elsewhere(moved, faults.CLIENT | faults.SERVER) == one


def test_an_address_is_exchanged_whole():
    moved = faults.elsewhere(incident.load("return-filter"), faults.SERVER)
    assert "ip saddr 10.5.12.9 ip daddr 10.19.0.4" in moved.break_steps["vpc"][-1]


def test_the_balancer_does_not_lead_to_the_other_server():
    here = incident.load("closed-port")
    assert ("private", "ingress-via-lb") in faults.cells(here)
    assert set(faults.cells(faults.elsewhere(here, faults.SERVER))) == {
        (source, "pod2") for source, target in faults.cells(here) if target == "ingress"
    }


def test_fifty_faults_are_of_every_kind_at_several_places_and_break_something():
    several = faults.queue(50)
    assert {one.name for one in several} == set(faults.KINDS)
    assert all(faults.cells(one) and one.heal_steps and not one.stop_agents for one in several)
    assert len({str(one.break_steps) for one in several}) > 40


def flip(pair, after, at=1.0):
    return Told(at, pair, "healthy", after, "…")


def test_a_cell_was_told_when_it_was_told_rightly():
    broken = {("a", "b"): (Label.INGRESS_DROP,), ("a", "c"): (Label.LOCAL,)}
    heard = [flip(("a", "b"), "unknown", 1.0), flip(("a", "b"), "ingress-drop", 2.0), flip(("x", "y"), "local")]
    assert trials.right(heard, broken) == {("a", "b"): heard[1], ("a", "c"): None}
    assert trials.well([*heard, flip(("a", "b"), "healthy", 3.0)]) == {("a", "b")}


def test_flips_are_heard_once_and_in_order():
    rows = [{"id": n, "source": "a", "target": "b", "before": None, "after": "local", "sentence": str(n)}
            for n in (2, 1)]  # fmt: skip
    ear = Ear(lambda _path, limit: {"flips": rows[:limit]})
    rows[:0] = [{**rows[0], "id": n, "sentence": str(n)} for n in (4, 3)]
    assert [one.sentence for one in ear.hear()] == ["3", "4"]
    assert ear.hear() == []


@pytest.mark.parametrize(
    ("outcomes", "kept", "said"),
    [
        ([TRIAL], True, "1 of 1 faults told within 5 s (median 4.1 s, most 4.1 s), 0 false flips"),
        ([{**TRIAL, "cells": {"a → b": 5.1}}], False, "0 of 1 faults told within 5 s"),
        ([{**TRIAL, "cells": {"a → b": None}}], False, "none was told"),
        ([{**TRIAL, "wrong": ["x"]}], False, "1 of 1 faults told within 5 s (median 4.1 s, most 4.1 s), 1 false flips"),
        ([{**TRIAL, "healed": None}], False, "none healed"),
        ([QUIET], True, "60 min of 0.1 % loss: 212,000 probes, 900 lost (1,100 packets), 0 false flips"),
        ([{**QUIET, "flips": ["x"], "first": 3.0}], False, "1 false flips"),
        ([{**QUIET, "lost": 0}], False, "0 lost"),
        ([{**QUIET, "troubles": ["agent lb ended"]}], False, "trouble: agent lb ended"),
    ],
)  # fmt: skip
def test_the_last_lines_and_the_bounds(outcomes, kept, said):
    assert said in "\n".join(told.lines(outcomes))
    assert told.kept(outcomes) == kept


def test_the_figures_stand_beside_what_is_asked_for():
    late = {**TRIAL, "cells": {"a → b": 7.5}}
    good, slowest, quiet = told.figures([TRIAL, late, {**QUIET, "flips": ["x"], "first": 15.0}])
    assert (good.ours, good.peer, good.ratio, good.must) == (1, 2, 0.5, 1.0)
    assert (slowest.ours, slowest.peer) == (7.5, 5.0)
    assert (quiet.ours, quiet.peer, quiet.ratio) == (15.0, 60.0, 0.25)
