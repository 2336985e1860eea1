"""Run an incident once and keep what the agents reported, so that it can be judged again without a network."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from prober import replay
from prober.errors import CannotMeasure, ConfigInvalid
from prober.lab import trial
from prober.lab.incident import Incident
from prober.lab.stage import Stage
from prober.replay import Received, Recording
from prober.report import Report, decode_report
from prober.segment import Batch

FILE = "recording.json.gz"
LIMIT = 64 * 1024 * 1024
"""Bytes of a recording at most."""


def record(incidents: Sequence[Incident], private: Path, out: Path, say: Callable[[str], None]) -> None:
    """Each incident once; its reports and what they say go to `out`/NAME/recording.json.gz.

    Raises `CannotMeasure` where the live verdicts missed what an incident expects: such a recording is worth nothing.
    """

    def keep(stage: Stage, done: trial.Trial, began_ns: int) -> None:
        if not done.ok:
            raise CannotMeasure(f"{done.scenario} is not recorded: " + "; ".join(done.misses[:3]))
        path = out / done.scenario / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, _recording(stage, began_ns))
        say(f"{path}: {path.stat().st_size // 1024} KiB")

    for _ in trial.run(incidents, private, say, keep):
        continue


def _recording(stage: Stage, began_ns: int) -> Recording:
    from prober.store import reports
    from prober.store.engine import open_store

    store = open_store(stage.database)
    try:
        rows = list(reports.recent_reports(store, began_ns))
    finally:
        store.close()
    heard = [Received((row.received_ns - began_ns) / 1e9, decode_report(row.body)) for row in rows]
    kept = _of_all if stage.incident.flap else _of_runs  # what comes and goes is told by continuous probing
    probes = np.unique(np.concatenate([kept(one.report) for one in heard]))
    received = tuple(Received(one.at, _only(one.report, probes)) for one in heard)
    bare = Recording(stage.incident.name, stage.incident.targets_text(), received)
    return _judged(bare)


def accept(path: Path) -> Recording:
    """Today's verdicts take the place of the recorded ones: for when the rules have become better. Raises as `read`."""
    accepted = _judged(read(path))
    _write(_file(path), accepted)
    return accepted


def _judged(recording: Recording) -> Recording:
    verdicts, findings = replay.judge(recording)
    return msgspec.structs.replace(recording, verdicts=verdicts, findings=findings)


def _write(path: Path, recording: Recording) -> None:
    path.write_bytes(gzip.compress(msgspec.json.encode(recording), mtime=0))


def _file(path: Path) -> Path:
    return path / FILE if path.is_dir() else path


def _of_runs(report: Report) -> Batch:
    """The probes of runs and experiments: one of each pair before the break, one after it, one after the heal."""
    outcomes = report.outcome_rows()
    probes: Batch = outcomes["probe"][outcomes["run"] != 0]
    return probes


def _of_all(report: Report) -> Batch:
    probes: Batch = report.outcome_rows()["probe"]
    return probes


def _only(report: Report, probes: Batch) -> Report:
    """The report with what it says of these probes; continuous probing in between would fill megabytes."""
    outcomes, seen = report.outcome_rows(), report.sighting_rows()
    kept = np.isin(seen["probe"], probes)
    frames = [frame for frame, keep in zip(report.frames, kept, strict=True) if keep] if report.frames else []
    return msgspec.structs.replace(
        report, frames=frames, sightings=seen[kept].tobytes(),
        outcomes=outcomes[np.isin(outcomes["probe"], probes)].tobytes(),
    )  # fmt: skip


def read(path: Path) -> Recording:
    """A recording's file, or its folder. Raises `ConfigInvalid`."""
    file = _file(path)
    try:
        with gzip.open(file) as stream:
            text = stream.read(LIMIT + 1)
        if len(text) > LIMIT:
            raise ConfigInvalid(f"{file} is larger than {LIMIT} bytes")
        return msgspec.json.decode(text, type=Recording)
    except FileNotFoundError:
        raise ConfigInvalid(f"{file}: no such file; `prober lab record FOLDER NAME` makes one") from None
    except (OSError, EOFError, msgspec.MsgspecError) as error:
        raise ConfigInvalid(f"{file} is no recording: {error}") from error
