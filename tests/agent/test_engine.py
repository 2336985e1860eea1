"""The engine over lists: what it sends, what it makes of what comes, and that a million forgeries get nowhere."""

from __future__ import annotations

import errno
import time

import numpy as np

from prober import probe, segment
from prober.agent.engine import AT_ONCE, Engine, asked
from prober.handshake import State
from prober.segment import ACK, IN, OUT, RST, SYN
from prober.wire.feeder import Feeder
from tests.agent.wires import Wire

KEY, OTHER = b"k" * 16, b"o" * 16
MS = 1_000_000


def engine():
    wire = Wire()
    return wire, Engine(wire, wire, Feeder(wire))


def syns(count, begin=0):
    rows = segment.empty(count)
    rows["src_lo"] = segment.pair("10.0.0.1")[1]
    rows["dst_lo"] = segment.pair("10.1.0.0")[1] + np.arange(count, dtype=np.uint64)
    rows["sport"], rows["dport"] = probe.PORTS[0], 80
    return probe.ask((np.arange(count) + begin).astype(np.uint32), KEY, rows)


def answers(rows, at_ns=0):
    back = rows.copy()
    for one, other in (("src_lo", "dst_lo"), ("sport", "dport")):
        back[one], back[other] = rows[other], rows[one]
    back["flags"], back["ack"], back["seq"] = SYN | ACK, rows["seq"] + 1, 99
    back["tsecr"], back["tsval"], back["way"], back["time_ns"] = rows["tsval"], 1, IN, at_ns
    return back


def leaving(rows, at_ns=0):
    out = rows.copy()
    out["way"], out["time_ns"] = OUT, at_ns
    return out


def test_an_answer_is_heard_told_with_its_frame_and_closed():
    wire, one = engine()
    rows = syns(3)
    assert len(one.ask(asked(rows, 1.0, target=4, run=2), 0)) == 0
    wire.coming.append(np.concatenate([leaving(rows, 10 * MS), answers(rows, 14 * MS)]))
    heard = one.hear((KEY,), frozenset(), 15 * MS)
    assert (len(heard.segments), len(heard.sightings), heard.frames) == (6, 6, [b"frame"] * 6)
    told = heard.outcomes
    assert (told["state"] == State.ANSWERED).all()
    assert (told["rtt_ns"].tolist(), told["target"].tolist(), told["run"].tolist()) == ([4 * MS] * 3, [4] * 3, [2] * 3)
    asks, closes = wire.sent
    assert (asks["flags"] == SYN).all() and (closes["flags"] == RST).all()
    assert closes["seq"].tolist() == (rows["seq"] + 1).tolist()
    assert one.waiting == 0


def test_what_nobody_answers_times_out_and_is_closed():
    wire, one = engine()
    one.ask(asked(syns(2), 1.0), 0)
    assert len(one.expire(999 * MS)) == 0
    assert one.expire(1000 * MS)["state"].tolist() == [State.TIMED_OUT] * 2
    assert wire.sent[-1]["flags"].tolist() == [RST] * 2


def test_what_could_not_be_sent_is_told_at_once_and_a_reset_that_could_not_is_counted():
    wire, one = engine()
    wire.refuse = errno.EPERM
    told = one.ask(asked(syns(2), 1.0), 0)
    assert (told["state"].tolist(), told["error"].tolist()) == ([State.NOT_SENT] * 2, [errno.EPERM] * 2)
    one.ask(asked(syns(1, begin=9), 1.0), 0)
    wire.refuse = 0
    one.ask(asked(syns(1, begin=5), 1.0), 0)
    wire.refuse = errno.ENOBUFS
    one.expire(1000 * MS)
    assert one.lost_resets == 1


def test_many_are_left_to_the_feeder_and_heard_the_same():
    wire, one = engine()
    rows = syns(AT_ONCE + 1)
    now = time.time_ns()
    assert len(one.ask(asked(rows, 5.0), now)) == 0
    assert one.waiting >= AT_ONCE + 1
    while one.feeder.left:
        time.sleep(0.001)
    assert sum(map(len, wire.sent)) == len(rows)
    wire.coming.append(answers(rows, now + MS))
    assert len(one.hear((KEY,), frozenset(), now + MS, thorough=False).outcomes) == len(rows)
    assert one.waiting == 0
    one.feeder.close()


def test_failures_of_the_feeders_sends_are_told():
    wire, one = engine()
    wire.refuse = errno.EPERM
    one.ask(asked(syns(AT_ONCE * 4), 5.0), time.time_ns())
    told = 0
    while one.waiting:
        told += int((one.hear((KEY,), frozenset(), time.time_ns()).outcomes["error"] == errno.EPERM).sum())
    assert told == AT_ONCE * 4
    one.feeder.close()


def test_in_a_hurry_this_hosts_own_resets_are_not_told_and_others_are():
    wire, one = engine()
    rows = syns(1)
    reset = rows.copy()
    reset["flags"], reset["seq"], reset["way"] = RST, rows["seq"] + 1, OUT
    coming = reset.copy()
    coming["way"] = IN
    wire.coming += [np.concatenate([reset, coming])] * 2
    assert one.hear((KEY,), frozenset(), 0)[1]["way"].tolist() == [OUT, IN]
    assert one.hear((KEY,), frozenset(), 0, thorough=False)[1]["way"].tolist() == [IN]


def test_of_a_million_forged_replies_none_is_accepted():
    """The forger sees every SYN's addresses, ports and id, and guesses the seal: the old key, none of ours, any."""
    wire, one = engine()
    rows = syns(AT_ONCE)
    one.ask(asked(rows, 1000.0), 0)
    random = np.random.default_rng(11)
    resets = len(wire.sent)
    for turn in range(16):
        forged = answers(rows).take(random.integers(0, len(rows), 65_536))
        right = forged["tsecr"].copy()
        if turn == 0:
            forged["tsecr"] = probe.seal(forged["ack"] - np.uint32(1), OTHER)
        elif turn == 1:
            forged["ack"] += np.uint32(1)
        else:
            forged["tsecr"] = random.integers(1, 2**32, len(forged), dtype=np.uint32)
        forged = forged[(forged["tsecr"] != right) | (turn == 1)]
        assert len(forged) > 65_000
        wire.coming.append(forged)
        heard = one.hear((KEY,), frozenset(), 1, limit=65_536)
        assert (len(heard.segments), len(heard.outcomes)) == (len(forged), 0)
        assert turn == 1 or len(heard.sightings) == 0
    assert (one.waiting, len(wire.sent)) == (AT_ONCE, resets)
    wire.coming.append(answers(rows))
    assert len(one.hear((KEY,), frozenset(), 2).outcomes) == AT_ONCE, "the true ones are"


def test_which_syns_were_sent_again_is_told() -> None:
    wire, one = engine()
    rows = syns(2)
    one.ask(asked(rows, 1.0), 0)
    assert len(one.hear((KEY,), frozenset(), 1).again) == 0
    wire.coming = [answers(rows, 5)]
    wire.coming[0]["flags"] = [RST | ACK, SYN | ACK]
    assert one.hear((KEY,), frozenset(), 6).again["seq"].tolist() == rows["seq"][:1].tolist()
    assert wire.sent[-1]["flags"].tolist() == [RST, SYN], "at once, whatever is due"
