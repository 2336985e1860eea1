"""Which plan an agent goes by, and for how long."""

from __future__ import annotations

from prober.agent.mandate import Mandate
from tests.agent.plans import plan


def held() -> Mandate:
    mandate = Mandate(0.0)
    assert mandate.take(plan(expires_after=10.0)) is None
    return mandate


def test_the_first_plan_is_news_and_the_same_one_again_is_none() -> None:
    assert Mandate(0.0).is_news(plan()) and not Mandate(0.0).is_news(None)
    assert not held().is_news(plan()) and held().is_news(plan(version="v2"))


def test_an_unsound_plan_is_not_taken_and_the_one_before_holds() -> None:
    mandate = held()
    assert "key" in str(mandate.take(plan(version="v2", keys=[])))
    assert mandate.plan is not None and mandate.plan.version == "v1"


def test_it_ends_once_when_nobody_has_been_heard_for_long() -> None:
    mandate = held()
    mandate.heard_at = 5.0
    assert [mandate.ends(now) for now in (15.0, 15.1, 15.2)] == [False, True, False]
    assert mandate.plan is not None, "what was allowed is known still"


def test_an_expired_plan_that_is_told_again_is_news_and_holds_again() -> None:
    mandate = held()
    assert mandate.ends(11.0) and mandate.is_news(plan())
    mandate.heard_at = 11.0
    assert mandate.take(plan(expires_after=10.0)) is None
    assert not mandate.is_news(plan()) and mandate.ends(21.5)
