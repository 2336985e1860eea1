"""The seam between an engine and the network, as lists."""

from __future__ import annotations

import time

import numpy as np

from prober import segment
from prober.wire.capture import Catch


class Wire:
    """Both ends of the seam, as lists: `sent` batches, and `coming` batches for the tap."""

    def __init__(self):
        self.sent, self.coming, self.refuse = [], [], 0

    def send(self, batch):
        self.sent.append(batch.copy())
        return np.full(len(batch), self.refuse, np.int32)

    def receive(self, limit=4096, frames=True):
        segments = self.coming.pop(0) if self.coming else segment.empty()
        return Catch(segments, [b"frame"] * len(segments) if frames else [])

    def hurry(self, hurried):
        """All is told: a list leaves nothing out."""

    def wait(self, seconds):
        time.sleep(seconds)
