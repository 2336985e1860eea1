"""Words measured, cut and wrapped as they will be painted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prober.surfaces.scene import cut, length, wrap


def test_what_fits_is_left_alone() -> None:
    assert cut("firewall", length("firewall", 13), 13) == "firewall"


@given(st.text(min_size=1, max_size=60), st.floats(20, 300))
def test_a_cut_word_fits(text: str, room: float) -> None:
    assert length(cut(text, room, 13), 13) <= room


@given(st.lists(st.text("abcdefgh→.-", min_size=1, max_size=30), max_size=12), st.floats(60, 400))
def test_wrapped_lines_fit_and_lose_no_word_that_fits(words: list[str], room: float) -> None:
    lines = wrap(" ".join(words), room, 12)
    assert all(length(line, 12) <= room for line in lines)
    kept = " ".join(lines).split()
    assert [word for word in words if length(word, 12) <= room] == [
        one for one in kept if one in words or "…" not in one
    ]
