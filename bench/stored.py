"""Stored rows a second: reports through the whole intake, and the very same rows put raw: executemany and COPY.

The whole way is: bytes read and checked, admitted, looked up among what is there, given their places, committed,
joined to the log's tail. Raw is one statement of the driver over the same rows in the same parts, committed as often.
A report tells of `PROBES` probes, as that of one of a thousand agents that ask a thousand targets every ten seconds.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import msgspec
import numpy as np

from bench.figures import Figure, compare, turns
from bench.fleet import postgres, simulated
from prober import probe
from prober.controller.intake import Intake, Row
from prober.controller.tail import Tail
from prober.report import encode, report_every
from prober.store import reports, tables
from prober.store.dialects import PRAGMAS
from prober.store.engine import Store, open_store
from prober.store.schema import upgrade

AGENTS, PROBES = 250, round(100.0 * report_every(1000))
"""Agents that have a report to deliver at the same time."""
SHOWN = ", ".join(column.name for column in tables.reports.c)
Timed = Callable[[Store, list[Row]], float]
"""Seconds in which these rows were put into an empty store at head."""


def rows(rounds: int, epoch: int) -> list[Row]:
    """Reports of all agents, so many each."""
    made: list[Row] = []
    for sequence in range(1, rounds + 1):
        for number in range(AGENTS):
            one = simulated.report(f"agent{number}", number, epoch, sequence, 0)
            told = np.repeat(one.outcome_rows(), PROBES)
            told["probe"] = [probe.identity(number, sequence * PROBES + serial) for serial in range(PROBES)]
            body = encode(msgspec.structs.replace(one, outcomes=told.tobytes()))
            made.append((one.agent, epoch, sequence, time.time_ns() + len(made), body))
    return made


def parts(made: list[Row]) -> Iterator[list[Row]]:
    """One of each agent's: as many as the intake finds waiting when it comes round."""
    return (made[at : at + AGENTS] for at in range(0, len(made), AGENTS))


def whole(store: Store, made: list[Row]) -> float:
    """Seconds until the last one is acknowledged."""
    joined: list[int] = []
    tail = Tail(store, lambda _report, _at, place, _mine: joined.append(place), time.monotonic)

    async def post(intake: Intake, number: int, mine: list[Row]) -> None:
        for row in mine:  # an agent's next one goes out when the last is acknowledged
            with intake.admitted(row[0], len(row[4]), live=True):
                await intake.take(row[4], row[0], number, row[3])

    async def play() -> float:
        await tail.catch_up()
        before = len(joined)
        intake = Intake(tail.write, tail.own)
        writer = asyncio.create_task(intake.run())
        began = time.perf_counter()
        await asyncio.gather(*(post(intake, number, made[number::AGENTS]) for number in range(AGENTS)))
        seconds = time.perf_counter() - began
        writer.cancel()
        if len(joined) - before != len(made):
            raise RuntimeError(f"{len(made)} rows were given, and {len(joined) - before} were taken")
        return seconds

    return asyncio.run(play())


def kept(store: Store, made: list[Row]) -> float:
    """Seconds for the store's own part: looked up, given their places, committed."""
    began = time.perf_counter()
    for part in parts(made):
        reports.append(store, part)
    return time.perf_counter() - began


def raw_sqlite(store: Store, made: list[Row]) -> float:
    """`executemany` of the same rows, with the pragmas that prober commits with."""
    connection = sqlite3.connect(str(store.engine.url.database), isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    began = time.perf_counter()
    for part in parts(made):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(f"INSERT INTO reports ({SHOWN}) VALUES (?, ?, ?, ?, ?)", part)  # noqa: S608  # our own names
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def raw_postgresql(store: Store, made: list[Row]) -> float:
    """COPY of the same rows."""
    with store.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        began = time.perf_counter()
        for part in parts(made):
            with raw.cursor() as cursor, cursor.copy(f"COPY reports ({SHOWN}) FROM STDIN") as copy:
                for row in part:
                    copy.write_row(row)
            raw.commit()
        return time.perf_counter() - began


def storing(rounds: int, quick: bool) -> list[Figure]:
    """The whole path and the store's part of it against raw writes, on SQLite and, where there is one, PostgreSQL."""
    each = 2 if quick else 8
    with tempfile.TemporaryDirectory(prefix="prober-stored-") as folder, ExitStack() as stack:
        numbers = count(1)
        figures = _on(lambda: f"sqlite:///{folder}/{next(numbers)}.sqlite", raw_sqlite, rounds, each)
        if postgres.SERVERS:
            cluster = stack.enter_context(postgres.cluster())
            figures += _on(lambda: postgres.database(cluster), raw_postgresql, rounds, each)
    return figures


def _on(database: Callable[[], str], raw: Timed, rounds: int, each: int) -> list[Figure]:
    def rate(timed: Timed) -> Callable[[], float]:
        def run() -> float:
            upgrade(url := database())
            store, given = open_store(url), rows(each, 1)
            try:
                return len(given) / timed(store, given)
            finally:
                store.close()

        return run

    told = turns({"whole": rate(whole), "kept": rate(kept), "raw": rate(raw)}, rounds)
    name = "executemany, SQLite" if raw is raw_sqlite else "COPY, PostgreSQL"
    note = f"{each * AGENTS:,} reports of {PROBES} probes each; raw: the same rows, committed as often"
    return [
        compare(work, f"rows/s, {name.partition(', ')[2]}", told[side], told["raw"], f"raw {name}",
                more_is_better=True, must=0.6, note=note)
        for work, side in (("report rows stored, from their bytes to the acknowledgement", "whole"),
                           ("report rows stored, the store's own part", "kept"))
    ]  # fmt: skip


if __name__ == "__main__":
    from bench import page

    for figure in storing(2, quick=True):
        print(page.line(figure))
