"""The kernel says nothing about a probe's ports while `Mute` holds them, and would otherwise."""

from __future__ import annotations

import socket

import pytest

from prober.errors import CannotMeasure
from prober.probe import PORTS
from prober.segment import OUT, RST
from prober.wire.mute import Mute

A, B = "10.77.0.1", "10.77.0.2"


@pytest.mark.parametrize(("source", "target"), [(A, B), ("fd77::1", "fd77::2")])
@pytest.mark.parametrize(("mute", "resets"), [(True, 0), (False, 1)])
def test_the_kernel_resets_an_answer_it_did_not_ask_for_unless_it_is_mute(cable, probers, source, target, mute, resets):
    a, b = cable
    prober = probers(a, mute)
    with b.listener(target, 8080):
        prober.link.send(prober.syns(source, target, 8080))
        seen = prober.hear_all().segments
    assert len(seen) >= 2
    assert int(((seen["flags"] & RST != 0) & (seen["way"] == OUT)).sum()) == resets


def test_the_kernel_counts_the_answers_that_reached_tcp(cable, probers):
    a, b = cable
    prober = probers(a)
    with b.listener(B, 8080):
        prober.ask(prober.syns(A, B, 8080, 3))
    counters = a.run("nstat -az TcpExtTCPMinTTLDrop").split()
    assert counters[counters.index("TcpExtTCPMinTTLDrop") + 1] == "3"


def test_every_port_of_both_bands_is_held_for_both_families(cable):
    a, _ = cable
    with a.do(Mute) as mute:
        assert mute.ports == PORTS
        assert mute.taken == {}
        assert len(a.run("ss -Hltn").splitlines()) == 2 * len(PORTS)


def test_a_taken_port_is_left_out_and_named(cable):
    a, _ = cable
    with a.listener("10.77.0.1", PORTS[0]), a.do(Mute) as mute:
        assert mute.ports == PORTS[1:]
        assert mute.taken == {20480: "port 20480 on 0.0.0.0: Address already in use"}


def test_it_may_hold_given_addresses_only_and_names_those_the_host_lacks(cable):
    a, _ = cable
    with a.do(lambda: Mute([A, "fd77::1", "10.99.0.1"])) as mute, a.listener("127.0.0.1", PORTS[0]):
        assert mute.ports == PORTS
        assert mute.absent == {"10.99.0.1": "10.99.0.1: Cannot assign requested address"}


def test_with_no_port_left_nothing_can_be_measured(cable):
    a, _ = cable
    with a.do(Mute), pytest.raises(CannotMeasure) as said:
        a.do(Mute)
    assert str(said.value) == (
        "No source port for probes could be reserved on 0.0.0.0, :: (port 20480 on 0.0.0.0: Address already in use); "
        "is another agent running on this host? One is enough for it: `addresses` in targets.yaml may list several"
    )


def test_closing_lets_the_ports_go():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for _ in range(2):
        with Mute(["127.0.0.1"], [port]) as mute:
            assert (mute.ports, mute.taken) == ((port,), {})
