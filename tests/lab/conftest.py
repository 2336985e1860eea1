"""A sealed child for each test that needs the kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from children import Sealed, in_child

from prober.errors import CannotMeasure
from prober.lab import sealed


@pytest.fixture(scope="session")
def sealed_child() -> Sealed:
    """Run a function where labs can be built; skips where the kernel allows none, and says why."""
    try:
        in_child(sealed.enter)
    except CannotMeasure as failure:
        pytest.skip(str(failure))

    def run(function: Callable[[], Any]) -> Any:
        def sealed_function() -> Any:
            sealed.enter()
            return function()

        return in_child(sealed_function)

    return run
