"""How long what is kept is kept."""

from __future__ import annotations

from dataclasses import replace

from prober.controller import retention
from prober.controller.retention import Retention
from prober.settings import load, read_targets
from tests.controller.centres import TARGETS


def test_each_setting_keeps_what_it_names() -> None:
    names = ("reports", "passing", "failing", "matrix", "minutes", "incidents")
    spans = {name: days * 86_400.0 for days, name in enumerate(names, 4)}
    given = load(targets=TARGETS, **{f"keep_{name}": span for name, span in spans.items()})
    assert Retention.of(given)._asdict() == spans


def test_counts_are_kept_for_the_longest_window_and_never_less_than_the_burn_rates_need() -> None:
    declared = read_targets(TARGETS)
    (one, *_) = declared.objectives
    assert retention.longest(replace(declared, objectives=())) == retention.MINUTES_KEPT
    assert retention.longest(replace(declared, objectives=(replace(one, window=9e9),))) == 9e9
