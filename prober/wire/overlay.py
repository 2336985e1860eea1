"""What an overlay wraps: the packet inside VXLAN (RFC 7348) or Geneve (RFC 8926), found by the batch.

Linux and Cilium send VXLAN to UDP port 8472, the RFC says 4789; Geneve goes to 6081. The kernel's own segment of a
tunnel shows at the tunnel's device as well; what only the wrapped one has is the outer destination: to which node the
packet really went.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from prober.segment import Batch

if TYPE_CHECKING:
    from prober.wire.codec import _Header, _View

VXLAN, GENEVE = (8472, 4789), 6081
"""UDP ports: Linux's default and IANA's, IANA's."""

_UDP = 17
_HEADER = 8  # UDP's; VXLAN's and the fixed part of Geneve's are as long
_ETHERNET = 14
_WRAPS_ETHERNET = 0x6558  # RFC 8926, 3.4: transparent Ethernet bridging
_HAS_VNI = 0x08  # RFC 7348, 5: the I flag
_IP = (0x0800, 0x86DD)


class Tunnel(NamedTuple):
    """Columns: which packets are wrapped ones, where the wrapped IP header begins, the virtual network's number."""

    wraps: Batch
    start: Batch
    vni: Batch


def tunnel(view: _View, outer: _Header) -> Tunnel:
    """The wrapped packets among these. No header that is cut short, of another version or another payload is one."""
    udp = outer.fine & (outer.protocol == _UDP)
    if not udp.any():
        return Tunnel(udp, np.zeros(len(udp), np.int64), np.zeros(len(udp), np.uint32))
    port = view.number(outer.end + 2, 2)
    at = outer.end + _HEADER
    first, geneve = view.number(at, 1).astype(np.int64), port == GENEVE
    vxlan = np.isin(port, VXLAN) & (first & _HAS_VNI != 0)
    geneve &= (first >> 6 == 0) & (view.number(at + 2, 2) == _WRAPS_ETHERNET)
    ethernet = at + _HEADER + np.where(geneve, (first & 0x3F) * 4, 0)
    start = ethernet + _ETHERNET
    wraps = udp & (vxlan | geneve) & np.isin(view.number(ethernet + 12, 2), _IP)
    return Tunnel(wraps, np.where(wraps, start, 0), view.number(at + 4, 4).astype(np.uint32) >> np.uint32(8))
