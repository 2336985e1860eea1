"""The address plan's audit as printed."""

from __future__ import annotations

from typing import Any

from prober.surfaces.terminal_audit import draw
from tests.surfaces.printing import printed

RIGHT = "Give the pool networks that overlap no zone"
FINDINGS = [
    {"dangerous": True, "what": "pool cilium (10.0.0.0/8) holds zone firewall (10.19.0.0/24)", "right": RIGHT},
    {"dangerous": True, "what": "pool cilium (10.0.0.0/8) holds zone lb (10.224.1.0/24)", "right": RIGHT},
    {"dangerous": False, "what": "pool cilium lists 10.1.0.0/16 twice", "right": "Keep 10.0.0.0/8 alone"},
]
POOL: dict[str, Any] = {
    "pool": "cilium", "blocks": 256, "held": 2, "left": 13, "last": "10.5.0.0/16", "reaches": "10.19.0.0/16",
    "covers": "zone firewall (10.19.0.0/24)",
}  # fmt: skip
DOCUMENT = {"findings": FINDINGS, "pools": [POOL]}


def test_pools_are_rows_and_what_is_right_stands_once_below_what_is_wrong() -> None:
    lines = [line.rstrip() for line in printed(draw(DOCUMENT), width=120).splitlines()]
    assert any(line.split()[:6] == ["cilium", "256", "2", "13", "10.5.0.0/16", "10.19.0.0/16"] for line in lines)
    said = lines[lines.index("") + 1 :]
    assert said == [
        f"✗ {FINDINGS[0]['what']}.", f"✗ {FINDINGS[1]['what']}.", f"→ {RIGHT}.",
        "· pool cilium lists 10.1.0.0/16 twice.", "→ Keep 10.0.0.0/8 alone.",
    ]  # fmt: skip


def test_a_good_plan_says_so_and_a_large_pool_is_rounded() -> None:
    huge = POOL | {"left": 2**112, "last": None, "reaches": None, "covers": None}
    text = printed(draw({"findings": [], "pools": [huge]}), width=120)
    assert "Nothing overlaps that should not." in text
    assert "5.2e+33" in text
    assert printed(draw({"findings": [], "pools": []})).split("\n")[0].startswith("Nothing")


def test_a_narrow_or_plain_terminal_gets_it_whole_and_no_name_writes_to_it() -> None:
    text = printed(draw(DOCUMENT), width=60, encoding="ascii")
    assert text.isascii() and max(map(len, text.splitlines())) <= 60
    assert "firewall" in text
    spoilt = FINDINGS[0] | {"what": "\x1b[2J"}
    assert "\x1b" not in printed(draw({"findings": [spoilt], "pools": [POOL | {"pool": "\x1b[2J"}]}))
