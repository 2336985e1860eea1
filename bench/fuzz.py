"""`python -m bench.fuzz [PARSER …] --executions 10000000`: what strangers send, spoilt; nothing may fall over.

Good input is spoilt a little, for noise alone is refused at the first byte. Each parser may refuse in its own words
(`ProberError`); anything else it raises is a crash, shown with what it was given, and so is a packet that the two ways
of reading it read differently. The seed is printed, and makes the same input again.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from prober import targets
from prober.controller import asked, chat, slack_door, stranger
from prober.controller.desk import Desk
from prober.errors import ProberError
from prober.lab import recording
from prober.report import Report, encode
from prober.segment import Batch
from prober.wire import codec, slots
from prober.wire.ring import PACKET, SLOT, WIDTH

ROOT = Path(__file__).parents[1]
AT_ONCE = 20_000
"""Packets in a batch."""
REPORTS = 200
"""Reports of one fleet's life; then a controller begins anew."""
WORDS = (
    *("run", "why", "status", "help", "firewall", "ingress", "all", "->", "→", ",", "lb,firewall", "a" * 5000),
    *(
        "<!channel>",
        "`",
        "&lt;",
        "<http://a|b>",
        "@all",
        "\0",
        "\ud7ff",
        "%",
        "=",
        "&text=",
        "text=",
        "command=/prober",
    ),
)

Fuzz = Callable[[np.random.Generator], Iterator[int]]
"""For ever: how many executions the last step was."""


class Crash(Exception):
    """A parser fell over; what it was given."""


def main() -> int:
    """0 where nothing crashed, 1 where something did."""
    reader = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    reader.add_argument("parsers", nargs="*", metavar="PARSER", help=f"of {', '.join(PARSERS)}; all when left out")
    reader.add_argument("--executions", type=int, default=10_000_000, help="of each")
    reader.add_argument("--seconds", type=float, default=float("inf"), help="for each at most")
    reader.add_argument("--seed", type=int, default=int(time.time()))
    given = reader.parse_args()
    print(f"seed {given.seed}", file=sys.stderr)
    return max(tried(name, given) for name in given.parsers or PARSERS)


def tried(name: str, given: argparse.Namespace) -> int:
    """One parser; says how it went."""
    began, done, crashes = time.monotonic(), 0, 0
    steps = PARSERS[name](np.random.default_rng(given.seed))
    try:
        for count in steps:
            done += count
            if done >= given.executions or time.monotonic() - began > given.seconds:
                break
    except Crash as crash:
        crashes = 1
        traceback.print_exception(crash)
    print(f"fuzz: {name}: {done:,} executions in {time.monotonic() - began:.0f} s, {crashes} crashes", flush=True)
    return crashes


def refusing(parser: Callable[..., object], given: str | bytes, *more: object) -> None:
    """It may refuse, and nothing else."""
    try:
        parser(given, *more)
    except ProberError:
        pass
    except Exception as error:
        raise Crash(repr(given)[:20_000]) from error


def spoilt(raw: bytes, chance: np.random.Generator) -> bytes:
    """A few bytes turned, a piece cut out, doubled or put elsewhere."""
    data = bytearray(raw)
    for _ in range(int(chance.integers(1, 5))):
        first, last = sorted(chance.integers(0, len(data) + 1, 2).tolist())
        match int(chance.integers(0, 4)):
            case 0 if data:
                data[first % len(data)] = int(chance.integers(0, 256))
            case 1:
                del data[first : min(last, first + 16)]
            case 2:
                data[first:first] = data[first : min(last, first + 64)]
            case _:
                data[first:first] = chance.bytes(int(chance.integers(0, 9)))
    return bytes(data)


def packets(chance: np.random.Generator) -> Iterator[int]:
    """Frames with some bytes turned, cut anywhere: read in place in the ring's slots, and walked byte by byte."""
    seeds = _frames()
    while True:
        data, lengths = (np.resize(one, (AT_ONCE, *one.shape[1:])) for one in seeds)
        data, lengths = data.copy(), lengths.astype(np.int64)
        for _ in range(3):
            which = chance.random(AT_ONCE) < 0.7
            at = chance.integers(0, np.maximum(lengths, 1))
            data[which, at[which]] = chance.integers(0, 256, int(which.sum()))
        cut = chance.random(AT_ONCE) < 0.2
        lengths[cut] = chance.integers(0, lengths[cut] + 1)
        try:
            _read_both(data, lengths)
        except Exception as error:
            raise Crash(f"{AT_ONCE} packets") from error
        yield AT_ONCE


def _read_both(data: Batch, lengths: Batch) -> None:
    walked, rows = codec.parse(data, lengths)
    raw = np.zeros((len(data), WIDTH), np.uint8)
    raw[:, PACKET : PACKET + data.shape[1]] = data
    there = raw.view(SLOT)[:, 0]
    there["network"], there["link"], there["hardware"], there["captured"] = PACKET, PACKET - 14, 1, lengths + 14
    read, kept = slots.parse(there, raw)
    if rows.tolist() != kept.tolist():
        at = min(set(rows.tolist()) ^ set(kept.tolist()))
        raise Crash(f"kept by one reading alone: {data[at, : lengths[at]].tobytes().hex()}")
    if wrong := [
        at for at, (one, other) in enumerate(zip(read.tolist(), walked.tolist(), strict=True)) if one != other
    ]:
        at = rows[wrong[0]]
        raise Crash(f"read as {read[wrong[0]]} and {walked[wrong[0]]}: {data[at, : lengths[at]].tobytes().hex()}")


def _frames() -> tuple[Batch, Batch]:
    """Every frame of the recordings, once."""
    told = {frame for _, report in _reports() for frame in report.frames if frame}
    return codec.stacked(sorted(told), WIDTH - PACKET)


def _reports(most: int = 40) -> Iterator[tuple[str, Report]]:
    """Reports of recordings, with the text of their targets.yaml."""
    for path in sorted((ROOT / "tests" / "incidents").glob("*/recording.json.gz"))[::2]:
        recorded = recording.read(path)
        for one in recorded.reports[:most]:
            yield recorded.targets, one.report


def reports(chance: np.random.Generator) -> Iterator[int]:
    """Reports with spoilt columns or bytes, as an agent with a good key may post them, joined and judged."""
    seeds = list(_reports(12))
    while True:
        document = seeds[int(chance.integers(0, len(seeds)))][0]
        of_it = [report for text, report in seeds if text == document]
        desk = Desk(targets.parse(document))
        for turn in range(REPORTS):
            _handed_in(desk, of_it, chance, 100.0 + turn / 10)
        yield REPORTS


def _handed_in(desk: Desk, of_it: Sequence[Report], chance: np.random.Generator, now: float) -> None:
    report = of_it[int(chance.integers(0, len(of_it)))]
    body = encode(report)
    body = spoilt(body, chance) if chance.random() < 0.8 else body
    try:
        one = stranger.decoded(body, report.agent)
        rows = report.outcome_rows()
        number = int(rows["probe"][0]) >> stranger.SERIAL_BITS if len(rows) else 0
        if stranger.strange([(one, number)]):
            return
        desk.take(one, now)
        day = desk.judge(now, now)
    except ProberError:
        return
    except Exception as error:
        raise Crash(body.hex()) from error
    if day.faults:
        raise Crash(f"{day.faults[:3]} after {body.hex()}")


def commands(chance: np.random.Generator) -> Iterator[int]:
    """Forms that Slack or Mattermost might post, and the lines in them."""
    declared, dice = targets.parse((ROOT / "targets.yaml").read_text()), random.Random(int(chance.integers(2**63)))  # noqa: S311  # dice
    while True:
        words = " ".join(dice.choices(WORDS, k=dice.randrange(6)))
        body = f"command=%2Fprober&text={words}&team_id=T1&channel_id=C1&user_id=U1&user_name=ann".encode()
        given = spoilt(body, chance) if dice.random() < 0.7 else body
        refusing(_obeyed, given, declared, dice.choice(("slack", "mattermost")))
        yield 1


def _obeyed(body: bytes, declared: targets.Targets, name: str) -> None:
    line = chat._asked(chat._form(body), name)  # as the door does, without the door
    slack_door.plain(line.text)
    verb, *names = line.text.split() or ["help"]
    asked.help_of(line.call, verb)
    asked.wanted_by(declared, names)


def documents(chance: np.random.Generator) -> Iterator[int]:
    """targets.yaml, good ones and bad ones, spoilt."""
    seeds = [
        path.read_bytes() for path in [ROOT / "targets.yaml", *sorted((ROOT / "tests" / "bad_targets").glob("*.yaml"))]
    ]
    while True:
        given = spoilt(seeds[int(chance.integers(0, len(seeds)))], chance).decode(errors="replace")
        refusing(targets.mistakes, given)
        yield 1


PARSERS: dict[str, Fuzz] = {"packets": packets, "reports": reports, "chat": commands, "targets": documents}

if __name__ == "__main__":
    sys.exit(main())
