"""What an earlier process left in an outbox's folder: every whole report that nobody acknowledged, and what is lost.

A damaged file is set aside under another name, and what was whole in it is written anew before anything else happens.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from prober.agent import gaps
from prober.agent.gaps import Summary
from prober.agent.journal import ACKNOWLEDGED, REPORT, Frame, Segment, Spoilt, scan

SET_ASIDE = 4
"""Damaged files kept for a person to look at; older ones go."""

_RECORD = msgspec.msgpack.Decoder(tuple[Summary, bytes])
_NAMES = msgspec.msgpack.Decoder(list[tuple[int, int]])


@dataclass(slots=True, eq=False)
class Entry:
    """A report that waits: in a segment at a place, or in memory as a body."""

    summary: Summary
    segment: Segment | None = None
    at: int = 0
    body: bytes = b""
    live: bool = False


@dataclass(slots=True)
class Left:
    """What was found: the reports that wait, the segments that hold them, and sentences for the operator."""

    entries: list[Entry] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


def pack(summary: Summary, body: bytes) -> tuple[int, bytes]:
    """A report as a frame's kind and body."""
    return REPORT, msgspec.msgpack.encode((summary, body))


def unpack(body: bytes) -> tuple[Summary, bytes]:
    """The same back. Raises msgspec.MsgspecError."""
    return _RECORD.decode(body)


def acknowledgement(names: list[tuple[int, int]]) -> tuple[int, bytes]:
    """That the controller has these reports, as a frame's kind and body."""
    return ACKNOWLEDGED, msgspec.msgpack.encode(names)


@dataclass(slots=True)
class _File:
    segment: Segment
    reports: list[tuple[Frame, Summary]] = field(default_factory=list)
    spoilt: list[tuple[Summary | None, Spoilt]] = field(default_factory=list)


def recover(folder: Path, agent: str) -> Left:
    """Everything that is in the folder. Whatever state its files are in, this returns."""
    left, files, known = Left(), list[_File](), dict[int, set[int]]()
    done: set[tuple[int, int]] = set()
    for leftover in folder.glob("*.new"):
        with suppress(OSError):  # it is in nobody's way
            leftover.unlink()
    for path in sorted(folder.glob("*.log")):
        try:
            files.append(_read(path, done))
        except (OSError, ValueError) as error:
            left.told.append(f"{path.name} of the outbox can't be read and is left out: {error}")
    for file in files:
        for _, one in file.reports:
            known.setdefault(one.epoch, set()).update(range(one.first, one.sequence + 1))
    for file in files:
        entries = [Entry(one, file.segment, frame.at) for frame, one in file.reports if one.name not in done]
        if file.spoilt:
            entries = _mended(file, entries, agent, known, left.told)
        _keep(file.segment, entries, left)
    return left


def _read(path: Path, done: set[tuple[int, int]]) -> _File:
    file = _File(Segment.named(path))
    raw = path.read_bytes()
    file.segment.size = len(raw)
    last: Summary | None = None
    for piece in scan(raw, file.segment.salt):
        if isinstance(piece, Spoilt):
            file.spoilt.append((last, piece))
        elif piece.kind == ACKNOWLEDGED:
            done.update(_NAMES.decode(piece.body))
        else:
            last, _ = unpack(piece.body)
            file.reports.append((piece, last))
    return file


def _mended(file: _File, entries: list[Entry], agent: str, known: dict[int, set[int]], told: list[str]) -> list[Entry]:
    """The file anew with what was whole, and the gaps in the place of the rest; the old one is set aside."""
    segment, lost = file.segment, list(_lost(file, known))
    size, count = sum(piece.size for _, piece in file.spoilt), sum(gap.sequence - gap.first + 1 for gap in lost)
    told.append(f"{size} bytes of the outbox's {segment.path.name} could not be read; {count} reports are lost")
    bodies = [unpack(segment.read(entry.at))[1] for entry in entries]
    anew = [Entry(gap, body=gaps.told(agent, gap)) for gap in lost]
    anew += [Entry(entry.summary, body=body) for entry, body in zip(entries, bodies, strict=True)]
    anew.sort(key=lambda entry: entry.summary.name)
    try:
        aside = segment.path.with_suffix(".spoilt")
        if not aside.exists():
            os.link(segment.path, aside)
        for old in sorted(segment.path.parent.glob("*.spoilt"))[:-SET_ASIDE]:
            old.unlink()
        places = segment.replace([pack(entry.summary, entry.body) for entry in anew])
    except OSError as error:
        told.append(f"the outbox's {segment.path.name} can't be mended now: {error.strerror}")
        return entries + [entry for entry in anew if entry.summary.why == gaps.SPOILT]
    return [Entry(entry.summary, segment, at) for entry, at in zip(anew, places, strict=True)]


def _lost(file: _File, known: dict[int, set[int]]) -> Iterator[Summary]:
    """The reports that were in the spoilt pieces, as far as their neighbours tell."""
    for before, piece in file.spoilt:
        after = next((one for frame, one in file.reports if frame.at > piece.at), None)
        if before is not None and after is not None and before.epoch != after.epoch:
            after = None
        beside = before or after
        yield from gaps.holes(before, after, piece.reports, known[beside.epoch] if beside else set())


def _keep(segment: Segment, entries: Iterable[Entry], left: Left) -> None:
    """A segment with nothing that waits goes; acknowledgements in it are of reports in files that went before it."""
    left.entries += entries
    segment.waiting = sum(entry.segment is segment for entry in entries)
    if segment.waiting:
        left.segments.append(segment)
        return
    with suppress(OSError):  # it is looked at again at the next start
        segment.remove()
