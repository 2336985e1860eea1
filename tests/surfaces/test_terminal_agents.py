"""Who reports, as printed."""

from __future__ import annotations

from typing import Any

from prober.controller import examples
from prober.surfaces.terminal_agents import draw, is_silent
from tests.surfaces.printing import printed

(GOOD,) = examples.AGENTS["agents"]
NOTE = "nothing is probed from here. This process lacks CAP_NET_RAW"


def agent(name: str, **given: Any) -> dict[str, Any]:
    return {**GOOD, "name": name, **given}


def rows(*agents: dict[str, Any], width: int = 120, encoding: str = "utf-8") -> list[str]:
    return [one.rstrip() for one in printed(draw({"agents": list(agents)}), width, encoding).splitlines()][1:]


def test_silent_agents_come_first_and_each_says_when_it_was_heard() -> None:
    said = rows(agent("node1"), agent("node2", age_seconds=None), agent("node3", age_seconds=125.0))
    assert [line.split() for line in said] == [
        ["✗", "node2", "nodes", "never"], ["✗", "node3", "nodes", "2", "min", "ago"],
        ["✓", "node1", "nodes", "0.3", "s", "ago"],
    ]  # fmt: skip
    assert [is_silent(agent("x", age_seconds=age)) for age in (None, 10.1, 10.0)] == [True, True, False]


def test_what_an_agent_says_stands_beside_it_and_what_waits_is_counted() -> None:
    gap = {"from": "02:00", "to": "03:00", "reports": 7, "probes": 9, "failed": 1, "why": "the outbox was full"}
    outbox = {"reports": 1200, "bytes": 1, "memory": False}
    (line,) = rows(agent("lb", note=NOTE, outbox=outbox, gaps=[gap]), width=200)
    assert line.split()[:6] == ["!", "lb", "nodes", "0.3", "s", "ago"] and "1,200" in line
    assert line.endswith(f"{NOTE}; of 02:00 to 03:00 it kept nothing (the outbox was full)")


def test_a_narrow_or_plain_terminal_gets_it_whole_and_no_name_writes_to_it() -> None:
    said = rows(agent("firewall", age_seconds=None, note="\x1b[2J" + NOTE), width=60, encoding="ascii")
    text = "\n".join(said)
    assert text.isascii() and "\x1b" not in text and max(map(len, said)) <= 60
    assert "firewall" in text and "CAP_NET_RAW" in " ".join(text.split())
