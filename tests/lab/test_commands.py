"""Commands inside a namespace: what they change stays there, and a failure names place, command and reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from children import Sealed
from dialling import DUAL

from prober.errors import ProberError
from prober.lab import commands, namespaces
from prober.lab.topology import Lab


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("ip route add 203.0.113.0/24 via 192.0.2.1", "Nexthop has invalid gateway"),
        ("nft add rule ip nowhere forward drop", "No such file or directory"),
        ("sysctl net.ipv4.no_such_thing=1", "No such file or directory"),
        ("close 4711", "Nothing listens on port 4711 of caller"),
    ],
)
def test_a_step_that_fails_names_the_place_the_command_and_what_it_said(
    command: str, said: str, sealed_child: Sealed
) -> None:
    def live() -> str:
        with Lab(DUAL) as lab, pytest.raises(ProberError) as caught:
            lab.run({"caller": [command]})
        return str(caught.value)

    message = sealed_child(live)
    assert said in message
    assert "caller" in message
    assert command in message or command.startswith("close")


def test_the_line_of_a_batch_that_failed_is_the_one_that_is_named(sealed_child: Sealed) -> None:
    def live() -> str:
        lines = ["link set lo up", "route add 203.0.113.0/24 dev eth7", "link set lo up"]
        with Lab(DUAL) as lab, pytest.raises(ProberError) as caught:
            commands.batch("caller", lab.namespaces["caller"], "ip", lines)
        return str(caught.value)

    assert sealed_child(live) == ('On caller, `ip route add 203.0.113.0/24 dev eth7` failed: Cannot find device "eth7"')


def test_a_sysctl_is_written_in_its_own_host_only(sealed_child: Sealed) -> None:
    def live() -> list[str]:
        with Lab(DUAL) as lab:
            lab.run({"caller": ["sysctl net.ipv4.ip_default_ttl=7 net.ipv4.conf.eth0.rp_filter=1"]})

            def read() -> str:
                return Path("/proc/sys/net/ipv4/ip_default_ttl").read_text().strip()

            return [namespaces.inside(lab.namespaces[place], read) for place in ("caller", "node")] + [read()]

    caller, node, machine = sealed_child(live)
    assert caller == "7"
    assert "7" not in (node, machine)
