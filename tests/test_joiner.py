"""Reports of several agents joined: late, twice, out of order, on wrong clocks, or not at all."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prober import hostnames, segment
from prober import joiner as module
from prober.classify import classify
from prober.handshake import State
from prober.joiner import Joiner
from prober.observation import Place, Sight
from prober.pending import MOST_COPIES, MOST_ROWS
from prober.probe import Kind, identity
from prober.report import HalfOpen, Question, Route
from prober.segment import IN, OUT
from prober.sighting import Where
from prober.targets import parse
from prober.verdict import Confidence, Label
from tests.fleet import PROBE, TARGETS, WHENCE, Agent, ended, healthy, incident, last_words, play, saw

HOUR = 3600.0


def test_the_incident_is_proven_and_judged_once_the_routes_are_told():
    made = [o for o in play(incident()) if o.probe == PROBE]
    first, verdict = made[0], classify(made[-1])
    assert (verdict.label, verdict.cause, verdict.confidence) == (Label.RETURN_PATH_MISROUTE, "R1b", Confidence.PROVEN)
    assert classify(first).culprit == verdict.culprit, "it waited for the routing tables"
    assert {route.agent for route in first.routes} == {"firewall", "node1", "node19"}


@pytest.mark.parametrize("now", [[], ["10.5.76.34"]], ids=["not resolved after a start", "moved to node2"])
def test_a_probe_is_judged_where_it_was_sent_whatever_address_its_targets_name_has_now(now):
    text = (Path(__file__).parent.parent / "targets.yaml").read_text()
    declared = parse(text.replace("address: 10.4.76.34", "hostname: ingress.example.org"))
    found = {"ingress.example.org": [ipaddress.ip_address(one) for one in now]}
    pinned, _ = hostnames.pin(declared, found)
    verdict = last_words(play([*incident(), Agent("node2")], joiner=Joiner(pinned)))[PROBE]
    assert verdict == last_words(play([*incident(), Agent("node2")]))[PROBE]
    assert (verdict.cause, verdict.confidence) == ("R1b", Confidence.PROVEN)


def test_a_busy_hosts_routing_table_is_waited_for():
    agents = incident()
    for agent in agents:
        agent._written = _answering_late(agent._written, 1.5)
    first = next(o for o in play(agents) if o.probe == PROBE)
    assert {route.agent for route in first.routes} == {"firewall", "node1", "node19"}
    assert classify(first).cause == "R1b"


def _answering_late(written, by):
    asked = []

    def late(now, questions):
        asked.extend((now + by, one) for one in questions)
        due = [one for at, one in asked if at <= now]
        asked[:] = [(at, one) for at, one in asked if at > now]
        return written(now, due)

    return late


def test_the_baseline_is_learnt_from_the_healthy_probe():
    joiner = Joiner(TARGETS)
    play(healthy(), joiner=joiner)
    usual = joiner.usual["firewall", "ingress", "node1"]
    assert usual.watched == ("firewall", "node1", "node19") and usual.witnesses == ()


def test_an_agent_that_comes_up_later_is_added_to_the_baseline_and_is_no_newcomer():
    joiner = Joiner(TARGETS)
    play(healthy(), joiner=joiner, until=15)
    agents = healthy(30.0, PROBE + 1)
    agents[2].starts, agents[2].events = 25.0, [(30.0, saw(Kind.SYN_ACK, IN, 30.0, probe=PROBE + 1))]
    fresh = Joiner(TARGETS)
    fresh.usual = {k: msgspec.structs.replace(u, watched=("firewall", "node1")) for k, u in joiner.usual.items()}
    verdict = last_words(play(agents, 40, joiner=fresh))[PROBE + 1]
    assert verdict.label == Label.HEALTHY
    assert fresh.usual["firewall", "ingress", "node1"].witnesses == ("node19",)


SHIFTS = st.lists(st.sampled_from([0.0, HOUR, -HOUR, 86400.0, -0.3]), min_size=3, max_size=3)


@given(SHIFTS, st.permutations(range(3)), st.booleans(), st.sampled_from([incident, healthy]))
@settings(max_examples=40, deadline=None)
def test_wrong_clocks_duplicates_and_another_order_change_no_verdict(shifts, order, twice, made):
    agents = made()
    for agent, shift in zip(agents, shifts, strict=True):
        agent.shift = shift
    assert last_words(play([agents[i] for i in order], twice=twice)) == last_words(play(made()))


@pytest.mark.parametrize("name", ["firewall", "node1", "node19"])
def test_a_clock_that_is_set_while_a_probe_is_under_way_makes_no_wrong_verdict(name):
    agents = incident()
    for agent in agents:
        if agent.name == name:
            written = agent._written
            agent._written = lambda now, asked, w=written: _stepped(w(now, asked), now)
    verdict = last_words(play(agents))[PROBE]
    assert verdict.label in (Label.RETURN_PATH_MISROUTE, Label.RETURN_PATH_LOSS, Label.UNKNOWN)


def _stepped(report, now):
    """From second 10.5 on the clock shows an hour less."""
    if now <= 10.5:
        return report
    first = now <= 10.75
    back = int(HOUR * 1e9)
    times = {"clock_ns": report.clock_ns - back, "until_ns": report.until_ns - back}
    return msgspec.structs.replace(report, since_ns=report.since_ns - (0 if first else back), **times)


def test_a_silent_responder_is_not_watched_and_said_to_be_missing():
    agents = [agent for agent in incident() if agent.name != "node1"]
    o = [o for o in play(agents) if o.probe == PROBE][-1]
    assert o.at(Place.B_NIC_IN) == Sight.NOT_WATCHED
    assert "agent node1 has never reported" in o.missing


def lost_on_the_way(large):
    """The SYN never arrives, and node1 reports every five seconds: at 14 s that it watched. What is said, and when."""
    joiner, said = Joiner(TARGETS), []
    if large:
        joiner.adopt(many(TARGETS))
    agents = incident()[:2]
    agents[1].events = [one for one in agents[1].events if one[0] < 8.0]
    agents[1].mute = (9.0, 14.0)
    due = joiner.due
    joiner.due = lambda now: [o for o in due(now) if o.probe != PROBE or said.append((now, classify(o))) or True]
    play(agents, joiner=joiner)
    return said


def many(targets):
    """The same document, of a fleet of a thousand: the others have addresses of their own."""
    last = targets.agents[-1]
    more = (replace(last, name=f"more{number}", addresses=(), pods=()) for number in range(1000))
    return replace(targets, agents=(*targets.agents, *more))


def test_where_reports_are_rare_the_responders_word_is_waited_for():
    at, verdict = lost_on_the_way(large=True)[0]
    assert (verdict.label, 14.0 <= at < 15.0) == (Label.INGRESS_DROP, True)
    at, verdict = lost_on_the_way(large=False)[0]
    assert (verdict.label, at < 13.0) == (Label.UNKNOWN, True)


def test_a_responder_whose_kernel_dropped_frames_is_not_watched():
    agents = incident()
    agents[1].events, agents[1].dropped = [], (10.0, 10.6)
    o = [o for o in play(agents) if o.probe == PROBE][-1]
    assert o.at(Place.B_NIC_IN) == Sight.NOT_WATCHED
    assert "agent node1 was not capturing throughout this probe" in o.missing
    assert classify(o).label in (Label.RETURN_PATH_MISROUTE, Label.UNKNOWN)


def test_a_prober_that_was_cut_off_for_half_a_minute_loses_no_evidence_of_the_others():
    agents = incident(40.0)
    agents[0].mute = (40.0, 70.0)
    verdict = last_words(play(agents, until=80))[PROBE]
    assert (verdict.label, verdict.cause) == (Label.RETURN_PATH_MISROUTE, "R1b")


def test_a_prober_that_was_cut_off_for_minutes_makes_nobody_a_liar():
    """What the others saw is long forgotten; that they saw nothing is not said."""
    agents = incident(40.0)
    agents[0].mute = (40.0, 240.0)
    verdict = last_words(play(agents, until=250))[PROBE]
    assert verdict.label == Label.UNKNOWN


def test_a_long_timeout_forgets_nothing():
    agents = incident(10.0)
    agents[0].events = [(10.0, saw(Kind.SYN, OUT, 10.0)), (60.0, ended(State.TIMED_OUT, 10.0, 60.0))]
    o = [o for o in play(agents, until=70) if o.probe == PROBE][-1]
    assert (o.at(Place.A_NIC_OUT), o.at(Place.B_NIC_OUT)) == (Sight.SEEN, Sight.SEEN)


def test_evidence_that_comes_after_the_verdict_revises_it():
    agents = incident()
    error = saw(Kind.ICMP_SYN_ACK, IN, 13.05, icmp_type=3, icmp_code=1)
    agents[1].events.append((13.05, error))
    made = [o for o in play(agents) if o.probe == PROBE]
    assert not made[0].saw(Kind.ICMP_SYN_ACK) and made[-1].saw(Kind.ICMP_SYN_ACK)


def test_a_witness_that_reports_late_is_asked_for_its_route_too():
    agents = incident()
    agents[2].mute = (10.0, 13.0)
    o = [o for o in play(agents) if o.probe == PROBE][-1]
    assert o.route_of("node19") is not None


@pytest.mark.parametrize(("told", "taken"), [(10.75, False), (11.5, True)])
def test_a_route_told_before_the_probe_ended_is_not_taken_for_it(told, taken):
    agents = incident()
    route = agents[1].route(Question("10.19.0.4", "10.4.76.34", "eth0"))
    written, agents[1].route = agents[1]._written, None
    agents[1]._written = lambda now, asked: msgspec.structs.replace(
        written(now, asked), answers=[route] if now == told else []
    )
    made = [o for o in play(agents) if o.probe == PROBE]
    assert (made[-1].route_of("node1") is not None) is taken


def test_an_unsealed_segment_of_another_flow_is_not_this_probes():
    agents = incident()
    agents[2].events = [(10.0, saw(Kind.REFUSAL, IN, 10.0, sealed=False, dport=61441))]
    o = [o for o in play(agents) if o.probe == PROBE][-1]
    assert not o.witnesses(Kind.REFUSAL)


def test_the_pods_address_is_where_the_syn_was_seen_to_go():
    assert {o.pod for o in play(healthy())} == {"10.4.76.34"}


def test_a_flood_is_bounded_and_makes_nobody_a_liar(monkeypatch):
    monkeypatch.setattr(module, "MOST_UNCLAIMED", 50)
    joiner, agents = Joiner(TARGETS), incident()
    flood = [saw(Kind.SYN, IN, 10.3, probe=identity(9, serial)) for serial in range(500)]
    agents[2].events = [(10.3, np.concatenate(flood))]
    agents[1].events = [one for one in agents[1].events if one[0] < 9]
    o = [o for o in play(agents, joiner=joiner) if o.probe == PROBE][-1]
    assert len(joiner.pending) <= 51
    assert o.at(Place.B_NIC_IN) == Sight.NOT_WATCHED, "its SYN's sighting may have been among those let go"
    assert any("more packets came than can be kept" in one for one in o.missing)
    assert classify(o).label == Label.UNKNOWN


def test_a_replayed_packet_does_not_fill_the_memory():
    joiner, agents = Joiner(TARGETS), incident()
    again = [saw(Kind.SYN, IN, 10.2 + i / 1e5, ttl=50) for i in range(3000)]
    agents[2].events.append((10.2, np.concatenate(again)))
    o = [o for o in play(agents, joiner=joiner) if o.probe == PROBE][-1]
    assert len(o.seen) <= MOST_ROWS
    assert o.at(Place.B_STACK) != Sight.NOT_SEEN


def test_a_loop_fills_no_memory_and_hides_nothing_else():
    joiner, agents = Joiner(TARGETS), incident()
    round_and_round = [saw(Kind.SYN_ACK, IN, 10.2 + i / 1e3, ttl=60 - i) for i in range(50)]
    agents[1].events.append((10.2, np.concatenate(round_and_round)))
    o = [o for o in play(agents, joiner=joiner) if o.probe == PROBE][-1]
    assert len(o.saw(Kind.SYN_ACK, by=agents[1].name, way=IN)) == MOST_COPIES
    assert not any("more packets" in one for one in o.missing)


def test_nothing_is_held_for_ever():
    joiner = Joiner(TARGETS)
    agents = incident()
    agents[2].events.append((10.0, saw(Kind.SYN, IN, 10.0, probe=identity(9, 9))))
    play(agents, until=100, joiner=joiner)
    assert not joiner.pending and not joiner._waiting and not joiner._inquiry
    assert joiner.unclaimed == 1


def test_a_probe_that_cannot_be_judged_stops_no_other():
    joiner, agents = Joiner(TARGETS), incident()
    for turn in range(60):
        for agent in agents:
            for report in agent.report(turn / 4, joiner.questions(agent.name)):
                joiner.take(msgspec.structs.replace(report, targets=["nobody"]), turn / 4)
        assert joiner.due(turn / 4) == []
    assert len(joiner.faults) == 2 and "firewall → nobody: KeyError" in joiner.faults[0]


NODE1, PORT = "10.224.0.4", 7007


def to_node1(row: np.ndarray) -> np.ndarray:
    """The same row, of firewall → node1."""
    row["dst_hi"], row["dst_lo"] = segment.pair(NODE1)
    row["dport"] = PORT
    return row


def without_a_tap(found: list[HalfOpen], at: float = 10.0) -> list[Agent]:
    """firewall → node1 times out, and node1 may not capture: ``found`` are its half-open sockets."""
    done = ended(State.TIMED_OUT, at, at + 1.0)
    events = [(at, to_node1(saw(Kind.SYN, OUT, at))), (at + 1.0, to_node1(done))]
    firewall = Agent("firewall", events, targets=["node1"])
    node1 = Agent("node1", halfopen=[(at + 0.2, one) for one in found], tap=False, route=_answer)
    return [firewall, node1]


def _answer(asked: Question) -> Route:
    if asked.port:
        return Route("node1", asked.dst, type="", table="", port=asked.port, listening=True)
    return Route("node1", asked.dst, asked.src, asked.iif, "0.0.0.0/0", "10.224.0.1", "eth0")


TAKEN = HalfOpen("10.19.0.4", 61440, NODE1, PORT, int((WHENCE + 10.2) * 1e9))


def test_a_half_open_socket_stands_for_the_syn_where_nobody_captures():
    made = play(without_a_tap([TAKEN]))[-1]
    assert made.at(Place.B_STACK) == Sight.SEEN and made.at(Place.B_NIC_IN) == Sight.NOT_WATCHED
    assert classify(made).label == Label.RETURN_PATH_LOSS
    assert made.untapped == ("node1",) and made.listens() is True
    assert any("may not capture" in one for one in made.missing)


def test_no_half_open_socket_says_that_its_tcp_took_none():
    verdict = classify(play(without_a_tap([]))[-1])
    assert (verdict.label, verdict.confidence) == (Label.INGRESS_DROP, Confidence.INFERRED)


def test_a_way_back_that_is_mended_between_the_probe_and_the_question_is_not_taken_for_what_it_was():
    """node1 had no route back to the firewall until the probe's end: it swallowed the SYN for that."""

    def swallowed(mended_at: float) -> str:
        at, clock = 10.0, [0.0]
        rows = [to_node1(row) for row in (saw(Kind.SYN, OUT, at), ended(State.TIMED_OUT, at, at + 1.0))]

        def table(asked: Question) -> Route:
            gone = Route("node1", asked.dst, asked.src, asked.iif, type="", error="ENETUNREACH")
            return _answer(asked) if asked.port or clock[0] >= mended_at else gone

        node1 = Agent("node1", [(at, to_node1(saw(Kind.SYN, IN, at)))], route=table)
        write = node1._written

        def written(now, questions):
            clock[0] = now
            return write(now, questions)

        node1._written = written
        agents = [Agent("firewall", [(at, rows[0]), (at + 1.0, rows[1])], targets=["node1"]), node1]
        verdict = classify(play(agents)[-1])
        return f"{verdict.label} {verdict.cause}"

    assert swallowed(mended_at=0.0) == "ingress-drop T4"
    assert swallowed(mended_at=11.1) == "unknown None"
    assert swallowed(mended_at=99.0) == "return-path-loss R2"


def test_a_stranger_on_the_port_may_be_the_probe_behind_a_nat():
    stranger = HalfOpen("192.0.2.1", 1024, NODE1, PORT, TAKEN.seen_ns)
    made = play(without_a_tap([stranger]))[-1]
    assert made.at(Place.B_STACK) == Sight.NOT_WATCHED
    assert classify(made).label == Label.UNKNOWN


IN_PODS = parse(json.dumps({
    "zones": [{"name": "office", "kind": "other", "cidrs": ["10.19.0.0/24"]},
              {"name": "nodes", "kind": "node-pool", "cidrs": ["10.224.0.0/24"]},
              {"name": "pods", "kind": "pods", "cidrs": ["10.4.0.0/16"]}],
    "agents": [{"name": "firewall", "zone": "office", "addresses": ["10.19.0.4"]},
               {"name": "node1", "zone": "nodes", "addresses": [NODE1], "pods": ["10.4.0.0/16"]},
               {"name": "app", "zone": "pods", "addresses": ["10.4.76.34"]}],
    "targets": [{"name": "ingress", "zone": "pods", "address": "10.4.76.34", "port": 8080}],
    "policy": {"allow": [{"network": "10.4.0.0/16", "ports": [8080]}, {"network": "10.19.0.0/24", "ports": [8080]}]},
}))  # fmt: skip


def test_an_agent_inside_the_pod_sees_the_pods_end_of_its_veth():
    at = 10.0
    firewall = [(at, saw(Kind.SYN, OUT, at)), (at + 1.0, ended(State.TIMED_OUT, at, at + 1.0))]
    node1 = [(at, saw(Kind.SYN, IN, at)), (at, saw(Kind.SYN, IN, at, Where.POD))]
    app = [(at, saw(Kind.SYN, IN, at, ttl=61))]
    agents = [Agent("firewall", firewall), Agent("node1", node1), Agent("app", app)]
    made = play(agents, joiner=Joiner(IN_PODS))[-1]
    assert (made.responders, made.inner, made.pod) == (("node1", "app"), "app", "10.4.76.34")
    assert {one.where for one in made.seen if one.agent == "app"} == {Where.POD}
    assert (made.at(Place.B_POD_IN), made.at(Place.B_POD_OUT)) == (Sight.SEEN, Sight.NOT_SEEN)
    assert made.at(Place.B_STACK) == Sight.NOT_SEEN


def test_whom_else_the_target_answered_meanwhile_is_told():
    at, other = 10.0, PROBE + 7
    failed = [Agent("firewall", [(at, ended(State.TIMED_OUT, at, at + 1.0))]), Agent("node1")]
    rows = [ended(State.ANSWERED, then, then + 0.001, other + n) for n, then in enumerate((at - 1.0, at + 0.5))]
    answered = Agent("lb", [(at - 1.0, rows[0]), (at + 0.5, rows[1])])
    made = {o.source: o for o in play([*failed, answered])}
    assert made["firewall"].answering == ("lb",)
    before = Agent("lb", [(at - 0.5, ended(State.ANSWERED, at - 0.5, at - 0.499, other))])
    made = {o.source: o for o in play([*failed, before])}
    assert made["firewall"].answering == (), "that was before"
