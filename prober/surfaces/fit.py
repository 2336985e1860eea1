"""Text made to fit what a chat takes: cut with a sign, never in the middle of an escape."""

from __future__ import annotations


def cut(text: str, most: int) -> str:
    """`text` in at most `most` characters, never in the middle of ``&amp;`` or of ``\\*``."""
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    amp = kept.rfind("&", max(0, len(kept) - 5))
    kept = kept[:amp] if amp >= 0 and ";" not in kept[amp:] else kept
    slashes = len(kept) - len(kept.rstrip("\\"))
    return kept[: len(kept) - slashes % 2] + "…"


def lines(given: list[str], most: int) -> str:
    """As many whole lines as fit, with a count of those that don't."""
    kept: list[str] = []
    for at, line in enumerate(given):
        rest = f"… and {len(given) - at} more"
        if sum(len(one) + 1 for one in kept) + len(line) + len(rest) + 1 > most:
            return "\n".join([*kept, rest])
        kept.append(line)
    return "\n".join(kept)


def pages(given: list[str], most: int) -> list[list[str]]:
    """The lines, in as many pages of at most `most` characters as it takes; a longer line is cut."""
    found: list[list[str]] = [[]]
    for line in (cut(one, most) for one in given):
        if found[-1] and sum(len(one) + 1 for one in found[-1]) + len(line) > most:
            found.append([])
        found[-1].append(line)
    return found
