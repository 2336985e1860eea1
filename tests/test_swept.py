"""Judged by sorts or one by one, every row is told the same."""

from __future__ import annotations

import errno

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from prober import segment
from prober.classify import classify
from prober.handshake import State
from prober.probe import Kind
from prober.report import OUTCOME
from prober.segment import IN, OUT
from prober.sighting import SIGHTING, Where
from prober.swept import Swept
from prober.verdict import Label

US, THEM = "10.0.0.1", "10.1.0.0"
MS = 1_000_000
SEEN = {
    "left": (Kind.SYN, OUT), "answer": (Kind.SYN_ACK, IN), "refusal": (Kind.REFUSAL, IN), "closed": (Kind.RST, OUT),
    "icmp": (Kind.ICMP_SYN, IN),
}  # fmt: skip


def swept(stories, watched=True):
    """A sweep of rows told as ``(state, errno, what was seen)``."""
    outcomes = np.zeros(len(stories), OUTCOME)
    rows = []
    for number, (state, error, seen) in enumerate(stories):
        one = outcomes[number]
        one["probe"], one["state"], one["error"] = number + 7, state, error
        one["src_lo"], one["dst_lo"] = segment.pair(US)[1], segment.pair(THEM)[1] + number
        one["sport"], one["dport"], one["sent_ns"], one["done_ns"] = 20480, 80, 1000 * MS, 2000 * MS
        one["rtt_ns"] = 5 * MS if state in (State.ANSWERED, State.REFUSED, State.REWRITTEN) else 0
        for name in seen:
            row = np.zeros(1, SIGHTING)
            row["probe"], (row["kind"], row["way"]), row["where"] = number + 7, SEEN[name], Where.NIC
            ends = ("src", "dst") if SEEN[name][1] == OUT or name == "icmp" else ("dst", "src")
            row[f"{ends[0]}_lo"], row[f"{ends[1]}_lo"] = one["src_lo"], one["dst_lo"]
            row["time_ns"], row["sealed"] = 1003 * MS, True
            if name == "icmp":
                row["icmp_type"], row["icmp_code"], row["icmp_lo"] = 3, 10 if number % 2 else 1, one["dst_lo"]
            rows.append(row)
    return Swept("near", "far", outcomes, rows, watched)


STORIES = st.tuples(
    st.sampled_from(State),
    st.sampled_from([0, errno.EPERM, errno.ENETUNREACH]),
    st.lists(st.sampled_from(sorted(SEEN)), max_size=3, unique=True),
)


@settings(deadline=None)
@given(st.lists(STORIES, max_size=12), st.booleans())
def test_the_labels_are_what_classify_says_of_each_row(stories, watched):
    one = swept(stories, watched)
    labels, index = one.labels()
    told = [labels[at] for at in index.tolist()]
    assert told == [classify(one.observation(row)).label for row in range(len(stories))]


def test_of_many_healthy_rows_one_is_judged_and_the_odd_one_has_its_own_sentence():
    stories = [(State.ANSWERED, 0, ["left", "answer", "closed"])] * 500 + [(State.NOT_SENT, errno.EPERM, [])]
    one = swept(stories)
    labels, index = one.labels()
    assert [labels[at] for at in index.tolist()] == [Label.HEALTHY] * 500 + [Label.LOCAL]
    assert "EPERM" in one.verdict(500).sentence
    assert one.verdict(3).sentence == "near → far answers in 5.00 ms."


def test_where_the_tap_lost_frames_nothing_is_taken_for_not_seen():
    story = [(State.TIMED_OUT, 0, [])]
    assert swept(story).labels()[0] == [Label.LOCAL], "watched, and never seen leaving"
    assert swept(story, watched=False).labels()[0] == [Label.UNKNOWN]


def test_nothing_is_nothing():
    labels, index = swept([]).labels()
    assert (labels, len(index)) == ([], 0)
