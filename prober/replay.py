"""Recorded reports judged again: no privilege, no network, no clock but the record's own.

A recording is a value: the targets, every report with the moment at which it came (seconds from the first), and the
last word that was said of each probe.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from prober import experiment, flows, spells
from prober.classify import classify
from prober.copies import Copies
from prober.joiner import GRACE, HOLD, Joiner
from prober.observation import Observation, Seen
from prober.report import CONNECT, Report
from prober.targets import parse
from prober.verdict import Verdict

TURN = 0.1
"""Seconds between two looks at what can be judged, as on the controller."""


class Received(msgspec.Struct, frozen=True):
    """One report and when it came."""

    at: float
    report: Report


class Said(msgspec.Struct, frozen=True):
    """The last word on one probe."""

    probe: int
    source: str
    target: str
    verdict: Verdict


class Recording(msgspec.Struct, frozen=True):
    """What `prober lab record` writes: ``targets`` is the document's text.

    ``findings`` is what each cell's experiments say together, under probe 0.
    """

    name: str
    targets: str
    reports: tuple[Received, ...]
    verdicts: tuple[Said, ...] = ()
    findings: tuple[Said, ...] = ()


class Compared(msgspec.Struct, frozen=True):
    """A verdict of the replay beside the recorded one."""

    probe: int
    source: str
    target: str
    said: Verdict
    recorded: Verdict | None

    @property
    def same(self) -> bool:
        return self.recorded == self.said


class Result(msgspec.Struct, frozen=True):
    """All verdicts of a replay; ``lost`` are recorded ones that the replay does not give."""

    verdicts: tuple[Compared, ...]
    lost: tuple[Said, ...]

    @property
    def same(self) -> bool:
        return not self.lost and all(one.same for one in self.verdicts)

    def document(self) -> dict[str, Any]:
        """As ``prober replay --json`` prints it."""
        rows = [{**msgspec.to_builtins(one), "same": one.same} for one in self.verdicts]
        return {"same": self.same, "verdicts": rows, "lost": msgspec.to_builtins(self.lost)}


def observe(recording: Recording) -> Iterator[Observation]:
    """Every observation, in the order in which the controller would make them; a probe's last is the fullest."""
    return _observe(recording, _joiner(recording))


def _joiner(recording: Recording) -> Joiner:
    return Joiner(parse(recording.targets, f"{recording.name}/targets"))


def _observe(recording: Recording, joiner: Joiner) -> Iterator[Observation]:
    now = 0.0
    for one in recording.reports:
        while now + TURN < one.at:
            now += TURN
            yield from joiner.due(now)
        joiner.take(one.report, one.at)
        joiner.questions(one.report.agent)  # they were asked then; the answers are in the reports
    for _ in range(int((HOLD + GRACE) / TURN)):
        now += TURN
        yield from joiner.due(now)


def judge(recording: Recording) -> tuple[Said, ...]:
    """The last word on each probe."""
    last: dict[int, Said] = {}
    for o in observe(recording):
        last[o.probe] = Said(o.probe, o.source, o.target, classify(o))
    return tuple(last[probe] for probe in sorted(last))


def findings(recording: Recording) -> tuple[Said, ...]:
    """What the handshakes of each cell say together: its experiments', or what came and went of the others."""
    joiner = _joiner(recording)
    cells: dict[tuple[str, str], dict[int, flows.Judged]] = {}
    for o in _observe(recording, joiner):
        cells.setdefault((o.source, o.target), {})[o.probe] = (o, classify(o))
    copied = tuple(joiner.copies)
    found = ((key, _together(key, tuple(told.values()), copied)) for key, told in sorted(cells.items()))
    return tuple(Said(0, *key, verdict) for key, verdict in found if verdict)


def _together(key: tuple[str, str], told: tuple[flows.Judged, ...], copied: tuple[Seen, ...]) -> Verdict | None:
    tried = [one for one in told if experiment.is_one(one[0].run) and one[0].run != CONNECT]
    others = sorted(((o.sent, verdict) for o, verdict in told if not o.run), key=lambda one: one[0])
    coming = spells.judge(*key, others) if others else None
    finding = flows.judge(*key, flows.trials(tried))
    if coming is not None and not (finding and finding.decided):
        return coming
    if finding is None:
        return None
    copies = Copies(key[0], {o.probe: o.asked.sport for o, _ in tried})
    for one in copied:
        copies.see(one)
    return flows.recast(finding, *key, copies.losses()).verdict


def replay(recording: Recording) -> Result:
    """Judge again and compare."""
    recorded = {one.probe: one for one in recording.verdicts}
    verdicts = tuple(
        Compared(one.probe, one.source, one.target, one.verdict, known.verdict if known else None)
        for one in judge(recording)
        for known in [recorded.pop(one.probe, None)]
    )
    known = {(one.source, one.target): one for one in recording.findings}
    together = tuple(
        Compared(0, one.source, one.target, one.verdict, before.verdict if before else None)
        for one in findings(recording)
        for before in [known.pop((one.source, one.target), None)]
    )
    return Result((*verdicts, *together), (*recorded.values(), *known.values()))
