"""Blocks left: against an allocator that hands out block after block, as Cilium's and Kubernetes' do."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.address import Network
from prober.declared import Pool
from prober.room import Room, rooms


class Allocator:
    """A network whose blocks are handed out one after another (kubernetes: cidrset.CidrSet.AllocateNext)."""

    def __init__(self, net: Network, mask: int, held: list[Network]) -> None:
        self.blocks = list(net.subnets(new_prefix=mask))
        self.used = [any(one.overlaps(block) for one in held) for block in self.blocks]
        self.next = max((number + 1 for number, used in enumerate(self.used) if used), default=0)

    def allocate(self) -> Network | None:
        for number in range(len(self.blocks)):
            at = (self.next + number) % len(self.blocks)
            if not self.used[at]:
                self.used[at], self.next = True, at + 1
                return self.blocks[at]
        return None


def walked(pool: Pool, held: list[Network], zones: list[Network]) -> tuple[int, Network | None]:
    """How many blocks are handed out before the first that overlaps a zone, and that one."""
    allocators = [Allocator(net, pool.mask or 0, held) for net in pool.cidrs]
    left = 0
    while (block := next((one for each in allocators if (one := each.allocate())), None)) is not None:
        if any(block.overlaps(zone) for zone in zones):
            return left, block
        left += 1
    return left, None


def networks(lowest: int, longest: int) -> st.SearchStrategy[Network]:
    """Networks in 10.0.0.0/23 and just beside it, of these lengths."""
    return st.builds(
        lambda at, length: ip_network((0x0A000000 + at, length), strict=False),
        st.integers(0, 1023), st.integers(lowest, longest),
    )  # fmt: skip


def apart(nets: list[Network]) -> bool:
    return not any(one.overlaps(other) for at, one in enumerate(nets) for other in nets[:at])


POOLS = st.lists(networks(24, 27), min_size=1, max_size=3).filter(apart)


def room(pool: Pool, held: list[Network], zones: list[Network]) -> Room:
    [one] = rooms(pool, held, {zone: f"zone {zone}" for zone in zones})
    return one


@given(POOLS, st.integers(27, 29), st.lists(networks(25, 32), max_size=4), st.lists(networks(22, 32), max_size=3))
def test_what_is_left_is_what_an_allocator_hands_out(
    nets: list[Network], mask: int, held: list[Network], zones: list[Network]
) -> None:
    pool = Pool("pool", "cilium-cluster-pool", tuple(nets), mask)
    found = room(pool, held, zones)
    assert (found.left, found.reaches) == walked(pool, held, zones)
    blocks = [block for net in nets for block in net.subnets(new_prefix=mask)]
    assert found.blocks == len(blocks)
    assert found.held == sum(any(one.overlaps(block) for one in held) for block in blocks)
    if found.reaches is not None:
        assert any(found.reaches.overlaps(zone) and found.covers == f"zone {zone}" for zone in zones)
    assert found.last is None or any(found.last.overlaps(one) for one in held)


@given(POOLS, st.integers(27, 29), st.lists(networks(25, 32), max_size=4), st.lists(networks(22, 32), max_size=3))
def test_of_a_static_pool_every_block_counts_that_nobody_has(
    nets: list[Network], mask: int, held: list[Network], zones: list[Network]
) -> None:
    found = room(Pool("pool", "static", tuple(nets), mask), held, zones)
    blocks = [block for net in nets for block in net.subnets(new_prefix=mask)]
    assert found.left == sum(not any(one.overlaps(block) for one in held + zones) for block in blocks)
    assert (found.last, found.reaches) == (None, None)


CILIUM = Pool("cilium", "cilium-cluster-pool", (ip_network("10.0.0.0/8"),), 16)
FIREWALL = ip_network("10.19.0.0/24")
COMES = "; then comes 10.19.0.0/16, which holds part of zone 10.19.0.0/24."
NONE = ", and none holds part of another zone."


@pytest.mark.parametrize(
    ("held", "zones", "left", "then"),
    [
        (["10.4.0.0/16", "10.5.0.0/16"], [FIREWALL], "13 blocks of /16 left after 10.5.0.0/16", COMES),
        (["10.17.0.0/16"], [FIREWALL], "1 block of /16 left after 10.17.0.0/16", COMES),
        (["10.19.0.0/16"], [FIREWALL], "255 blocks of /16 left after 10.19.0.0/16", NONE),
        ([], [], "256 blocks of /16 left", NONE),
        (["10.0.0.0/8"], [FIREWALL], "0 blocks of /16 left", NONE),
    ],
)
def test_the_room_is_said_in_a_sentence(held: list[str], zones: list[Network], left: str, then: str) -> None:
    assert room(CILIUM, [ip_network(one) for one in held], zones).sentence == f"cilium has {left}{then}"


def test_pools_of_any_size_take_no_time_and_families_are_apart() -> None:
    nets = ip_network("10.0.0.0/8"), ip_network("fd00::/16")
    four, six = rooms(Pool("both", "static", nets, 32), [ip_network("fd00::/32")], {FIREWALL: "zone"})
    assert (four.blocks, four.left) == (2**24, 2**24 - 256)
    assert (six.blocks, six.held, six.left) == (2**16, 1, 2**16 - 1)
    [huge] = rooms(Pool("huge", "kubernetes", (ip_network("fd00::/8"),), 120), [], {ip_network("fdff::/16"): "zone x"})
    assert (huge.left, huge.reaches) == (2**112 // 256 * 255, ip_network("fdff::/120"))


def test_a_pool_whose_blocks_have_no_length_has_no_room_to_count() -> None:
    assert list(rooms(Pool("k", "kubernetes", (ip_network("10.0.0.0/8"),)), [], {})) == []


def test_a_network_that_is_listed_within_another_counts_once() -> None:
    nets = ip_network("10.1.0.0/16"), ip_network("10.0.0.0/8"), ip_network("10.0.0.0/8")
    assert room(Pool("twice", "kubernetes", nets, 16), [], []).blocks == 256
