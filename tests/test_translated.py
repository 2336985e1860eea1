"""What a tap remembers of probes with another port."""

from __future__ import annotations

import numpy as np

from prober import segment, translated
from prober.translated import Translated


def _syns(count):
    rows = segment.empty(count)
    rows["src_lo"], rows["sport"], rows["dst_lo"], rows["dport"] = 7, 1024, 9, 443
    return rows, np.arange(count, dtype=np.uint32)


def _turned(rows):
    back = rows.copy()
    for name, other in (("src_lo", "dst_lo"), ("dst_lo", "src_lo"), ("sport", "dport"), ("dport", "sport")):
        back[name] = rows[other]
    return back


def test_an_answer_is_told_by_its_id_and_the_four_tuple_turned_round():
    rows, ids = _syns(2)
    known, every = Translated(), np.ones(2, bool)
    known.note(rows, ids, np.array([True, False]))
    assert known.answered(_turned(rows), ids, every).tolist() == [True, False]
    assert known.answered(rows, ids, every).tolist() == [False, False]
    assert known.answered(_turned(rows), ids, ~every).tolist() == [False, False]


def test_only_so_many_are_remembered_and_the_oldest_go():
    rows, ids = _syns(translated.MOST + 1)
    known, every = Translated(), np.ones(len(rows), bool)
    known.note(rows, ids, every)
    assert known.answered(_turned(rows), ids, every).tolist() == [False] + [True] * translated.MOST
