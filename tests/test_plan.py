"""Who asks whom: pairs, their cost, their spread in time, and runs on demand."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from pathlib import Path

import pytest

from prober.errors import Refused
from prober.plan import ONCE, Pair, between, cost, offset, pair, pairs, periods, select, tasks, unresolved, whole
from prober.slo import Goals
from prober.targets import Policy, Targets, parse

DEMO = (Path(__file__).parents[1] / "targets.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def demo() -> Targets:
    return parse(DEMO)


def keys(found: tuple[Pair, ...]) -> set[tuple[str, str]]:
    assert len({pair.key for pair in found}) == len(found), "a pair stands twice"
    return {pair.key for pair in found}


def test_the_demo_asks_the_ingress_from_everywhere_and_the_agents_ask_each_other(demo: Targets) -> None:
    found = keys(pairs(demo))
    public = ["firewall", "lb", "node1", "node2", "node19", "vm", "remote"]
    assert {(one, "ingress") for one in public} <= found
    assert {(one, other) for one in public for other in public if one != other} <= found
    assert {target for source, target in found if source == "private"} == {"ingress-via-lb", "lb"}
    assert {source for source, target in found if target == "ingress-via-lb"} == {"private"}
    assert {source for source, target in found if target == "private"} == {"lb"}
    assert len(found) == 7 * 2 + 1 + 7 * 6 + 2


def test_an_agent_never_asks_itself_nor_a_target_at_its_own_address(demo: Targets) -> None:
    every = select(demo, ["all"], ["all"])
    assert not [pair for pair in every if pair.source == pair.target]
    assert ("lb", "ingress-via-lb") not in keys(every)


def test_of_two_names_the_pair_is_found_without_a_look_at_the_others(demo: Targets) -> None:
    for source in (*(one.name for one in demo.agents), "ingress", "nobody"):
        for target in (*(one.name for one in demo.targets), "private", "nobody"):
            try:
                [selected] = select(demo, [source], [target])
            except (Refused, ValueError):
                selected = None
            assert between(demo, source, target) == selected
    aside = between(demo, "private", "ingress")
    assert aside is not None and (aside.every, aside.flows, aside.timeout, aside.attempts) == ONCE


def test_a_pair_carries_its_address_port_and_timing(demo: Targets) -> None:
    pair = next(pair for pair in tasks(demo, "firewall") if pair.target == "ingress")
    assert pair == Pair("firewall", "ingress", 1.0, 1, 1.0, 1, ipaddress.ip_address("10.4.76.34"), 8080)
    assert {one.source for one in tasks(demo, "firewall")} == {"firewall"}
    assert tasks(demo, "nobody") == ()


def test_a_pair_of_two_probes_stands_once_and_the_more_frequent_wins() -> None:
    slower = (
        "probes:\n  - {from: all, to: ingress, every: 1m, flows: 8}\n  - {from: firewall, to: ingress, every: 9m}\n"
    )
    targets = parse(DEMO.replace("probes: ", slower, 1).replace("   # who asks whom, how often", "", 1))
    by_key = {pair.key: pair for pair in pairs(targets)}
    assert (by_key["firewall", "ingress"].every, by_key["firewall", "ingress"].flows) == (1.0, 1)
    assert (by_key["private", "ingress"].every, by_key["private", "ingress"].flows) == (60.0, 8)


def test_policy_is_asked_again_for_every_pair(demo: Targets) -> None:
    closed = replace(demo, policy=Policy())
    assert pairs(closed) == ()
    with pytest.raises(Refused, match="nor outside policy"):
        select(closed, ["firewall"], ["ingress"])


def test_the_cost_counts_three_packets_a_flow(demo: Targets) -> None:
    found = cost(demo)
    assert found.pairs == 59
    assert found.packets_per_second == pytest.approx(59 * 3)
    assert found.by_agent["firewall"] == pytest.approx(8 * 3)
    assert found.by_agent["private"] == pytest.approx(2 * 3)
    assert found.seconds == 2.0
    assert cost(replace(demo, probes=())).packets_per_second == 0


def test_offsets_are_spread_over_the_period_and_the_same_for_the_same_seed(demo: Targets) -> None:
    found = [offset(pair, 7) for pair in pairs(demo)]
    assert found == [offset(pair, 7) for pair in pairs(demo)]
    assert found != [offset(pair, 8) for pair in pairs(demo)]
    assert all(0 <= one < 1 for one in found)
    assert len(set(found)) == len(found)
    assert all(any(low <= one < low + 0.25 for one in found) for low in (0, 0.25, 0.5, 0.75))


def test_a_run_of_everything_is_what_the_probes_declare(demo: Targets) -> None:
    assert select(demo) == pairs(demo)
    assert keys(select(demo, ["firewall"])) == keys(tasks(demo, "firewall"))
    assert keys(select(demo, target_names=["pods"])) == {
        (one, name)
        for one in ("firewall", "lb", "node1", "node2", "node19", "vm", "remote")
        for name in ("ingress", "pod2")
    }


def test_a_run_may_ask_a_pair_that_no_probe_declares_when_both_sides_are_named(demo: Targets) -> None:
    assert ("private", "ingress") not in keys(pairs(demo))
    (pair,) = select(demo, ["private"], ["ingress"], flows=16)
    assert (pair.key, pair.flows, pair.timeout) == (("private", "ingress"), 16, 1.0)


@pytest.mark.parametrize(
    ("sources", "names", "said"),
    [
        (["fierwall"], [], r"no agent is meant by fierwall; there are: firewall, lb, nodes, .*"),
        ([], ["nowhere"], r"no target is meant by nowhere; there are: .*ingress-via-lb.*"),
        (["ingress"], [], r"no agent is meant by ingress; there are: .*"),
        (["lb"], ["lb"], r"no pair from lb to lb is left to ask: an agent does not ask itself, nor outside policy"),
        (["evil\n\x1b[0m"], [], r"no agent is meant by 'evil\\n\\x1b\[0m'; there are: .*"),
    ],
)
def test_a_run_that_asks_for_nothing_there_is_refused_in_a_sentence(
    demo: Targets, sources: list[str], names: list[str], said: str
) -> None:
    with pytest.raises(Refused) as caught:
        select(demo, sources, names)
    assert re.fullmatch(said, str(caught.value))


def test_a_run_is_capped_by_policy(demo: Targets) -> None:
    with pytest.raises(Refused, match="59 pairs, and policy.max_pairs is 58; name fewer"):
        select(replace(demo, policy=replace(demo.policy, max_pairs=58)))
    for flows in (0, 65, -1):
        with pytest.raises(Refused, match="a pair has 1 to 64"):
            select(demo, flows=flows)


def test_a_host_name_is_not_asked_before_it_is_pinned() -> None:
    text = DEMO.replace("address: 10.4.76.34", "hostname: ingress.example.org")
    named = parse(text)
    assert unresolved(named) == ("ingress",) == cost(named).unresolved
    assert "ingress" not in {pair.target for pair in pairs(named)}
    with pytest.raises(Refused, match="the host name of ingress has not been resolved.*; the controller's log says"):
        select(named, ["firewall"], ["ingress"])
    pinned = named.pinned("ingress", ipaddress.ip_address("10.4.76.34"))
    assert pairs(pinned) == pairs(parse(DEMO))


def test_an_objective_counts_the_declared_pairs_between_its_names(demo: Targets) -> None:
    goals, by_name = Goals(demo.objectives), dict[str, list[tuple[str, str]]]()
    for one in pairs(demo):
        for name, _ in goals.of(*one.key):
            by_name.setdefault(name, []).append(one.key)
    assert by_name["firewall-to-ingress"] == [("firewall", "ingress")]
    assert by_name["private-through-lb"] == [("private", "ingress-via-lb")]
    assert set(by_name["nodes-to-ingress"]) == {(one, "ingress") for one in ("node1", "node2", "node19", "vm")}


def test_one_pair_and_all_of_them_at_once_are_the_same_as_the_list(demo: Targets) -> None:
    listed = {one.key: one for one in pairs(demo)}
    sources, names, every = periods(demo)
    for row, source in enumerate(sources):
        for column, target in enumerate(names):
            found = listed.get((source, target))
            assert pair(demo, source, target) == found
            assert every[row, column] == (found.every if found else float("inf"))
    assert (set(sources), set(names)) == ({key[0] for key in listed}, {key[1] for key in listed})
    zones = [demo.names.agents[name] for name in sources]
    assert [zone for at, zone in enumerate(zones) if at == 0 or zones[at - 1] != zone] == list(dict.fromkeys(zones))


def test_outside_policy_nothing_is_declared_whatever_probes_say(demo: Targets) -> None:
    closed = replace(demo, policy=Policy())
    assert not (periods(closed)[2] < float("inf")).any() and pair(closed, "firewall", "ingress") is None


def test_a_small_fleet_tells_every_handshake_whole_and_a_large_one_a_hundred_a_second(demo: Targets) -> None:
    assert whole(demo) == 1
    [first, *_] = demo.probes
    assert whole(replace(demo, probes=(replace(first, every=len(first.sources) * len(first.targets) / 1000.0),))) == 1
    busy = replace(first, every=len(first.sources) * len(first.targets) / 99_990.0)
    assert whole(replace(demo, probes=(busy,))) == 1000
