"""The figures of one work are written anew, and nobody else's are lost."""

from __future__ import annotations

import json

from bench import page
from bench.figures import compare

ORDER = ["sweep", "send", "start"]


def figure(work, ours):
    return compare(work, "s", ours, [2.0, 2.0], "peer", more_is_better=False, must=1.0, note="as told")


def kept(monkeypatch, folder):
    for name in ("bench", "docs"):
        (folder / name).mkdir()
    monkeypatch.setattr(page, "ROOT", folder)
    return lambda group, work, ours: page.keep(group, [figure(work, ours)], 2, {"zmap": "2.1.1"}, ORDER)


def test_a_work_measured_again_takes_its_own_place_alone(monkeypatch, tmp_path):
    keep = kept(monkeypatch, tmp_path)
    keep("start", "start to first probe", [1.0, 1.0])
    keep("sweep", "handshakes", [4.0, 4.0])
    keep("start", "start to first probe", [0.5, 0.5])
    rows = json.loads((tmp_path / "bench" / "figures.json").read_text())
    assert [(one["group"], one["ours"], one["ratio"]) for one in rows] == [("sweep", 4.0, 0.5), ("start", 0.5, 4.0)]
    text = (tmp_path / "docs" / "performance.md").read_text()
    assert "| handshakes | s | 4 | 2 | peer | **0.5** | 0.5 to 0.5 | ≥ 1 |" in text
    assert "- start to first probe, s: as told." in text
    assert "- sweep, start: 2" in text and "zmap 2.1.1" in text


def test_what_is_no_work_any_more_goes(monkeypatch, tmp_path):
    old = {"group": "gone", "work": "x"}
    new = page.entries("send", [figure("sending", [1.0, 1.0])], {"date": "2026-11-25"})
    assert page.merged([old], new, ORDER) == new
