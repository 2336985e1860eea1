"""An `Answer` as a Slack message: Block Kit, and the same as plain text for notifications and screen readers.

Limits: at most 50 blocks, 3,000 characters in a section's text (Slack, "Reference: blocks"). Names come from YAML and
agents, so ``&``, ``<`` and ``>`` are escaped in everything (Slack, "Formatting text"), which leaves no ``<!channel>``.
"""

from __future__ import annotations

from typing import Any

from prober.surfaces.answer import Answer
from prober.surfaces.glyphs import shown

BLOCKS, TEXT = 50, 3000
GRID_SECTIONS = 8
"""Sections a matrix may fill at most; beyond that nobody reads it in a chat."""
FENCE = "```"

Message = dict[str, Any]
Block = dict[str, Any]


def escape(text: str) -> str:
    """`text` so that Slack shows it and runs none of it."""
    return shown(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def answer(told: Answer) -> Message:
    """The whole answer, for everybody in the channel."""
    parts = [part for part in (_culprit(told), _next_step(told)) if part]
    blocks = [_section(f"*{_cut(escape(told.sentence), TEXT - 2)}*".replace("\n", " "))]
    blocks += _code(told.grid)
    if told.details:
        blocks.append(_section(_lines([f"• {escape(line)}" for line in told.details])))
    blocks += [_section(_cut(part, TEXT)) for part in parts]
    blocks += _context(told)
    text = _cut("\n".join([escape(told.sentence), *parts]), TEXT)
    return {"response_type": "in_channel", "replace_original": False, "text": text, "blocks": blocks[:BLOCKS]}


def note(sentence: str) -> Message:
    """A sentence for the asker alone; a later one takes its place."""
    text = _cut(escape(sentence), TEXT)
    return {"response_type": "ephemeral", "replace_original": True, "text": text, "blocks": [_section(text)]}


def reply(sentence: str) -> Message:
    """A sentence as the direct answer to a command, for the asker alone; it may have several lines."""
    text = _cut("\n".join(escape(line) for line in sentence.split("\n")), TEXT)
    return {"response_type": "ephemeral", "text": text}


def _culprit(told: Answer) -> str:
    sure = f" ({escape(told.confidence)})" if told.confidence else ""
    return f"*Culprit*{sure}: {escape(told.culprit)}" if told.culprit else ""


def _next_step(told: Answer) -> str:
    return f"*Next*: {escape(told.next_step)}" if told.next_step else ""


def _context(told: Answer) -> list[Block]:
    words = [escape(told.note)] if told.note else []
    words += [f"<{escape(told.link)}|Open in prober>"] if told.link else []
    elements = [{"type": "mrkdwn", "text": _cut(word, TEXT)} for word in words]
    return [{"type": "context", "elements": elements}] if elements else []


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _code(grid: str) -> list[Block]:
    """Fixed-width text in as many code blocks as it takes, cut with a note after `GRID_SECTIONS`."""
    if not grid:
        return []
    room = TEXT - 2 * len(FENCE) - 2
    pages: list[list[str]] = [[]]
    for raw in grid.split("\n"):
        line = _cut(escape(raw).replace(FENCE, "'''"), room)
        if pages[-1] and sum(len(one) + 1 for one in pages[-1]) + len(line) > room:
            pages.append([])
        pages[-1].append(line)
    blocks = [_section(FENCE + "\n" + "\n".join(page) + "\n" + FENCE) for page in pages[:GRID_SECTIONS]]
    left = sum(len(page) for page in pages[GRID_SECTIONS:])
    return [*blocks, _section(f"_{left} more lines are left out; the page shows all._")] if left else blocks


def _lines(lines: list[str], most: int = TEXT) -> str:
    """As many whole lines as fit, with a count of those that don't."""
    kept: list[str] = []
    for at, line in enumerate(lines):
        rest = f"… and {len(lines) - at} more"
        if sum(len(one) + 1 for one in kept) + len(line) + len(rest) + 1 > most:
            return "\n".join([*kept, rest])
        kept.append(line)
    return "\n".join(kept)


def _cut(text: str, most: int) -> str:
    """`text` in at most `most` characters, never in the middle of an escaped sign."""
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    amp = kept.rfind("&", max(0, len(kept) - 5))
    return (kept[:amp] if amp >= 0 and ";" not in kept[amp:] else kept) + "…"
