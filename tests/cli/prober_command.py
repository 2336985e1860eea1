"""Run `prober` as a person does, in this process: what it prints and what it leaves with."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest
import structlog

from prober import logs
from prober.cli import main


@dataclass
class Left:
    """How a command ended."""

    code: int
    out: str
    err: str


def prober(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> Left:
    """`prober WORDS`; nowhere may a person see a traceback."""
    monkeypatch.setattr(sys, "argv", ["prober", *words])
    logging = structlog.get_config()
    try:
        with pytest.raises(SystemExit) as left:
            main()
    finally:
        structlog.configure(**logging)  # a process that ends takes its logging with it
        logs._CHOSEN.clear()
    told = capsys.readouterr()
    code = left.value.code if isinstance(left.value.code, int) else 0
    assert "Traceback" not in told.out + told.err
    return Left(code, told.out, told.err)
