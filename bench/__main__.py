"""``python -m bench [--quick] [WORK …]``: measure in turns, then write docs/performance.md and bench/figures.json."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import cells, page, peers, steady, stored
from bench.field import Field
from bench.figures import Figure, against, compare, turns
from bench.fleet import postgres, scale
from prober.lab import sealed

Work = Callable[[Field, int, bool], list[Figure]]


def ours(field: Field, work: str) -> dict[str, Any]:
    """One of `bench.ours`, in a process of its own on the near side."""
    told: dict[str, Any] = json.loads(peers.run(field, [sys.executable, "-m", "bench.ours", work]).out)
    return told


def sweeping(field: Field, rounds: int, quick: bool) -> list[Figure]:
    """65,536 handshakes: the rate against zmap's sending and scapy's sr(), how many were found, the time."""
    rate, took, found = {}, {}, {}

    def us() -> float:
        told = ours(field, "sweep")
        found.setdefault("prober", []).append(told["found"] / 65_536)
        took.setdefault("prober", []).append(told["seconds"])
        return 65_536 / float(told["seconds"])

    def zmap() -> float:
        ended, rate = peers.answering_rate(field, peers.zmap(field))
        found.setdefault("zmap", []).append(len(ended.out.split()) / 65_536)
        took.setdefault("zmap", []).append(ended.seconds)
        return rate

    def masscan() -> float:
        ended = peers.run(field, peers.masscan(field))
        found.setdefault("masscan", []).append(ended.out.count("open") / 65_536)
        took.setdefault("masscan", []).append(ended.seconds)
        return 65_536 / ended.seconds

    def scapy() -> float:
        count, seconds = peers.scapy_sr(field, 512 if quick else 4096)
        return count / seconds

    rate = turns({"prober": us, "zmap": zmap, "masscan": masscan, "scapy": scapy}, rounds)
    work, mine = "65,536 handshakes SYN → SYN-ACK → RST, verdict included", rate["prober"]
    note = "a running agent's second sweep, from the call to the last verdict; of zmap the rate at which it sends"
    return [
        compare(work, "handshakes/s", mine, rate["zmap"], "zmap, sending alone", more_is_better=True, must=1.2,
                note=note),
        compare(work, "handshakes/s", mine, rate["scapy"], "scapy sr()", more_is_better=True, must=100.0),
        *(compare("time to the complete result of a /16", "s", took["prober"], took[name], name, more_is_better=False,
                  must=1.0) for name in ("zmap", "masscan")),
        *(compare("share of 65,536 found", "of 1", found["prober"], found[name], name, more_is_better=True, must=1.0)
          for name in ("zmap", "masscan")),
    ]  # fmt: skip


def smaller(field: Field, rounds: int, quick: bool) -> list[Figure]:
    """Programs that would take minutes for a /16: a smaller network, hosts a second."""
    network, count = ("198.19.0.0/24", 256) if quick else ("198.19.0.0/20", 4096)
    samples = turns(
        {
            "prober": lambda: 65_536 / float(ours(field, "sweep")["seconds"]),
            "nmap": lambda: count / peers.run(field, peers.nmap(network)).seconds,
            "fping": lambda: count / peers.run(field, peers.fping(network)).seconds,
        },
        rounds,
    )
    note = f"{count} addresses for the peer, 65,536 for prober"
    return [
        compare("hosts asked", "hosts/s", samples["prober"], samples[name], name, more_is_better=True, note=note)
        for name in ("nmap", "fping")
    ]


def sending(field: Field, rounds: int, quick: bool) -> list[Figure]:
    """Sending alone to a drop: against the same calls over one constant packet, and against hping3's flood."""
    constant: list[float] = []

    def us() -> float:
        told = ours(field, "send")
        constant.append(told["constant"])
        return float(told["ours"])

    def flood() -> float:
        before, seconds = field.received(), 1 if quick else 3
        try:
            peers.run(field, peers.hping3(seconds))
        except RuntimeError as ended:  # `timeout` leaves with 124: that is how a flood ends
            if ": 124:" not in str(ended):
                raise
        return (field.received() - before) / seconds

    samples = turns({"prober": us, "hping3": flood}, rounds)
    work, name = "sending alone, to a drop", "sendmmsg over one constant packet"
    return [
        compare(work, "packets/s", samples["prober"], constant, name, more_is_better=True, must=0.8),
        compare(work, "packets/s", samples["prober"], samples["hping3"], "hping3 --flood", more_is_better=True),
    ]


def parsing(field: Field, rounds: int, _: bool) -> list[Figure]:
    """Captured replies to matched handshakes, one thread's CPU."""
    told = [ours(field, "parse") for _ in range(rounds)]
    work, mine = "parsing and matching captured replies", [one["rate"] for one in told]
    figures = [against(work, "packets/s of a core", mine, 1e6, more_is_better=True)]
    for name in ("scapy", "dpkt"):
        if not all(name in one for one in told):
            print(f"{name} is not installed: pip install {name} to compare", file=sys.stderr)
        else:
            theirs = [one[name] for one in told]
            note = "the peer parses, and matches nothing"
            figures.append(compare(work, "packets/s of a core", mine, theirs, name, more_is_better=True, note=note))
    return figures


def steadily(field: Field, rounds: int, quick: bool) -> list[Figure]:
    """1,000 targets a second: the agent's CPU, memory and false losses; blackbox_exporter's CPU a probe."""
    seconds = 10.0 if quick else 600.0 / rounds
    mine, theirs = [], []
    for _ in range(rounds):
        mine.append(steady.agent(field, seconds))
        theirs.append(steady.blackbox(field, min(seconds, 20.0)))
    work, lost = "1,000 targets a second, steadily", sum(one["lost"] for one in mine)
    probes = sum(one["rate"] * seconds for one in mine)
    note = (
        f"{lost:.0f} of {probes:,.0f} probes falsely lost in {seconds * rounds:.0f} s, {mine[0]['rate']:.0f} a second"
    )
    return [
        against(work, "of a core", [one["core"] for one in mine], 0.05, more_is_better=False, note=note),
        against(work, "MiB resident", [one["mib"] for one in mine], 100.0, more_is_better=False),
        compare(work, "µs of CPU a probe", [one["cpu_us"] for one in mine], [one["cpu_us"] for one in theirs],
                "blackbox_exporter tcp_connect", more_is_better=False, must=5.0),
    ]  # fmt: skip


def witnessing(field: Field, rounds: int, quick: bool) -> list[Figure]:
    """An idle witness beside foreign packets: its CPU at 200,000 a second, and what it costs a flow at full speed."""
    seconds = 2.0 if quick else 5.0
    paced = [steady.witness(field, seconds, 200_000.0) for _ in range(rounds)]
    full = [steady.witness(field, seconds, 0.0) for _ in range(rounds)]
    work = "idle witness beside foreign packets"
    note = f"{paced[0][1]:,.0f} packets a second passed it"
    return [
        against(work, "of a core", [one[2] for one in paced], 0.02, more_is_better=False, note=note),
        compare(work, "packets/s of a flow of 200,000", [one[1] for one in paced], [one[0] for one in paced],
                "the flow without the witness", more_is_better=True, must=0.95),
        compare(work, "packets/s of a flow at full speed", [one[1] for one in full], [one[0] for one in full],
                "the flow without the witness", more_is_better=True, note="dropped on arrival, the cheapest there is"),
    ]  # fmt: skip


def round_trips(field: Field, rounds: int, _: bool) -> list[Figure]:
    """The tap's stamps against TCP_INFO's RTT of the same handshakes, while sweeping."""
    told = [ours(field, "rtt") for _ in range(rounds)]
    note = f"{sum(one['compared'] for one in told)} of {sum(one['made'] for one in told)} handshakes compared"
    error = [one["p99_us"] for one in told]
    return [against("RTT against the kernel's own, while sweeping", "µs, p99 of the error", error, 50.0,
                    more_is_better=False, note=note)]  # fmt: skip


def starting(field: Field, rounds: int, _: bool) -> list[Figure]:
    """From starting the program to the first probe at the far side."""
    steady.start(field)  # from here on the bytecode is there
    seconds = [steady.start(field) for _ in range(rounds)]
    return [against("start to first probe", "s", seconds, 0.6, more_is_better=False)]


def storing(_: Field, rounds: int, quick: bool) -> list[Figure]:
    """Reports into the store, against raw executemany and raw COPY of the same rows."""
    return stored.storing(rounds, quick)


def asking(_: Field, rounds: int, quick: bool) -> list[Figure]:
    """A matrix of a million cells, asked for; Prometheus with as many series."""
    return cells.cells(rounds, quick)


def large_fleet(_: Field, __: int, quick: bool) -> list[Figure]:
    """A controller under a whole fleet, on SQLite and, where there is one, PostgreSQL."""
    figures = []
    for store in ["sqlite", *(["postgresql"] if postgres.SERVERS else [])]:
        with scale.emptied(store) as where:
            one = scale.run(*where, *((50, 50, 1.0, 5.0) if quick else (1000, 1000, 10.0, 600.0)), seed=1)
        print(one.line(), file=sys.stderr)
        figures += one.figures()
    return figures


WORKS: dict[str, Work] = {
    "sweep": sweeping, "smaller": smaller, "send": sending, "parse": parsing, "steady": steadily,
    "witness": witnessing, "rtt": round_trips, "start": starting,
    "store": storing, "cells": asking, "fleet": large_fleet,
}  # fmt: skip

GROUPS = [*WORKS, "kills", "replicas", "outages", "watch"]
"""Whose figures are kept; those of `make soak` and `bench.watch` take too long to be measured with the others."""


def main() -> None:
    """All works, or those named; what is not measured this time keeps its figures."""
    reader = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    reader.add_argument("works", nargs="*", metavar="WORK", help=f"of {', '.join(WORKS)}; all where none is named")
    reader.add_argument("--quick", action="store_true", help="two rounds, short ones, nothing written")
    given = reader.parse_args()
    rounds = 2 if given.quick else 5
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is measured starts as an installed program does
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `prober` has it
    sealed.enter()
    for name in given.works or WORKS:
        began = time.monotonic()
        with Field(dropping=name in ("send", "witness")) as field:
            figures = WORKS[name](field, rounds, given.quick)
        for figure in figures:
            print(page.line(figure))
        print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        if not given.quick:
            page.keep(name, figures, rounds, peers.versions(), GROUPS)


if __name__ == "__main__":
    main()
