"""An `Answer` or a `Note` as a Slack message: Block Kit, and plain text for notifications and screen readers.

Limits: at most 50 blocks, 3,000 characters in a section's text (Slack, "Reference: blocks"). Names come from YAML and
agents, so ``&``, ``<`` and ``>`` are escaped in everything (Slack, "Formatting text"), which leaves no ``<!channel>``;
no backtick is left that could open code, and ``verbatim`` keeps Slack from finding links and names by itself.
"""

from __future__ import annotations

from typing import Any

from prober.surfaces.answer import Answer, Note
from prober.surfaces.fit import cut, lines, pages
from prober.surfaces.glyphs import shown

BLOCKS, TEXT = 50, 3000
GRID_SECTIONS = 8
"""Sections a matrix may fill at most; beyond that nobody reads it in a chat."""
FENCE = "```"

Message = dict[str, Any]
Block = dict[str, Any]


def escape(text: str) -> str:
    """`text` so that Slack shows it and runs none of it."""
    clean = shown(text).replace("`", "'")
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def answer(told: Answer) -> Message:
    """The whole answer, for everybody in the channel."""
    return {"response_type": "in_channel", "replace_original": False, **post(told)}


def note(told: Note) -> Message:
    """A sentence for the asker alone; a later one takes its place."""
    return {"response_type": "ephemeral", "replace_original": True, **post(told)}


def reply(told: Note) -> Message:
    """The direct answer to a command, for the asker alone."""
    return {"response_type": "ephemeral", "text": _said(told)}


def post(told: Answer | Note) -> Message:
    """What is told as ``text`` and ``blocks``, for wherever there is nobody to answer (``chat.postMessage``)."""
    if isinstance(told, Note):
        return {"text": _said(told), "blocks": [_section(_said(told))]}
    parts = [part for part in (_culprit(told), _next_step(told)) if part]
    blocks = [_section(_head(told))]
    blocks += _code(told.grid)
    if told.details:
        blocks.append(_section(lines([f"• {escape(line)}" for line in told.details], TEXT)))
    blocks += [_section(cut(part, TEXT)) for part in parts]
    blocks += _context(told)
    return {"text": cut("\n".join([escape(told.sentence), *parts]), TEXT), "blocks": blocks[:BLOCKS]}


def _said(told: Note) -> str:
    rows = [f"`{escape(command)}` – {escape(what)}" for command, what in told.commands]
    return cut("\n".join([escape(told.sentence), *rows]), TEXT)


def _head(told: Answer) -> str:
    first, rest = (escape(one) for one in told.head)
    return cut(f"*{cut(first, TEXT // 2)}*{' ' + rest if rest else ''}", TEXT)


def _culprit(told: Answer) -> str:
    sure = f" ({escape(told.confidence)})" if told.confidence else ""
    return f"*Culprit*{sure}: {escape(told.culprit)}" if told.culprit else ""


def _next_step(told: Answer) -> str:
    return f"*Next*: {escape(told.next_step)}" if told.next_step else ""


def _context(told: Answer) -> list[Block]:
    words = [escape(told.note)] if told.note else []
    words += [f"<{escape(told.link)}|Open in prober>"] if told.link else []
    return [{"type": "context", "elements": [_text(cut(word, TEXT)) for word in words]}] if words else []


def _section(text: str) -> Block:
    return {"type": "section", "text": _text(text)}


def _text(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _code(grid: str) -> list[Block]:
    """Fixed-width text in as many code blocks as it takes, cut with a note after `GRID_SECTIONS`."""
    if not grid:
        return []
    found = pages([escape(line) for line in grid.split("\n")], TEXT - 2 * len(FENCE) - 2)
    blocks = [_section(FENCE + "\n" + "\n".join(page) + "\n" + FENCE) for page in found[:GRID_SECTIONS]]
    left = sum(len(page) for page in found[GRID_SECTIONS:])
    return [*blocks, _section(f"_{left} more lines are left out; the page shows all._")] if left else blocks
