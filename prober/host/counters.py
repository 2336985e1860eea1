"""The kernel's own counters that name a cause: of this network namespace, since it was made.

They are noisy and shared with everything else on the host: they name causes, they make no verdict.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache

_FOLDER = "/proc/thread-self/net"
_PLACES = ("snmp", "netstat")
_LONGEST = 1 << 16
"""Bytes of a file at most: five kilobytes are usual."""

WANTED: tuple[str, ...] = (
    "IpInReceives",
    "IpInDelivers",
    "IpInDiscards",
    "IpOutNoRoutes",
    "IpForwDatagrams",
    "IpExtInNoRoutes",
    "TcpInErrs",
    "TcpOutRsts",
    "TcpExtIPReversePathFilter",
    "TcpExtListenOverflows",
    "TcpExtListenDrops",
    "TcpExtEmbryonicRsts",
    "TcpExtTCPSynRetrans",
    "TcpExtTCPMinTTLDrop",
    "TcpExtTCPChallengeACK",
    "Ip6InReceives",
    "Ip6InDelivers",
    "Ip6InDiscards",
    "Ip6InNoRoutes",
    "Ip6OutNoRoutes",
)
"""As ``nstat -az`` names them: the file's group, then the counter."""


class Counters:
    """Of the network namespace of the thread that makes it: the files stay open."""

    def __init__(self) -> None:
        self._room = bytearray(_LONGEST)
        self._files = [os.open(f"{_FOLDER}/{place}", os.O_RDONLY | os.O_CLOEXEC) for place in _PLACES]
        self._six = -1
        with suppress(FileNotFoundError):  # absent where the kernel was started without IPv6
            self._six = os.open(f"{_FOLDER}/snmp6", os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> dict[str, int]:
        """The `WANTED` counters that this kernel has, by name."""
        found: dict[str, int] = {}
        for file in self._files:
            lines = self._text(file).splitlines()
            for head, values in zip(lines[::2], lines[1::2], strict=True):
                columns = values.split()
                found |= {name: int(columns[at]) for name, at in _wanted(head)}
        if self._six >= 0:
            words = self._text(self._six).split()
            six = dict(zip(words[::2], words[1::2], strict=True))
            found |= {name: int(six[name]) for name in WANTED if name in six}
        return {name: found[name] for name in WANTED if name in found}

    def _text(self, file: int) -> str:
        """One read is a whole file, made anew: the kernel makes it of one piece (single_open, fs/seq_file.c)."""
        return self._room[: os.preadv(file, [self._room], 0)].decode("ascii")

    def close(self) -> None:
        """Let go of the files."""
        for file in (*self._files, self._six):
            if file >= 0:
                os.close(file)


@cache
def _wanted(head: str) -> tuple[tuple[str, int], ...]:
    """Of ``Group: names``, above ``Group: values`` (proc(5)): which are wanted, and in which column each is."""
    group, *columns = head.split()
    named = [(group.rstrip(":") + name, at) for at, name in enumerate(columns, 1)]
    return tuple(pair for pair in named if pair[0] in WANTED)
