"""What is an alert, what is news of it, and what an incident has told already."""

from __future__ import annotations

import msgspec
import pytest

from prober import alert, slo
from prober.alert import Alert, explained, follow, of_burns, over
from prober.slo import Attainment
from tests.alarms import incident, resolved


def with_(one: Alert, **given: object) -> Alert:
    return msgspec.structs.replace(one, **given)


def test_what_is_new_is_told_and_what_stays_is_not() -> None:
    assert follow(None, incident()) == incident()
    assert follow(incident(), incident()) is None


@pytest.mark.parametrize(
    "news",
    [{"culprit": "node7"}, {"label": "ingress-drop"}, {"closed": 1_700_000_600.0}, {"cells": 40}],
    ids=["culprit", "label", "end", "ten times as many"],
)
def test_news_is_another_revision(news: dict[str, object]) -> None:
    told = follow(incident(), with_(incident(), **news))
    assert told is not None and told.revision == 2
    assert told == with_(incident(), **news, revision=2)


def test_another_path_that_fails_alike_is_kept_and_wakes_nobody() -> None:
    told = follow(incident(), incident(cells=5, sentence="5 paths fail by node19."))
    assert told is not None and (told.revision, told.cells) == (1, 5)


def test_it_becomes_worse_and_never_milder() -> None:
    worse = follow(incident(severity="warning"), incident())
    assert worse is not None and (worse.severity, worse.worn, worse.revision) == ("critical", ("warning",), 2)
    milder = follow(worse, incident(severity="warning", culprit="node7"))
    assert milder is not None and (milder.severity, milder.worn, milder.revision) == ("critical", ("warning",), 3)


def test_what_is_over_stays_so() -> None:
    assert follow(resolved(), incident()) is None
    assert follow(resolved(), resolved(sentence="another")) is None


def test_its_state_is_what_a_receiver_is_told() -> None:
    assert incident().state == "opened"
    assert incident(revision=2).state == "changed"
    assert resolved().state == "resolved"
    assert resolved(revision=1).state == "resolved"


def test_the_end_is_another_revision_and_never_before_the_beginning() -> None:
    ended = over(incident(), 5.0, alert.FORGOTTEN)
    assert (ended.closed, ended.because, ended.revision) == (incident().opened, "forgotten", 2)


def burns(**burn: float) -> list[slo.Alert]:
    names = {f"w{name}": name for name in slo.WINDOWS}
    rates = {names[name]: rate for name, rate in burn.items()}
    return list(slo.alerts(Attainment("o", 90, 100, 0.9, -9.0, rates, 3600.0)))


def test_all_burn_rates_of_an_objective_are_one_alert_as_bad_as_the_fastest() -> None:
    made = of_burns(burns(w1h=20, w5m=20, w6h=20, w30m=20, w3d=20), None, 100.0, ("slack",))
    assert (made.severity, made.objective, made.to, made.opened) == ("critical", "o", ("slack",), 100.0)
    slower = of_burns(burns(w6h=7, w30m=7, w3d=7), None, 100.0)
    assert slower.severity == "error"
    assert of_burns(burns(w3d=2, w6h=2), None, 100.0).severity == "warning"


def test_a_burn_keeps_its_identity_as_long_as_it_lasts() -> None:
    first = of_burns(burns(w3d=2, w6h=2), None, 100.0)
    later = of_burns(burns(w1h=20, w5m=20), first, 700.0)
    assert (later.id, later.opened) == (first.id, 100.0)
    assert of_burns(burns(w3d=2, w6h=2), None, 9000.0).id != first.id


def test_a_burn_rate_that_moves_a_little_is_no_news() -> None:
    first = of_burns(burns(w3d=2, w6h=2), None, 100.0)
    moved = follow(first, of_burns(burns(w3d=3, w6h=2), first, 115.0))
    assert moved is not None and moved.revision == 1


def test_an_incident_that_broke_enough_of_an_objective_has_told_it_already() -> None:
    (fast,) = burns(w1h=20, w5m=20)
    assert explained(fast, 0.25, 0.999), "a quarter of the pairs burns 250 times too fast"
    assert not explained(fast, 0.001, 0.999), "one of a thousand pairs burns but once: the rest is another cause"
    assert not explained(fast, 0.0, 0.999)
    (slow,) = burns(w3d=2, w6h=2)
    assert explained(slow, 0.001, 0.999)


def test_each_threshold_has_a_severity() -> None:
    assert set(alert.BURNING) == {factor for factor, _, _ in slo.THRESHOLDS}


def test_words() -> None:
    assert alert.title_of("target", "ingress", 1) == "target: ingress, 1 path"
    assert [alert.severity_of(label) for label in ("intermittent", "target")] == ["warning", "critical"]
