"""Slack's messages: everything a name may hold is harmless, everything fits Slack's limits."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.alert import Alert
from prober.surfaces import alerting, answer, fit, slack
from prober.surfaces.answer import Answer, Note
from tests import alarms
from tests.surfaces import documents
from tests.surfaces.slack_rules import broken_post, broken_rules

BASE = "https://prober.example"


def texts(message: dict[str, Any]) -> str:
    """All text of a message, in order."""
    found = [message["text"]]
    for block in message.get("blocks", []):
        found += [block["text"]["text"]] if "text" in block else [one["text"] for one in block["elements"]]
    return "\n".join(found)


def incident() -> Answer:
    return answer.of_matrix(documents.incident(), "Take node19 out.", BASE, "run 7, 58 pairs, 2.1 s")


def test_the_incident_is_told_with_sentence_matrix_culprit_next_step_and_link() -> None:
    message = slack.answer(incident())
    said = texts(message)
    assert message["response_type"] == "in_channel"
    assert message["text"].startswith("6 of 65 paths fail: return-path misroute, firewall → ")
    assert "*Culprit* (proven): node19: node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)" in said
    assert "*Next*: Take node19 out." in said
    assert f"<{BASE}/#/path/firewall/" in said
    (grid,) = re.findall(r"```\n(.*?)\n```", said, re.DOTALL)
    assert [line.split()[0] for line in grid.split("\n")[1:9]] == documents.SOURCES
    assert "↰" in grid
    assert broken_rules(message) == []


def test_one_pair_is_told_in_its_own_sentence() -> None:
    document = documents.incident()
    one = next(c for c in document["cells"] if (c["source"], c["target"]) == ("firewall", "ingress"))
    small = document | {"sources": ["firewall"], "targets": ["ingress"], "cells": [one]}
    told = answer.of_matrix(small, "", BASE)
    assert told.sentence == documents.SENTENCE
    assert told.link == f"{BASE}/#/path/firewall/ingress"


def test_only_what_is_wrong_is_bold_and_why_follows() -> None:
    (head, *_) = slack.answer(Answer("a → b: target. It refused 10.0.0.1."))["blocks"]
    assert head["text"]["text"] == "*a → b: target.* It refused 10.0.0.1."
    assert slack.answer(Answer("All 9 paths are healthy."))["blocks"][0]["text"]["text"] == "*All 9 paths are healthy.*"


def test_a_healthy_network_has_no_culprit_and_no_next_step() -> None:
    told = answer.of_matrix(documents.healthy(), "", BASE)
    assert (told.culprit, told.next_step, told.details) == ("", "", ())
    assert told.sentence.startswith("All ")
    assert told.link == f"{BASE}/"


def test_nothing_measured_is_said_and_not_called_healthy() -> None:
    told = answer.of_matrix({"at": documents.AT, "sources": [], "targets": [], "cells": []})
    assert told.sentence == "Nothing has been measured yet."
    assert broken_rules(slack.answer(told)) == []


def test_why_tells_the_ladder_step_by_step() -> None:
    document = documents.path(documents.incident(), "firewall", "ingress")
    said = texts(slack.answer(answer.of_path(document, BASE)))
    assert "● firewall  SYN 10.19.0.4:61440 &gt; 10.4.76.34:8080 ttl 64 → node1" in said
    assert "✗ firewall  A's NIC in" in said
    assert "missing: firewall's own stack was not watched" in said


@pytest.mark.parametrize("base", [None, "", "unix:/run/prober.sock", "javascript:alert(1)"])
def test_without_an_address_a_browser_can_open_there_is_no_link(base: str | None) -> None:
    assert answer.link(base) == ""


def test_a_name_in_a_link_cannot_leave_its_place() -> None:
    link = answer.link(BASE, {"source": "a/../b", "target": "x|y> <!channel>"})
    assert link == f"{BASE}/#/path/a%2F..%2Fb/x%7Cy%3E%20%3C%21channel%3E"


def test_the_channel_cannot_be_called_by_a_name() -> None:
    said = texts(
        slack.answer(Answer("<!channel> & <@U1>", "<!here>", ("<!everyone>",), "proven", "<!channel>", "<!here>"))
    )
    assert "<!" not in said
    assert "<@" not in said
    assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in said


def test_a_code_block_cannot_be_closed_by_what_is_in_it() -> None:
    message = slack.answer(Answer("said", "a ``` b"))
    assert [block["text"]["text"].count("```") for block in message["blocks"]] == [0, 2]


def test_help_shows_what_to_type_as_code_and_nothing_else_can_open_code() -> None:
    message = slack.reply(Note("no `rm -rf`", (("/prober `x`", "a & b"),)))
    assert message["text"] == "no 'rm -rf'\n`/prober 'x'` – a &amp; b"


def test_a_long_matrix_is_cut_with_a_note_that_counts_what_is_left_out() -> None:
    message = slack.answer(answer.of_matrix(documents.grid(200, 60), "", BASE))
    assert broken_rules(message) == []
    assert re.search(r"_\d+ more lines are left out; the page shows all._", texts(message))


def test_a_cut_never_splits_an_escaped_sign() -> None:
    for most in range(4, 40):
        assert not re.search(r"&[a-z]*…", fit.cut(slack.escape("a<b>&c" * 9), most))


WORDS = st.text(min_size=1, max_size=200).filter(str.strip)


@given(WORDS, st.text(min_size=1, max_size=8000).filter(str.strip), st.lists(st.text(max_size=400), max_size=80))
def test_any_text_makes_a_message_that_slack_takes(sentence: str, grid: str, details: list[str]) -> None:
    told = Answer(sentence, grid, tuple(details), "proven", sentence, sentence, "https://x/#/path/a/b", sentence)
    note = Note(sentence, ((grid, sentence), (sentence, grid)))
    for message in (slack.answer(told), slack.note(note), slack.reply(note)):
        assert broken_rules(json.loads(json.dumps(message))) == []
    for message in (slack.post(told), slack.post(note)):
        assert broken_post(json.loads(json.dumps(message)), set()) == []


ALERTS = {
    "open": alarms.incident(), "resolved": alarms.resolved(), "hostile": alarms.hostile(),
    "long": alarms.incident(sentence="x" * 9000, link=""),
}  # fmt: skip


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_an_alert_breaks_none_of_slacks_rules(alert: Alert) -> None:
    message = slack.post(alerting.answer(alert))
    assert message.keys() == {"text", "blocks"}, "an incoming webhook knows no more"
    assert broken_post(message, set()) == []
