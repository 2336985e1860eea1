"""How many blocks a pool has left before it hands out one that holds part of another subnet.

Cilium's cluster pool and Kubernetes' node IPAM go through a network in order, and hand out the block of a node that is
gone again only when they have come round; the next network of the list comes when one is full (cilium:
pkg/ipam/cidrset, pkg/ipam/allocator/podcidr; kubernetes: pkg/controller/nodeipam/ipam/cidrset). So what comes next is
after the last block that a node is known to have. A static pool has no such order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from prober.address import Network, holds
from prober.declared import Pool

Span = tuple[int, int]
"""Blocks by their turn, 0 for the first one after the last that is known: from, and up to but without."""


@dataclass(frozen=True, slots=True)
class Room:
    """A pool's ``blocks`` of one family, those ``held`` by nodes that are known, and how many are ``left``.

    They are left until ``reaches`` comes, a block that holds part of ``covers``; where none does, until all are held.
    ``last`` is the block after which the next ones come.
    """

    pool: str
    kind: str
    mask: int
    blocks: int
    held: int
    left: int
    last: Network | None = None
    reaches: Network | None = None
    covers: str | None = None

    @property
    def sentence(self) -> str:
        """The same as a person reads it."""
        after = f" after {self.last}" if self.last else ""
        many = f"{self.left} block{'s' * (self.left != 1)} of /{self.mask}"
        if self.kind == "static":
            return f"{self.pool} has {many} left that no node and no other zone has."
        if self.reaches is None:
            return f"{self.pool} has {many} left{after}, and none holds part of another zone."
        return f"{self.pool} has {many} left{after}; then comes {self.reaches}, which holds part of {self.covers}."


def rooms(pool: Pool, held: Iterable[Network], zones: Mapping[Network, str]) -> Iterator[Room]:
    """A room for each family of `pool`; none where its blocks have no length. `zones` are where no pod may be."""
    held = list(held)
    for version in (4, 6):
        nets = tuple(net for net in dict.fromkeys(pool.cidrs) if net.version == version)
        apart = tuple(net for net in nets if not any(holds(other, net) for other in nets if other != net))
        if pool.mask is not None and apart:
            yield _room(pool, list(_rows(apart, pool.mask, held)), held, zones)


def _room(pool: Pool, rows: Sequence[_Row], held: list[Network], zones: Mapping[Network, str]) -> Room:
    taken = _merged(_spans(rows, held))
    total = sum(row.count for row in rows)
    room = Room(pool.name, pool.kind, rows[0].mask, total, _size(taken), total - _size(taken))
    if pool.kind == "static":
        return replace(room, left=total - _size(_merged([*taken, *_spans(rows, zones)])))
    room = replace(room, last=_row_of(rows, _first_free(taken)).last)
    reached = [
        (lo, zone) for net, zone in zones.items() for span in _spans(rows, [net]) for lo, _ in _without(span, taken)
    ]
    if not reached:
        return room
    turn, zone = min(reached, key=lambda one: one[0])
    free = turn - sum(min(hi, turn) - lo for lo, hi in taken if lo < turn)
    return replace(room, left=free, reaches=_row_of(rows, turn).at(turn), covers=zone)


@dataclass(frozen=True, slots=True)
class _Row:
    """One network of a pool: its blocks' turns begin with ``first``, and with its block number ``start``."""

    net: Network
    mask: int
    first: int
    start: int = 0

    @property
    def count(self) -> int:
        return 1 << (self.mask - self.net.prefixlen)

    @property
    def last(self) -> Network | None:
        """The block before its turns begin; None where they begin with the network."""
        return self.at(self.first + self.count - 1) if self.start else None

    def at(self, turn: int) -> Network:
        """The block whose turn it is."""
        number = (self.start + turn - self.first) % self.count
        base = int(self.net.network_address)
        return type(self.net)((base + (number << (self.net.max_prefixlen - self.mask)), self.mask))

    def spans(self, network: Network) -> Iterator[Span]:
        """The turns of the blocks that overlap `network`."""
        if holds(network, self.net):
            yield self.first, self.first + self.count
        elif holds(self.net, network):
            bits, base = self.net.max_prefixlen - self.mask, int(self.net.network_address)
            lo = (int(network.network_address) - base >> bits) - self.start
            hi = (int(network.broadcast_address) - base >> bits) - self.start + 1
            if lo < 0:  # those before the start have their turn when it has come round
                yield self.first + lo + self.count, self.first + min(hi, 0) + self.count
            if hi > 0:
                yield self.first + max(lo, 0), self.first + hi


def _rows(nets: Iterable[Network], mask: int, held: list[Network]) -> Iterator[_Row]:
    first = 0
    for net in nets:
        row = _Row(net, mask, first)
        ends = [hi - first for _, hi in _spans([row], held)]
        yield replace(row, start=max(ends, default=0) % row.count)
        first += row.count


def _spans(rows: Iterable[_Row], networks: Iterable[Network]) -> Iterator[Span]:
    listed = list(networks)
    return (span for row in rows for net in listed for span in row.spans(net))


def _row_of(rows: Sequence[_Row], turn: int) -> _Row:
    return next((row for row in rows if turn < row.first + row.count), rows[-1])


def _first_free(taken: list[Span]) -> int:
    return taken[0][1] if taken and taken[0][0] == 0 else 0


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The same blocks in order, each once."""
    merged = list[Span]()
    for lo, hi in sorted(spans):
        if merged and lo <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(hi, merged[-1][1])
        else:
            merged.append((lo, hi))
    return merged


def _without(span: Span, taken: list[Span]) -> Iterator[Span]:
    """What of a span is not taken; `taken` is merged."""
    lo, hi = span
    for begin, end in taken:
        if begin < hi and end > lo:
            if lo < begin:
                yield lo, begin
            lo = max(lo, end)
    if lo < hi:
        yield lo, hi


def _size(spans: Iterable[Span]) -> int:
    return sum(hi - lo for lo, hi in spans)
