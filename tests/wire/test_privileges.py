"""Capabilities are given up for good, and what was opened before goes on."""

from __future__ import annotations

import sys

from prober.wire import privileges

DROPPED = """
import select
from prober.wire import capture, link, privileges
from prober import probe, segment
from prober.errors import CannotMeasure
import numpy as np
tap, out = capture.Tap(), link.Link()
privileges.drop()
print("held", privileges.held(), "capture", privileges.can_capture())
try:
    capture.Tap()
except CannotMeasure as said:
    print("cure", "setcap cap_net_raw+ep" in str(said) and "--cap-add NET_RAW" in str(said))
try:
    link.Link()
except CannotMeasure as said:
    print("link", str(said) == privileges.describe())
rows = segment.empty(1)
rows["src_hi"], rows["src_lo"] = rows["dst_hi"], rows["dst_lo"] = segment.pair("127.0.0.1")
rows["sport"], rows["dport"] = probe.PORTS[5], 9
probe.ask(np.array([77], np.uint32), bytes(16), rows)
print("sent", out.send(rows).tolist())
select.select([tap], [], [], 2)
print("seen", 77 in tap.receive().segments["seq"])
"""


def test_after_dropping_nothing_is_held_and_open_sockets_go_on(cable):
    said = cable[0].run([sys.executable, "-c", DROPPED])
    assert said.splitlines() == [
        "held 0 capture False",
        "cure True",
        "link True",
        "sent [0]",
        "seen True",
    ]


def test_the_sentence_names_this_interpreter_and_every_way_to_allow_it():
    said = privileges.describe()
    for cure in ("CAP_NET_RAW", "setcap cap_net_raw+ep /", "docker run --cap-add NET_RAW", "AmbientCapabilities"):
        assert cure in said
