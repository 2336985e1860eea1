"""The whole catalogue: incidents in batches that share a network, two labs side by side, each in its own process."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

from prober.errors import ProberError
from prober.lab import namespaces, trial
from prober.lab.incident import Incident
from prober.lab.trial import Say, Trial

SIDE_BY_SIDE = 2
"""Labs at a time. A host that is starved of CPU makes agents miss packets, and negatives then do not count."""
BATCH = 8
"""Incidents on one stage at most: a batch is what the processes share out."""


def run(incidents: Sequence[Incident], folder: Path, say: Say, workers: int = SIDE_BY_SIDE) -> Iterator[Trial]:
    """Every incident's trial, as their batches end; one whose lab could not be built or read is a miss that says why.

    Call it from a process with one thread (`sealed.enter` has been called): the workers are forked from it.
    """
    forked = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, forked, namespaces.die_with_parent, (os.getpid(),)) as pool:
        waiting: dict[Future[list[Trial]], list[Incident]] = {
            pool.submit(_batch, batch, folder, say): batch for batch in batches(incidents)
        }
        for done in as_completed(waiting):
            yield from done.result()


def batches(incidents: Sequence[Incident]) -> list[list[Incident]]:
    """Incidents that share network and targets together, at most `BATCH`, the longest batches first."""
    groups: dict[tuple[object, ...], list[Incident]] = {}
    for incident in incidents:
        groups.setdefault(trial.network(incident), []).append(incident)
    cut = [group[at : at + BATCH] for group in groups.values() for at in range(0, len(group), BATCH)]
    return sorted(cut, key=len, reverse=True)


def _batch(incidents: list[Incident], folder: Path, say: Say) -> list[Trial]:
    """One worker's turn. What can't be measured is told as a miss of each incident that is left."""
    place = Path(tempfile.mkdtemp(dir=folder))
    done: list[Trial] = []
    try:
        for one in trial.run(incidents, place, say):
            done.append(one)  # noqa: PERF402  # what was done before a failure counts
    except ProberError as error:
        lost = [f"could not be measured: {error}"]
        done += [Trial(one.name, False, 0.0, [], lost, False) for one in incidents[len(done) :]]
    return done
