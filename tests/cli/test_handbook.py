"""docs/verdicts.md from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prober.cli.handbook import main
from prober.confusion import reckon

CELL = {"label": "target", "expected_labels": ["target"], "cause": "T1", "expected_causes": ["T1"],
        "confidence": "proven", "covered": True}  # fmt: skip
TRIAL = {"scenario": "closed", "ok": True, "cells": [CELL], "seconds_to_verdict": 1.5, "misses": []}


def test_both_runs_end_up_in_the_handbook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "lab.json", tmp_path / "agentless.json"]
    for file, times in zip(files, (1, 2), strict=True):
        file.write_text(json.dumps(reckon([TRIAL] * times)))
    main([str(file) for file in files])
    text = capsys.readouterr().out
    assert "1 trials of 1 incidents, 1 cells" in text and "2 trials of 1 incidents, 2 cells" in text
    assert "| `healthy` |" in text and "What stays `unknown` there" in text and text.endswith("died before.\n")
