"""The half that tells what it saw: at once, held back, asked for again, and nothing twice."""

from __future__ import annotations

import numpy as np
import pytest

from prober import probe, segment
from prober.agent import takers
from prober.agent.brief import HELD_NS, Brief
from prober.agent.engine import Heard
from prober.agent.outbox import Outbox
from prober.agent.witness import LAST_MINUTE_NS, Witness
from prober.handshake import State
from prober.report import OUTCOME, Echo, HalfOpen, Report
from prober.segment import ACK, IN, SYN, Batch
from prober.sighting import sightings
from tests.agent.plans import plan

KEY = b"k" * 16
US, THEM = "10.19.0.4", "10.4.76.34"


def came(*ids: int, at_ns: int = 0) -> Heard:
    """SYNs to this host, as the engine heard them."""
    batch = segment.empty(len(ids))
    for name, address in (("src", THEM), ("dst", US)):
        batch[f"{name}_hi"], batch[f"{name}_lo"] = segment.pair(address)
    batch["sport"], batch["dport"], batch["way"], batch["time_ns"] = 61440, 8080, IN, at_ns
    seen, _ = sightings(probe.ask(np.array(ids, np.uint32), KEY, batch), (KEY,), frozenset())
    return Heard(batch, seen, [b"frame"] * len(ids), seen, np.zeros(0, OUTCOME), segment.empty())


class Told:
    """A witness, and what it tells."""

    def __init__(self) -> None:
        self.sent: list[Batch] = []
        self.outbox = Outbox("here", 1)
        self.witness = Witness(self.outbox, Brief(), self.sent.append)

    def report(self) -> Report:
        self.outbox.close(0, (0, 0), 0, {}, {}, ["ingress"], [""])
        return self.outbox.waiting.pop()

    def seen(self) -> list[int]:
        return self.report().sighting_rows()["probe"].tolist()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setattr(takers.halfopen, "read", set)
    return Told()


def test_what_was_seen_is_told_once(told: Told) -> None:
    told.witness.take(came(7, 8), plan())
    assert (told.seen(), told.seen()) == ([7, 8], [])


def test_what_is_held_back_is_told_once_it_was_held_long_enough_or_when_the_agent_ends(told: Told) -> None:
    told.witness.brief.whole = 1000
    told.witness.take(came(7, at_ns=5), plan())
    told.witness.gather(6, plan())
    assert told.seen() == []
    told.witness.gather(5 + HELD_NS, plan())
    assert told.seen() == [7]
    told.witness.take(came(8), plan())
    told.witness.close()
    assert told.seen() == [8]


def test_the_last_minute_is_told_again_when_it_is_asked_for_without_frames(told: Told) -> None:
    told.witness.take(came(7, 8, at_ns=5), plan())
    told.report()
    told.witness.recall([8, 9], 6)
    again = told.report()
    assert (again.sighting_rows()["probe"].tolist(), again.frames) == ([8], [b""])
    told.witness.recall([8], 6 + LAST_MINUTE_NS)
    assert told.seen() == []


def test_a_copy_of_an_answer_is_sent_where_its_syn_was_seen_and_else_a_sentence_says_why_not(told: Told) -> None:
    told.witness.take(came(7, at_ns=5), plan())
    [why] = told.witness.copy([Echo(7, [3]), Echo(9, [3])], 6)
    [[copy]] = told.sent
    assert (copy["flags"], copy["ttl"]) == (SYN | ACK, 3) and "0x00000009" in why
    assert told.witness.copy([], 6) == [] and len(told.sent) == 1


def test_a_syn_that_this_hosts_tcp_took_is_told_when_reports_are_gathered(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takers.halfopen, "read", lambda: {(THEM, 61440, US, 8080)})
    told.witness.take(came(7, at_ns=5), plan())
    told.report()
    told.witness.gather(6, plan())
    assert told.seen() == [7]
    told.witness.gather(7, plan())
    assert told.seen() == []


def test_the_table_of_half_open_sockets_is_told_only_where_nothing_is_captured_and_policy_allows(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows = {("10.19.0.9", 61440, "10.4.0.1", 8080), ("10.19.0.9", 61440, "10.4.0.1", 22)}
    monkeypatch.setattr(takers.halfopen, "read", lambda: flows)
    told.witness.gather(6, plan())
    assert told.report().halfopen == []
    told.outbox.tap = False
    told.witness.gather(6, None)
    told.witness.gather(7, plan())
    assert told.report().halfopen == [HalfOpen("10.19.0.9", 61440, "10.4.0.1", 8080, 7)]


def test_a_failure_is_told_and_presses_for_a_report(told: Told) -> None:
    told.witness.brief.every = 5.0
    rows = np.zeros(1, OUTCOME)
    rows["state"] = State.TIMED_OUT
    told.witness.ended(rows)
    assert told.witness.brief.wait(100.0) < 5.0
    assert len(told.report().outcome_rows()) == 1
