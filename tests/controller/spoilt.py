"""Reports that are none: each a good one with one thing wrong."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from prober.report import MOST_GAPS, MOST_ROWS, Gap, HalfOpen, Report, Route, encode


def outcomes(**wrong: int) -> Callable[[Report], Report]:
    """The same report with these columns of its outcomes changed."""

    def change(report: Report) -> Report:
        rows = report.outcome_rows().copy()
        for name, value in wrong.items():
            rows[name] = value
        return msgspec.structs.replace(report, outcomes=rows.tobytes())

    return change


def sightings(**wrong: int) -> Callable[[Report], Report]:
    """The same of its sightings."""

    def change(report: Report) -> Report:
        rows = report.sighting_rows().copy()
        for name, value in wrong.items():
            rows[name] = value
        return msgspec.structs.replace(report, sightings=rows.tobytes())

    return change


def fields(**wrong: object) -> Callable[[Report], Report]:
    """The same of the report itself."""
    return lambda report: msgspec.structs.replace(report, **wrong)


def many(report: Report) -> Report:
    """More outcomes than one report may hold."""
    rows = np.repeat(report.outcome_rows(), MOST_ROWS + 1)
    return msgspec.structs.replace(report, outcomes=rows.tobytes())


SPOILT: dict[str, Callable[[Report], Report | bytes]] = {
    "another's name": fields(agent="lb"),
    "another's probe": outcomes(probe=9 << 20),
    "a target index too far": outcomes(target=9),
    "a run index too far": outcomes(run=9),
    "an unknown state": outcomes(state=77),
    "an unknown kind": sightings(kind=99),
    "an unknown place": sightings(where=0),
    "an interface index too far": sightings(name=3),
    "half a row": lambda good: msgspec.structs.replace(good, outcomes=good.outcomes[:-1]),
    "a frame too few": lambda good: msgspec.structs.replace(good, frames=good.frames[:1]),
    "too many gaps": lambda good: encode(fields(gaps=[Gap(1, 1, 1, 0, 0)] * (MOST_GAPS + 1))(good)),
    "a run with NUL": fields(runs=["", "x\0y"]),
    "a note with NUL": fields(notes=["\0"]),
    "a route with NUL": fields(answers=[Route(dst="10.0.0.1", via="10.0.0.2\0")]),
    "a gap with NUL": fields(gaps=[Gap(1, 1, 1, 0, 0, why="\0")]),
    "a half-open socket with NUL": fields(halfopen=[HalfOpen("10.0.0.1\0", 1, "10.0.0.2", 2, 0)]),
    "a huge epoch": fields(epoch=2**63),
    "sequence 0": fields(sequence=0),
    "a clock before 1970": fields(clock_ns=-1),
    "too many rows": many,
    "a gap that ends before it begins": lambda good: msgspec.structs.replace(good, gaps=[Gap(1, 5, 4, 0, 1)]),
    "a gap without an end": lambda good: msgspec.structs.replace(good, gaps=[Gap(1, 5, 2**63, 0, 1)]),
    "more failures than probes": lambda good: msgspec.structs.replace(good, gaps=[Gap(1, 1, 2, 0, 1, 3, 4)]),
    "an age before it was written": fields(age_ns=-1),
    "cut short": lambda good: encode(good)[:-20],
    "nothing": lambda _: b"",
    "another type": lambda _: msgspec.msgpack.encode({"agent": 5}),
}
