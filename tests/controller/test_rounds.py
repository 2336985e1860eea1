"""Plans and runs: who is asked for what, and when a run is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.fleet.world import document
from prober import rotation
from prober.controller.rounds import FETCH_WITHIN, RELAYS, Plans, new_run, plan_for, run_parts
from prober.errors import Refused
from prober.ondisk import read_targets
from prober.plan import tasks
from prober.report import report_every
from prober.targets import Targets, parse
from prober.verdict import Confidence, Label, Verdict
from tests.controller.centres import TARGETS


@pytest.fixture(scope="module")
def declared() -> Targets:
    return read_targets(TARGETS)


def run(declared: Targets, sources: list[str], names: list[str], flows: int | None = None):
    return new_run("r1", declared, sources, names, flows, "me", 100.0, 1e9)


def test_each_agent_gets_its_own_part(declared: Targets) -> None:
    parts = run_parts(run(declared, ["firewall"], ["ingress", "pod2"]))
    assert {agent: [task.target for task in tasks] for agent, tasks in parts.items()} == {
        "firewall": ["ingress", "pod2"]
    }


def test_the_tasks_of_a_run_are_one_off_and_carry_its_name(declared: Targets) -> None:
    [task] = run_parts(run(declared, ["firewall"], ["ingress"], 3))["firewall"]
    assert (task.every, task.run, task.flows, task.address, task.port) == (0.0, "r1", 3, "10.4.76.34", 8080)


def test_where_pairs_take_turns_each_task_has_its_moment_of_the_longer_period(declared: Targets) -> None:
    assert {task.phase for task in plan_for(declared, "firewall", 1, []).tasks} == {-1.0}
    limited = replace(declared.policy, max_packets_per_second=60.0)
    turns = rotation.spread(replace(declared, policy=limited))
    several = [task for agent in turns.agents for task in plan_for(turns, agent.name, 1, []).tasks]
    assert len(several) == 59
    assert {task.every for task in several} == {float(turns.rounds)}
    for number in range(turns.rounds):
        packets = 3 * sum(number <= task.phase < number + 1 for task in several)
        assert 0 < packets <= 60 * (1 - rotation.SPARE), "in each second"


def test_a_run_is_over_when_everything_is_judged(declared: Targets) -> None:
    one = run(declared, ["firewall"], ["ingress"])
    assert not one.over(100.1)
    one.matrix.take("firewall", "ingress", 1, 100.2, Verdict(Label.HEALTHY, Confidence.PROVEN, "fine"), 0.1)
    assert one.over(100.3)


def test_nobody_waits_long_for_agents_that_are_not_there(declared: Targets) -> None:
    one = run(declared, ["firewall", "lb"], ["ingress"])
    assert not one.over(100.0 + FETCH_WITHIN - 0.1)
    assert not one.over(100.0 + FETCH_WITHIN), "nobody has looked yet who fetched"
    one.fetched = set()
    assert one.over(100.0 + FETCH_WITHIN)
    one.fetched = {"lb"}
    assert not one.over(100.0 + FETCH_WITHIN), "the agent that fetched its part is waited for"
    assert one.over(one.deadline)


def test_a_large_fleet_reports_less_often_and_tells_few_complete_handshakes() -> None:
    small, large = parse(document(50, 10)), parse(document(1000, 20, 1.0))
    assert [report_every(count) for count in (1, 50, 1000, 4000)] == [0.25, 0.25, 5.0, 5.0]
    assert [plan_for(one, "agent0", 0, []).whole for one in (small, large)] == [1, 200]
    late = new_run("r1", large, ["agent0"], ["target0"], None, "me", 100.0, 1e9)
    late.fetched = set()
    assert not late.over(100.0 + FETCH_WITHIN + 4.7)
    assert late.over(100.0 + FETCH_WITHIN + 4.8)


def test_a_run_waits_for_a_target_that_refuses_and_is_asked_each_flow_twice(declared: Targets) -> None:
    slow = replace(declared, policy=replace(declared.policy, syns_per_second=0.5))
    one = run(slow, ["firewall"], ["ingress"], 16)
    assert not one.over(100.0 + 2 * 16 / 0.5)


def test_a_finished_run_shows_the_cells_that_nobody_judged_as_unknown(declared: Targets) -> None:
    one = run(declared, ["firewall"], ["ingress"])
    assert one.document(101.0, "")["cells"] == []
    one.state = "finished"
    assert [cell["label"] for cell in one.document(101.0, "")["cells"]] == ["unknown"]


@pytest.mark.parametrize(("sources", "names"), [(["nowhere"], []), ([], ["nowhere"]), (["firewall"], ["firewall"])])
def test_a_run_of_nothing_is_refused(declared: Targets, sources: list[str], names: list[str]) -> None:
    with pytest.raises(Refused, match=r"nowhere|no pair"):
        run(declared, sources, names)


def test_a_plan_has_a_version_that_changes_with_it_alone(declared: Targets) -> None:
    plan = plan_for(declared, "firewall", 3, [b"k" * 16])
    assert plan.version == plan_for(declared, "firewall", 3, [b"k" * 16]).version
    assert plan.version != plan_for(declared, "firewall", 3, [b"l" * 16]).version
    assert plan.version != plan_for(declared, "firewall", 3, [b"k" * 16], paused=True).version


def test_a_paused_agent_has_a_plan_without_tasks(declared: Targets) -> None:
    assert plan_for(declared, "firewall", 3, [b"k" * 16], paused=True).tasks == []
    assert plan_for(declared, "firewall", 3, [b"k" * 16]).tasks


def test_agents_that_have_the_same_probes_are_asked_for_the_same_but_for_themselves(declared: Targets) -> None:
    plans = Plans()
    for number, agent in enumerate(declared.agents):
        plan = plans.of(declared, agent.name, number, [])[1]
        wanted = {(one.target, str(one.address), one.every, one.flows) for one in tasks(declared, agent.name)}
        assert plan is not None and wanted
        assert {(one.target, one.address, one.every, one.flows) for one in plan.tasks} == wanted
        assert len(plan.tasks) == len(wanted)


def test_an_agent_is_sent_its_plan_until_it_goes_by_it(declared: Targets) -> None:
    plans, keys = Plans(), [b"k" * 16]
    version, first = plans.of(declared, "firewall", 1, keys)
    assert first is not None and first.version == version and first == plan_for(declared, "firewall", 1, keys)
    assert plans.of(declared, "firewall", 1, keys, "older") == (version, first)
    assert plans.of(declared, "firewall", 1, keys, version) == (version, None)
    assert plans.version(declared, "firewall", 1, keys) == version == Plans().version(declared, "firewall", 1, keys)
    other, changed = plans.of(declared, "firewall", 1, [b"n" * 16, *keys], version)
    assert changed is not None and changed.version == other != version
    assert Plans().of(declared, "firewall", 1, keys, version) == (version, None), "a controller that has just begun"


ZONES = "zones: [{name: a}, {name: b}, {name: c}]\nagents:\n"
REST = "targets: [{name: web, zone: a, address: 10.9.0.1, port: 80}]\nprobes: [{from: all, to: web}]\n"
POLICY = "policy: {allow: [{network: 10.0.0.0/8, ports: [80]}]}\n"


def fleet(relays: str = "") -> Targets:
    """Nine agents in each of three zones; those of one address family beside others."""
    lines = [
        f"  - {{name: {zone}{n}, zone: {zone}, addresses: [10.{at}.0.{n + 1}]{relays}}}\n"
        for at, zone in enumerate("abc")
        for n in range(9)
    ]
    six = f'  - {{name: six, zone: c, addresses: ["2001:db8::1"]{relays}}}\n'
    return parse(ZONES + "".join(lines) + six + REST + POLICY)


def test_reports_may_go_through_peers_of_other_zones_first_and_never_through_the_agent_itself() -> None:
    taking = fleet(", relay: 7008")
    plans = {one.name: plan_for(taking, one.name, 0, [], secret=b"s" * 32) for one in taking.agents}
    for name in ("a0", "b3", "c8"):
        plan = plans[name]
        assert len(plan.relays) == RELAYS
        zones = [peer[0] for peer, _, _ in plan.relays]
        assert zones[0] != zones[1] and name[0] not in zones, "one of each zone before a second of any"
        assert {port for _, _, port in plan.relays} == {plan.relay} == {7008}
        assert ("six", "2001:db8::1", 7008) not in plan.relays, "it has no way to that address"
    assert len({tuple(plan.relays) for plan in plans.values()}) == len(plans), "not all lean on the same few"
    assert len({plan.relay_key for plan in plans.values()} - {b""}) == len(plans) - 1
    assert plans["six"].relays == [] and plans["six"].relay_key == b""


def test_where_nobody_takes_others_reports_no_key_is_handed_out() -> None:
    plan = plan_for(fleet(), "a0", 0, [], secret=b"s" * 32)
    assert (plan.relay, plan.relays, plan.relay_key) == (0, [], b"")
