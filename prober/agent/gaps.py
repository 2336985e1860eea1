"""What goes when not everything can be kept: successes before failures, and each gap is a record of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from prober.handshake import State
from prober.report import Gap, Report, encode

SPOILT = "the outbox was spoilt on the agent's disk"


class Summary(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a report without reading it: its name, its span, how many probes ended and failed.

    ``why`` is said of the record of a gap alone, which stands for all reports from ``first`` to ``sequence``.
    ``boot`` is the boot, and ``at_ns`` its CLOCK_BOOTTIME, at which it was written; the other times are the agent's
    own clock's.
    """

    epoch: int
    first: int
    sequence: int
    clock_ns: int
    since_ns: int
    until_ns: int
    probes: int
    failed: int
    boot: str
    at_ns: int
    why: str = ""

    @property
    def name(self) -> tuple[int, int]:
        return self.epoch, self.sequence


def summary(report: Report, boot: str, at_ns: int) -> Summary:
    """Of a report that is written now."""
    states = report.outcome_rows()["state"]
    failed = int(len(states) - (states == State.ANSWERED).sum())
    since, until = sorted((report.since_ns, report.until_ns))
    number = report.sequence
    return Summary(report.epoch, number, number, report.clock_ns, since, until, len(states), failed, boot, at_ns)


def let_go(reports: Iterable[Summary], failures_too: bool, why: str) -> tuple[list[Summary], list[Summary]]:
    """What stays, and the gaps for the rest: reports in which nothing failed go, and with `failures_too` all of them.

    What goes side by side is one gap; gaps that were there before are put together with it.
    """
    kept: list[Summary] = []
    gone: list[Summary] = []
    for one in sorted(reports, key=lambda one: (one.epoch, one.first)):
        if one.failed and not one.why and not failures_too:
            kept.append(one)
            continue
        gap = msgspec.structs.replace(one, why=one.why or why)
        if gone and (gone[-1].epoch, gone[-1].sequence + 1) == (gap.epoch, gap.first):
            gone[-1] = _together(gone[-1], gap)
        else:
            gone.append(gap)
    return kept, gone


def _together(one: Summary, other: Summary) -> Summary:
    """`other` follows `one` at once; its clock is the newer."""
    said = one.why if one.why == other.why else f"{one.why}; {other.why}"[:200]
    return msgspec.structs.replace(
        other, first=one.first, since_ns=min(one.since_ns, other.since_ns), why=said,
        until_ns=max(one.until_ns, other.until_ns), probes=one.probes + other.probes, failed=one.failed + other.failed,
    )  # fmt: skip


def holes(before: Summary | None, after: Summary | None, reports: int, known: set[int]) -> list[Summary]:
    """The reports that a spoilt piece of a file held, as gaps between its neighbours in that file, of one epoch.

    `reports` is how many seem to have begun in it, `known` the sequences that are there: nothing that is there is ever
    called a gap, the controller would not wait for it.
    """
    beside = before or after
    if beside is None:
        return []
    first = before.sequence + 1 if before else max(1, beside.first - reports)
    last = after.first - 1 if after else beside.sequence + reports
    since = before.until_ns if before else beside.since_ns
    until = after.since_ns if after else beside.until_ns
    lost = msgspec.structs.replace(
        beside, since_ns=min(since, until), until_ns=max(since, until), probes=0, failed=0, why=SPOILT
    )
    missing = [number for number in range(first, last + 1) if number not in known]
    return [msgspec.structs.replace(lost, first=begin, sequence=end) for begin, end in _runs(missing)]


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as first and last of each unbroken run."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def told(agent: str, gap: Summary) -> bytes:
    """The report that tells a gap: it has the name of the last report that it stands for."""
    record = Gap(gap.epoch, gap.first, gap.sequence, gap.since_ns, gap.until_ns, gap.probes, gap.failed, gap.why)
    return encode(
        Report(agent, gap.epoch, gap.sequence, gap.clock_ns, gap.until_ns, gap.until_ns, tap=False, gaps=[record])
    )
