"""Whether something listens on a TCP port here: rows in state 0A of /proc/net/tcp (TCP_LISTEN, net/tcp_states.h).

Reading them needs no capability. A REJECT rule and a closed port both answer with an RST; this tells which it was.
"""

from __future__ import annotations

from prober.host import halfopen

_LISTEN = "0A"


def on(address: str, port: int) -> bool:
    """True where a socket of this namespace listens on `port` of that address, or of any address."""
    return any(there in (address, "0.0.0.0", "::") for *_, there, at in halfopen.rows(_LISTEN) if at == port)
