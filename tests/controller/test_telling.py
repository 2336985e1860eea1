"""What is told of a cell: probes make its state, an experiment's handshakes bear it out or speak against it."""

from __future__ import annotations

import pytest

from prober.controller import telling
from prober.flip import Debounce, Flip
from prober.matrix import Cell
from prober.verdict import Confidence, Label, Verdict

GOOD = Verdict(Label.HEALTHY, Confidence.PROVEN, "a → b answers.")
LOST = Verdict(Label.INGRESS_DROP, Confidence.PROVEN, "lost.")
BACK = Verdict(Label.RETURN_PATH_LOSS, Confidence.PROVEN, "lost on the way back.")
VERDICTS = {"+": GOOD, "-": LOST, "p": GOOD, "l": LOST, "b": BACK, "<": BACK}


def told(pattern: str) -> list[tuple[int, str]]:
    """``+`` a probe that passed, ``-`` one lost on its way in, ``<`` back; ``p``, ``l``, ``b``: an experiment's."""
    bounce, cell, flips = Debounce(told={("a", "b"): "healthy"}), Cell("a", "b", 1.0), list[Flip | None]()
    for number, mark in enumerate(pattern):
        now = float(number)
        if mark in "+-<":
            cell.take(number, now, VERDICTS[mark], None)
            flips.append(telling.of_probe(bounce, cell, now, now))
        else:
            flips.append(telling.of_handshake(bounce, cell, VERDICTS[mark], now, now))
    return [(int(flip.at), flip.after) for flip in flips if flip]


@pytest.mark.parametrize(
    ("pattern", "flips"),
    [
        ("+++---", [(5, "ingress-drop")]),
        ("+++-ll", [(5, "ingress-drop")]),
        ("+++-bl", []),
        ("+++-ppp-pp", []),
        ("+++llllll", []),
        ("---ppppp", [(2, "ingress-drop")]),
        ("---<bbbb+++", [(2, "ingress-drop"), (10, "healthy")]),
        ("+-++++++++++-+++", []),
        ("+-+-+-+-+-+-", [(9, "intermittent"), ]),
    ],
)  # fmt: skip
def test_what_is_told(pattern: str, flips: list[tuple[int, str]]) -> None:
    assert told(pattern) == flips


def test_what_was_told_to_come_and_go_does_so_until_the_cell_says_otherwise() -> None:
    comes = "+-" * 8
    assert told(comes + "+" * 5) == told(comes), "its last ten probes are mixed"
    assert [label for _, label in told(comes + "+" * 13)][-1] == "healthy"
