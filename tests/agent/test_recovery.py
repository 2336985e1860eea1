"""What an earlier process left: everything whole is delivered, the rest is told, and the start never fails."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.agent import recovery
from prober.agent.journal import scan
from prober.report import Report
from tests.agent.boxes import box, filled, names, report, taken

REPORTS = [report(1), report(2, failed=1), report(3), report(4)]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an agent that was killed with four reports in its outbox, the first of them acknowledged."""
    folder = tmp_path_factory.mktemp("left") / "outbox"
    waiting = filled(folder, *REPORTS[:3])
    first = next(entry for entry in waiting.entries.values() if entry.summary.sequence == 1)
    waiting.done(first)
    waiting.append(REPORTS[3])
    waiting.write()
    waiting.close()
    return folder


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory: thousands of starts needn't wait for a disk, no power is cut here."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def started(left: Path, folder: Path, spoil: bytes) -> list[Report]:
    """What the next process delivers where the segment holds these bytes."""
    shutil.copytree(left, folder)
    (segment,) = folder.glob("*.log")
    segment.write_bytes(spoil)
    waiting = box(folder, epoch=2)
    came = taken(waiting)
    waiting.close()
    return came


def frames(left: Path) -> list[tuple[int, int]]:
    """Where each frame begins and ends."""
    (segment,) = left.glob("*.log")
    salt = int(segment.stem.partition("-")[2], 16)
    return [(piece.at, piece.end) for piece in scan(segment.read_bytes(), salt)]  # type: ignore[union-attr]


def raw(left: Path) -> bytes:
    (segment,) = left.glob("*.log")
    return segment.read_bytes()


def test_the_next_process_delivers_what_was_not_acknowledged_under_its_own_names(left: Path, tmp_path: Path) -> None:
    came = started(left, tmp_path / "next", raw(left))
    assert names(came) == [(1, 2), (1, 3), (1, 4)]
    assert [one.outcomes for one in came] == [one.outcomes for one in REPORTS[1:]]
    assert not any(one.live for one in came)


def judged(came: list[Report], whole: set[int], gone: set[int]) -> None:
    """Every whole report is delivered as it was put, what is gone is told as a gap, and nothing else is said.

    Where the last frame of all is spoilt nobody knows that it was no report: the fifth may be told as a gap.
    """
    told = {number for one in came for gap in one.gaps for number in range(gap.first, gap.last + 1)}
    data = {one.sequence: one for one in came if not one.gaps}
    assert whole - {1} <= data.keys() <= whole
    assert told - {5} == gone
    assert 5 not in told or whole == {1, 2, 3, 4}
    for number, one in data.items():
        assert one.outcomes == REPORTS[number - 1].outcomes


def test_a_byte_flipped_anywhere_costs_its_own_report_alone(left: Path, memory: Path) -> None:
    good, places = raw(left), frames(left)
    holds = [1, 2, 3, 4, None]  # the last frame says that 1 is acknowledged
    assert len(places) == len(holds)
    for at in range(len(good)):
        spoilt = bytearray(good)
        spoilt[at] ^= 1 << (at % 8)
        hit = holds[next(i for i, (begin, end) in enumerate(places) if begin <= at < end)]
        came = started(left, memory / "flip", bytes(spoilt))
        judged(came, {1, 2, 3, 4} - {hit}, {hit} - {None})  # type: ignore[arg-type]
        assert next((memory / "flip").glob("*.spoilt")).read_bytes() == bytes(spoilt)
        shutil.rmtree(memory / "flip")


def test_a_tail_torn_anywhere_costs_what_was_not_whole_alone(left: Path, memory: Path) -> None:
    good, places = raw(left), frames(left)
    for size in range(len(good)):
        whole = {number for number, (_, end) in zip((1, 2, 3, 4), places, strict=False) if end <= size}
        begun = {number for number, (begin, end) in zip((1, 2, 3, 4), places, strict=False) if begin < size < end}
        came = started(left, memory / "torn", good[:size])
        told = begun if whole else set()  # with nothing whole there is no name to tell
        judged(came, whole, told)
        shutil.rmtree(memory / "torn")


def test_damage_is_told_once(left: Path, tmp_path: Path) -> None:
    shutil.copytree(left, tmp_path / "box")
    (segment,) = (tmp_path / "box").glob("*.log")
    segment.write_bytes(raw(left)[:-200])
    first = box(tmp_path / "box", epoch=2)
    first.append(report(1, epoch=2))
    first.write()
    notes = list(first)[-1].notes
    assert len(notes) == 1 and "bytes of the outbox's" in notes[0]
    first.close()
    second = box(tmp_path / "box", epoch=3)
    assert not second._told
    assert names(list(second)) == names(list(first))


def test_only_so_many_damaged_files_are_kept(tmp_path: Path) -> None:
    for number in range(8):
        waiting = filled(tmp_path / "box", report(1, epoch=number), epoch=number)
        waiting.close()
        newest = max((tmp_path / "box").glob("*.log"))
        newest.write_bytes(newest.read_bytes() + b"junk")
    box(tmp_path / "box", epoch=99).close()
    assert len(list((tmp_path / "box").glob("*.spoilt"))) == recovery.SET_ASIDE


@pytest.mark.parametrize("name", ["000000000001-xyz.log", "nonsense.log", "1-2-3.log"])
def test_files_that_are_none_of_ours_keep_nothing_from_starting(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "box"
    filled(folder, report(1)).close()
    (folder / name).write_bytes(os.urandom(100))
    (folder / "000000000009-00000000.new").write_bytes(b"left by a crash")
    assert names(taken(box(folder, epoch=2))) == [(1, 1)]


def test_a_folder_in_the_place_of_a_segment_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    filled(folder, report(1)).close()
    (folder / "000000000007-00000000.log").mkdir()
    waiting = box(folder, epoch=2)
    assert names(taken(waiting)) == [(1, 1)]
    assert "can't be read" in waiting._told[0]
