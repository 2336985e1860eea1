"""The incident that silences its own witness: the way to the controller is cut, and the evidence comes all the same.

A real controller, a real agent and a real peer in a closed namespace; the cut is a rule that drops packets.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench.fleet.world import enrolled
from prober.agent import detour
from prober.agent.backlog import Backlog
from prober.agent.credential import Credential
from prober.agent.doors import Doors
from prober.agent.line import RELAYED, clients
from prober.agent.uplink import Uplink
from prober.controller import access
from prober.report import Orders
from prober.store.reports import recent_reports
from tests.agent.test_loop import HERE, PEER, in_namespace
from tests.controller.centres import Controller, controller
from tests.controller.reports import Reporter

TARGETS = f"""
zones: [{{name: one, cidrs: [{HERE}/32]}}, {{name: two, cidrs: [{PEER}/32]}}]
agents:
  - {{name: firewall, zone: one, addresses: [{HERE}], listen: 7007}}
  - {{name: node1, zone: two, addresses: [{PEER}], listen: 7007, relay: 7008}}
probes: [{{from: firewall, to: node1, every: 0.5s, timeout: 0.4s}}]
policy: {{allow: [{{network: 10.77.0.0/24, ports: [7007]}}], syns_per_second: 4, experiments: false}}
"""


class Shell:
    """Begun before the agent is: that one drops the rights of this process for good."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, command: str) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{command} >&2; echo $?\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "0\n"

    def close(self) -> None:
        self.process.communicate()


class Witness:
    """node1: reports on its own way, and takes what others bring."""

    def __init__(self, running: Controller, url: str) -> None:
        key = enrolled(running.centre.store, "node1", "two")
        self.waiting, self.by = Backlog("node1", 1), Reporter("node1", running.centre.dispatch.number("node1"))
        self.uplink = Uplink(clients(url, key), self.waiting, self._heard)
        self.doors = Doors(partial(clients, url, key, path=RELAYED), self.uplink.reaches)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        self.uplink.start()

    def _heard(self, orders: Orders) -> None:
        if orders.plan is not None:
            self.doors.adopt(orders.plan)

    def _run(self) -> None:
        while not self.ended.wait(0.25):
            self.doors.serve()
            self.waiting.append(self.by.report([], []))
            self.waiting.write()

    def close(self) -> None:
        self.ended.set()
        self.thread.join()
        self.uplink.close()
        self.doors.close()


def until(true: Callable[[], bool], most: float) -> float:
    began = time.monotonic()
    while not true() and time.monotonic() - began < most:
        time.sleep(0.02)
    return time.monotonic() - began


def test_an_agent_whose_own_way_is_cut_is_heard_through_a_peer_within_seconds_and_loses_nothing() -> None:
    def body() -> dict[str, Any]:
        from prober.agent.loop import Agent

        detour.OWN_WAY_EVERY, shell = 1.0, Shell()
        told: dict[str, Any] = {}
        with tempfile.TemporaryDirectory() as folder:
            targets = Path(folder) / "targets.yaml"
            targets.write_text(TARGETS)
            with controller(Path(folder), targets, host="0.0.0.0") as running:
                port = int(running.url.rpartition(":")[2])
                witness = Witness(running, f"http://{PEER}:{port}")
                token = access.create(running.centre.store, agent="firewall", zone="one")
                key = Credential.open("firewall", lambda: token, None)
                agent = Agent("firewall", f"http://{HERE}:{port}", key)
                thread = threading.Thread(target=agent.run)
                thread.start()
                cell, via = running.centre.desk.matrix.cells["firewall", "node1"], running.centre.fleet.detours.via
                relayed = running.centre.fleet.detours.relayed
                until(lambda: cell.answered > 1 and witness.doors.relaying is not None, 5.0)
                shell("nft 'add table ip cut; add chain ip cut out { type filter hook output priority 0; }'")
                shell(f"nft add rule ip cut out ip daddr {HERE} tcp dport {port} drop")
                told["heard after"] = until(lambda: relayed.get("firewall", 0) > 0, 9.0)
                answered = cell.answered
                until(lambda: cell.answered > answered + 2, 4.0)
                told["judged meanwhile"] = cell.answered > answered + 2
                told["label"] = cell.verdict(running.centre.now()).label.value
                said = {one["name"]: one["detour"] for one in running.centre.fleet.document()}
                told["said"] = said
                shell("nft delete table ip cut")
                told["own way after"] = until(lambda: not via, 5.0)
                agent.stop()
                thread.join()
                witness.close()
                shell.close()
                kept = recent_reports(running.centre.store, 0)
                names = [(row.epoch, row.sequence) for row in kept if row.agent == "firewall"]
                told["once each"] = sorted(names) == [(names[0][0], n + 1) for n in range(len(names))]
        return told

    told = in_namespace(body)
    assert told["heard after"] < 5.0, "the live view is back within five seconds of the cut"
    assert told["judged meanwhile"] and told["label"] == "healthy", "only the way to the controller is broken"
    sentence = "firewall reports through node1: its own way to the controller is broken"
    assert told["said"] == {"firewall": sentence, "node1": None}
    assert told["own way after"] < 4.0
    assert told["once each"], "nothing lost, nothing doubled"
