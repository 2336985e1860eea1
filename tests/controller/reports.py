"""Agents' reports, written by hand: what an agent of targets.yaml would have posted."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from prober import probe, segment
from prober.handshake import State
from prober.probe import Kind
from prober.report import OUTCOME, Report
from prober.segment import ACK, IN, OUT, SYN
from prober.sighting import SIGHTING, Where

ADDRESSES = {
    "firewall": "10.19.0.4", "lb": "10.224.1.4", "node1": "10.224.0.4", "node2": "10.224.0.5", "vm": "10.224.0.100",
    "remote": "10.50.0.4", "private": "10.225.0.4", "ingress": "10.4.76.34", "pod2": "10.5.12.9",
}  # fmt: skip
MS = 1_000_000


class Reporter:
    """One agent: its reports are numbered, and cover the time since the one before."""

    def __init__(self, name: str, number: int = 0, epoch: int = 1) -> None:
        self.name, self.number, self.epoch, self.sequence, self.serial = name, number, epoch, 0, epoch * 1000
        self.covered = time.time_ns() - 5_000 * MS

    def probes(self, target: str, sent_ns: int, state: State = State.ANSWERED, **given: Any) -> np.ndarray:
        """The outcome of one probe: sent at `sent_ns`, over 1 ms later (1 s for one that timed out)."""
        self.serial += 1
        row = np.zeros(1, OUTCOME)
        row["probe"], row["state"] = probe.identity(self.number, self.serial), state
        row["src_hi"], row["src_lo"] = segment.pair(ADDRESSES[self.name])
        row["dst_hi"], row["dst_lo"] = segment.pair(ADDRESSES.get(target, "10.4.76.34"))
        row["sport"], row["dport"], row["sent_ns"] = 61440, 8080, sent_ns
        row["done_ns"] = sent_ns + (1000 * MS if state == State.TIMED_OUT else MS)
        row["rtt_ns"] = MS if state == State.ANSWERED else 0
        for name, value in given.items():
            row[name] = value
        return row

    def sees(self, outcome: np.ndarray, kind: Kind, way: int, where: Where = Where.NIC) -> np.ndarray:
        """This agent's sighting of a probe's SYN or SYN-ACK."""
        seen = np.zeros(1, SIGHTING)
        seen["probe"], seen["kind"], seen["where"], seen["way"], seen["sealed"] = (
            outcome["probe"],
            kind,
            where,
            way,
            True,
        )
        back = kind == Kind.SYN_ACK
        for ours, theirs in (("src_hi", "dst_hi"), ("src_lo", "dst_lo"), ("sport", "dport")):
            seen[ours], seen[theirs] = outcome[theirs if back else ours], outcome[ours if back else theirs]
        seen["flags"], seen["ttl"] = (SYN | ACK if back else SYN), 64
        seen["time_ns"] = outcome["sent_ns"] + (MS if way == IN else 0)
        return seen

    def report(self, targets: list[str], outcomes: list[np.ndarray], sightings: Any = (), **given: Any) -> Report:
        """The next report; `outcomes` index `targets` in their order."""
        self.sequence += 1
        now = time.time_ns()
        done = np.concatenate(outcomes) if outcomes else np.zeros(0, OUTCOME)
        done["target"] = np.arange(len(done)) if len(targets) > 1 else 0
        seen = np.concatenate(sightings) if len(sightings) else np.zeros(0, SIGHTING)
        since, self.covered = self.covered, now
        told: dict[str, Any] = {
            "agent": self.name, "epoch": self.epoch, "sequence": self.sequence, "clock_ns": now, "since_ns": since,
            "until_ns": now, "interfaces": ["eth0"], "targets": targets, "runs": [""], "outcomes": done.tobytes(),
            "sightings": seen.tobytes(), "frames": [b"\x45" * 40] * len(seen),
        }  # fmt: skip
        return Report(**(told | given))

    def answered(self, target: str = "ingress", ago_ms: int = 50, **given: Any) -> Report:
        """A report of one probe that was answered, with its SYN and SYN-ACK at this agent's NIC."""
        row = self.probes(target, time.time_ns() - ago_ms * MS)
        return self.report([target], [row], [self.sees(row, Kind.SYN, OUT), self.sees(row, Kind.SYN_ACK, IN)], **given)

    def timed_out(self, target: str = "ingress") -> Report:
        """A report of one probe that nobody answered; its SYN left."""
        row = self.probes(target, time.time_ns() - 1100 * MS, State.TIMED_OUT)
        return self.report([target], [row], [self.sees(row, Kind.SYN, OUT)])
