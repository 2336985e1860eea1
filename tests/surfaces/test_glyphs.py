"""The one table of looks, checked against the verdicts' own words and against colour blindness."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from prober.surfaces.glyphs import LOOKS, look, present, rank, shown, to_ascii
from prober.verdict import Label
from tests.surfaces import documents

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
BLIND = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """``#rrggbb`` as linear RGB (IEC 61966-2-1)."""
    share = np.frombuffer(bytes.fromhex(colour[1:]), np.uint8) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lightness(colour: str) -> float:
    """Relative luminance (WCAG 2)."""
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def test_every_label_of_a_verdict_has_a_look() -> None:
    assert {one.label for one in LOOKS} == {label.value for label in Label}
    assert {one.label for one in LOOKS if one.fails} == {
        label.value for label in Label if not label.passes and label != Label.UNKNOWN
    }


@pytest.mark.parametrize("field", ["glyph", "ascii", "word", "phrase", "dark", "light"])
def test_no_two_labels_share(field: str) -> None:
    assert len({getattr(one, field) for one in LOOKS}) == len(LOOKS)


def test_every_glyph_can_be_read_on_its_tile() -> None:
    for one in LOOKS:
        for fill, ink in (one.dark, one.light):
            low, high = sorted((lightness(fill), lightness(ink)))
            assert (high + 0.05) / (low + 0.05) >= 3, f"{one.label}: {ink} on {fill} (WCAG 2.1, 1.4.11)"


@pytest.mark.parametrize("kind", list(BLIND))
@pytest.mark.parametrize("ground", ["dark", "light"])
def test_the_tiles_differ_for_the_colour_blind(kind: str, ground: str) -> None:
    seen = {
        one.label: np.clip(np.array(BLIND[kind]) @ linear(getattr(one, ground)[0]), 0, 1) ** (1 / 2.2) for one in LOOKS
    }
    for one, other in combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 0.12, f"{one} and {other}"


def test_a_label_of_a_newer_controller_looks_unknown_and_says_its_name() -> None:
    assert look("brand-new").word == "brand-new"
    assert (look("brand-new").glyph, rank("brand-new")) == ("?", rank("unknown"))


def test_the_labels_present_are_counted_worst_first() -> None:
    counted = [(one.label, count) for one, count in present(documents.incident())]
    assert counted == [("return-path-misroute", 4), ("ingress-drop", 2), ("healthy", 59)]


def test_what_is_not_printable_is_replaced() -> None:
    assert shown("a\x1b[2J\u202e\x00b\nü→") == "a\ufffd[2J\ufffd\ufffdb\ufffdü→"


def test_ascii_spells_signs_out() -> None:
    assert to_ascii("firewall → ingress · 2.8× …ü") == "firewall -> ingress - 2.8x ...?"
