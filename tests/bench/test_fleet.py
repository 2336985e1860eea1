"""The oracle finds what is lost and doubled; a short version of the soak loses and doubles nothing."""

from __future__ import annotations

import dataclasses
import re
import signal
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

from bench.fleet import oracle, postgres, replicas, soak, world
from bench.fleet.oracle import Found, Oracle
from bench.fleet.simulated import report
from prober.lab import sealed
from prober.ondisk import read_targets
from prober.report import encode
from prober.store import minutes, reports
from prober.store.engine import open_store
from tests.receiving import until

ROOT = Path(__file__).parents[2]


def test_the_oracle_knows_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    made = world.make(tmp_path, f"sqlite:///{tmp_path}/prober.sqlite", 2)
    store = open_store(made.database)
    for sequence in (1, 2):
        reports.take(store, "agent0", 7, sequence, sequence, encode(report("agent0", 0, 7, sequence, sequence)))
    minutes.put_objective_minutes(store, [(world.OBJECTIVE, 60, 2, 2)])
    found = oracle.look(store)
    assert (found.names, found.probes, found.counted) == ([("agent0", 7, 1), ("agent0", 7, 2)], 2, 2)
    kept = Oracle({("agent0", 7, 1)})
    assert (found.lost(kept), found.doubled()) == (0, 0)
    kept.acknowledged.add(("agent0", 7, 3))
    assert found.lost(kept) == 1
    minutes.put_objective_minutes(store, [(world.OBJECTIVE, 60, 5, 5)])
    assert oracle.look(store).doubled() == 3
    minutes.put_objective_minutes(store, [(world.OBJECTIVE, 60, 1, 1)])
    assert oracle.look(store).lost(Oracle()) == 1
    assert Found([("a", 1, 1)] * 2, [], 2, 2).doubled() == 1
    store.close()


def test_a_report_that_is_lost_or_doubled_shows_in_the_figures() -> None:
    kept = soak.Trial("sqlite", "agent", 1000, 2000, 0, 0, 600.0)
    assert kept.figure().ratio == 1.0 == kept.figure().must
    assert dataclasses.replace(kept, lost=1).figure().ratio < 1.0
    assert dataclasses.replace(kept, doubled=1).figure().ratio < 1.0
    turns = replicas.Trial(2, 30, 480, 480, 480, 9000, 0, 0, 17)
    assert [one.ratio for one in turns.figures()] == [1.0, 1.0]
    assert [one.ratio < 1.0 for one in dataclasses.replace(turns, once=479).figures()] == [True, False]
    assert [one.ratio < 1.0 for one in dataclasses.replace(turns, lost=1).figures()] == [False, True]


def test_the_document_of_a_large_fleet_is_a_good_one(tmp_path: Path) -> None:
    (tmp_path / "targets.json").write_text(world.document(1000))
    assert len(read_targets(tmp_path / "targets.json").agents) == 1000


def chaos(trouble: str, status: int) -> None:
    words = [sys.executable, "-m", "bench.fleet.chaos", trouble]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    told = re.fullmatch(
        rf"chaos: .*: heard (\d+) × {status}, reads up, (\d+) taken afterwards, 0 lost, 0 doubled", done.stdout.strip()
    )
    assert told, done.stdout
    assert int(told[1]) > 0 and int(told[2]) > 0


@pytest.mark.skipif(not postgres.SERVERS, reason="no PostgreSQL server: apt-get install postgresql-15")
def test_a_database_that_goes_away_loses_nothing_and_is_taken_up_again() -> None:
    chaos("database-away", 503)


def test_a_full_disk_is_said_reads_stay_up_and_it_resumes() -> None:
    if why := sealed.refusal():
        pytest.skip(why)
    chaos("full-disk", 507)


@pytest.mark.skipif(not postgres.SERVERS, reason="no PostgreSQL server: apt-get install postgresql-15")
def test_nothing_is_lost_or_doubled_whoever_is_killed() -> None:
    words = [sys.executable, "-m", "bench.fleet", "--kills", "3"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.stdout.splitlines() == [
        "soak: sqlite controller: 3 kills, 0 lost, 0 doubled",
        "soak: sqlite agent: 3 kills, 0 lost, 0 doubled",
        "soak: postgresql controller: 3 kills, 0 lost, 0 doubled",
        "soak: postgresql agent: 3 kills, 0 lost, 0 doubled",
    ], done.stderr
    assert done.returncode == 0


@pytest.mark.skipif(not postgres.SERVERS, reason="no PostgreSQL server: apt-get install postgresql-15")
def test_what_waited_while_the_link_was_cut_or_the_database_away_is_there_once() -> None:
    words = [sys.executable, "-m", "bench.fleet", "--cut", "0.01", "--away", "0.05"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    told = [
        re.fullmatch(
            r"outage: (\w+), the (.*) for [\d.]+ min: (\d+) reports waited, the newest taken after [\d.]+ s, "
            r"all after [\d.]+ s \(\d+ x real time\), 0 lost, 0 doubled",
            line,
        )
        for line in done.stdout.splitlines()
    ]
    said = [one.groups() for one in told if one]
    assert [one[:2] for one in said] == [
        ("sqlite", "link cut"), ("postgresql", "link cut"), ("postgresql", "database away"),
    ], done.stdout + done.stderr  # fmt: skip
    assert all(int(one[2]) > 20 for one in said)


def test_ctrl_c_leaves_no_controller_behind() -> None:
    words = [sys.executable, "-u", "-m", "bench.fleet", "--kills", "1000", "--store", "sqlite", "--victim", "agent"]
    soaking = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert soaking.stderr is not None
    with soaking:
        until(lambda: len(session(soaking.pid)) > 1)
        soaking.send_signal(signal.SIGINT)
        said = soaking.stderr.read()
    assert (soaking.returncode, said.splitlines()[1:]) == (1, ["stopped; nothing was written down"])
    until(lambda: not session(soaking.pid), why="a process outlived the one that began it")


def session(leader: int) -> list[int]:
    told = subprocess.run(["ps", "-o", "pid=", "-s", str(leader)], capture_output=True, text=True, check=False)
    return [int(one) for one in told.stdout.split()]


def test_a_controller_accounts_for_every_probe_of_a_fleet() -> None:
    sizes = {"--agents": "50", "--targets": "50", "--every": "5", "--minutes": "0.03", "--store": "sqlite"}
    words = [sys.executable, "-m", "bench.fleet", *chain.from_iterable(sizes.items())]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    told = re.fullmatch(
        r"fleet: sqlite: 50 agents x 50 targets, ([\d,]+) probes/s for \d+ s, p99 [\d,]+ ms, [\d,]+ MiB, 0 lost, "
        r"0 doubled",
        done.stdout.strip(),
    )
    assert told, done.stdout + done.stderr
    assert int(told[1].replace(",", "")) > 0


@pytest.mark.skipif(not postgres.SERVERS, reason="no PostgreSQL server: apt-get install postgresql-15")
def test_every_round_is_closed_once_whichever_of_two_controllers_is_killed() -> None:
    words = [sys.executable, "-m", "bench.fleet", "--controllers", "2", "--kill-every", "2", "--minutes", "0.1"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    told = re.fullmatch(
        r"replicas: 2 controllers, (\d+) kills, (\d+) holders: (\d+) of (\d+) rounds closed once, \d+ whole; "
        r"\d+ reports, 0 lost, 0 doubled",
        done.stdout.strip(),
    )
    assert told, done.stdout + done.stderr
    assert int(told[1]) >= 1 and int(told[2]) >= 2
    assert told[3] == told[4] != "0"
