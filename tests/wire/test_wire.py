"""Handshakes on the real kernel, from the SYN to the RST that cleans up."""

from __future__ import annotations

import errno
import json
import time

import numpy as np
import pytest

from prober import segment
from prober.handshake import State
from prober.segment import ACK, IN, OUT, RST, SYN

A, B = "10.77.0.1", "10.77.0.2"


@pytest.mark.parametrize(("source", "target"), [(A, B), ("fd77::1", "fd77::2")])
def test_a_listener_answers_and_is_closed_again_and_nothing_else_is_said(cable, probers, source, target):
    a, b = cable
    prober = probers(a)
    with b.listener(target, 8080):
        before = time.time_ns()
        (outcome,) = prober.ask(prober.syns(source, target, 8080))
        witness = prober.hear_all()
    assert outcome["state"] == State.ANSWERED
    assert 0 < outcome["rtt_ns"] < 1_000_000_000
    assert before <= outcome["sent_ns"] <= outcome["done_ns"] <= time.time_ns()
    rest = witness.segments
    assert [(one["flags"], one["way"], one["seq"]) for one in rest] == [(RST, OUT, outcome["probe"] + 1)]
    assert b.run("ss -Htan state syn-recv") == ""


def test_the_tap_shows_the_handshake_in_order_with_the_kernels_own_times(cable, probers):
    a, b = cable
    prober, far = probers(a), probers(b, mute=False)
    with b.listener(B, 8080):
        started = time.time_ns()
        prober.ask(prober.syns(A, B, 8080))
        seen = far.hear_all().segments
    assert [(one["flags"], one["way"]) for one in seen] == [(SYN, IN), (SYN | ACK, OUT), (RST, IN)]
    times = [started, *seen["time_ns"].tolist(), time.time_ns()]
    assert times == sorted(times)
    (link,) = json.loads(a.run("ip -j link show dev eth0"))
    assert {segment.mac_text(one) for one in seen["neighbour"]} == {link["address"]}
    assert str(segment.address(seen[0]["src_hi"], seen[0]["src_lo"])) == A


def test_a_backlog_of_8_answers_40_probes_because_each_is_closed(cable, probers):
    a, b = cable
    b.run("sysctl -qw net.ipv4.tcp_syncookies=0")
    prober = probers(a)
    with b.listener(B, 8080, backlog=8):
        states = [int(prober.ask(prober.syns(A, B, 8080))["state"][0]) for _ in range(40)]
        assert states == [State.ANSWERED] * 40
        assert b.run("ss -Htan state syn-recv") == ""


def test_without_the_closing_rst_a_backlog_of_8_does_not(cable, probers):
    a, b = cable
    b.run("sysctl -qw net.ipv4.tcp_syncookies=0")
    prober = probers(a)
    with b.listener(B, 8080, backlog=8):
        prober.link.send(prober.syns(A, B, 8080, 40))
        answers = prober.hear_all(0.4).segments
    answered = np.unique(answers["ack"][answers["flags"] == SYN | ACK])
    assert len(answered) < 40, "so the RST in the test above is what makes the difference"


def test_a_closed_port_is_refused(cable, probers):
    a, _ = cable
    prober = probers(a)
    (outcome,) = prober.ask(prober.syns(A, B, 81))
    assert outcome["state"] == State.REFUSED


def test_an_answer_lost_on_the_way_back_times_out_and_its_half_open_socket_is_closed(cable, probers):
    a, b = cable
    b.rule("output", "tcp flags & syn == syn drop")
    prober = probers(a)
    with b.listener(B, 8080):
        (outcome,) = prober.ask(prober.syns(A, B, 8080), timeout=0.2)
        time.sleep(0.05)
        assert outcome["state"] == State.TIMED_OUT
        assert b.run("ss -Htan state syn-recv") == ""


def test_an_answer_from_another_address_is_told_from_the_right_one(cable, probers):
    a, b = cable
    # stateless rewriting, as a load balancer with direct return and a wrong address does
    b.rule("output", "tcp sport 8080 ip saddr set 10.77.0.9")
    prober = probers(a)
    with b.listener(B, 8080):
        (outcome,) = prober.ask(prober.syns(A, B, 8080))
        assert outcome["state"] == State.REWRITTEN


def test_a_service_address_that_this_host_itself_translates_is_answered_and_closed(cable, probers):
    """As a node translates a service's address to a pod's: only the sockets above the NAT see the address asked."""
    a, b = cable
    a.run("nft -f -", "add table ip n\nadd chain ip n o { type nat hook output priority -100; }\n"
          "add rule ip n o ip daddr 10.77.0.50 tcp dport 80 dnat to 10.77.0.2:8080\n")  # fmt: skip
    prober = probers(a)
    with b.listener(B, 8080):
        (outcome,) = prober.ask(prober.syns(A, "10.77.0.50", 80))
        time.sleep(0.05)
        assert outcome["state"] == State.ANSWERED
        assert b.run("ss -Htan state syn-recv") == ""
    (closed,) = prober.ask(prober.syns(A, "10.77.0.50", 80))
    assert closed["state"] == State.REFUSED


def test_an_output_rule_of_the_probers_own_host_is_told_as_not_sent(cable, probers):
    a, _ = cable
    a.rule("output", "tcp dport 8080 drop")
    prober = probers(a)
    (outcome,) = prober.ask(prober.syns(A, B, 8080))
    assert (outcome["state"], outcome["error"]) == (State.NOT_SENT, errno.EPERM)


def test_two_hundred_flows_at_once_all_end_as_answered(cable, probers):
    a, b = cable
    for number in range(100, 102):
        b.run(f"ip address add 10.77.0.{number}/32 dev lo")
    prober = probers(a)
    with b.listener("0.0.0.0", 8080, backlog=512):
        rows = np.concatenate([prober.syns(A, f"10.77.0.{number}", 8080, 100) for number in (100, 101)])
        outcomes = prober.ask(rows)
    assert (outcomes["state"] == State.ANSWERED).all()
    assert prober.tap.dropped() == 0
