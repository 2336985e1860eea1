"""One line an event, on stderr."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import structlog
from prober.logs import configure
configure({level!r}, {form!r})
log = structlog.get_logger("x")
log.debug("too quiet")
log.warning("said", what="a → b")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broke")
"""


def said(level: str = "info", form: str = "auto") -> tuple[str, str]:
    program = PROGRAM.format(level=level, form=form)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


def test_off_a_terminal_each_event_is_one_line_of_json_on_stderr() -> None:
    out, err = said()
    assert out == ""
    events = [json.loads(line) for line in err.splitlines()]
    assert [(one["event"], one["level"]) for one in events] == [("said", "warning"), ("broke", "error")]
    assert events[0]["what"] == "a → b"
    assert "ZeroDivisionError" in events[1]["exception"]


def test_text_is_for_people_and_debug_says_more() -> None:
    _, err = said("debug", "text")
    assert "too quiet" in err
    assert not err.lstrip().startswith("{")
