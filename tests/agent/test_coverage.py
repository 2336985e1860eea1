"""The coverage statement leaves nothing out and claims nothing twice."""

from __future__ import annotations

from prober.agent.coverage import Coverage


def test_one_statement_begins_where_the_last_one_ended() -> None:
    dropped = iter([3, 3, 8])
    coverage = Coverage(lambda: next(dropped), 100)
    assert coverage.close(250) == ((100, 250), 0), "what was dropped before it began is nothing to it"
    assert coverage.close(400) == ((250, 400), 5)


def test_what_is_a_gap_is_not_claimed() -> None:
    coverage = Coverage(lambda: 0, 100)
    coverage.gap(300)
    assert coverage.close(400) == ((300, 400), 0)
