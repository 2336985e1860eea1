"""Mattermost's messages: everything a name may hold is harmless, everything fits one post."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.surfaces import answer, mattermost
from prober.surfaces.answer import Answer, Note
from tests.surfaces import documents
from tests.surfaces.mattermost_rules import broken_rules, calls, seen

BASE = "https://prober.example"


def test_the_incident_is_told_with_sentence_matrix_culprit_next_step_and_link() -> None:
    message = mattermost.answer(answer.of_matrix(documents.incident(), "Take node19 out.", BASE, "run 7, 58 pairs"))
    said = seen(message["text"])
    assert message["response_type"] == "in_channel"
    assert said.startswith("**6 of 65 paths fail: return-path misroute, firewall → ")
    assert "**Culprit** (proven): node19: node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)" in said
    assert "**Next**: Take node19 out." in said
    assert f"run 7, 58 pairs · [Open in prober]({BASE}/#/path/firewall/" in said
    (grid,) = re.findall(r"```\n(.*?)\n```", said, re.DOTALL)
    assert [line.split()[0] for line in grid.split("\n")[1:9]] == documents.SOURCES
    assert broken_rules(message) == []


def test_why_tells_the_ladder_step_by_step() -> None:
    document = documents.path(documents.incident(), "firewall", "ingress")
    text = mattermost.answer(answer.of_path(document, BASE))["text"]
    assert "● firewall  SYN 10.19.0.4:61440 > 10.4.76.34:8080 ttl 64 → node1" in text
    assert "\n- missing: firewall's own stack was not watched" in text


@pytest.mark.parametrize("name", ["@all", "@channel", "@here", "@ada", "~town-square", "<!channel>", "a@all"])
def test_nobody_is_called_by_a_name(name: str) -> None:
    assert name == "<!channel>" or calls(name)  # the rules would see it
    told = Answer(name, name, (name,), name, name, name, "", name)
    for message in (mattermost.answer(told), mattermost.note(Note(name, (("/prober", name),)))):
        assert broken_rules(message) == []
        assert name in seen(message["text"])


def test_what_markdown_would_run_is_shown() -> None:
    assert mattermost.escape("*a* _b_ [c](http://d) `e` #f |g| \\h") == (
        r"\*a\* \_b\_ \[c\](http://d) 'e' \#f \|g\| " + "\\\\h"
    )


def test_a_code_block_cannot_be_closed_by_what_is_in_it() -> None:
    assert mattermost.answer(Answer("said", "a ``` b\n```"))["text"].count("```") == 2


def test_a_link_cannot_be_closed_by_what_is_in_it() -> None:
    text = mattermost.answer(Answer("said", link="https://x/#/path/a)(b c"))["text"]
    assert text.endswith("[Open in prober](https://x/#/path/a%29%28b%20c)")


def test_a_long_matrix_is_cut_with_a_note_that_counts_what_is_left_out() -> None:
    message = mattermost.answer(answer.of_matrix(documents.grid(200, 60), "", BASE))
    assert broken_rules(message) == []
    assert re.search(r"_\d+ more lines are left out; the page shows all._", message["text"])


WORDS = st.text(min_size=1, max_size=200).filter(str.strip)


@given(WORDS, st.text(min_size=1, max_size=8000).filter(str.strip), st.lists(st.text(max_size=400), max_size=80))
def test_any_text_makes_a_message_that_mattermost_takes(sentence: str, grid: str, details: list[str]) -> None:
    told = Answer(grid, grid, tuple(details), sentence, grid, grid, "https://x/#/path/a/b", grid)
    note = Note(sentence, tuple((sentence, one) for one in details))
    for message in (mattermost.answer(told), mattermost.note(note), mattermost.reply(Note(grid))):
        assert broken_rules(json.loads(json.dumps(message))) == []
