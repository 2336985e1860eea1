"""How the catalogue is shared out, and that a lab which fails takes no trial with it in silence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from children import Sealed

from prober.errors import CannotMeasure
from prober.lab import catalogue, incident, trial
from prober.lab.incident import Incident
from prober.lab.trial import Trial


def said(_: str) -> None:
    """Nobody listens."""


def test_incidents_that_share_a_network_stand_together_wherever_they_stood() -> None:
    names = ("filter", "pod-gone", "reject", "policy-drop", "incident", "return-filter", "detour", "own-block")
    names += ("missing-route", "closed-port", "healthy")
    loaded = [incident.load(name) for name in names]
    own = loaded[0].model_copy(update={"targets": {"zones": []}})
    shared = catalogue.batches([*loaded[:3], own, *loaded[3:]])
    assert [len(batch) for batch in shared] == [8, 2, 1, 1]
    assert sorted(one.name for batch in shared for one in batch) == sorted([*names, own.name])
    assert all(len({one.targets_text() for one in batch}) == 1 for batch in shared)


def test_a_lab_that_cannot_be_built_is_a_miss_of_each_incident_that_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = Trial("healthy", True, 1.0, [], [])

    def fails(*_: Any) -> Iterator[Trial]:
        yield done
        raise CannotMeasure("the lab's controller does not answer")

    monkeypatch.setattr(trial, "run", fails)
    loaded = [incident.load(name) for name in ("healthy", "incident", "filter")]
    (first, *others) = catalogue.run(loaded, tmp_path, said, workers=1)
    assert first == done
    assert [(one.scenario, one.ok) for one in others] == [("incident", False), ("filter", False)]
    assert others[0].misses == ["could not be measured: the lab's controller does not answer"]


def test_what_is_watched_live_has_a_stage_of_its_own_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    built: list[str] = []

    class Stage:
        def __init__(self, told: Incident, _folder: Path) -> None:
            self.incident = told
            built.append(told.name)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def await_judged(self) -> None:
            return

    monkeypatch.setattr(trial, "Stage", Stage)
    monkeypatch.setattr(trial, "on", lambda stage, *_: Trial(stage.incident.name, True, 1.0, [], []))
    done = trial.run([incident.load(name) for name in ("band", "band", "filter", "filter")], tmp_path, said)
    assert [one.scenario for one in done] == ["band", "band", "filter", "filter"]
    assert built == ["band", "band", "filter"]


@pytest.mark.timeout(200)
def test_two_labs_side_by_side_say_what_one_says(sealed_child: Sealed, tmp_path: Path) -> None:
    loaded = [incident.load(name) for name in ("healthy", "incident", "filter")]
    targets = {**loaded[2].network.targets, "objectives": []}
    loaded.append(loaded[2].model_copy(update={"targets": targets, "name": "alone"}))
    assert len(catalogue.batches(loaded)) == 2

    def live() -> list[Trial]:
        return list(catalogue.run(loaded, tmp_path, said))

    trials = {one.scenario: one for one in sealed_child(live)}
    assert [one.misses for one in trials.values()] == [[]] * 4
    assert list(tmp_path.rglob("*.sqlite*")) == [], "repeats would fill the private directory"
    seconds = trials["incident"].seconds_to_verdict
    assert seconds is not None and 0.3 < seconds < 8
    assert trials["healthy"].seconds_to_verdict is None
