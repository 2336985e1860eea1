"""Labs of one's own: IPv4 and IPv6, processes inside hosts, steps that fail, and how fast one is built."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Any

import pytest
from children import Sealed
from dialling import DUAL, dial

from prober.errors import ProberError
from prober.lab import incident
from prober.lab.topology import Lab


def held_namespaces() -> list[str]:
    """The network namespaces this process holds open."""
    held = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the descriptor that listdir itself used
            held.append(os.readlink(f"/proc/self/fd/{number}"))
    return [one for one in held if one.startswith("net:")]


def test_hosts_and_pods_are_reached_over_ipv4_and_ipv6_alike(sealed_child: Sealed) -> None:
    calls = [("caller", "198.18.2.4", 80), ("caller", "fd00:2::4", 80)]
    calls += [("caller", address, port) for address in ("198.18.4.2", "fd00:4::2") for port in (8080, 8081)]
    calls += [("pod", "198.18.1.4", 80), ("pod", "fd00:1::4", 80)]

    def live() -> list[str]:
        with Lab(DUAL) as lab:
            return dial(lab, calls)

    assert sealed_child(live) == ["connects"] * 6 + ["ECONNREFUSED"] * 2


def test_closing_a_lab_ends_its_children_and_lets_go_of_its_namespaces(sealed_child: Sealed) -> None:
    def live() -> tuple[int, list[str]]:
        with Lab(DUAL) as lab:
            pid = lab.fork("caller", lambda: time.sleep(60))
            held = len(held_namespaces())
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, 0)
        return held, held_namespaces()

    assert sealed_child(live) == (5, [])


def test_a_network_that_cannot_be_built_names_the_command_and_leaves_nothing(sealed_child: Sealed) -> None:
    failing = DUAL.model_copy(
        update={"hosts": DUAL.hosts | {"caller": DUAL.hosts["caller"].model_copy(update={"setup": ("ip lnk",)})}}
    )

    def live() -> tuple[str, list[str]]:
        with pytest.raises(ProberError) as caught, Lab(failing):
            pass
        return str(caught.value), held_namespaces()

    message, left = sealed_child(live)
    assert message.startswith("On caller, `ip lnk` failed: ")
    assert left == []


def test_the_incidents_network_stands_in_a_second_and_a_half(sealed_child: Sealed) -> None:
    told = incident.load("incident")

    def live() -> float:
        began = time.monotonic()
        with Lab(told.network):
            return time.monotonic() - began

    assert min(sealed_child(live) for _ in range(3)) < 1.5


def test_an_unknown_place_is_answered_with_those_there_are(sealed_child: Sealed) -> None:
    def live() -> Any:
        with Lab(DUAL) as lab, pytest.raises(ProberError) as caught:
            lab.fork("nobody", lambda: 0)
        return str(caught.value)

    assert sealed_child(live) == "'nobody' is no host or pod of this lab; there are: router, caller, node, pod"
