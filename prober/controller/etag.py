"""Names for what a document says: the same as long as it says the same (RFC 9110, 8.8.3)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

PASSING = ("age_seconds", "sent", "answered", "rtt_ms")
"""What of a cell changes without any news."""


def tag(document: dict[str, Any]) -> str:
    """A name for what a matrix or a run says, the same as long as it says the same."""
    said = [{k: v for k, v in cell.items() if k not in PASSING} for cell in document["cells"]]
    more = [document.get(name) for name in ("state", "judged")]
    return hashlib.sha256(json.dumps([said, more]).encode()).hexdigest()[:24]


def matches(given: str, etag: str) -> bool:
    """Whether ``If-None-Match`` has it: a list, compared weakly (RFC 9110, 13.1.2)."""
    listed = [one.strip().removeprefix("W/") for one in given.split(",")]
    return etag in listed or listed == ["*"]
