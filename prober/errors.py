"""The few exceptions that prober raises; each carries the sentence the operator reads.

``exit_code`` is what the command line leaves with: 2 usage, 3 could not measure, 4 configuration invalid.
"""

from __future__ import annotations


class ProberError(Exception):
    """Something that a person can mend. ``str(error)`` is the whole sentence: what, where, what would be right."""

    exit_code = 2

    @property
    def outward(self) -> str:
        """What whoever called over the network may read of it, with a token or without."""
        return str(self)


class ConfigInvalid(ProberError):
    """``targets.yaml`` or a setting is wrong; the message lists every mistake with file, line and path."""

    exit_code = 4


class CannotMeasure(ProberError):
    """No permission, no agent, no controller, no database: nothing was measured, so nothing is said of the network."""

    exit_code = 3


class Refused(ProberError):
    """The controller or the policy said no."""

    exit_code = 2


class Unstorable(Refused):
    """There is a value in it that fits no column: no other try would be taken, and the store is well."""

    @property
    def outward(self) -> str:
        return "there is a value in this that the store can't hold; it is not taken, now or later"


class StoreUnavailable(CannotMeasure):
    """The database does not answer or refused; what was not stored was not acknowledged, and can be sent again."""

    @property
    def outward(self) -> str:
        """Where the database is, and what it said, is the operator's to know: it stands in the log."""
        return "the store does not answer; what it did not take can be sent again"


class Deposed(ProberError):
    """Another controller has the lease now: what this one would write is that one's to write."""

    exit_code = 3


class StoreFull(StoreUnavailable):
    """The database has no room left; what it holds can still be read."""

    @property
    def outward(self) -> str:
        return "the store has no room left: it takes nothing new, and nothing acknowledged is lost"


def shown(text: str, limit: int = 60) -> str:
    """Text from outside as it may stand in a message: one line, printable ASCII-safe, cut."""
    safe = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[: limit + 1])
    return safe if len(text) <= limit else safe[:limit] + "…"
