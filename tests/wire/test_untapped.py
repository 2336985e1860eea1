"""What stands in for tap and link without CAP_NET_RAW."""

from __future__ import annotations

import errno
import select

from prober import segment
from prober.wire.untapped import NoLink, NoTap


def test_it_hears_nothing_and_never_wakes_anybody():
    tap = NoTap()
    try:
        assert select.select([tap.fileno()], [], [], 0)[0] == []
        assert len(tap.receive().segments) == 0
        assert (tap.dropped(), tap.unread) == (0, 0)
    finally:
        tap.close()


def test_it_sends_nothing_and_says_so_for_every_row():
    link = NoLink()
    assert link.send(segment.empty(3)).tolist() == [errno.EPERM] * 3
    link.close()
