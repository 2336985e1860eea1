"""Segments for tests: one of one's own, and any that hypothesis can think of."""

from __future__ import annotations

import ipaddress

from hypothesis import strategies as st

from prober import segment
from prober.segment import ACK, RST, SYN

PORT, WORD, BYTE = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(0, 255)
FAMILY4, FAMILY6 = st.ip_addresses(v=4), st.ip_addresses(v=6)
FLAGS = st.sampled_from([SYN, RST, ACK, RST | ACK, SYN | ACK])
MAPPED = ipaddress.ip_network("::ffff:0:0/96")


def row(source, target, **fields):
    """One segment."""
    batch = segment.empty(1)
    for name, address in (("src", source), ("dst", target)):
        batch[f"{name}_hi"], batch[f"{name}_lo"] = segment.pair(address)
    for name, value in fields.items():
        batch[name] = value
    return batch


@st.composite
def segments(draw):
    addresses = draw(st.sampled_from([FAMILY4, FAMILY6.filter(lambda one: one not in MAPPED)]))
    names = {"sport": PORT, "dport": PORT, "ttl": BYTE, "seq": WORD, "ack": WORD, "tsval": WORD, "tsecr": WORD}
    fields = {name: draw(strategy) for name, strategy in names.items()}
    if fields["tsval"] == 0:
        fields["tsecr"] = 0  # no option without a value of one's own
    return row(draw(addresses), draw(addresses), flags=draw(FLAGS), **fields)
