"""Probes that ended long ago: each is judged by itself, and once."""

from __future__ import annotations

import msgspec

from prober.controller.past import Past
from prober.ondisk import read_targets
from prober.verdict import Label
from tests.controller.centres import TARGETS
from tests.stories import story


def test_it_is_said_once_and_again_only_where_more_was_seen() -> None:
    past, o = Past(read_targets(TARGETS)), msgspec.structs.replace(story("firewall >> SYN"), sent=10.0)
    past.joiner.pending[o.probe] = None  # type: ignore[assignment]
    first = past.judge(o, 500.0, 1_000_000.0)
    assert first is not None and first.new and first.verdict.label == Label.INGRESS_DROP
    assert (first.at, first.wall) == (10.0, 1_000_000.0 - 490.0), "as of then"
    assert past.judge(o, 501.0, 1_000_001.0) is None
    more = story("firewall >> SYN\nfirewall << ICMP 3/0 of SYN from 10.224.0.1")
    again = past.judge(msgspec.structs.replace(more, sent=10.0, probe=o.probe), 502.0, 1_000_002.0)
    assert again is not None and not again.new
    assert again.verdict.cause != first.verdict.cause and again.verdict.revision == 1


def test_an_id_that_came_back_is_another_probe() -> None:
    past, o = Past(read_targets(TARGETS)), story("firewall >> SYN")
    first = past.judge(o, 500.0, 1e6)
    assert past.due(9_000.0) == []  # nothing of it is pending any more
    again = past.judge(o, 9_000.0, 1e6)
    assert first is not None and again is not None and first.new and again.new
