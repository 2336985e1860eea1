"""The way to a controller: its address, and how long it may take."""

from __future__ import annotations

import subprocess
import sys

import pytest

from prober.agent.line import client
from prober.errors import CannotMeasure


def test_an_address_that_is_none_is_one_sentence() -> None:
    with pytest.raises(CannotMeasure, match=r"write http://HOST:PORT or unix:PATH"):
        client("ftp://controller", "")


def test_an_agent_does_not_import_the_command_line_of_its_http_client() -> None:
    words = "import sys, prober.agent.loop; print([n for n in ('rich', 'click') if n in sys.modules])"
    told = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
