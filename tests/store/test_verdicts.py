"""A verdict comes back as it was said; the last word on each probe counts."""

from __future__ import annotations

from prober.store.engine import Store
from prober.store.verdicts import (
    Kept,
    history,
    identity,
    keep_verdict,
    keep_verdicts,
    known,
    latest_verdicts,
    prune_verdicts,
    run_verdicts,
    verdict_body,
)
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

MISROUTE = Verdict(
    label=Label.RETURN_PATH_MISROUTE,
    confidence=Confidence.PROVEN,
    sentence="firewall → ingress: the reply went to node19",
    cause=Cause.R1B_SILENT,
    culprit=Culprit("route", "node1", "10.19.0.0/16 via 10.224.0.23"),
    missing=("lb was not watching",),
    next_step="look at node1's routes",
    evidence=("B's NIC out", "witness node19"),
)
HEALTHY = Verdict(Label.HEALTHY, Confidence.PROVEN, "fine")
SECOND = 1_000_000_000


def kept(
    probe: int, verdict: Verdict = HEALTHY, at_ns: int = 0, run: str | None = None, source: str = "firewall"
) -> Kept:
    return Kept(source, "ingress", probe, at_ns, verdict, run, b"packets")


def test_a_verdict_comes_back_as_it_was_said(store: Store) -> None:
    number = keep_verdict(store, kept(4294967295, MISROUTE, 1_700_000_000_123_456_789))
    (found,) = history(store, "firewall", "ingress")
    assert found == Kept("firewall", "ingress", 4294967295, 1_700_000_000_123_456_789, MISROUTE, None, b"", number)


def test_the_evidence_is_read_apart(store: Store) -> None:
    number = keep_verdict(store, kept(1))
    assert verdict_body(store, number) == b"packets"
    assert verdict_body(store, number + 1) is None


def test_ids_come_in_the_order_given_and_are_never_given_again(store: Store) -> None:
    first = keep_verdicts(store, [kept(1, at_ns=1), kept(2, at_ns=2), kept(3, at_ns=3)])
    assert first == sorted(first)
    prune_verdicts(store, passing_before_ns=9, failing_before_ns=9)
    assert keep_verdict(store, kept(4)) > first[-1]
    assert keep_verdicts(store, []) == []


def test_history_is_newest_first_and_goes_on_from_a_page(store: Store) -> None:
    keep_verdicts(store, [kept(number) for number in range(5)])
    page = history(store, "firewall", "ingress", 2)
    assert [row.probe for row in page] == [4, 3]
    assert [row.probe for row in history(store, "firewall", "ingress", 2, before_id=page[-1].id)] == [2, 1]


def test_a_revision_takes_the_place_of_what_was_said_before(store: Store) -> None:
    revised = Verdict(Label.RETURN_PATH_LOSS, Confidence.LIKELY, "revised", revision=1)
    keep_verdicts(store, [kept(1, HEALTHY), kept(2, HEALTHY), kept(1, revised)])
    assert [(row.probe, row.verdict.sentence) for row in history(store, "firewall", "ingress")] == [
        (1, "revised"),
        (2, "fine"),
    ]


def test_an_id_that_comes_back_later_is_another_probe(store: Store) -> None:
    revised, again = Verdict(Label.TARGET, Confidence.LIKELY, "another", revision=1), 1200 * SECOND
    keep_verdicts(store, [kept(1, HEALTHY, 0), kept(1, revised, again)])
    assert len(history(store, "firewall", "ingress")) == 2
    assert known(store, [kept(1, HEALTHY, again), kept(1, revised, 0), kept(2, HEALTHY, 0)]) == set()
    said = [kept(1, HEALTHY, 60 * SECOND), kept(1, revised, again - 60 * SECOND)]
    assert known(store, said) == {identity(one) for one in said}


def test_a_run_is_no_part_of_the_history(store: Store) -> None:
    keep_verdicts(store, [kept(1), kept(2, MISROUTE, run="r1"), kept(3, run="r2")])
    assert [row.probe for row in history(store, "firewall", "ingress")] == [1]
    assert [row.probe for row in latest_verdicts(store)] == [1]
    assert [(row.probe, row.run) for row in run_verdicts(store, "r1")] == [(2, "r1")]


def test_a_runs_revision_leaves_the_same_probe_elsewhere_alone(store: Store) -> None:
    revised = Verdict(Label.TARGET, Confidence.LIKELY, "revised", revision=1)
    keep_verdicts(store, [kept(1), kept(1, run="r1"), kept(1, revised, run="r1")])
    assert [row.verdict.sentence for row in run_verdicts(store, "r1")] == ["revised"]
    assert [row.verdict.sentence for row in history(store, "firewall", "ingress")] == ["fine"]


def test_the_latest_is_one_for_each_pair(store: Store) -> None:
    keep_verdicts(store, [kept(1), kept(2, MISROUTE), kept(3, source="lb")])
    assert [(row.source, row.probe) for row in latest_verdicts(store)] == [("firewall", 2), ("lb", 3)]


def test_failures_are_kept_longest(store: Store) -> None:
    keep_verdicts(store, [kept(1, HEALTHY, 10), kept(2, MISROUTE, 10), kept(3, HEALTHY, 90), kept(4, MISROUTE, 1)])
    assert prune_verdicts(store, passing_before_ns=50, failing_before_ns=5) == 2
    assert [row.probe for row in history(store, "firewall", "ingress")] == [3, 2]
