"""A stranger's word, checked as far as it must be: a report is its agent's own, and tells of its own probes alone.

Nothing of a report is taken before it has passed here; what refers to something that is not there never does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from prober.errors import Refused
from prober.handshake import State
from prober.probe import SERIAL_BITS, Kind
from prober.report import MOST_ROWS, OUTCOME, Gap, Report, decode_report
from prober.sighting import Where

_STATES, _KINDS, _PLACES = int(max(State)), int(max(Kind)), int(max(Where))


class NoReport(Refused):
    """What came is no report of this agent, and never will be: sending it again is of no use."""


def decoded(body: bytes, agent: str) -> Report:
    """A report, checked but for its columns. Raises `NoReport` with everything that is wrong."""
    try:
        report = decode_report(body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise NoReport(f"this is no report: {error}") from error
    if report.agent != agent:
        raise NoReport(f"the key is {agent}'s and the report says {report.agent!r}: an agent reports its own sightings")
    return report


Of = tuple[Report, int]
"""A report and its agent's number."""


def strange(batch: Sequence[Of]) -> dict[int, NoReport]:
    """Which of these are no reports, by their place, and why.

    The outcomes of all are looked through at once; only where something is wrong is each looked at by itself.
    """
    if _all_fit(batch):
        return {}
    found = {at: _lacks(*of) for at, of in enumerate(batch)}
    return {
        at: NoReport(f"this report of {batch[at][0].agent} lacks {', '.join(lacks)}")
        for at, lacks in found.items()
        if lacks
    }


def _all_fit(batch: Sequence[Of]) -> bool:
    """Whether nothing is wrong with any of them."""
    reports = [report for report, _ in batch]
    if any(len(report.outcomes) % OUTCOME.itemsize for report in reports):
        return False
    rows = np.frombuffer(b"".join([report.outcomes for report in reports]), OUTCOME)
    limits = [(len(report.targets), len(report.runs) or 1, number) for report, number in batch]
    sizes = [len(report.outcomes) // OUTCOME.itemsize for report in reports]
    targets, runs, numbers = np.repeat(np.array(limits, np.int64).reshape(-1, 3), sizes, axis=0).T
    fine = (rows["target"] < targets) & (rows["run"] < runs) & (rows["probe"] >> SERIAL_BITS == numbers)
    fine &= (rows["state"] >= 1) & (rows["state"] <= _STATES)
    return bool(fine.all()) and all(
        all(_plain(report).values()) and not (report.sightings and _sightings(report)) for report in reports
    )


def _plain(report: Report) -> dict[str, bool]:
    """What must hold beside the columns."""
    first, last = sorted((report.clock_ns, report.since_ns, report.until_ns))[::2]
    return {
        "numbers that fit": 0 <= report.epoch < 2**63 and 0 < report.sequence < 2**63,
        "not too many rows": len(report.outcomes) <= MOST_ROWS * OUTCOME.itemsize,
        "times that fit": first >= 0 and last < 2**62 and 0 <= report.age_ns < 2**61,
        "text without NUL": "\0" not in "".join(_texts(report)),
        "gaps that make sense": not report.gaps or all(map(_is_gap, report.gaps)),
        "a sighting for each frame": bool(report.sightings) or not report.frames,
    }


def _texts(report: Report) -> Iterator[str]:
    """Every word that may come to stand in the store: PostgreSQL's text takes no NUL (its manual, 8.3)."""
    yield from (*report.interfaces, *report.targets, *report.runs, *report.notes, *report.counters, report.via)
    yield from (gap.why for gap in report.gaps)
    for one in (*report.answers, *report.halfopen):
        yield from (value for value in msgspec.structs.astuple(one) if isinstance(value, str))


def _lacks(report: Report, number: int) -> list[str]:
    """Everything that is wrong with one."""
    checks = _plain(report)
    try:
        outcomes = report.outcome_rows()
    except ValueError as error:
        return [f"whole rows ({error})"]
    if len(outcomes):
        state = outcomes["state"]
        checks["known target names"] = int(outcomes["target"].max()) < len(report.targets)
        checks["known run names"] = int(outcomes["run"].max()) < max(1, len(report.runs))
        checks["its own probes' outcomes"] = bool((outcomes["probe"] >> SERIAL_BITS == number).all())
        checks["states that exist"] = int(state.min()) >= 1 and int(state.max()) <= _STATES
    return [what for what, fine in checks.items() if not fine] + (_sightings(report) if report.sightings else [])


def _sightings(report: Report) -> list[str]:
    """What is wrong with its sightings."""
    try:
        rows = report.sighting_rows()
    except ValueError as error:
        return [f"whole rows ({error})"]
    kind, where = rows["kind"], rows["where"]
    checks = {
        "a sighting for each frame": not report.frames or len(report.frames) == len(rows),
        "not too many rows": len(rows) <= MOST_ROWS,
        "known interface names": int(rows["name"].max()) < len(report.interfaces),
        "kinds that exist": int(kind.min()) >= 1 and int(kind.max()) <= _KINDS,
        "places that exist": int(where.min()) >= 1 and int(where.max()) <= _PLACES,
    }
    return [what for what, fine in checks.items() if not fine]


def _is_gap(gap: Gap) -> bool:
    return (
        0 <= gap.epoch < 2**63
        and 0 < gap.first <= gap.last < 2**63
        and 0 <= gap.since_ns <= gap.until_ns < 2**62
        and 0 <= gap.failed <= gap.probes < 2**62
    )
