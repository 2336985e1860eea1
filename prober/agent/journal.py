"""Frames in segment files: what was put there outlives the process, and what a disk spoilt is found out.

A frame is ``PRBx``, a kind, the body's length, a CRC-32 over kind, length and body, and the body. The CRC begins
with a number of the file's own (it is in its name), so bytes copied from elsewhere are no frame. CRC-32 is what the
standard library computes at a gigabyte a second; CRC-32C finds no more of what disks do to a frame of this size.

A process writes to segments of its own alone, so a torn tail is never written after.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

MARK = b"PRBx"
HEAD = struct.Struct("<4sBII")
"""Mark, kind, length, CRC."""
LONGEST = 64 * 1024 * 1024
"""Bytes of a body at most; a length beyond it is a spoilt one."""
REPORT, ACKNOWLEDGED = 1, 2
"""Kinds of frames."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame: where it begins in its file, its kind, its body."""

    at: int
    kind: int
    body: bytes

    @property
    def end(self) -> int:
        return self.at + HEAD.size + len(self.body)


@dataclass(frozen=True, slots=True)
class Spoilt:
    """Bytes between whole frames that are none; ``reports`` is how many reports seem to have begun in them."""

    at: int
    size: int
    reports: int


def framed(kind: int, body: bytes, salt: int) -> bytes:
    """A frame's bytes."""
    return HEAD.pack(MARK, kind, len(body), _crc(kind, body, salt)) + body


def _crc(kind: int, body: bytes, salt: int) -> int:
    return zlib.crc32(body, zlib.crc32(struct.pack("<BI", kind, len(body)), salt))


def frame_at(raw: bytes, at: int, salt: int) -> Frame | None:
    """The whole frame that begins here, or None."""
    if len(raw) - at < HEAD.size:
        return None
    mark, kind, length, crc = HEAD.unpack_from(raw, at)
    start = at + HEAD.size
    if mark != MARK or length > LONGEST or start + length > len(raw):
        return None
    body = raw[start : start + length]
    return Frame(at, kind, body) if crc == _crc(kind, body, salt) else None


def scan(raw: bytes, salt: int) -> Iterator[Frame | Spoilt]:
    """A file's frames in order, and what lies between them. Every byte belongs to one of them."""
    at = 0
    while at < len(raw):
        frame = frame_at(raw, at, salt)
        if frame is not None:
            yield frame
            at = frame.end
            continue
        end = at
        while frame is None and end < len(raw):
            found = raw.find(MARK, end + 1)
            end = len(raw) if found < 0 else found
            frame = frame_at(raw, end, salt)
        yield Spoilt(at, end - at, _begun(raw[at:end]))
        at = end


def _begun(spoilt: bytes) -> int:
    """Reports that seem to have begun here: by their marks, and one whose own mark is spoilt."""
    first = spoilt[len(MARK) : len(MARK) + 1] != bytes([ACKNOWLEDGED])
    return int(first) + spoilt.count(MARK + bytes([REPORT]), 1)


@dataclass(slots=True, eq=False)
class Segment:
    """One file. ``size`` is where its next frame begins, ``waiting`` how many of its reports nobody has yet.

    ``thinned``: how much has been taken out of it to make room, see `prober.agent.backlog`.
    """

    path: Path
    salt: int
    size: int = 0
    waiting: int = 0
    thinned: int = 0
    _fd: int = field(default=-1, repr=False)

    @classmethod
    def new(cls, folder: Path, number: int) -> Segment:
        """A segment that is not there yet; its file is made with the first frame."""
        salt = int.from_bytes(os.urandom(4), "big")
        return cls(folder / f"{number:012d}-{salt:08x}.log", salt)

    @classmethod
    def named(cls, path: Path) -> Segment:
        """The segment in this file. Raises ValueError for a name that is none of ours."""
        return cls(path, int(path.stem.partition("-")[2], 16))

    @property
    def number(self) -> int:
        return int(self.path.name.partition("-")[0])

    def put(self, frames: Iterable[tuple[int, bytes]]) -> list[int]:
        """Appends frames, given as kind and body, and returns when the disk has them: where each begins.

        Raises OSError with nothing appended.
        """
        places, parts, at = [], [], self.size
        for kind, body in frames:
            parts.append(framed(kind, body, self.salt))
            places.append(at)
            at += len(parts[-1])
        made = self._fd < 0
        if made:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _write(self._fd, b"".join(parts), self.size)
            os.fdatasync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        if made:
            sync_folder(self.path.parent)
        self.size = at
        return places

    def read(self, at: int) -> bytes:
        """The body of the frame at this place. Raises OSError, and ValueError where it is whole no more."""
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        head = os.pread(self._fd, HEAD.size, at)
        length = HEAD.unpack(head)[2] if len(head) == HEAD.size else 0
        frame = frame_at(head + os.pread(self._fd, min(length, LONGEST), at + HEAD.size), 0, self.salt)
        if frame is None:
            raise ValueError(f"{self.path.name}: what was written at byte {at} can't be read any more")
        return frame.body

    def replace(self, frames: list[tuple[int, bytes]]) -> list[int]:
        """The file anew with these frames alone. Raises OSError with the old one untouched."""
        anew = Segment(self.path.with_suffix(".new"), self.salt)
        try:
            places = anew.put(frames)
            anew.path.replace(self.path)
            sync_folder(self.path.parent)
        except OSError:
            anew.remove()
            raise
        self.close()
        self.size, self._fd = anew.size, anew._fd
        return places

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        """The file goes. Raises OSError where it can't."""
        self.close()
        self.path.unlink(missing_ok=True)


def _write(fd: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        wrote = os.pwrite(fd, view, at)
        view, at = view[wrote:], at + wrote


def sync_folder(folder: Path) -> None:
    """The folder's own entries reach the disk: a file that is new in it, or has another name (fsync(2))."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
