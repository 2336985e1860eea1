"""Text made to fit: never too long, never in the middle of an escape, and what is left out is counted."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from prober.surfaces import fit


def test_what_fits_stays_and_a_cut_is_shown() -> None:
    assert (fit.cut("abc", 3), fit.cut("abcd", 3)) == ("abc", "ab…")
    assert [fit.cut("a&amp;b", most) for most in (4, 6, 7)] == ["a…", "a…", "a&amp;b"]
    assert [fit.cut(r"a\*b\\c", most) for most in (3, 4, 6, 7)] == ["a…", r"a\*…", r"a\*b…", r"a\*b\\c"]


def test_lines_that_do_not_fit_are_counted() -> None:
    assert fit.lines(["one", "two", "three"], 99) == "one\ntwo\nthree"
    assert fit.lines(["one", "two", "three"], 18) == "one\n… and 2 more"


@given(st.lists(st.text("ab\\&;", max_size=40), max_size=30), st.integers(16, 60))
def test_nothing_is_longer_than_asked_and_pages_hold_all_lines(lines: list[str], most: int) -> None:
    assert len(fit.lines(lines, most)) <= most
    found = fit.pages(lines, most)
    assert all(len("\n".join(page)) <= most for page in found)
    assert sum(len(page) for page in found) == len(lines)
    assert all(not re.search(r"(?<!\\)(\\\\)*\\…$", fit.cut(line, most)) for line in lines)
