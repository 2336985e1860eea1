"""Whether this host's connection tracking has room: the kernel drops each new flow once ``nf_conntrack_count`` has
reached ``nf_conntrack_max`` (__nf_conntrack_alloc, net/netfilter/nf_conntrack_core.c).

Both can be read without a capability. The limit is the host's, not the namespace's: no lab can lower it.
"""

from __future__ import annotations

import os
from pathlib import Path

COUNTER = "ConntrackFull"
_FOLDER = Path("/proc/sys/net/netfilter")


class Conntrack:
    """A counter like the kernel's own: it rises at each look at which the table was full."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._count, self._most = f"{folder}/nf_conntrack_count", f"{folder}/nf_conntrack_max"
        self._full = 0

    def read(self) -> dict[str, int]:
        """`COUNTER`; nothing where connection tracking is not loaded."""
        try:
            self._full += _number(self._count) >= _number(self._most)
        except FileNotFoundError:
            return {}
        return {COUNTER: self._full}


def _number(path: str) -> int:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(file, 32))
    finally:
        os.close(file)
