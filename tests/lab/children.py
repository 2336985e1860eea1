"""Run a test's body in a forked child, so that the test process itself stays as it is."""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Callable
from typing import Any

from prober.errors import CannotMeasure

Sealed = Callable[[Callable[[], Any]], Any]


def in_child(function: Callable[[], Any]) -> Any:
    """What `function` returns in a forked child, or its failure as this process's own."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            try:
                answer = ("value", function())
            except CannotMeasure as failure:
                answer = ("cannot", str(failure))
            except BaseException:  # noqa: BLE001 - it becomes the test's own failure
                answer = ("failed", traceback.format_exc())
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(answer, pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    os.waitpid(pid, 0)
    assert content, "the child ended without a word"
    how, value = pickle.loads(content)
    if how == "cannot":
        raise CannotMeasure(value)
    assert how == "value", value
    return value
