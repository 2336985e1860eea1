"""Reports until the controller has them: on disk first, in the order of their use, bounded, gaps told."""

from __future__ import annotations

import errno
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from prober.agent import backlog, journal
from prober.agent.folder import InUse
from prober.agent.recovery import Entry
from prober.report import Report, decode_report
from tests.agent.boxes import SECOND, Clock, box, filled, names, report, taken


def test_a_report_is_on_disk_before_it_is_sent(tmp_path: Path) -> None:
    waiting = box(tmp_path / "box")
    waiting.append(report(1))
    assert waiting.next(1.0) is None
    waiting.write()
    assert waiting.next(1.0) is not None
    (segment,) = (tmp_path / "box").glob("*.log")
    assert segment.stat().st_size > 80


def test_what_tells_of_now_goes_newest_first_and_then_the_past_oldest_first(tmp_path: Path) -> None:
    clock = Clock()
    waiting = filled(tmp_path / "box", *map(report, range(1, 4)), clock=clock)
    clock.ns += backlog.LIVE_NS + 1
    for number in (4, 5):
        waiting.append(report(number))
    waiting.write()
    came = taken(waiting)
    assert [(one.sequence, one.live) for one in came] == [(5, True), (4, True), (1, False), (2, False), (3, False)]


def test_a_report_carries_its_age_by_a_clock_that_nobody_sets(tmp_path: Path) -> None:
    clock = Clock()
    waiting = filled(tmp_path / "box", report(1), clock=clock)
    clock.ns += 3 * SECOND
    (came,) = taken(waiting)
    assert (came.age_ns, came.clock_ns) == (3 * SECOND, SECOND)


def test_the_age_outlives_the_process_and_not_the_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    filled(tmp_path / "box", report(1), clock=clock).close()
    clock.ns += 60 * SECOND
    again = box(tmp_path / "box", epoch=2, clock=clock)
    found = again.next(1.0)
    assert found is not None and decode_report(found[1]).age_ns == 60 * SECOND
    again.close()
    monkeypatch.setattr(backlog, "boot_id", lambda: "another boot")
    later = box(tmp_path / "box", epoch=3, clock=clock)
    (came,) = taken(later)
    assert came.age_ns == pytest.approx(time.time_ns() - SECOND, abs=SECOND), "as old as the wall clock says"
    assert not came.live


def test_what_is_acknowledged_is_not_sent_again_by_the_next_process(tmp_path: Path) -> None:
    waiting = filled(tmp_path / "box", *map(report, range(1, 6)))
    assert len(taken(waiting, most=2)) == 2
    waiting.append(report(6))
    waiting.write()
    waiting.close()
    assert names(taken(box(tmp_path / "box", epoch=2))) == [(1, 1), (1, 2), (1, 3), (1, 6)]


def test_a_segment_goes_when_all_of_it_is_acknowledged(tmp_path: Path) -> None:
    waiting = filled(tmp_path / "box", *(report(number, size=900) for number in range(1, 40)), bound=64_000)
    assert len(list((tmp_path / "box").glob("*.log"))) > 10
    assert len(taken(waiting)) == 39
    waiting.append(report(40))
    waiting.write()
    assert len(list((tmp_path / "box").glob("*.log"))) == 1
    assert waiting.folder is not None and waiting.folder.size() < 4000


def test_a_full_outbox_lets_the_oldest_successes_go_first_and_each_gap_is_a_record(tmp_path: Path) -> None:
    reports = [report(number, probes=3, failed=number % 10 == 0, size=1000) for number in range(1, 201)]
    waiting = filled(tmp_path / "box", *reports, bound=110_000)
    assert waiting.folder is not None and waiting.folder.size() <= 110_000
    came = sorted(taken(waiting), key=lambda one: one.sequence)
    kept = {one.sequence for one in came if not one.gaps}
    lost = [gap for one in came for gap in one.gaps]
    spans = [number for gap in lost for number in range(gap.first, gap.last + 1)]
    assert sorted([*kept, *spans]) == list(range(1, 201)), "each report is there or in one gap"
    assert {number for number in range(1, 201) if number % 10 == 0} <= kept, "no failure went while a success stayed"
    assert set(range(191, 201)) <= kept, "the newest stay"
    assert sum(gap.probes for gap in lost) == 3 * len(spans)
    assert {gap.why for gap in lost} == {"the outbox was full"}


def test_where_failures_alone_are_too_much_the_oldest_go_and_their_number_stays(tmp_path: Path) -> None:
    reports = [report(number, probes=3, failed=2, size=1000) for number in range(1, 201)]
    waiting = filled(tmp_path / "box", *reports, bound=110_000)
    assert waiting.folder is not None and waiting.folder.size() <= 110_000
    came = taken(waiting)
    lost = [gap for one in came for gap in one.gaps]
    kept = [one.sequence for one in came if not one.gaps]
    assert sum(gap.last - gap.first + 1 for gap in lost) + len(kept) == 200
    assert min(kept) > max(gap.last for gap in lost)
    assert sum(gap.failed for gap in lost) == 2 * (200 - len(kept))


def test_gaps_outlive_the_process(tmp_path: Path) -> None:
    waiting = filled(tmp_path / "box", *(report(number, size=1000) for number in range(1, 201)), bound=110_000)
    before = {(gap.first, gap.last) for one in waiting for gap in one.gaps}
    waiting.close()
    after = {(gap.first, gap.last) for one in taken(box(tmp_path / "box", 2)) for gap in one.gaps}
    assert after == before != set()


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 4 kB: a write fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_disk_that_takes_no_more_is_told_and_nothing_is_lost(tmp_path: Path, small_files: None) -> None:
    waiting = filled(tmp_path / "box", *(report(number, size=1500) for number in range(1, 11)))
    came = sorted(taken(waiting), key=lambda one: one.sequence)
    assert [one.sequence for one in came] == list(range(1, 11))
    assert [note for one in came for note in one.notes] == [
        "the outbox can't be written (File too large): reports are kept in memory alone"
    ]
    assert [one.held.memory for one in came] == [False] * 3 + [True] * 7


def test_it_resumes_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "DISK_AGAIN", 0.0)
    waiting = box(tmp_path / "box")
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        for number in (1, 2, 3):
            waiting.append(report(number))
            waiting.write()
    waiting.append(report(4))
    waiting.write()
    waiting.append(last := report(5))
    assert last.notes == ["the outbox can be written again"]
    assert not last.held.memory
    waiting.close()
    assert names(list(box(tmp_path / "box", epoch=2))) == [(1, number) for number in (1, 2, 3, 4)]


def test_memory_is_bounded_and_keeps_failures_before_successes(tmp_path: Path) -> None:
    reports = [report(number, probes=2, failed=number % 5 == 0, size=1000) for number in range(1, 101)]
    waiting = filled(None, *reports, memory=60_000)
    assert sum(len(entry.body) for entry in waiting.entries.values()) <= 60_000
    came = taken(waiting)
    kept = {one.sequence for one in came if not one.gaps}
    spans = [n for one in came for gap in one.gaps for n in range(gap.first, gap.last + 1)]
    assert sorted([*kept, *spans]) == list(range(1, 101))
    assert {number for number in range(1, 101) if number % 5 == 0} <= kept


def test_a_folder_that_cannot_be_made_is_told_and_memory_serves(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    waiting = filled(tmp_path / "file" / "box", report(1))
    (came,) = taken(waiting)
    assert came.notes == ["the outbox can't be written (Not a directory): reports are kept in memory alone"]


def test_two_processes_do_not_share_an_outbox(tmp_path: Path) -> None:
    first = box(tmp_path / "box")
    with pytest.raises(InUse, match="another agent keeps its outbox"):
        box(tmp_path / "box")
    first.close()
    box(tmp_path / "box").close()


def test_a_report_spoilt_while_it_waits_is_a_gap(tmp_path: Path) -> None:
    waiting = filled(tmp_path / "box", report(1), report(2))
    (segment,) = (tmp_path / "box").glob("*.log")
    with segment.open("r+b") as file:
        file.seek(journal.HEAD.size + 30)
        file.write(b"\xff\xff\xff")
    came = taken(waiting)
    assert names(came) == [(1, 2), (1, 1)]
    assert [(gap.first, gap.last) for gap in came[1].gaps] == [(1, 1)]


def test_a_report_that_cannot_be_written_is_a_gap_and_keeps_nothing_back(tmp_path: Path) -> None:
    came = taken(filled(tmp_path / "box", report(1, interfaces=["\udcff"]), report(2)))
    assert sorted(names(came)) == [(1, 1), (1, 2)]
    assert [gap.why for one in came for gap in one.gaps] == ["it could not be written"]


def test_the_past_does_not_crowd_the_present(tmp_path: Path) -> None:
    clock = Clock()
    waiting = filled(tmp_path / "box", report(1), report(2), clock=clock)
    assert waiting.crowded()
    clock.ns += backlog.LIVE_NS + 1
    assert waiting.next(1.0) is not None
    assert not waiting.crowded()
    waiting.append(report(3))
    assert waiting.crowded()
    waiting.write()
    taken(waiting, most=1)
    assert not waiting.crowded() and len(list(waiting)) == 2


def test_one_that_waits_for_its_second_try_lets_others_go_first(tmp_path: Path) -> None:
    waiting = filled(tmp_path / "box", report(1), report(2))
    found = waiting.next(1.0)
    assert found is not None and found[0].summary.sequence == 2
    waiting.later(found[0], 5.0)
    assert [one.sequence for one in taken(waiting)] == [1]
    later = waiting.next(5.0)
    assert later is not None and later[0].summary.sequence == 2


def test_threads_meet_and_nothing_is_lost(tmp_path: Path) -> None:
    waiting, came = box(tmp_path / "box", bound=200_000), list[Report]()

    def uplink() -> None:
        while len(came) < 300:
            if waiting.ready.wait(0.1):
                waiting.ready.clear()
            came.extend(taken(waiting))

    thread = threading.Thread(target=uplink)
    waiting.start()
    thread.start()
    for number in range(1, 301):
        waiting.append(report(number, size=100))
    thread.join(20)
    waiting.flush()
    waiting.close()
    assert sorted(one.sequence for one in came) == list(range(1, 301))


def test_where_nothing_can_be_read_not_each_of_thousands_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, tried = filled(tmp_path / "box", *map(report, range(1, 51))), list[Entry]()

    def short(entry: Entry) -> bytes:
        tried.append(entry)
        raise OSError(errno.EMFILE, "Too many open files")

    assert waiting.folder is not None
    monkeypatch.setattr(waiting.folder, "read", short)
    (newest, _) = waiting.next(1.0) or (None, b"")
    assert newest is not None and not tried, "it is in memory"
    waiting.done(newest)
    assert waiting.next(1.0) is None and len(tried) == 1
    monkeypatch.undo()
    assert waiting.next(1.0 + backlog.DISK_AGAIN) is not None and len(waiting.entries) == 49


def test_a_host_without_descriptors_costs_no_report(tmp_path: Path) -> None:
    filled(tmp_path / "box", *map(report, range(1, 6))).close()
    waiting, taking = box(tmp_path / "box", epoch=2), list[int]()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        with suppress(OSError):
            while True:
                taking.append(os.open(os.devnull, os.O_RDONLY))
        assert waiting.next(1.0) is None
    finally:
        for one in taking:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    found = []
    while (one := waiting.next(10.0)) is not None:
        found.append(decode_report(one[1]))
        waiting.done(one[0])
    assert [(one.sequence, one.gaps) for one in found] == [(number, []) for number in range(1, 6)]


@pytest.mark.parametrize("refused", [False, True])
def test_a_gap_that_took_the_place_of_a_report_on_its_way_is_told_all_the_same(refused: bool) -> None:
    waiting, sent, number = box(None, memory=20_000), dict[tuple[int, int], Entry](), 0
    while not (gone := [name for name, one in sent.items() if waiting.entries.get(name, one) is not one]):
        number += 1
        waiting.append(report(number, size=900))
        waiting.write()
        sent |= {name: one for name, one in waiting.entries.items() if not one.summary.why and name not in sent}
    if refused:
        waiting.refused(sent[gone[0]], "400: no report")
    else:
        waiting.done(sent[gone[0]])
    came = taken(waiting)
    spans = [n for one in came for gap in one.gaps for n in range(gap.first, gap.last + 1)]
    assert sorted([*spans, *(one.sequence for one in came if not one.gaps)]) == list(range(1, number + 1))
