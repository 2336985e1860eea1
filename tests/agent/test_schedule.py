"""What is due when: evenly, in phase over a new plan, and never faster than a target's bucket."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

from prober.agent.schedule import BURST, Schedule
from prober.report import Task
from tests.agent.plans import task


def schedule(rate: float = 100.0, seed: int = 1) -> Schedule:
    return Schedule(random.Random(seed), rate)


def played(one: Schedule, begin: float, end: float, step: float = 0.01) -> list[tuple[float, Task]]:
    """``(time, task)`` of everything due in between."""
    turns = round((end - begin) / step)
    return [(begin + i * step, due) for i in range(turns) for due in one.due(begin + i * step)]


def test_a_task_comes_up_once_a_period_with_all_its_flows() -> None:
    one = schedule()
    one.replace([task(every=1.0, flows=2)], 0.0)
    assert 18 <= len(played(one, 0.0, 10.0)) <= 22


def test_tasks_begin_spread_over_their_period() -> None:
    one = schedule()
    one.replace([task(address=f"10.4.0.{i}") for i in range(1, 101)], 0.0)
    tenths = Counter(int(at * 10) for at, _ in played(one, 0.0, 1.0))
    assert max(tenths.values()) <= 25


def test_a_new_plan_keeps_the_phase_of_what_is_probed_already() -> None:
    one, tasks = schedule(), [task(address=f"10.4.0.{i}") for i in range(1, 51)]
    one.replace(tasks, 0.0)
    before = {due.address: at for at, due in played(one, 0.0, 1.0)}
    for turn in range(5):
        one.replace(tasks, 1.0 + turn / 1e6)
    after = [(at, due.address) for at, due in played(one, 1.0, 2.2)]
    first = {address: at for at, address in reversed(after)}
    assert max(Counter(round(at, 2) for at, _ in after).values()) <= 6, "no burst"
    assert all(abs(first[address] - before[address] - 1.0) <= 0.07 for address in before)


def test_what_takes_turns_comes_at_its_moment_of_the_wall_clocks_period_with_all_its_flows() -> None:
    one = schedule()
    one.ahead = 1e9 + 3.0
    one.replace([task(every=30.0, phase=12.5, flows=2), task(address="10.4.0.9", every=30.0, phase=2.0)], 0.0)
    first, later = played(one, 0.0, 30.0), played(one, 30.0, 90.0)
    due = 30.0 - 1e9 % 30.0 - 3.0
    assert [round(at, 1) for at, _ in first] == sorted(round((due + phase) % 30.0, 1) for phase in (12.5, 12.5, 2.0))
    assert [round(at - 30.0, 1) for at, _ in later[:3]] == [round(at, 1) for at, _ in first], "and does not drift"
    assert len(later) == 6


def test_what_takes_turns_and_was_late_is_not_made_up_for() -> None:
    one = schedule()
    one.replace([task(every=10.0, phase=5.0)], 0.0)
    assert len(one.due(57.0)) == 1
    assert one.due(64.9) == []
    assert len(one.due(65.1)) == 1


def test_a_shorter_period_holds_at_once() -> None:
    one = schedule()
    one.replace([task(every=3600.0)], 0.0)
    one.replace([task(every=1.0)], 10.0)
    assert played(one, 10.0, 11.1)


def test_a_target_gets_no_more_than_its_bucket_lets_through() -> None:
    one = schedule(rate=2.0)
    one.once([task(every=0.0)] * 64, 0.0)
    due = played(one, 0.0, 10.0)
    assert len([at for at, _ in due if at < 0.05]) == BURST
    assert 22 <= len(due) <= BURST + 2 * 10 + 1


def test_a_new_rate_holds_for_buckets_that_are_there() -> None:
    one = schedule(rate=1.0)
    one.once([task(every=0.0)] * 60, 0.0)
    played(one, 0.0, 5.0)
    one.syns_per_second = 10.0
    assert len(played(one, 5.0, 8.0)) >= 25


def test_one_off_tasks_outlive_a_new_plan_and_an_expired_plan_leaves_nothing() -> None:
    one = schedule()
    one.once([task("pod2", "10.5.12.9", every=0.0)], 0.0)
    one.replace([task()], 0.0)
    assert "pod2" in {due.target for _, due in played(one, 0.0, 0.1)}
    one.clear()
    assert one.next_due() is None
    assert played(one, 1.0, 9.0) == []


def test_buckets_of_targets_that_are_gone_are_forgotten() -> None:
    one = schedule()
    for number in range(50):
        one.replace([task(address=f"10.4.1.{number}", every=0.1)], float(number))
        played(one, float(number), number + 0.2)
    assert len(one._buckets) <= 2


def test_experiments_leave_room_for_continuous_probing_and_for_runs() -> None:
    one = schedule(rate=4.0)
    one.replace([task(every=1.0)], 0.0)
    for _ in range(60):
        one.once([task(every=0.0, run="experiment-1")], 2.0)
    one.once([task(every=0.0, run="8f3a")], 2.5)
    due = played(one, 0.0, 12.0)
    assert 11 <= sum(not two.run for _, two in due) <= 13, "as if there were no experiment"
    assert [round(at, 1) for at, two in due if two.run == "8f3a"] == [2.5]
    assert 25 <= sum(two.run == "experiment-1" for _, two in due) <= 4 * 10
    assert 40 <= len(due) <= BURST + 4 * 12


def test_a_run_of_many_flows_takes_turns_with_the_continuous_probes_of_its_address() -> None:
    one = schedule(rate=4.0)
    one.replace([task("lb", port=7007), task("ingress-via-lb", port=80)], 0.0)
    one.once([task("lb", port=7007, every=0.0, run="8f3a")] * 64, 2.0)
    due = played(one, 0.0, 12.0)
    asked = {name: [at for at, two in due if two.target == name and not two.run] for name in ("lb", "ingress-via-lb")}
    for times in asked.values():
        assert len(times) >= 8
        assert max(later - sooner for sooner, later in pairwise(times)) < 2.0
    assert sum(two.run == "8f3a" for _, two in due) >= 18, "what is left of the bucket is the run's"


def test_at_a_bucket_that_continuous_probing_empties_a_run_gets_its_turn() -> None:
    one = schedule(rate=1.0)
    one.replace([task(every=1.0)], 0.0)
    one.once([task(every=0.0, run="8f3a")] * 10, 2.0)
    due = played(one, 0.0, 30.0)
    assert sum(two.run == "8f3a" for _, two in due) == 10
    times = [at for at, two in due if not two.run]
    assert max(later - sooner for sooner, later in pairwise(times)) < 4.0, (
        "no cell of a period of 1 s is stale before 6 s"
    )


def test_a_syn_that_was_sent_again_takes_the_token_of_one_that_is_due_later() -> None:
    one = schedule(rate=10.0)
    one.replace([task(every=0.01)], 0.0)
    sent = 0
    for turn in range(1000):
        for due in one.due(turn / 100):
            sent += 2
            one.sent_again(due.address, turn / 100)
    assert 90 <= sent <= 100 + 2 * BURST


def test_a_syn_that_was_sent_again_to_nobody_it_knows_is_none_of_its() -> None:
    one = schedule()
    one.sent_again("10.4.0.9", 0.0)
    assert one.next_due() is None
