"""`python -m bench.fleet --kills 1000`: every store and victim; the last lines say what was lost and doubled."""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.figures import Figure
from bench.fleet import outage, postgres, replicas, scale, soak

STORES = ("sqlite", "postgresql")


def main() -> int:
    """0 where nothing was lost or doubled, 1 where something was, 3 where a store could not be tried."""
    asked = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    asked.add_argument("--kills", type=int, default=1000, help="of each victim on each store")
    asked.add_argument("--store", choices=STORES, action="append", help="all when left out")
    asked.add_argument("--victim", choices=sorted(soak.VICTIMS), action="append", help="all when left out")
    asked.add_argument("--seed", type=int, default=int(time.time()), help="of the moments; it is printed")
    asked.add_argument("--controllers", type=int, help="so many on one PostgreSQL, killed in turns, instead")
    asked.add_argument("--kill-every", type=float, default=20.0, help="seconds between two kills of them")
    asked.add_argument("--minutes", type=float, default=10.0, help="for which they are killed, or the fleet reports")
    asked.add_argument("--agents", type=int, help="a fleet of so many on one controller that nobody kills, instead")
    asked.add_argument("--targets", type=int, default=1000, help="that each of the fleet asks")
    asked.add_argument("--every", type=float, default=10.0, help="seconds in which each asks each once")
    asked.add_argument("--cut", type=float, help="hours for which agents reach no controller, instead")
    asked.add_argument("--away", type=float, help="minutes for which PostgreSQL is away, instead or as well")
    asked.add_argument("--write", action="store_true", help="what came of it into bench/figures.json too")
    given = asked.parse_args()
    stores = ["postgresql"] if given.controllers else given.store or STORES
    print(f"seed {given.seed}", file=sys.stderr)
    if "postgresql" in stores and not postgres.SERVERS:
        print("no PostgreSQL server here: apt-get install -y postgresql-15", file=sys.stderr)
        return 3
    if given.agents:
        return 0 if all([large(store, given) for store in stores]) else 1  # noqa: C419  # each is tried
    if given.controllers:
        return several(given)
    if given.cut or given.away:
        return outages(stores, given)
    trials = []
    with ExitStack() as stack:
        cluster = stack.enter_context(postgres.cluster()) if "postgresql" in stores else ""
        for store in stores:
            for victim in given.victim or list(soak.VICTIMS):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="prober-soak-")))
                url = postgres.database(cluster) if store == "postgresql" else f"sqlite:///{folder / 'prober.sqlite'}"
                trials.append(one := soak.run(folder, url, victim, given.kills, given.seed))
                print(f"{store} {victim}: {one.reports} reports stored in {one.seconds:.0f} s", file=sys.stderr)
    for one in trials:
        print(one.line())
    if given.write:
        keep("kills", [one.figure() for one in trials])
    return 0 if all(one.ok for one in trials) else 1


def several(given: argparse.Namespace) -> int:
    """As `main`, of several controllers on one PostgreSQL."""
    with postgres.cluster() as cluster, tempfile.TemporaryDirectory(prefix="prober-soak-") as folder:
        database = postgres.database(cluster)
        seconds = 60.0 * given.minutes
        one = replicas.run(Path(folder), database, given.controllers, given.kill_every, seconds, given.seed)
    print(one.line())
    if given.write:
        keep("replicas", one.figures())
    return 0 if one.ok else 1


def outages(stores: Sequence[str], given: argparse.Namespace) -> int:
    """The link cut on each store, and PostgreSQL away."""
    told = []
    for store in stores if given.cut else ():
        with scale.emptied(store) as (folder, database):
            told.append(outage.link_cut(folder, database, given.cut))
        print(told[-1].line(), flush=True)
    if given.away and "postgresql" in stores:
        with scale.emptied("postgresql") as (folder, database):
            told.append(outage.database_away(folder, database, given.away))
        print(told[-1].line(), flush=True)
    if given.write:
        keep("outages", [figure for one in told for figure in one.figures()])
    return 0 if all(one.ok for one in told) else 1


def keep(group: str, figures: list[Figure]) -> None:
    """Beside what `make bench` measures."""
    from bench import page
    from bench.__main__ import GROUPS

    page.keep(group, figures, 1, {"SQLite": sqlite3.sqlite_version}, GROUPS)


def large(store: str, given: argparse.Namespace) -> bool:
    """Whether one controller keeps up with the fleet on this store."""
    with scale.emptied(store) as (folder, database):
        one = scale.run(folder, database, given.agents, given.targets, given.every, 60.0 * given.minutes, given.seed)
    print(one.more(), file=sys.stderr)
    print(one.line(), flush=True)
    return one.ok


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; nothing was written down")
