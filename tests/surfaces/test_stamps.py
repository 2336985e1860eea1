"""Moments, as people and machines read them."""

from __future__ import annotations

from prober.surfaces.stamps import stamp


def test_a_moment_is_rfc_3339_in_utc() -> None:
    assert stamp(1_700_000_000.25) == "2023-11-14T22:13:20.250Z"
    assert stamp(0) == "1970-01-01T00:00:00.000Z"
