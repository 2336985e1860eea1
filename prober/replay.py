"""Recorded reports judged again: no privilege, no network, no clock but the record's own.

A recording is a value: the targets, every report with the moment at which it came (seconds from the first), and the
last word that was said of each probe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from prober import experiment, flows, spells
from prober.classify import classify
from prober.copies import Copies
from prober.joiner import GRACE, HOLD, Joiner
from prober.observation import Observation, Seen
from prober.report import CONNECT, Report
from prober.targets import parse
from prober.verdict import Verdict

Key = TypeVar("Key")

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


def judge(recording: Recording) -> tuple[tuple[Said, ...], tuple[Said, ...]]:
    """The last word on each probe, by its number; and of each cell what its handshakes say together, under probe 0:
    its experiments', or what came and went of the others."""
    joiner = _joiner(recording)
    fullest = {o.probe: o for o in _observe(recording, joiner)}
    told = [(o, classify(o)) for o in fullest.values()]
    words = sorted((Said(o.probe, o.source, o.target, verdict) for o, verdict in told), key=lambda one: one.probe)
    return tuple(words), tuple(_findings(told, tuple(joiner.copies)))


def _findings(told: list[flows.Judged], copied: tuple[Seen, ...]) -> Iterator[Said]:
    cells: dict[tuple[str, str], list[flows.Judged]] = {}
    for o, verdict in told:
        cells.setdefault((o.source, o.target), []).append((o, verdict))
    for key, several in sorted(cells.items()):
        if finding := _together(key, several, copied):
            yield Said(0, *key, finding)


def _together(key: tuple[str, str], told: list[flows.Judged], copied: tuple[Seen, ...]) -> Verdict | None:
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
    words, findings = judge(recording)
    one_by_one, lost = _beside(words, {one.probe: one for one in recording.verdicts}, lambda one: one.probe)
    together, gone = _beside(findings, {_cell(one): one for one in recording.findings}, _cell)
    return Result((*one_by_one, *together), (*lost, *gone))


def _cell(one: Said) -> tuple[str, str]:
    return one.source, one.target


def _beside(
    said: tuple[Said, ...], recorded: dict[Key, Said], key: Callable[[Said], Key]
) -> tuple[list[Compared], list[Said]]:
    """Each word beside the recorded one, and the recorded ones that nobody says now."""
    compared = []
    for one in said:
        before = recorded.pop(key(one), None)
        compared.append(Compared(one.probe, one.source, one.target, one.verdict, before.verdict if before else None))
    return compared, list(recorded.values())
