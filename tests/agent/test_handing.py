"""Whom a SYN may be handed to: a neighbour on this host's link, and nobody else."""

from __future__ import annotations

import pytest

from prober.agent.handing import Handing
from prober.errors import Refused
from prober.report import Question, Route
from tests.agent.plans import task

ON_LINK = Route(dst="10.224.0.4", prefix="10.224.0.0/24", dev="eth0", neighbour="STALE 02:00:00:00:00:04")


class Told:
    """A routing table with one answer."""

    def __init__(self, route: Route) -> None:
        self.route = route

    def ask(self, question: Question) -> Route:
        assert question.dst == "10.224.0.4"
        return self.route


def handing(route: Route = ON_LINK, able: bool = True) -> Handing:
    made = Handing(Told(route), False)  # type: ignore[arg-type]  # what is asked of routes is `ask`
    made.door = object() if able else None  # type: ignore[assignment]  # nothing is sent
    return made


def test_a_neighbour_is_sent_to_by_its_link_layer_address() -> None:
    found = handing().neighbour("10.224.0.4")
    assert (found.interface, found.address) == ("eth0", bytes.fromhex("020000000004"))


@pytest.mark.parametrize(
    "route",
    [
        Route(
            dst="10.224.0.4", prefix="0.0.0.0/0", via="10.19.0.1", dev="eth0", neighbour="REACHABLE 02:00:00:00:00:01"
        ),
        Route(dst="10.224.0.4", prefix="10.224.0.4/32", dev="lo", type="local"),
        Route(dst="10.224.0.4", type="blackhole", error="EINVAL"),
        Route(dst="10.224.0.4", prefix="10.224.0.0/24", dev="eth0", neighbour="FAILED"),
        Route(dst="10.224.0.4", prefix="10.224.0.0/24", dev="eth0"),
    ],
    ids=["behind a router", "itself", "no route", "does not answer", "never met"],
)
def test_who_is_not_on_the_link_or_does_not_answer_there_is_none(route: Route) -> None:
    with pytest.raises(Refused):
        handing(route).neighbour("10.224.0.4")


def test_without_the_capability_nobody_is() -> None:
    with pytest.raises(Refused):
        handing(able=False).neighbour("10.224.0.4")


def test_tasks_are_parted_and_what_cannot_be_handed_over_is_noted() -> None:
    straight, by = task(), task(via="10.224.0.4", every=0.0)
    notes: list[str] = []
    assert [(sender is None, part) for sender, part in handing().parted([by, straight], notes.append)] == [
        (True, [straight]), (False, [by]),
    ]  # fmt: skip
    assert list(handing(able=False).parted([by], notes.append)) == []
    assert notes == ["nothing was sent to ingress by way of a neighbour: 10.224.0.4 is not on this host's link"]
