"""``python -m bench.watch --trials 50 --ambient 60``: how soon faults are told, and what is told without one.

Both take long and may be done in parts: ``--log FILE`` keeps what came of each, ``--skip`` goes on in the list of
faults, and ``--log FILE`` alone sums up everything in it and writes the figures down.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from bench import page
from bench.watch import told
from prober.lab import sealed


def main() -> int:
    """0 where every bound was kept, 1 where one was missed."""
    asked = argparse.ArgumentParser(prog="python -m bench.watch", description=__doc__)
    asked.add_argument("--trials", type=int, default=0, help="faults to inject, one after the other")
    asked.add_argument("--skip", type=int, default=0, help="so many of the list of faults, tried before")
    asked.add_argument("--ambient", type=float, default=0.0, help="minutes of 0.1 %% loss on every link")
    asked.add_argument("--agents", default="", help="for --ambient these alone, with commas between: it costs less CPU")
    asked.add_argument("--seed", type=int, default=int(time.time()), help="of the moments; it is printed")
    asked.add_argument("--log", type=Path, help="keep each outcome there, a line of JSON each")
    given = asked.parse_args()
    log = given.log and given.log.resolve()
    if not given.trials and not given.ambient:
        return summed_up(log)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `prober` has it
    return said(measured(given, log))


def measured(given: argparse.Namespace, log: Path | None) -> list[dict[str, Any]]:
    """The trials, then the quiet time; each outcome as it comes goes into the log."""
    from bench.watch import ambient
    from bench.watch import trials as faults

    folder, outcomes = sealed.enter(), list[dict[str, Any]]()

    def keep(line: str, document: dict[str, Any]) -> None:
        tell(line)
        outcomes.append(document)
        if log:
            with log.open("a") as lines:
                lines.write(json.dumps(document, ensure_ascii=False) + "\n")

    if given.trials:
        tell(f"seed {given.seed}")
        (folder / "trials").mkdir()
        for number, one in enumerate(faults.run(given.trials, given.skip, folder / "trials", given.seed), 1):
            keep(f"{number}/{given.trials} {one.line()}", one.document())
    if given.ambient:
        (folder / "ambient").mkdir()
        quiet = ambient.run(given.ambient, [one for one in given.agents.split(",") if one], folder / "ambient", tell)
        keep(told.lines([quiet.document()])[0], quiet.document())
    return outcomes


def tell(line: str) -> None:
    """Progress, for who looks on."""
    print(line, file=sys.stderr, flush=True)


def said(outcomes: list[dict[str, Any]]) -> int:
    """The last lines, and whether all is as promised."""
    for line in told.lines(outcomes):
        print(line)
    return 0 if told.kept(outcomes) else 1


def summed_up(log: Path | None) -> int:
    """Everything in the log, into the figures too."""
    if log is None or not log.exists():
        print("nothing to do: --trials, --ambient, or the --log of earlier ones", file=sys.stderr)
        return 2
    from bench.__main__ import GROUPS

    outcomes = [json.loads(line) for line in log.read_text().splitlines()]
    page.keep("watch", told.figures(outcomes), 1, {}, GROUPS)
    return said(outcomes)


if __name__ == "__main__":
    sys.exit(main())
