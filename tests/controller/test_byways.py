"""Who stands before a target nobody watches, and what he is asked: bounded, and only if he was seen to hand on."""

from __future__ import annotations

import msgspec

from prober.byway import Byway, Way
from prober.controller import byways
from prober.controller.byways import Byways
from prober.controller.inquiry import Inquiry
from prober.handshake import State
from prober.matrix import Cell
from prober.observation import Observation
from prober.report import BYWAY, Task
from prober.targets import parse
from prober.verdict import Confidence, Label, Verdict
from tests.stories import FIREWALL, NODE1, NODE2, story

DOCUMENT = """
zones:
  - {name: firewall, kind: firewall, cidrs: [10.19.0.0/24]}
  - {name: remote, kind: other, cidrs: [10.50.0.0/24]}
  - {name: nodes, kind: node-pool, cidrs: [10.224.0.0/24]}
  - {name: pods, kind: pods, cidrs: [10.4.0.0/16]}
agents:
  - {name: firewall, zone: firewall, addresses: [10.19.0.4], listen: 7007}
  - {name: node2, zone: nodes, addresses: [10.224.0.5], listen: 7007}
  - {name: remote, zone: remote, addresses: [10.50.0.4], listen: 7007}
targets:
  - {name: node1, zone: nodes, address: 10.224.0.4, port: 7007}
  - {name: ingress, zone: pods, address: 10.4.76.34, port: 8080}
probes:
  - {from: all, to: [node1, ingress], every: 1s}
policy:
  allow:
    - {network: 10.0.0.0/8, ports: [7007, 8080]}
"""
TARGETS = parse(DOCUMENT, "targets.yaml")
NODE, POD = ("firewall", "node1"), ("firewall", "ingress")
UNKNOWN = Verdict(Label.UNKNOWN, Confidence.AMBIGUOUS, "who knows.")
ROUTER = "10.224.0.1"
MAC = "02:00:00:00:00:04"


def alive(_: str) -> bool:
    return True


def shot(task: Task, text: str, state: State = State.TIMED_OUT) -> Observation:
    """What node2 saw of one of its SYNs."""
    at_firewall = {"source": "node2", "responders": ("firewall",), "src": NODE2, "dst": FIREWALL, "pod": ""}
    return msgspec.structs.replace(story(text, state, **at_firewall), run=task.run)


def arrives(task: Task) -> Observation:
    return shot(task, "node2 >> SYN\nfirewall << SYN\nfirewall >> SYN-ACK\nnode2 << SYN-ACK", State.ANSWERED)


def no_way(task: Task) -> Observation:
    """By way of node1 nothing comes to the firewall, and to others it does."""
    if task.via and task.address == FIREWALL and task.ttl > 2:
        return shot(task, f"node2 >> SYN\nnode2 << ICMP 3/0 of SYN from {NODE1} ttl 64")
    return shot(task, "node2 >> SYN") if task.via and task.address == FIREWALL else arrives(task)


def learnt(key: tuple[str, str] = NODE) -> Byways:
    one = Byways()
    one.learn(key, TARGETS, alive, 100.0)
    for _, task in one.tasks():
        first = shot(task, f"node2 >> SYN\nnode2 << ICMP 11/0 of SYN from {ROUTER}")
        one.take(first if task.ttl == 1 else arrives(task), 101.0)
    one.tell({}.get, lambda _: None, 101.0)
    return one


def broken(one: Byways, key: tuple[str, str] = NODE, now: float = 200.0) -> list[tuple[str, Task]]:
    one.consider(key, TARGETS, alive, 100.0, now)
    return one.tasks()


def test_while_a_cell_is_well_its_targets_host_is_tried_on_its_own_link() -> None:
    one = Byways()
    one.learn(NODE, TARGETS, alive, 100.0)
    assert one.trying(NODE) == [byways.NAME]
    tasks = one.tasks()
    assert {(agent, task.via, task.address, task.port) for agent, task in tasks} == {
        ("node2", NODE1, FIREWALL, 7007), ("node2", "", FIREWALL, 7007),
    }  # fmt: skip
    assert all(task.run.startswith(BYWAY) and task.flows == 1 for _, task in tasks)
    one.learn(NODE, TARGETS, alive, 101.0)
    assert one.tasks() == [], "once"


def test_a_host_that_was_never_seen_to_hand_on_is_not_asked() -> None:
    assert broken(Byways()) == []
    one = Byways()
    one.learn(NODE, TARGETS, alive, 100.0)
    for _, task in one.tasks():
        one.take(shot(task, "node2 >> SYN"), 101.0)
    one.tell({}.get, lambda _: None, 120.0)
    assert broken(one) == []


def test_a_failing_cells_host_is_asked_and_its_silent_probes_are_judged_again() -> None:
    one, again = learnt(), list[int]()
    cell = Cell(*NODE, 1.0)
    cell.take(5, 199.0, UNKNOWN, None)
    tasks = broken(one)
    assert {(task.address, task.via) for _, task in tasks if task.via} == {
        (FIREWALL, NODE1), ("10.50.0.4", NODE1), (NODE1, ROUTER),
    }, "to the prober and to another by way of it, and to itself by way of the router"  # fmt: skip
    assert len(tasks) == 12
    assert one.reading(NODE, 199.0) is None
    for _, task in tasks:
        one.take(no_way(task), 202.0)
    assert one.tell({NODE: cell}.get, again.append, 202.0) == {NODE}
    assert again == [5] and "no way to" in cell.tried[byways.NAME]
    found = one.reading(NODE, 199.0)
    assert found is not None and found.label == Label.RETURN_PATH_LOSS
    assert one.reading(NODE, 260.0) is None and one.reading(NODE, 150.0) is None, "it holds for a while"
    assert one.reading(POD, 199.0) is None, "and for that cell"


def test_a_pass_ends_what_was_told_before_it() -> None:
    one = learnt()
    for _, task in broken(one):
        one.take(no_way(task), 202.0)
    one.tell({}.get, lambda _: None, 202.0)
    one.passed(NODE, 199.0)
    assert one.reading(NODE, 203.0) is not None, "that was before"
    one.passed(NODE, 203.0)
    assert one.reading(NODE, 204.0) is None
    assert broken(one, now=204.0), "the next failure is asked about anew"


def test_before_a_pod_stands_who_says_that_the_ttl_ran_out() -> None:
    one = Byways()
    one.learn(POD, TARGETS, alive, 100.0)
    near = [(agent, task) for agent, task in one.tasks() if agent == "node2"]
    assert sorted(task.ttl for _, task in near) == [1, 1, 2, 2] and {task.via for _, task in near} == {""}
    for _, task in near:
        text = (
            f"node2 >> SYN\nnode2 << ICMP 11/0 of SYN from {NODE1}"
            if task.ttl == 1
            else "node2 >> SYN\nnode2 << SYN-ACK"
        )
        state = State.TIMED_OUT if task.ttl == 1 else State.ANSWERED
        o = story(text, state, source="node2", src=NODE2)
        seen = tuple(msgspec.structs.replace(s, neighbour=MAC) for s in o.seen)
        one.take(msgspec.structs.replace(o, seen=seen, run=task.run), 101.0)
    assert {task.via for _, task in one.tasks()} == {NODE1, ""}, "by way of it, and whom a SYN meets first without"


def test_no_more_are_asked_at_a_time_than_that() -> None:
    one = learnt()
    one.asked = {("x", str(n)): Inquiry(Byway("x", "", "", ""), 200.0, {"y": Way.BY}) for n in range(byways.AT_ONCE)}
    assert broken(one) == []
    one.tell({}.get, lambda _: None, 210.0)
    assert one.asked == {} and broken(one, now=210.0)


def test_what_one_controller_had_asked_another_one_judges_by() -> None:
    one, other = learnt(), Byways()
    for _, task in broken(one):
        one.take(no_way(task), 202.0)
    one.tell({}.get, lambda _: None, 202.0)
    told = one.last(NODE)
    assert told is not None and one.last(POD) is None
    cell = Cell(*NODE, 1.0)
    other.adopt(NODE, told.about, told.begun)
    assert other.reading(NODE, 199.0) == one.reading(NODE, 199.0)
    assert other.tell({NODE: cell}.get, lambda _: None, 203.0) == {NODE} and byways.NAME in cell.tried
    other.passed(NODE, 204.0)
    assert other.reading(NODE, 205.0) is None
