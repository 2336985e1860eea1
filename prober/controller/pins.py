"""Looks up the host names of targets, in a thread of its own: a resolver may take seconds to say nothing.

Each name is looked up once, and again when the document is read again (SIGHUP, ``POST /-/reload``); one that is not
found is tried again every `AGAIN` seconds. Until then its cells are there, and nothing is known of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from prober import hostnames
from prober.address import Address
from prober.targets import Targets

AGAIN = 60.0
AT_START = 1.0
"""Seconds for which a controller that starts waits for the first look: what was under way goes on with its names."""

_log = structlog.get_logger("prober.controller")


class Pins:
    """``targets`` is the document with every name pinned that was found; ``declared`` is as it was written; ``looked``
    is set after the first look, whatever it brought.

    `declare` and `settle` are called by the loop, `follow` by the thread, which writes nothing that the loop reads.
    """

    def __init__(self, declared: Targets) -> None:
        self.declared = self.targets = declared
        self.found: dict[str, list[Address]] = {}
        self._told: set[str] = set()
        self._wanted, self._ended = threading.Event(), False
        self.looked = threading.Event()

    def declare(self, declared: Targets) -> Targets:
        """Another document, pinned as far as its names are known; they are looked up anew meanwhile."""
        self.declared = declared
        self._pin()
        self._wanted.set()
        return self.targets

    def settle(self, found: dict[str, list[Address]], wrong: list[str]) -> bool:
        """What the thread found; whether that changes the targets. What is `wrong` is said once, until it changes."""
        before = self.targets
        self.found |= found
        wrong = wrong + self._pin()
        for why in sorted(set(wrong) - self._told):
            _log.warning("a host name has no address to probe", why=why)
        self._told = set(wrong)
        return self.targets != before

    def _pin(self) -> list[str]:
        self.targets, wrong = hostnames.pin(self.declared, self.found, self.targets)
        return wrong

    def follow(self, settled: Callable[[dict[str, list[Address]], list[str]], None]) -> None:
        """The thread: for ever. `settled` hears what each look brought."""
        while not self._ended:
            wanted = hostnames.names(self.declared)
            found, wrong = _looked_up(wanted)
            if wanted:
                settled(found, wrong)
            self.looked.set()
            self._wanted.wait(AGAIN if wrong else None)
            self._wanted.clear()

    def end(self) -> None:
        self._ended = True
        self._wanted.set()


def _looked_up(wanted: list[str]) -> tuple[dict[str, list[Address]], list[str]]:
    found, wrong = dict[str, list[Address]](), list[str]()
    for name in wanted:
        try:
            if answers := hostnames.look_up(name):
                found[name] = answers
            else:
                wrong.append(f"{name} has no address")
        except (OSError, UnicodeError) as error:
            wrong.append(f"{name} does not resolve ({getattr(error, 'strerror', None) or error})")
    return found, wrong
