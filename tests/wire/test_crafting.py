"""scapy's own packets, without scapy in this process; and with it where no process can be started."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from prober.wire import crafting
from prober.wire.crafting import SHAPES, Shape


@pytest.fixture
def anew(monkeypatch):
    """As if nothing had been crafted yet."""
    monkeypatch.setattr(crafting._STATE, "packets", {})
    monkeypatch.setattr(crafting._STATE, "child", None)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_child_crafts_what_scapy_crafts_here(shape):
    raw = crafting.packet(shape)
    assert raw == crafting.craft(shape)
    packet = IP(raw) if shape.family == 4 else IPv6(raw)
    stamped = any(name == "Timestamp" for name, _ in packet[TCP].options)
    assert (stamped, any(name == "MSS" for name, _ in packet[TCP].options)) == (shape.stamped, shape.syn)


def test_an_agents_process_never_holds_scapy():
    code = (
        "import sys; from prober.agent import main; from prober.wire import crafting, packets; crafting.begin(); "
        "packets.prepare(); print([name for name in sys.modules if name.startswith('scapy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]"]


@pytest.mark.parametrize("interpreter", ["/nonexistent", "/bin/false"])
def test_where_no_process_can_craft_them_scapy_is_imported_here(anew, monkeypatch, interpreter):
    monkeypatch.setattr(crafting.sys, "executable", interpreter)
    assert crafting.packet(Shape(4, syn=True, stamped=True)) == crafting.craft(Shape(4, syn=True, stamped=True))


def test_one_child_is_enough(anew, monkeypatch):
    started, popen = [], subprocess.Popen
    monkeypatch.setattr(crafting.subprocess, "Popen", lambda *a, **k: started.append(a) or popen(*a, **k))
    for _ in range(3):
        crafting.begin()
    for shape in SHAPES:
        assert crafting.packet(shape)
    crafting.begin()
    assert len(started) == 1


def test_a_fork_takes_nothing_from_its_parent(anew):
    crafting.begin()
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        forked = [pool.submit(crafting.packet, shape) for shape in SHAPES]
    crafted = [crafting.craft(shape) for shape in SHAPES]
    assert [crafting.packet(shape) for shape in SHAPES] == crafted
    assert [one.result() for one in forked] == crafted


@pytest.mark.parametrize("written", ["", "[", '["45"]', '["zz"]'])
def test_a_child_whose_words_were_cut_counts_as_none(anew, monkeypatch, written):
    popen = subprocess.Popen
    monkeypatch.setattr(crafting.subprocess, "Popen", lambda words, **k: popen(["printf", written], **k))
    assert crafting.packet(SHAPES[0]) == crafting.craft(SHAPES[0])
