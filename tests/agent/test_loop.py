"""The agent's loop on a real kernel, in a closed namespace: plans, policy, expiry, and nothing left half-open."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import time
import traceback
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from prober import logs, probe, segment
from prober.errors import CannotMeasure
from prober.handshake import State
from prober.host import rtnetlink
from prober.lab import namespaces, sealed
from prober.probe import Kind
from prober.report import Orders, Report
from prober.wire import packets, privileges
from tests.agent.peers import NOBODY
from tests.agent.plans import plan, task

HERE, PEER = "10.77.0.1", "10.77.0.2"
PORTS_AGAIN = [20480, 61440, 20481]


def in_namespace(function: Callable[[], Any]) -> Any:
    """What `function` returns in a forked child, in a network namespace with two addresses and no way out."""
    packets.prepare()  # once for all: a child inherits them, and what comes with a first question or line
    rtnetlink.prepare()
    logs.prepare()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        told: tuple[str, Any] = ("failed", "")
        try:
            sealed.enter()
            namespaces.unshare(namespaces.CLONE_NEWNET)
            for words in (f"addr add {HERE}/24 dev lo", f"addr add {PEER}/24 dev lo", "link set lo up"):
                subprocess.run(["ip", *words.split()], check=True)
            told = ("value", function())
        except CannotMeasure as failure:
            told = ("cannot", str(failure))
        except BaseException:  # noqa: BLE001  # the child says what it was, and the test fails with it
            told = ("failed", traceback.format_exc())
        finally:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(told, pipe)
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        how, value = pickle.load(pipe)
    os.waitpid(pid, 0)
    if how == "cannot":
        pytest.skip(value)
    assert how == "value", value
    return value


class Turned:
    """An agent whose turns are taken one by one, with nobody at the other end of its uplink."""

    def __init__(self) -> None:
        from prober.agent.loop import Agent

        self.agent = Agent("here", "unix:/nonexistent", NOBODY)
        self.agent.brief.every = self.agent.report_crowded = 0.0

    def turns(self, seconds: float, begin: float | None = None) -> None:
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self.agent._turn(now if begin is None else begin + seconds - (end - now))
            time.sleep(0.005)

    def told(self, **given: Any) -> None:
        told: dict[str, Any] = {"acknowledged": 1, "report_every": 0.05, **given}
        self.agent._heard(Orders(**told))

    def close(self) -> None:
        """As at the end of `Agent.run`."""
        self.agent.uplink.start()
        self.agent._close()

    @property
    def reports(self) -> list[Report]:
        return list(self.agent.outbox.waiting)

    def outcomes(self) -> list[tuple[str, int]]:
        return [
            (report.targets[int(row["target"])], int(row["state"]))
            for report in self.reports
            for row in report.outcome_rows()
        ]

    def notes(self) -> list[str]:
        return [note for report in self.reports for note in report.notes]


def local(**given: Any) -> Any:
    """A plan that allows port 8080 of the namespace's own network."""
    told: dict[str, Any] = {
        "allow": [("10.77.0.0/24", 8080, 8081)], "addresses": [HERE], "syns_per_second": 100.0,
        "tasks": [task("peer", PEER, 8080, every=0.1)],
    }  # fmt: skip
    return plan(**(told | given))


def half_open() -> int:
    """Sockets of this namespace that wait for a handshake's end."""
    told = subprocess.run(["ss", "-Htn", "state", "syn-recv"], capture_output=True, text=True, check=True)
    return len(told.stdout.splitlines())


def test_a_plan_is_kept_to_and_nothing_stays_half_open() -> None:
    def body() -> Any:
        with socket.create_server((PEER, 8080)):
            one = Turned()
            one.told(plan=local())
            one.turns(0.8)
            before = half_open()
            one.close()
            time.sleep(0.05)
            return one.outcomes(), before, half_open()

    outcomes, _, after = in_namespace(body)
    assert 5 <= len(outcomes) <= 10
    assert set(outcomes) == {("peer", State.ANSWERED)}
    assert after == 0


def test_without_a_plan_nothing_is_recognised_and_nothing_is_claimed_as_watched() -> None:
    def body() -> Any:
        one = Turned()
        one.turns(0.2)
        before = [report.until_ns - report.since_ns for report in one.reports]
        began = time.time_ns()
        one.told(plan=local(tasks=[]))
        one.turns(0.3)
        return before, began, [(report.since_ns, report.until_ns) for report in one.reports][len(before) :]

    before, began, after = in_namespace(body)
    assert before and set(before) == {0}
    assert after[0][0] > began - 100_000_000, "what came before the keys is not claimed afterwards either"
    assert after[-1][0] < after[-1][1]


def test_in_a_large_fleet_a_complete_handshake_is_told_by_its_outcome_alone_and_a_failing_one_at_once() -> None:
    def body() -> Any:
        with socket.create_server((PEER, 8080)):
            one = Turned()
            one.told(plan=local(whole=1 << 30), report_every=60.0)
            one.turns(1.2)
            well = one.outcomes(), sum(len(report.sightings) for report in one.reports)
            one.agent.brief._pressed, before = float("-inf"), len(one.reports)
            one.turns(0.6)
            silent = len(one.reports) - before
        one.turns(1.2)
        spans = [(report.since_ns, report.until_ns) for report in one.reports]
        told = one.outcomes()
        one.close()
        return well, silent, told, spans

    (outcomes, seen), silent, told, spans = in_namespace(body)
    assert len(outcomes) >= 5
    assert set(outcomes) == {("peer", State.ANSWERED)}
    assert (seen, silent) == (0, 0)
    assert ("peer", State.REFUSED) in told, "it did not wait a minute"
    assert all(one[1] == next_one[0] for one, next_one in pairwise(spans))


def test_a_probe_that_times_out_leaves_nothing_half_open() -> None:
    def body() -> Any:
        with socket.create_server((PEER, 8080)):
            chain = "add table ip t; add chain ip t o { type filter hook output priority 0; }"
            subprocess.run(["nft", chain], check=True)
            subprocess.run(["nft", "add rule ip t o tcp flags & (syn|ack) == syn|ack drop"], check=True)
            one = Turned()
            one.told(plan=local(tasks=[task("peer", PEER, 8080, every=0.2, timeout=0.3)]))
            waiting = 0
            for _ in range(30):
                one.turns(0.1)
                waiting = max(waiting, half_open())
                if waiting and one.outcomes():
                    break
            one.told(plan=local(version="v2", tasks=[]))
            one.turns(0.4)
            return waiting, half_open(), one.outcomes()

    waiting, after, outcomes = in_namespace(body)
    assert waiting > 0, "the SYNs were taken"
    assert after == 0
    assert set(outcomes) == {("peer", State.TIMED_OUT)}


def in_the_window(stride: int) -> int:
    """A serial after which the second three probes' time stamps are no older than the first three's: by an older one
    the kernel knows a SYN as none of that socket's (RFC 7323, 5.3), whatever its number."""
    for serial in range(1000):
        ids = probe.identity(3, 0) | serial + stride * np.arange(1, 2 * len(PORTS_AGAIN) + 1)
        first, second = np.split(probe.seal(ids, local().keys[0]), 2)
        if (np.subtract.outer(second, first).astype(np.int32) >= 0).all():
            return serial
    raise AssertionError("one in some twenty of them should do")


# A number far from the earlier one is out of the old socket's window, a near one inside it (tcp_check_req).
@pytest.mark.parametrize(("stride", "met"), [(0x2AAAB, Kind.CHALLENGE), (1, Kind.REFUSAL)])
def test_a_syn_that_meets_the_socket_of_an_earlier_probe_closes_it_and_completes(stride: int, met: Kind) -> None:
    """What the kernel does then: a bare ACK of the earlier SYN, or an RST. A healthy target is never said to be silent,
    nor to refuse."""

    def body() -> Any:
        with socket.create_server((PEER, 8080)):
            for words in (
                "add table ip t", "add chain ip t o { type filter hook output priority 0; }",
                "add rule ip t o tcp flags & (syn|ack) == syn|ack drop", "add rule ip t o tcp flags & rst == rst drop",
            ):  # fmt: skip
                subprocess.run(["nft", words], check=True)
            heal = subprocess.Popen(["sh", "-c", "read go; nft delete table ip t"], stdin=subprocess.PIPE)
            one = Turned()  # which lets go of its capabilities; that child has them still
            one.agent.prober.asking._stride, one.agent.prober.asking._serial = stride, in_the_window(stride)
            again: Any = {"every": 0.0, "timeout": 0.5, "ports": PORTS_AGAIN, "flows": len(PORTS_AGAIN)}
            one.told(plan=local(tasks=[]), once=[task("peer", PEER, 8080, run="first", **again)])
            one.turns(0.8)
            left = half_open()
            heal.communicate(b"\n")
            one.agent.engine.handshakes.again = lambda _: (
                segment.empty()
            )  # the RST that a burst sends first is lost as well
            one.told(once=[task("peer", PEER, 8080, run="again", **again)])
            one.turns(0.8)
            kinds = [int(kind) for r in one.reports for kind in r.sighting_rows()["kind"]]
            said = [kind for kind in kinds if kind in (Kind.CHALLENGE, Kind.REFUSAL)]
            return left, [state for _, state in one.outcomes()], said

    left, states, said = in_namespace(body)
    assert left == len(PORTS_AGAIN), "the first ones' sockets are there"
    assert states == [State.TIMED_OUT] * left + [State.ANSWERED] * left
    assert set(said) == {met} and len(said) >= left


def test_what_is_outside_the_policy_is_told_and_never_sent() -> None:
    def body() -> Any:
        one = Turned()
        bad = [task("loop", "127.0.0.1", 8080), task("port", PEER, 22), task("away", "10.78.0.1", 8080)]
        one.told(plan=local(tasks=bad), once=[task("once", PEER, 22, every=0.0, run="r1")])
        one.turns(0.3)
        kinds = {int(row["kind"]) for report in one.reports for row in report.sighting_rows()}
        return one.outcomes(), sorted(set(one.notes())), kinds

    outcomes, notes, kinds = in_namespace(body)
    assert (outcomes, kinds) == ([], set())
    assert [note.split(":")[0] for note in notes] == [
        f"refused to probe {one}" for one in ("away", "loop", "once", "port")
    ]


def test_orders_without_a_plan_are_refused() -> None:
    def body() -> Any:
        one = Turned()
        one.told(once=[task("peer", PEER, 8080, every=0.0, run="r1")])
        one.turns(0.2)
        return one.outcomes(), one.notes()

    outcomes, notes = in_namespace(body)
    assert outcomes == []
    assert notes == ["refused to probe peer: there is no plan, so nothing says what is allowed"]


def test_an_unsound_plan_is_told_and_the_one_before_is_kept_to() -> None:
    def body() -> Any:
        with socket.create_server((PEER, 8080)):
            one = Turned()
            one.told(plan=local())
            one.told(plan=local(version="v2", keys=[]))
            one.turns(0.4)
            return len(one.outcomes()), one.notes()

    outcomes, notes = in_namespace(body)
    assert outcomes >= 2
    assert notes == ["a plan was not taken: it has no key of 16 bytes"]


def test_probing_stops_when_the_plan_expires_and_goes_on_when_the_controller_is_back() -> None:
    def body() -> Any:
        with socket.create_server((PEER, 8080)):
            one = Turned()
            one.told(plan=local(expires_after=0.3))
            held = [one.agent.uplink.holds]
            one.turns(0.9)
            held.append(one.agent.uplink.holds)
            during = len(one.outcomes())
            one.turns(0.3)
            silent = len(one.outcomes()) - during
            one.told(plan=local(expires_after=0.3))
            one.turns(0.25)
            held.append(one.agent.uplink.holds)
            return during, silent, len(one.outcomes()) - during, held

    during, silent, after, held = in_namespace(body)
    assert held == ["", "", local().version], "the controller tells an expired plan again"
    assert 2 <= during <= 5
    assert silent == 0
    assert after >= 1, "the same plan, heard again, is kept to again"


def test_a_host_that_is_short_of_something_is_a_gap_and_not_an_end() -> None:
    def body() -> Any:
        one = Turned()
        agent, receive, fails = one.agent, one.agent.tap.receive, [3]

        def failing(limit: int = 4096, frames: bool = True) -> Any:
            if fails[0]:
                fails[0] -= 1
                raise OSError(100, "Network is down")
            return receive(limit, frames)

        agent.tap.receive = failing  # type: ignore[method-assign]
        began = time.time_ns()
        deadline = time.monotonic() + 3
        agent._looked = float("inf")
        while agent._stumbles < 3 and time.monotonic() < deadline:
            try:
                agent._turn(time.monotonic())
            except OSError as error:
                agent._stumble(error)
        agent._turn(time.monotonic())
        agent._report(time.monotonic(), time.time_ns())
        first = min(report.since_ns for report in [*agent.outbox.waiting][-1:])
        return agent._stumbles, one.notes(), first - began

    stumbles, notes, gap_ns = in_namespace(body)
    assert stumbles == 3
    assert "a turn failed: OSError: Network is down" in notes
    assert gap_ns > 100_000_000, "the time of the failures is not claimed as watched"


def test_while_a_report_waits_the_next_ones_are_fewer_and_leave_nothing_unwatched() -> None:
    def body() -> Any:
        one = Turned()
        one.agent.report_crowded = 0.5
        one.told(plan=local(tasks=[]))
        one.turns(1.3)
        return [(report.since_ns, report.until_ns) for report in one.reports]

    covered = in_namespace(body)
    assert 2 <= len(covered) <= 4, "at once, and then every half second"
    assert all(before[1] == after[0] for before, after in pairwise(covered))


def test_many_runs_do_not_fill_the_agents_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.agent.outbox.NAMES", 8)

    def body() -> Any:
        with socket.create_server((PEER, 8080)):
            one = Turned()
            one.told(plan=local(tasks=[], syns_per_second=1000.0))
            for number in range(30):
                one.told(once=[task("peer", PEER, 8080, every=0.0, run=f"r{number}")])
                one.turns(0.02)
            one.turns(0.1)
            runs = [report.runs[int(row["run"])] for report in one.reports for row in report.outcome_rows()]
            return runs, len(one.agent.prober.runs.order)

    runs, names = in_namespace(body)
    assert runs == [f"r{number}" for number in range(30)]
    assert names == 8


def test_without_cap_net_raw_it_responds_reads_its_sockets_and_says_so():
    def live() -> tuple[Any, ...]:
        privileges.drop()
        turned = Turned()
        turned.told(plan=local(listen=8081))
        turned.turns(0.2)
        with socket.create_connection((HERE, 8081), timeout=2):
            turned.turns(0.2)
        told = turned.agent.able, turned.outcomes(), turned.notes(), [report.tap for report in turned.reports]
        turned.close()
        return told

    able, outcomes, notes, taps = in_namespace(live)
    assert not able and not outcomes and not any(taps)
    assert any("nothing is probed from here" in note and "CAP_NET_RAW" in note for note in notes)


def test_before_it_has_the_fleets_keys_nothing_counts_as_watched():
    def live() -> list[tuple[int, int]]:
        turned = Turned()
        turned.turns(0.2)
        turned.told(plan=local(tasks=[]))
        turned.turns(0.2)
        turned.close()
        return [(report.since_ns, report.until_ns) for report in turned.reports]

    spans = in_namespace(live)
    begun = next(index for index, (since, until) in enumerate(spans) if until > since)
    assert begun >= 3, "without keys it recognises nothing, so it did not watch"
    assert all(until >= since for since, until in spans[begun:])


def test_what_was_seen_in_the_last_minute_is_told_again_when_it_is_asked_for() -> None:
    def body() -> Any:
        with socket.create_server((PEER, 8080)):
            one = Turned()
            one.told(plan=local())
            one.turns(0.4)
            first = np.concatenate([report.sighting_rows() for report in one.reports])
            probe = int(first["probe"][0])
            before = len(one.reports)
            one.told(recall=[probe, 12345])
            one.turns(0.1)
            again = np.concatenate([report.sighting_rows() for report in one.reports[before:]])
            return first[first["probe"] == probe].tolist(), again[again["probe"] == probe].tolist(), len(again)

    first, again, _ = in_namespace(body)
    assert len(first) >= 3, "SYN, SYN-ACK and RST"
    assert sorted(again) == sorted(first)
