"""Every pair is asked within the stated rounds, and no round costs more than the policy allows."""

from __future__ import annotations

import ipaddress
import math
from collections import Counter, defaultdict
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from prober import rotation
from prober.declared import Agent, Policy, Probe, Target, Targets, Zone

ADDRESS = ipaddress.ip_address("10.0.0.1")


def document(zones: list[int], targets: int, limit: float, probes: list[tuple[float, int]]) -> Targets:
    """So many agents in each zone, and probes (every, flows) of all to all targets; in turns."""
    agents = tuple(Agent(f"a{z}.{n}", f"z{z}", (ADDRESS,)) for z, many in enumerate(zones) for n in range(many))
    names = tuple(f"t{n}" for n in range(targets))
    asked = tuple(Probe(tuple(a.name for a in agents), names, every, flows, 1.0, 1) for every, flows in probes)
    return rotation.spread(Targets(
        tuple(Zone(f"z{z}", (), "other") for z in range(len(zones))), agents,
        tuple(Target(name, "z0", ADDRESS, None, 80) for name in names), asked, (),
        Policy(max_packets_per_second=limit), (),
    ))  # fmt: skip


documents = st.builds(
    document, st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 12), st.floats(0.5, 500.0),
    st.lists(st.tuples(st.sampled_from([1.0, 10.0]), st.integers(1, 3)), min_size=1, max_size=2),
)  # fmt: skip


def blocks(targets: Targets) -> list[rotation.Block]:
    """As declared: before the turns made each period longer."""
    zones = {agent.name: agent.zone for agent in targets.agents}
    return rotation.blocks(zones, [replace(one, every=one.every / targets.rounds) for one in targets.probes])


def rounds_of(targets: Targets) -> dict[int, list[tuple[Probe, str, str]]]:
    """What each round asks."""
    asked = defaultdict(list)
    for probe in targets.probes:
        turns = rotation.turns(targets, probe)
        for source in probe.sources:
            for name in probe.targets:
                asked[turns.turn(source, name)].append((probe, source, name))
    return asked


@given(documents)
def test_every_pair_is_asked_within_the_stated_rounds_and_no_round_costs_too_much(targets: Targets) -> None:
    asked = rounds_of(targets)
    assert set(asked) <= set(range(targets.rounds)), "each pair has its round, so all are reached"
    least = sum(block.each for block in blocks(targets))
    for one in asked.values():
        cost = sum(3 * probe.flows / (probe.every / targets.rounds) for probe, _, _ in one)
        spared = 1.0 if targets.rounds == 1 else 1.0 - rotation.SPARE
        assert cost <= max(targets.policy.max_packets_per_second * spared, least) + 1e-6


@given(documents)
def test_fewer_rounds_would_cost_too_much(targets: Targets) -> None:
    if targets.rounds > 1:
        cost = sum(block.packets(targets.rounds - 1) for block in blocks(targets))
        assert cost > targets.policy.max_packets_per_second * (1.0 - rotation.SPARE) - 1e-6


@given(documents)
def test_a_zone_asks_a_target_by_other_representatives_each_round(targets: Targets) -> None:
    """As many of them in each round, give or take one."""
    zone, sizes = {agent.name: agent.zone for agent in targets.agents}, Counter(agent.zone for agent in targets.agents)
    for probe in targets.probes:
        turns = rotation.turns(targets, probe)
        told = Counter(
            (zone[source], name, turns.turn(source, name)) for source in probe.sources for name in probe.targets
        )
        for where, size in sizes.items():
            for name in probe.targets:
                counts = [told[where, name, turn] for turn in range(targets.rounds)]
                assert sum(counts) == size
                assert max(counts) - min(counts) <= 1


@given(documents)
def test_the_moments_lie_in_the_rounds(targets: Targets) -> None:
    for agent in targets.agents:
        told = list(rotation.phases(targets, agent.name))
        assert bool(told) == (targets.rounds > 1)
        for probe, moments in told:
            turns, length = rotation.turns(targets, probe), probe.every / targets.rounds
            assert all(moments[name] // length == turns.turn(agent.name, name) for name in probe.targets)


def test_a_small_matrix_is_asked_in_full() -> None:
    assert document([8], 8, 64 * 3.0, [(1.0, 1)]).rounds == 1
    assert document([8], 8, 64 * 3.0 - 1, [(1.0, 1)]).rounds == 2
    assert document([], 1, 1.0, []).rounds == 1


def test_a_thousand_by_a_thousand_at_ten_thousand_packets_a_second() -> None:
    targets = document([100] * 10, 1000, 10_000.0, [(10.0, 1)])
    assert (targets.rounds, targets.probes[0].every) == (34, 340.0)
    turns = rotation.turns(targets, targets.probes[0])
    assert len({turns.turn("a3.7", f"t{n}") for n in range(1000)}) == 34, "one agent's targets are spread"


def test_a_limit_that_no_turns_can_keep_is_told() -> None:
    told = blocks(document([5, 5], 10, math.inf, [(1.0, 1)]))
    assert rotation.impossible(told, 6.6) == "one pair of each probe and zone at a time makes 6 packets a second"
    assert rotation.impossible(told, 6.7) is None
    rare = blocks(document([5], 10, math.inf, [(7200.0, 1)]))
    assert rotation.impossible(rare, 3.4 / 7200) == "it would take 100 hours to ask every pair once"
