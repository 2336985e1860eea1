"""Frames in a file: every whole one is found, whatever lies between."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from prober.agent import journal
from prober.agent.journal import ACKNOWLEDGED, REPORT, Frame, Segment, Spoilt, framed, scan

SALT = 0x5EED5EED


@given(some.lists(some.tuples(some.sampled_from([REPORT, ACKNOWLEDGED]), some.binary(max_size=60)), max_size=6))
def test_frames_come_back_as_they_were_put(frames: list[tuple[int, bytes]]) -> None:
    raw = b"".join(framed(kind, body, SALT) for kind, body in frames)
    found = list(scan(raw, SALT))
    assert [(one.kind, one.body) for one in found if isinstance(one, Frame)] == frames
    assert not [one for one in found if isinstance(one, Spoilt)]


@given(some.binary(max_size=300), some.integers(0, 2**32 - 1))
def test_any_bytes_are_frames_and_spoilt_pieces_without_a_rest(raw: bytes, salt: int) -> None:
    pieces = list(scan(raw, salt))
    sizes = [piece.size if isinstance(piece, Spoilt) else piece.end - piece.at for piece in pieces]
    assert sum(sizes) == len(raw)


def test_a_frame_from_another_file_is_none() -> None:
    smuggled = framed(REPORT, b"forged", SALT + 1)
    raw = framed(REPORT, b"captured: " + smuggled, SALT)
    spoilt = bytearray(raw)
    spoilt[-1] ^= 1
    assert [type(piece) for piece in scan(bytes(spoilt), SALT)] == [Spoilt]


@pytest.mark.parametrize(("first", "reports"), [(REPORT, 2), (ACKNOWLEDGED, 1)])
def test_the_reports_in_a_spoilt_piece_are_counted_by_their_beginnings(first: int, reports: int) -> None:
    raw = bytearray(framed(first, b"one", SALT) + framed(REPORT, b"two", SALT) + framed(REPORT, b"three", SALT))
    size = len(framed(REPORT, b"one", SALT))
    for spoilt in (0, size + journal.HEAD.size):  # the first one's mark, the second one's body
        raw[spoilt] ^= 0xFF
    pieces = list(scan(bytes(raw), SALT))
    assert pieces[0] == Spoilt(0, 2 * size, reports)
    assert isinstance(pieces[1], Frame) and pieces[1].body == b"three"


def test_a_segment_gives_back_what_it_holds_and_says_when_it_is_spoilt(tmp_path: Path) -> None:
    segment = Segment.new(tmp_path, 7)
    places = segment.put([(REPORT, b"one"), (REPORT, b"two")]) + segment.put([(REPORT, b"three")])
    again = Segment.named(segment.path)
    assert [again.read(at) for at in places] == [b"one", b"two", b"three"]
    assert (again.number, again.salt) == (7, segment.salt)
    with segment.path.open("r+b") as file:
        file.seek(places[1] + journal.HEAD.size)
        file.write(b"x")
    with pytest.raises(ValueError, match=r"can't be read any more"):
        again.read(places[1])
    with pytest.raises(ValueError, match=r"can't be read any more"):
        again.read(10_000)


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment.new(tmp_path, 1)
    segment.put([(REPORT, b"one")])
    size = segment.path.stat().st_size
    really = os.pwrite

    def short(fd: int, data: bytes, at: int) -> int:
        if at > size:
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(fd, data[:9], at)

    monkeypatch.setattr(os, "pwrite", short)
    with pytest.raises(OSError, match="No space left"):
        segment.put([(REPORT, b"two")])
    monkeypatch.undo()
    assert segment.path.stat().st_size == size == segment.size
    segment.put([(REPORT, b"three")])
    assert [piece.body for piece in scan(segment.path.read_bytes(), segment.salt) if isinstance(piece, Frame)] == [
        b"one", b"three",
    ]  # fmt: skip


def test_a_segment_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment.new(tmp_path, 1)
    segment.put([(REPORT, b"one"), (REPORT, b"two")])
    before = segment.path.read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
        with pytest.raises(OSError, match="Input/output"):
            segment.replace([(REPORT, b"two")])
    assert segment.path.read_bytes() == before
    assert os.listdir(tmp_path) == [segment.path.name]
    (at,) = segment.replace([(REPORT, b"two")])
    assert segment.read(at) == b"two"
    assert segment.size == segment.path.stat().st_size < len(before)
