"""What stands in for the tap and the link of a process without CAP_NET_RAW: it hears nothing and sends nothing.

Such an agent is a responder and answers questions; its half-open sockets say which SYNs its TCP took.
"""

from __future__ import annotations

import errno
import os
import time

import numpy as np

from prober import segment
from prober.segment import Batch
from prober.wire.capture import Catch


class NoTap:
    """A `Tap` that never hears anything."""

    def __init__(self) -> None:
        self._quiet = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.unread, self.emptied = 0, True

    def fileno(self) -> int:
        """Never readable."""
        return self._quiet

    def receive(self, limit: int = 4096, frames: bool = True) -> Catch:  # noqa: ARG002  # a tap's
        """Nothing."""
        return Catch(segment.empty(), [])

    def hurry(self, hurried: bool) -> None:
        """Nothing to leave out."""

    def wait(self, seconds: float) -> None:
        """As long as it takes to hear nothing."""
        time.sleep(seconds)

    def dropped(self) -> int:
        """Nothing is captured, so nothing is lost."""
        return 0

    def close(self) -> None:
        os.close(self._quiet)


class NoLink:
    """A `Link` that sends nothing: each row fails as the kernel would have it fail."""

    waits = 0

    def send(self, batch: Batch) -> Batch:
        """EPERM for every row."""
        return np.full(len(batch), errno.EPERM, np.int32)

    def close(self) -> None:
        """There is nothing to close."""
