"""The kernel's own counters that name a cause: of this network namespace, since it was made.

They are noisy and shared with everything else on the host: they name causes, they make no verdict.
"""

from __future__ import annotations

from pathlib import Path

_PLACES = ("snmp", "netstat")
_IPV6 = "snmp6"

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


def read() -> dict[str, int]:
    """The `WANTED` counters that this kernel has, by name."""
    folder = Path("/proc/thread-self/net")
    found = {name: value for place in _PLACES for name, value in _paired((folder / place).read_text()).items()}
    six = folder / _IPV6
    if six.exists():  # absent where the kernel was started without IPv6
        found |= {name: int(value) for name, value in (line.split() for line in six.read_text().splitlines())}
    return {name: found[name] for name in WANTED if name in found}


def _paired(text: str) -> dict[str, int]:
    """``Group: names`` and ``Group: values``, line after line (proc(5))."""
    lines = text.splitlines()
    counters: dict[str, int] = {}
    for head, values in zip(lines[::2], lines[1::2], strict=True):
        group, *columns = head.split()
        counters |= {
            group.rstrip(":") + name: int(value) for name, value in zip(columns, values.split()[1:], strict=True)
        }
    return counters
