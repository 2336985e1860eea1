"""Handshakes as packet traces: ``>>`` what arrived, ``<<`` what we did, ``==`` what came of it.

A trace is played against the real table and written out again by it; the two texts must be the same. Times are
milliseconds. Understood: ``<< SYN 7`` opens probe 7 (10.0.0.1:61440 > 10.0.0.2:80, 1 s), ``>> left 7`` its own SYN
seen at the NIC, ``>> SYN-ACK 7``, ``>> RST 7``, ``>> ICMP 7``, ``>> EPERM 7`` the send failed, ``>> clock`` nothing
but time, ``>> challenge 5`` a bare ACK that acknowledges an older probe 5 of the same ports. After a segment:
``from`` and ``to`` an address, ``port`` the prober's, ``way out``, ``at pod``, ``unsealed``.
"""

from __future__ import annotations

import errno
import re
import time
from textwrap import dedent

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prober import probe, segment
from prober.handshake import TABLE, Event, State
from prober.handshakes import Handshakes
from prober.probe import Kind
from prober.segment import IN, OUT, RST, SYN
from prober.sighting import SIGHTING, Where

US, THEM = "10.0.0.1", "10.0.0.2"
KEY = bytes(16)
MS = 1_000_000
KINDS = {
    "left": Kind.SYN, "SYN-ACK": Kind.SYN_ACK, "RST": Kind.REFUSAL, "ICMP": Kind.ICMP_SYN, "challenge": Kind.CHALLENGE,
}  # fmt: skip


def syn(number, port=61440):
    """The SYN of one probe."""
    rows = segment.empty(1)
    rows["src_hi"], rows["src_lo"] = segment.pair(US)
    rows["dst_hi"], rows["dst_lo"] = segment.pair(THEM)
    rows["sport"], rows["dport"] = port, 80
    return probe.ask(np.array([number], np.uint32), KEY, rows)


def sighted(kind, number, at_ns, words):
    """One sighting, as the trace's words say it differs from the plain one."""
    said = dict(re.findall(r"(from|to|port|way|at) (\S+)", words))
    row = np.zeros(1, SIGHTING)
    own = kind == Kind.SYN
    ends = (US, said.get("to", THEM)) if own else (said.get("from", THEM), said.get("to", US))
    for name, address in zip(("src", "dst"), ends, strict=True):
        row[f"{name}_hi"], row[f"{name}_lo"] = segment.pair(address)
    port = int(said.get("port", 61440))
    row["sport"], row["dport"] = (port, 80) if own else (80, port)
    row["probe"], row["kind"], row["time_ns"], row["sealed"] = number, kind, at_ns, "unsealed" not in words
    row["ack"], row["tsecr"] = number + 1 & 0xFFFF_FFFF, probe.seal(np.array([number], np.uint32), KEY)[0]
    row["way"] = {"in": IN, "out": OUT}[said.get("way", "out" if own else "in")]
    row["where"] = Where.POD if said.get("at") == "pod" else Where.NIC
    return row


class Stage:
    """Plays a trace's inputs and writes down everything, inputs and what followed."""

    def __init__(self):
        self.table = Handshakes()
        self.written = []

    def play(self, line):
        at, mark, what, *rest = line.split(maxsplit=4)
        now, number = round(float(at) * MS), int(rest[0]) if rest else 0
        self.written.append(line)
        nothing = segment.empty(), np.zeros(0)
        if (mark, what) == ("<<", "SYN"):
            self.table.open(syn(number), np.array([4]), np.array([2]), 1000 * MS, now)
            closing, ended = nothing
        elif what.startswith("E"):
            closing, ended = nothing[0], self.table.fail(np.array([number]), np.array([getattr(errno, what)]), now)
        elif what == "clock":
            closing, ended = self.table.expire(now)
        else:
            closing, ended = self.table.hear(sighted(KINDS[what], number, now, " ".join(rest[1:])), now)
        self._write(at, closing, ended)

    def _write(self, at, closing, ended):
        for one in closing:
            assert (one["ttl"], one["tsecr"]) == (64, 0)
            if one["flags"] == SYN:
                assert one["tsval"] == probe.seal(np.array([one["seq"]]), KEY)[0]
                self.written.append(f"{at} << again SYN {one['seq']}")
                continue
            assert one["flags"] == RST
            assert one["tsval"] == probe.seal(np.array([int(one["seq"]) - 1]) % 2**32, KEY)[0]
            ends = f"{segment.address(one['src_hi'], one['src_lo'])}:{one['sport']}"
            to = f"{segment.address(one['dst_hi'], one['dst_lo'])}:{one['dport']}"
            self.written.append(f"{at} << RST seq {one['seq']} {ends} > {to}")
        for one in ended:
            assert (one["target"], one["run"]) == (4, 2)
            extra = f" {errno.errorcode[one['error']]}" if one["error"] else ""
            took = f" in {one['rtt_ns'] / MS:g} ms" if one["rtt_ns"] else ""
            self.written.append(f"{at} == {State(one['state']).name} {one['probe']}{extra}{took}")


TRACES = {
    "an answer is closed and told": """
        0 << SYN 7
        12 >> SYN-ACK 7
        12 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        12 == ANSWERED 7 in 12 ms
        2000 >> clock""",
    "the round trip is between the kernel's own stamps": """
        0 << SYN 7
        3 >> left 7
        12 >> SYN-ACK 7
        12 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        12 == ANSWERED 7 in 9 ms""",
    "a refusal is asked once more, and the second one ends it": """
        0 << SYN 7
        5 >> RST 7 unsealed
        5 << again SYN 7
        6 >> left 7
        9 >> RST 7 unsealed
        9 == REFUSED 7 in 3 ms
        11 >> RST 7 unsealed
        1000 >> clock""",
    "the socket of an older probe refuses and is gone with that: the second SYN is answered": """
        0 << SYN 7
        1 >> left 7
        5 >> RST 7 unsealed
        5 << again SYN 7
        6 >> left 7
        10 >> SYN-ACK 7
        10 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        10 == ANSWERED 7 EAGAIN in 4 ms
        1000 >> clock""",
    "one refusal and then nothing was a refusal, and whatever the second SYN left there is closed": """
        0 << SYN 7
        5 >> RST 7 unsealed
        5 << again SYN 7
        1000 >> clock
        1000 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        1000 == REFUSED 7 EAGAIN
        1400 >> SYN-ACK 7
        1400 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80""",
    "a challenge and a refusal are asked once more each, and no more": """
        0 << SYN 7
        2 >> challenge 5
        2 << RST seq 6 10.0.0.1:61440 > 10.0.0.2:80
        2 << again SYN 7
        3 >> RST 7
        3 << again SYN 7
        4 >> challenge 5
        5 >> RST 7
        5 == REFUSED 7 in 5 ms""",
    "at the deadline the responder's half-open socket is closed all the same": """
        0 << SYN 7
        999.999 >> clock
        1000 >> clock
        1000 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        1000 == TIMED_OUT 7
        1001 >> clock""",
    "a late answer is closed again and changes no outcome": """
        0 << SYN 7
        1000 >> clock
        1000 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        1000 == TIMED_OUT 7
        1200 >> SYN-ACK 7
        1200 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        1300 >> RST 7""",
    "an answer retransmitted because our RST was lost is closed again": """
        0 << SYN 7
        12 >> SYN-ACK 7
        12 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        12 == ANSWERED 7 in 12 ms
        1012 >> SYN-ACK 7
        1012 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80""",
    "after three and a half seconds a finished handshake is forgotten": """
        0 << SYN 7
        12 >> SYN-ACK 7
        12 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        12 == ANSWERED 7 in 12 ms
        3513 >> clock
        3514 >> SYN-ACK 7""",
    "an answer from another address is told, and what was asked is closed": """
        0 << SYN 7
        12 >> SYN-ACK 7 from 10.9.9.9
        12 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        12 == REWRITTEN 7 in 12 ms""",
    "an unsealed answer from another address could be anybody's": """
        0 << SYN 7
        12 >> SYN-ACK 7 from 10.9.9.9 unsealed
        1000 >> clock
        1000 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        1000 == TIMED_OUT 7""",
    "other ports, other probes and refusals from elsewhere are not ours": """
        0 << SYN 7
        1 >> SYN-ACK 7 port 61441 unsealed
        2 >> SYN-ACK 8
        3 >> RST 7 from 10.9.9.9
        4 >> RST 7 to 10.0.0.3
        5 >> RST 7 port 61441
        6 >> SYN-ACK 7
        6 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        6 == ANSWERED 7 in 6 ms""",
    "an answer that leaves this host is not one that arrives": """
        0 << SYN 7
        1 >> SYN-ACK 7 way out
        2 >> SYN-ACK 7 way in at pod
        3 >> SYN-ACK 7 way out at pod
        3 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        3 == ANSWERED 7 in 3 ms""",
    "an icmp error is evidence and ends nothing": """
        0 << SYN 7
        4 >> ICMP 7
        12 >> SYN-ACK 7
        12 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        12 == ANSWERED 7 in 12 ms""",
    "an answer on another port is ours if it is sealed, for a NAT may have taken another": """
        0 << SYN 7
        6 >> SYN-ACK 7 port 1024
        6 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        6 == ANSWERED 7 in 6 ms""",
    "an answer from where this host's own NAT had sent the SYN is the right one": """
        0 << SYN 7
        1 >> left 7 to 10.4.76.34 port 1024
        6 >> SYN-ACK 7 from 10.4.76.34 port 1024
        6 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        6 == ANSWERED 7 in 5 ms""",
    "a refusal from there is one too": """
        0 << SYN 7
        1 >> left 7 to 10.4.76.34 port 1024
        6 >> RST 7 from 10.4.76.34 unsealed
        7 >> RST 7 from 10.4.76.34 port 1024 unsealed
        7 << again SYN 7
        8 >> left 7 to 10.4.76.34 port 1024
        9 >> RST 7 from 10.4.76.34 port 1024 unsealed
        9 == REFUSED 7 in 1 ms""",
    "a send that failed is told with its errno": """
        0 << SYN 7
        0 >> EPERM 7
        0 == NOT_SENT 7 EPERM
        1000 >> clock""",
    "a socket left there by an older probe of these ports is closed, and asked again, once": """
        0 << SYN 7
        2 >> challenge 5
        2 << RST seq 6 10.0.0.1:61440 > 10.0.0.2:80
        2 << again SYN 7
        3 >> left 7
        3 >> challenge 5
        5 >> SYN-ACK 7
        5 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        5 == ANSWERED 7 in 2 ms""",
    "a bare ack on other ports, of this very probe, or after its end is no challenge": """
        0 << SYN 7
        1 >> challenge 5 port 61441
        2 >> challenge 7
        3 >> challenge 5 from 10.9.9.9
        4 >> challenge 5 way out
        1000 >> clock
        1000 << RST seq 8 10.0.0.1:61440 > 10.0.0.2:80
        1000 == TIMED_OUT 7
        1001 >> challenge 5""",
    "the last id wraps": """
        0 << SYN 4294967295
        1 >> SYN-ACK 4294967295
        1 << RST seq 0 10.0.0.1:61440 > 10.0.0.2:80
        1 == ANSWERED 4294967295 in 1 ms""",
}


@pytest.mark.parametrize("name", TRACES)
def test_the_trace_in_which(name):
    wanted = dedent(TRACES[name]).strip()
    stage = Stage()
    for line in wanted.splitlines():
        if re.match(r"\S+ (>>|<< SYN)", line):
            stage.play(line)
    assert "\n".join(stage.written) == wanted


INPUTS = {
    Event.ANSWER: (">> SYN-ACK 7",),
    Event.STRANGE_ANSWER: (">> SYN-ACK 7 from 10.9.9.9",),
    Event.REFUSAL: (">> RST 7",),
    Event.DEADLINE: (">> clock",),
    Event.SEND_FAILED: (">> EPERM 7",),
    Event.CHALLENGE: (">> challenge 5",),
    Event.SECOND_REFUSAL: (">> RST 7", ">> RST 7"),
    Event.NO_SECOND: (">> RST 7", ">> clock"),
}
"""What makes an event happen; the last line is the event."""
WAYS = {s.state: event for (state, event), s in TABLE.items() if state == State.SENT and s.state != State.SENT}


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("state", [State.SENT, *WAYS])
def test_the_table_is_what_happens_and_whatever_is_not_in_it_changes_nothing(state, event):
    stage = Stage()
    before, (*first, last) = INPUTS.get(WAYS.get(state), ()), INPUTS[event]
    stage.play("0 << SYN 7")
    for at, line in enumerate([*before, *first]):
        stage.play(f"{1000 + at} {line}")
    told = len(stage.written)
    stage.play(f"1003 {last}")
    step = TABLE.get((state, event))
    after = [line.split()[2] for line in stage.written[told + 1 :]]
    ends = [] if step is None else [step.state.name] * (step.state != state)
    expected = [] if step is None else ["RST"] * step.closes + ["again"] * step.again + ends
    assert after == expected


def test_the_same_frame_seen_on_a_bridge_and_on_its_port_is_one_answer():
    table = Handshakes()
    table.open(syn(7), np.array([0]), np.array([0]), MS, 0)
    twice = np.concatenate([sighted(Kind.SYN_ACK, 7, 9, ""), sighted(Kind.SYN_ACK, 7, 5, "")])
    closing, ended = table.hear(twice, 10)
    assert (len(closing), ended["rtt_ns"].tolist()) == (1, [5])


def test_the_same_refusal_seen_on_a_bridge_and_on_its_port_is_no_second_one():
    table = Handshakes()
    table.open(syn(7), np.array([0]), np.array([0]), MS, 0)
    again, ended = table.hear(sighted(Kind.REFUSAL, 7, 5, ""), 20)
    assert (again["flags"].tolist(), len(ended)) == ([SYN], 0)
    for seen_ns, refused in ((8, []), (20, []), (21, [State.REFUSED])):
        closing, ended = table.hear(sighted(Kind.REFUSAL, 7, seen_ns, ""), 30)
        assert (len(closing), ended["state"].tolist()) == (0, refused)


def test_an_answer_and_its_syn_in_one_batch_are_told_by_their_stamps():
    table = Handshakes()
    table.open(syn(7), np.array([0]), np.array([0]), MS, 0)
    both = np.concatenate([sighted(Kind.SYN_ACK, 7, 900, ""), sighted(Kind.SYN, 7, 400, "")])
    assert table.hear(both, 1000)[1]["rtt_ns"].tolist() == [500]


def test_the_next_deadline_is_the_earliest_of_those_that_wait():
    table = Handshakes()
    assert table.next_deadline() is table.earliest is None
    for number, timeout in ((1, 500), (2, 300), (3, 400)):
        table.open(syn(number), np.array([0]), np.array([0]), timeout, 0)
    assert table.next_deadline() == 300
    table.hear(sighted(Kind.SYN_ACK, 2, 9, ""), 9)
    assert (table.next_deadline(), table.earliest, len(table)) == (400, 300, 2)
    table.expire(300)
    assert table.earliest == 400
    table.expire(500)
    assert (table.next_deadline(), table.earliest, len(table)) == (None, None, 0)


def test_an_id_that_was_forgotten_may_be_asked_again_and_is_answered_as_the_new_one():
    table = Handshakes()
    for began in (0, 10_000 * MS):
        table.open(syn(7), np.array([0]), np.array([0]), MS, began)
        _, ended = table.hear(sighted(Kind.SYN_ACK, 7, began + 5, ""), began + 5)
        assert (ended["state"].tolist(), ended["rtt_ns"].tolist()) == ([State.ANSWERED], [5])
    assert len(table) == 0


def test_a_table_that_has_seen_a_hundred_thousand_handshakes_holds_only_those_that_live():
    table = Handshakes()
    rows = np.repeat(syn(0), 1000)
    heard = np.repeat(sighted(Kind.SYN_ACK, 0, 5, ""), 1000)
    for second in range(100):
        rows["seq"] = heard["probe"] = np.arange(1000) + 1000 * second
        table.open(rows, np.zeros(1000), np.zeros(1000), 1000 * MS, second * 1000 * MS)
        _, ended = table.hear(heard, second * 1000 * MS + 5)
        assert len(ended) == 1000
    assert len(table._ledger.held) < 20_000
    assert len(table.hear(heard, 99_100 * MS)[0]) == 1000, "what ended lately is still closed again"


def test_each_row_may_have_a_timeout_of_its_own():
    table = Handshakes()
    rows = np.concatenate([syn(1), syn(2)])
    table.open(rows, np.zeros(2), np.zeros(2), np.array([10, 20]), 0)
    assert table.expire(15)[1]["probe"].tolist() == [1]


def test_failures_of_unknown_probes_are_nobodys():
    assert len(Handshakes().fail(np.array([1, 2], np.uint32), np.array([1, 1]), 0)) == 0


HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from([*(lines[-1] for lines in INPUTS.values()), ">> left 7", ">> ICMP 7"]), st.integers(0, 4000)
    ),
    max_size=12,
)


@settings(deadline=None)
@given(HAPPENINGS)
def test_whatever_happens_and_how_often_one_probe_has_one_outcome(happenings):
    stage = Stage()
    stage.play("0 << SYN 7")
    for what, at in sorted(happenings, key=lambda one: one[1]):
        stage.play(f"{at} {what}")
    stage.play("9000 >> clock")
    assert sum(" == " in line for line in stage.written) == 1


@pytest.mark.parametrize("kind", [Kind.REFUSAL, Kind.SYN_ACK])
def test_of_a_million_forged_unsealed_answers_that_know_every_id_none_ends_a_handshake(kind):
    table = Handshakes()
    rows = np.concatenate([syn(number) for number in range(1000)])
    table.open(rows, np.zeros(1000), np.zeros(1000), MS, 0)
    random = np.random.default_rng(3)
    forged = np.repeat(sighted(kind, 0, 5, "unsealed"), 1_000_000)
    forged["probe"] = random.integers(0, 1000, len(forged))
    wrong = random.integers(0, 4, len(forged))  # each has one thing wrong, by at least one bit
    for number, (name, bits) in enumerate((("src_lo", 32), ("dst_lo", 32), ("sport", 16), ("dport", 16))):
        which = wrong == number
        flip = random.integers(1, 2**bits, int(which.sum()))
        forged[name][which] ^= flip.astype(forged[name].dtype)
    closing, ended = table.hear(forged, 6)
    assert (len(closing), len(ended), len(table)) == (0, 0, 1000)
    heard = [table.hear(sighted(kind, 999, at, "unsealed"), at)[1] for at in (7, 8)]
    assert [len(ended) for ended in heard] == [kind == Kind.SYN_ACK, kind == Kind.REFUSAL]


def test_sixty_five_thousand_handshakes_take_well_under_a_second():
    count = 65_536
    rows = np.repeat(syn(0), count)
    rows["seq"] = np.arange(count)
    heard = np.repeat(sighted(Kind.SYN_ACK, 0, 5, ""), count)
    heard["probe"] = rows["seq"]
    table = Handshakes()
    started = time.perf_counter()
    for part in range(0, count, 4096):
        several = slice(part, part + 4096)
        table.open(rows[several], np.zeros(4096), np.zeros(4096), 1000 * MS, 0)
        _, ended = table.hear(heard[several], 6)
        assert (ended["state"] == State.ANSWERED).all()
    assert time.perf_counter() - started < 2
    assert len(table) == 0


def test_before_the_same_four_tuple_is_asked_again_its_last_handshake_is_closed_once_more():
    table = Handshakes()
    for number, port in ((7, 61440), (8, 61441)):
        table.open(syn(number, port), np.zeros(1), np.zeros(1), 100 * MS, 0)
    assert len(table.again(syn(9, 61440))) == 0  # it is still under way
    table.expire(200 * MS)
    [reset] = table.again(syn(9, 61440))
    assert (int(reset["seq"]), int(reset["flags"]), int(reset["sport"])) == (8, RST, 61440)
    assert len(table.again(syn(9, 61450))) == 0


def test_the_closing_rst_shows_the_answers_number_only_where_the_answer_counted():
    none = np.zeros(1, np.uint16)
    answer = sighted(Kind.SYN_ACK, 7, 2 * MS, "")
    answer["seq"] = 0xFFFF_FFF0
    table, late = Handshakes(), Handshakes()
    for one in (table, late):
        one.open(syn(7), none, none, 1000 * MS, 0)
    for _ in range(2):  # its RST was lost, and the responder answers again
        resets, _ = table.hear(answer, 3 * MS)
        assert (resets["ack"].tolist(), resets["flags"].tolist()) == ([0xFFFF_FFF1], [RST])
    assert late.expire(1000 * MS)[0]["ack"].tolist() == [0]
    resets, outcomes = late.hear(answer, 1001 * MS)
    assert (resets["ack"].tolist(), len(outcomes)) == ([0], 0), "it came too late: it is no answer"
    strange = sighted(Kind.SYN_ACK, 8, 2 * MS, "from 10.0.0.9")
    table.open(syn(8), none, none, 1000 * MS, 0)
    assert table.hear(strange, 3 * MS)[0]["ack"].tolist() == [0]
