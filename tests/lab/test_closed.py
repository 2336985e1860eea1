"""A lab that leads anywhere else is refused: by a veth, a device of another kind, or the machine's own namespace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from children import Sealed
from dialling import DUAL

from prober.errors import CannotMeasure
from prober.lab import commands, namespaces
from prober.lab.closed import assert_closed
from prober.lab.topology import Lab


def test_a_veth_into_a_namespace_outside_the_lab_is_found_and_named(sealed_child: Sealed) -> None:
    def live() -> str:
        with Lab(DUAL) as lab:
            outside = namespaces.anonymous()
            line = f"link add name leak0 type veth peer name far0 netns /proc/self/fd/{outside}"
            commands.batch("node", lab.namespaces["node"], "ip", [line], [outside])
            with pytest.raises(CannotMeasure) as caught:
                assert_closed(lab.namespaces)
            assert_closed({**lab.namespaces, "outside": outside})  # the same link, once its other end is known
            os.close(outside)
            return str(caught.value)

    assert sealed_child(live) == (
        "The lab is not closed: leak0 on node is joined to a namespace outside the lab. Nothing was started."
    )


def test_a_device_moved_in_from_outside_is_found_where_it_stands(sealed_child: Sealed) -> None:
    def live() -> str:
        with Lab(DUAL) as lab:
            outside = namespaces.anonymous()
            lines = ["link add name near0 type veth peer name far0", f"link set near0 netns /proc/self/fd/{outside}"]
            commands.batch("caller", lab.namespaces["caller"], "ip", lines, [outside])
            with pytest.raises(CannotMeasure) as caught:
                lab.run({})
            os.close(outside)
            return str(caught.value)

    assert "far0 on caller is joined to a namespace outside the lab" in sealed_child(live)


def test_a_tap_device_is_refused_for_a_process_may_carry_its_frames_anywhere(sealed_child: Sealed) -> None:
    def live() -> str:
        with Lab(DUAL) as lab:
            commands.run("caller", lab.namespaces["caller"], "ip tuntap add name tap0 mode tap")
            with pytest.raises(CannotMeasure) as caught:
                assert_closed(lab.namespaces)
            return str(caught.value)

    if not Path("/dev/net/tun").exists():
        pytest.skip("this kernel has no /dev/net/tun, so no tap device can be made")
    assert "tap0 on caller is a tun device, which may lead anywhere" in sealed_child(live)


def test_the_machines_own_namespace_is_never_part_of_a_lab(sealed_child: Sealed) -> None:
    def live() -> str:
        with pytest.raises(CannotMeasure) as caught:
            assert_closed({"host": namespaces.current()})
        return str(caught.value)

    assert sealed_child(live) == "The lab is not closed: host is the machine's own network namespace."
