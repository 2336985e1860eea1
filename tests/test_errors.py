"""What an operator reads: words from outside stand in it harmless and short."""

from __future__ import annotations

from prober.errors import shown


def test_text_from_outside_is_shown_on_one_line_and_cut() -> None:
    assert shown("a\nb\x1b[31m\u202e") == "a\\nb\\x1b[31m\\u202e"
    assert shown("x" * 99) == "x" * 60 + "…"
    assert shown("\ud800") == "\\ud800"
