"""This machine's own answers: what its routing table says, which interfaces are pods', what its counters show."""

import importlib.util
import sys


def _messages_alone() -> None:
    """Let pyroute2's messages be imported without its databases, event loop and mocks.

    Its ``__init__`` brings them all, a third of a second and 8 MiB for nothing that is asked here; a package that was
    imported whole before stays as it is.
    """
    found = importlib.util.find_spec("pyroute2")
    if "pyroute2" not in sys.modules and found is not None:
        sys.modules["pyroute2"] = importlib.util.module_from_spec(found)


_messages_alone()
