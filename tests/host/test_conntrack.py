"""The counter of a full connection tracking table, on files of our own: the kernel's limit is the whole host's."""

from __future__ import annotations

from pathlib import Path

from prober.host.conntrack import Conntrack


def test_it_rises_while_the_table_is_full(tmp_path: Path):
    (tmp_path / "nf_conntrack_max").write_text("1024\n")
    conntrack = Conntrack(tmp_path)
    told = []
    for count in (1023, 1024, 1024, 900):
        (tmp_path / "nf_conntrack_count").write_text(f"{count}\n")
        told.append(conntrack.read())
    assert told == [{"ConntrackFull": n} for n in (0, 1, 2, 2)]


def test_without_connection_tracking_it_says_nothing(tmp_path: Path):
    assert Conntrack(tmp_path).read() == {}
