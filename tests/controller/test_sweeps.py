"""Sweeps and repeated answers under way."""

from __future__ import annotations

import ipaddress

import msgspec

from prober import segment
from prober.controller import sweeps
from prober.controller.errands import Errand
from prober.controller.sweeps import Sweeps
from prober.flows import Shape, Side
from prober.observation import Seen
from prober.plan import Pair
from prober.probe import Kind
from prober.report import MOST_COPIED, Report
from prober.segment import ACK, IN, OUT, SYN
from prober.sighting import Where
from prober.trace import LONGEST
from prober.vantage import Vantage
from tests.stories import NODE1, sighting, story

PAIR = Pair("firewall", "ingress", 1.0, 1, 1.0, 1, ipaddress.ip_address(NODE1), 7007)
KEY = PAIR.key


def heard(until: float, since: float = 0.0) -> dict[str, Vantage]:
    """Agents that captured from `since` on, and have said so as far as `until` (both seconds)."""
    made = {}
    for name in ("firewall", "node1"):
        made[name] = Vantage()
        clock, begun = int(until * 1e9), int(since * 1e9)
        made[name].hear(Report(name, 1, 1, clock, begun, clock), until)
    return made


def report(agent: str = "firewall", sequence: int = 1) -> Report:
    return Report(agent, 1, sequence, 0, 0, 0)


def copy(kind: Kind, way: int, agent: str, ttl: int, number: int = 0, probe: int = 7, left: int = 64) -> Seen:
    """A sighting of a copied answer, or of an error that quotes one."""
    error = (11, 0, "10.60.2.2") if kind == Kind.ICMP_ECHO else (0, 0, "")
    return Seen(
        agent, kind, Where.NIC, way, "eth0", NODE1, "10.19.0.4", 7007, 61440, SYN | ACK, left, number << 8 | ttl,
        probe + 1, "", True, *error,
    )  # fmt: skip


def test_the_way_in_is_swept_with_one_source_port_and_every_ttl_and_handed_out_once() -> None:
    one = Sweeps()
    one.there(PAIR, 61450, 5.0)
    one.there(PAIR, 61450, 5.0)
    parts = one.parts()
    assert list(parts) == ["firewall"]
    tasks = parts["firewall"].once
    assert [task.ttl for task in tasks] == list(range(1, LONGEST + 1))
    assert {tuple(task.ports) for task in tasks} == {(61450,)}
    assert len({task.run for task in tasks}) == LONGEST
    assert one.parts() == {}
    assert one.trying(KEY) == ["sweep of the way in"]


def test_routers_that_say_the_ttl_ran_out_are_its_hops() -> None:
    one = Sweeps()
    one.there(PAIR, 61450, 5.0)
    tasks = one.parts()["firewall"].once
    for task, story_of_it in zip(
        tasks,
        ("firewall << ICMP 11/0 of SYN from 10.19.0.1", "firewall << ICMP 3/13 of SYN from 10.1.1.1", "node1 << SYN",
         *["node1 << SYN"] * (LONGEST - 3)),
        strict=True,
    ):  # fmt: skip
        one.take(msgspec.structs.replace(story(story_of_it, dst=NODE1), run=task.run))
    assert one.over(5.1, heard(60.0)) == ([], [])
    [[swept], _] = one.over(20.0, heard(60.0))
    trace = swept.trace({"10.19.0.1": "vpc"})
    assert (trace.hops, trace.arrived, trace.names) == ({1: "10.19.0.1"}, 3, {"10.19.0.1": "vpc"})
    assert one.trying(KEY) == []


def test_the_way_back_is_swept_by_the_responder() -> None:
    one = Sweeps()
    one.back(KEY, "node1", 7, 5.0)
    parts = one.parts()
    assert list(parts) == ["node1"]
    [echo] = parts["node1"].echoes
    assert (echo.probe, echo.ttls) == (7, list(range(1, LONGEST + 1)))
    assert one.parts() == {}
    one.copies([copy(Kind.ICMP_ECHO, IN, "node1", 2), copy(Kind.ECHO, OUT, "node1", 2), copy(Kind.ECHO, IN, "lb", 3)])
    one.copies([copy(Kind.ICMP_ECHO, IN, "node1", 1, probe=8)])
    [[swept], _] = one.over(20.0, heard(60.0))
    assert swept.trace({}) == sweeps.Trace(Side.BACK, {2: "10.60.2.2"})


def test_copies_that_arrive_end_the_way_back() -> None:
    one = Sweeps()
    one.back(KEY, "node1", 7, 5.0)
    one.copies([copy(Kind.ECHO, IN, "firewall", ttl) for ttl in (5, 4, 6)])
    [[swept], _] = one.over(20.0, heard(60.0))
    assert swept.arrived == 4


def test_repeated_answers_show_a_leg_where_the_kernels_own_answers_do_not() -> None:
    one, ports = Sweeps(), {100 + n: 20480 + n for n in range(16)}
    one.repeat(KEY, "node1", ports, 5.0)
    assert len(one.parts()["node1"].echoes) == 16
    assert one.trying(KEY) == ["repeated answers"]
    for probe, port in ports.items():
        for number in range(sweeps.COPIES):
            left = copy(Kind.ECHO, OUT, "node1", 64, number, probe)
            passed = copy(Kind.ECHO, OUT, "vpc", 64, number, probe, left=63)
            arrived = [copy(Kind.ECHO, IN, "firewall", 64, number, probe, left=61)] * (port % 4 != 0)
            one.copies([left, passed, *arrived])
    [_, [repeated]] = one.over(20.0, heard(60.0))
    losses = repeated.copies.losses()
    assert (losses.shape, losses.sent, losses.lost, losses.dead) == (Shape.LEG, 64, 16, [20480, 20484, 20488, 20492])


def test_once_all_copies_have_left_only_those_that_arrive_are_waited_for() -> None:
    one = Sweeps()
    one.repeat(KEY, "node1", {7: 61440}, 5.0)
    one.copies([copy(Kind.ECHO, OUT, "node1", 64, number) for number in range(sweeps.COPIES)])
    assert one.over(5.3, heard(5.3)) == ([], [])
    last = 5.3 + sweeps.ARRIVES
    assert one.over(last, heard(last)) == ([], []), "the prober has not said what it saw since"
    [_, [repeated]] = one.over(last + sweeps.SETTLED, heard(last + 0.1))
    assert repeated.copies.losses().lost == sweeps.COPIES


def test_no_more_copies_are_asked_in_one_order_than_an_agent_takes() -> None:
    one = Sweeps()
    for target in ("a", "b"):
        one.repeat(("firewall", target), "node1", {n: 20480 + n for n in range(sweeps.REPEATED)}, 5.0)
    orders = [sum(len(echo.ttls) for echo in one.parts().get("node1", Errand()).echoes) for _ in range(3)]
    assert orders == [MOST_COPIED, 2 * sweeps.REPEATED * sweeps.COPIES - MOST_COPIED, 0]


def test_a_story_of_a_copy_is_what_the_agents_see() -> None:
    """The stories' own SYN-ACK is no copy: nothing of a probe's life counts here."""
    one = Sweeps()
    one.back(KEY, "node1", 7, 5.0)
    one.copies([sighting("firewall << SYN-ACK")])
    [[swept], _] = one.over(20.0, heard(60.0))
    assert swept.arrived is None
    assert segment.flags_text(SYN | ACK) == "SYN,ACK"


def test_it_is_over_when_the_agents_have_told_what_they_saw_and_no_sooner() -> None:
    one = Sweeps()
    one.back(KEY, "node1", 7, 5.0)
    one.repeat(KEY, "node1", {7: 61440}, 5.0)
    assert one.over(7.5, heard(5.5)) == ([], [])
    assert len(one.trying(KEY)) == 2
    swept, repeated = one.over(8.0, heard(8.0))
    assert (len(swept), len(repeated)) == (1, 1)
    assert one.trying(KEY) == []


def test_of_what_was_not_captured_throughout_or_told_of_nothing_is_said() -> None:
    for late, vantages in ((8.0, heard(8.0, since=6.0)), (5.0 + sweeps.WAIT + sweeps.LATEST, heard(5.5))):
        one = Sweeps()
        one.back(KEY, "node1", 7, 5.0)
        one.repeat(KEY, "node1", {7: 61440}, 5.0)
        assert one.over(late, vantages) == ([], [])
        assert one.trying(KEY) == []
