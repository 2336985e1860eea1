"""An `Answer` or a `Note` as a Mattermost message: markdown, at most 16,383 characters (its ``PostMessageMaxRunesV2``).

Names come from YAML and agents: what markdown would run is escaped, and ``@`` and ``~`` are followed by a space of no
width. (Mattermost looks for ``@all`` after it has taken the backslashes out, so they alone would still call everybody.)
``skip_slack_parsing`` keeps it from reading ``<!channel>`` as Slack does.
"""

from __future__ import annotations

import re
from typing import Any

from prober.surfaces.answer import Answer, Note
from prober.surfaces.fit import cut, lines, pages
from prober.surfaces.glyphs import shown

SENTENCE, PART, GRID, DETAILS, NOTE = 3000, 1500, 5000, 2500, 1000
"""Characters of each part at most; all together they fit one post."""
FENCE = "```"
_MARKS = re.compile(r"([\\*_{}\[\]#|])")
_CALLS = re.compile(r"([@~])")
_NOTHING = "\u200b"

Message = dict[str, Any]


def escape(text: str) -> str:
    """`text` so that Mattermost shows it, runs none of it and calls nobody."""
    return _CALLS.sub(r"\1" + _NOTHING, _MARKS.sub(r"\\\1", shown(text).replace("`", "'")))


def answer(told: Answer) -> Message:
    """The whole answer, for everybody in the channel."""
    sure = f" ({escape(told.confidence)})" if told.confidence else ""
    first, rest = (escape(one) for one in told.head)
    parts = [cut(f"**{cut(first, PART)}** {rest}".rstrip(), SENTENCE), _code(told.grid)]
    parts.append(lines([f"- {escape(line)}" for line in told.details], DETAILS))
    parts.append(cut(f"**Culprit**{sure}: {escape(told.culprit)}", PART) if told.culprit else "")
    parts.append(cut(f"**Next**: {escape(told.next_step)}", PART) if told.next_step else "")
    parts.append(" · ".join(one for one in (cut(escape(told.note), NOTE), _link(told.link)) if one))
    return _message("in_channel", "\n\n".join(part for part in parts if part))


def note(told: Note) -> Message:
    """A sentence for the asker alone."""
    rows = [f"- `{shown(command)}` – {escape(what)}" for command, what in told.commands]
    head = cut(escape(told.sentence), SENTENCE)
    return _message("ephemeral", head + "\n\n" + lines(rows, DETAILS) if rows else head)


reply = note
"""The direct answer to a command is as any other."""


def _message(response_type: str, text: str) -> Message:
    return {"response_type": response_type, "text": text, "skip_slack_parsing": True}


def _link(link: str) -> str:
    """An address in parentheses that it can't close."""
    safe = shown(link).replace("(", "%28").replace(")", "%29").replace(" ", "%20")
    return f"[Open in prober]({safe})" if link and len(safe) <= NOTE else ""


def _code(grid: str) -> str:
    """Fixed-width text; nothing in it is markdown but the fence that would close it."""
    if not grid:
        return ""
    first, *rest = pages([shown(line).replace("`", "'") for line in grid.split("\n")], GRID)
    left = sum(len(page) for page in rest)
    more = f"\n_{left} more lines are left out; the page shows all._" if left else ""
    return FENCE + "\n" + "\n".join(first) + "\n" + FENCE + more
