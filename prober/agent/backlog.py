"""Reports until the controller has them: on disk before they are sent, bounded, in the order of their use.

Three threads meet here. The loop `append`s and never waits. The writer puts what came into a segment, one fsync for
all of it. The uplink asks for the `next` and says when it is `done`. A report stays until the controller has it,
whatever dies meanwhile; that it was acknowledged may be forgotten in a crash: it is sent again, and the controller
knows it by its name.

Where the disk takes nothing, reports are kept in memory and the next one says so, until the disk takes them.
"""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import msgspec

from prober import logs
from prober.agent import gaps
from prober.agent.folder import Folder, InUse, boot_id
from prober.agent.gaps import Summary
from prober.agent.journal import Segment
from prober.agent.recovery import Entry
from prober.report import Held, Report, aged, decode_report, encode

BOUND = 256 * 1024 * 1024
"""Bytes on disk at most: at 20 kB a report and four a second some fifty minutes of everything, then failures alone."""
MEMORY = 32 * 1024 * 1024
"""Bytes kept in memory at most while the disk takes nothing."""
NEWEST = 8
"""Reports that stay in memory whatever else must go: they tell of now."""
GROUP = 0.01
"""Seconds for which a report waits for others to share its fsync."""
DISK_AGAIN = 1.0
"""Seconds before a disk that took nothing is tried again."""
SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""The host is short of something for a while: what could not be read is whole."""
LIVE_NS = 10_000_000_000
"""What is older says nothing of now: it goes behind the live reports, oldest first."""

_log = logs.get_logger("prober.outbox")


class Backlog:
    """The reports of one agent, in `folder`; without one, in memory.

    What an earlier process left there is delivered under its own names. Raises CannotMeasure where another process
    uses the folder (InUse); nothing else keeps it from starting. `clock` is CLOCK_BOOTTIME in nanoseconds.
    """

    def __init__(
        self, agent: str, epoch: int, folder: Path | None = None, *, bound: int = BOUND, memory: int = MEMORY,
        clock: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
    ) -> None:  # fmt: skip
        self.agent, self.epoch, self.memory_bound = agent, epoch, memory
        self.clock, self.boot = clock, boot_id()
        self.ready = threading.Event()
        self.entries: dict[tuple[int, int], Entry] = {}
        self._loose: dict[tuple[int, int], Entry] = {}
        self._bodied: list[Entry] = []
        self._live: dict[tuple[int, int], Entry] = {}
        self._later: dict[tuple[int, int], float] = {}
        self._lock = threading.Lock()
        self._closed: deque[tuple[Report, int]] = deque()
        self._told: deque[str] = deque(maxlen=50)
        self._arrived, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._disk_again, self._no_disk = 0.0, ""
        self.folder = Folder(folder, bound) if folder is not None else None
        if self.folder is not None:
            try:
                self._open(self.folder)
            except OSError as error:
                self._refused(error)

    def _open(self, folder: Folder) -> None:
        left = folder.open(self.agent)
        self.entries = {entry.summary.name: entry for entry in left.entries} | self.entries
        self._loose = {name: entry for name, entry in self.entries.items() if entry.segment is None}
        for sentence in left.told:
            self._tell(sentence)

    # -- the loop's thread ----------------------------------------------------------------------------------

    def append(self, report: Report) -> None:
        """A report that was just closed; it takes along what the outbox has to say."""
        while self._told:
            report.notes.append(self._told.popleft())
        size = self.folder.size() if self.folder is not None else 0
        report.held = Held(len(self.entries), size, self.folder is None or bool(self._no_disk))
        self._closed.append((report, self.clock()))
        self._arrived.set()

    def crowded(self) -> bool:
        """Whether an earlier report that tells of now still waits: the controller is slow, fewer serve it better."""
        return bool(self._closed or self._live)

    def start(self) -> None:
        self._thread.start()

    def flush(self) -> None:
        """Ends the writer; what came is written."""
        self._ended.set()
        self._arrived.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        self.write()

    def close(self) -> None:
        """The folder is free for another process."""
        with self._lock:
            if self.folder is not None:
                self.folder.close()

    def __iter__(self) -> Iterator[Report]:
        """Everything that waits, in the order in which it was written."""
        with self._lock:
            bodies = [self._body(entry) for entry in self.entries.values()]
        yield from map(decode_report, bodies)
        yield from (report for report, _ in list(self._closed))

    # -- the writer's thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended.is_set():
            self._arrived.wait(0.5)
            self._arrived.clear()
            self._ended.wait(GROUP)
            try:
                self.write()
            except Exception:  # noqa: BLE001  # whatever it was, the next reports are kept
                _log.exception("reports could not be put into the outbox")

    def write(self) -> None:
        """Everything that came since: on disk when this returns, or in memory where the disk takes nothing."""
        fresh = []
        while self._closed:
            fresh.append(self._entry(*self._closed.popleft()))
        with self._lock:
            for entry in fresh:
                self.entries[entry.summary.name] = self._loose[entry.summary.name] = entry
            self._live |= {entry.summary.name: entry for entry in fresh if entry.live}
            self._settle()
        if fresh:
            self.ready.set()

    def _entry(self, report: Report, at_ns: int) -> Entry:
        about = gaps.summary(report, self.boot, at_ns)
        try:
            return Entry(about, body=encode(report), live=report.live)
        except (ValueError, TypeError, OverflowError) as error:  # a lone surrogate, a number of more than 64 bits
            self._tell(f"report {report.sequence} can't be written and is left out: {error}")
            return self._gap(msgspec.structs.replace(about, why="it could not be written"))

    def _settle(self) -> None:
        """From memory to the disk, and each within its bound."""
        if self.folder is not None and time.monotonic() >= self._disk_again:
            try:
                if not self.folder.is_open:
                    self._open(self.folder)
                written = list(self._loose.values())
                self.folder.put(written)
                self._let_go_of_bodies(written)
                self._loose.clear()
                self.folder.shrink(self._make_room)
                self._recovered()
            except (OSError, InUse) as error:
                self._refused(error)
        if self._loose and sum(len(entry.body) for entry in self._loose.values()) > self.memory_bound:
            self._thin_memory()

    def _let_go_of_bodies(self, written: list[Entry]) -> None:
        """They are on disk. Only the newest is in memory as well, for most often it is sent at once."""
        for entry in [*self._bodied, *written[:-1]]:
            entry.body = b""
        self._bodied = written[-1:]

    def _make_room(self, segment: Segment, failures_too: bool) -> None:
        """A segment anew with what must stay, and gaps in the place of the rest: on disk before the old file goes."""
        assert self.folder is not None
        mine = [entry for entry in self.entries.values() if entry.segment is segment]
        anew = self._thinned(mine, failures_too, "the outbox was full")
        bodies = [entry.body or self._body(entry) for entry in anew]
        self.folder.replace(segment, anew, bodies)
        self._exchange(mine, anew)

    def _thin_memory(self) -> None:
        """Half of the older successes go, and where there are none any more, half of what is older."""
        loose = list(self._loose.values())
        older = loose[:-NEWEST] or loose
        gone = [entry for entry in older if not entry.summary.failed and not entry.summary.why] or older
        gone = gone[: max(1, len(gone) // 2)]
        named = {entry.summary.name for entry in gone}
        old = [entry for entry in loose if entry.summary.why or entry.summary.name in named]
        self._exchange(old, self._thinned(old, True, "the disk took nothing and memory was full"))
        self._loose = {name: entry for name, entry in self.entries.items() if entry.segment is None}

    def _thinned(self, entries: list[Entry], failures_too: bool, why: str) -> list[Entry]:
        kept, gone = gaps.let_go((entry.summary for entry in entries), failures_too, why)
        names = {one.name for one in kept}
        anew = [entry for entry in entries if entry.summary.name in names] + [self._gap(one) for one in gone]
        return sorted(anew, key=lambda entry: entry.summary.name)

    def _gap(self, summary: Summary) -> Entry:
        return Entry(summary, body=gaps.told(self.agent, summary))

    def _exchange(self, old: list[Entry], new: list[Entry]) -> None:
        """`new` in the place of `old`; the order in which they were written stays."""
        gone = {entry.summary.name for entry in old}
        for name in gone - {entry.summary.name for entry in new if entry.live}:
            self._live.pop(name, None)
        rest = [entry for name, entry in self.entries.items() if name not in gone]
        rest += new
        rest.sort(key=lambda entry: (entry.summary.epoch == self.epoch, entry.summary.at_ns, entry.summary.sequence))
        self.entries = {entry.summary.name: entry for entry in rest}

    def _refused(self, error: OSError | InUse) -> None:
        self._disk_again = time.monotonic() + DISK_AGAIN
        said = getattr(error, "strerror", None) or str(error)
        if said != self._no_disk:
            self._no_disk = said
            self._tell(f"the outbox can't be written ({said}): reports are kept in memory alone")

    def _recovered(self) -> None:
        if self._no_disk:
            self._no_disk = ""
            self._tell("the outbox can be written again")

    # -- the uplink's thread --------------------------------------------------------------------------------

    def next(self, now: float, behind: bool = True) -> tuple[Entry, bytes] | None:
        """The report to send now, encoded: the newest of those that tell of now; where there is none, the oldest of
        those behind them, unless `behind` is false. `now` is monotonic seconds.

        Its age, and whether it is live, are said as they are at this moment. None where nothing waits.
        """
        with self._lock:
            while (entry := self._choose(now, behind)) is not None:
                try:
                    return entry, aged(self._body(entry), self._age_ns(entry.summary), entry.live)
                except (OSError, ValueError, msgspec.MsgspecError) as error:
                    if getattr(error, "errno", None) in SHORT:
                        self._read_later(now + DISK_AGAIN)
                        continue
                    self._tell(f"a report in the outbox can't be read any more: {error}")
                    self._give_up(entry, gaps.SPOILT)
        return None

    def _read_later(self, until: float) -> None:
        """No report is read before: to try each of thousands would keep the writer from its lock for seconds."""
        for entry in self.entries.values():
            if not entry.body:
                self.later(entry, until)

    def _choose(self, now: float, behind: bool) -> Entry | None:
        clock = self.clock()
        while self._live and clock - (first := next(iter(self._live.values()))).summary.at_ns > LIVE_NS:
            first.live = False
            del self._live[first.summary.name]
        oldest = self.entries.values() if behind else ()
        waiting = chain(reversed(self._live.values()), oldest)
        return next((entry for entry in waiting if self._later.get(entry.summary.name, now) <= now), None)

    def _age_ns(self, summary: Summary) -> int:
        """How long ago it was written; what an earlier boot wrote is as old as the clock says, at the least nothing."""
        if summary.boot == self.boot:
            return max(0, self.clock() - summary.at_ns)
        return max(0, time.time_ns() - summary.clock_ns)

    def done(self, entry: Entry) -> None:
        """The controller has it."""
        with self._lock:
            self._forget(entry)

    def _forget(self, entry: Entry) -> bool:
        """False where it is not waiting any more: while it was on its way a gap may have taken its place, and its name,
        which tells of others too."""
        name = entry.summary.name
        if self.entries.get(name) is not entry:
            return False
        for waiting in (self._later, self._loose, self._live):
            waiting.pop(name, None)
        del self.entries[name]
        if entry.segment is not None and self.folder is not None:
            self.folder.acknowledged(entry)
        return True

    def refused(self, entry: Entry, why: str) -> None:
        """The controller will never take it: a gap goes in its place, and where that is refused too, nothing."""
        with self._lock:
            self._give_up(entry, f"the controller refused it: {why}"[:200])

    def _give_up(self, entry: Entry, why: str) -> None:
        if self._forget(entry) and not entry.summary.why:
            gap = self._gap(msgspec.structs.replace(entry.summary, why=why))
            self._loose[gap.summary.name] = gap
            self._exchange([], [gap])

    def later(self, entry: Entry, until: float) -> None:
        """This one alone is not sent again before `until` (monotonic seconds)."""
        self._later[entry.summary.name] = until

    # -- ----------------------------------------------------------------------------------------------------

    def _body(self, entry: Entry) -> bytes:
        if entry.body or entry.segment is None or self.folder is None:
            return entry.body
        return self.folder.read(entry)

    def _tell(self, sentence: str) -> None:
        _log.warning("outbox", what=sentence)
        self._told.append(sentence)
