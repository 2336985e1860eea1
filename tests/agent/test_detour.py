"""The own way is broken: reports go through a peer, and count when the controller's own word comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec
import pytest
import structlog

from prober import relay
from prober.agent import detour as detour_module
from prober.agent.line import clients
from prober.agent.uplink import Uplink
from prober.relay import Bundle
from prober.report import Orders, Question, decode_report, encode
from tests.agent.peers import KEY, NOBODY, Controller, Peer, honest
from tests.agent.plans import plan
from tests.agent.test_responder import free_port
from tests.agent.test_uplink import backlog, report, until

CUT = "unix:/nonexistent/socket"


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Peer]]:
    """Whatever is put in here is closed; nobody waits long for one that hangs."""
    monkeypatch.setattr(detour_module, "PATIENCE", 0.5)
    made: list[Peer] = []
    yield made
    for one in made:
        one.close()


def sending(where: str, peers: list[Peer], *sequences: int, version: str = "v1") -> tuple[Uplink, list[Orders]]:
    heard: list[Orders] = []
    uplink = Uplink(clients(where, NOBODY), backlog(*(report(n, live=n > 1) for n in sequences)), heard.append)
    uplink.detour.adopt(plan(relays=[one.way for one in peers], relay_key=KEY))
    uplink.holds = version
    uplink.start()
    return uplink, heard


def bodies(peer: Peer) -> list[int]:
    return [decode_report(one.body).sequence for one in peer.came]


def well(bundle: Bundle) -> bytes:
    return relay.encode(honest(bundle))


def test_what_cannot_go_its_own_way_goes_through_a_peer_newest_first_and_says_so(peers: list[Peer]) -> None:
    peers.append(Peer(well))
    with structlog.testing.capture_logs() as logs:
        uplink, heard = sending(CUT, peers, 1, 2, 3)
        until(lambda: not list(uplink.waiting))
        uplink.close()
    assert bodies(peers[0]) == [3, 2, 1]
    assert {decode_report(one.body).via for one in peers[0].came} == {"node1"}
    assert [(one.acknowledged, one.plan) for one in heard] == [(3, None), (2, None)], "a plan that still holds"
    assert [one["state"] for one in logs if one["event"] == "uplink"] == [
        "reports go through node1: the own way to the controller is broken"
    ]


def test_what_the_controller_asks_comes_with_its_receipt(peers: list[Peer]) -> None:
    question = Question("10.4.76.34")
    peers.append(Peer(lambda b: relay.encode(relay.acknowledge(b, KEY, 0.25, "v1", questions=[question]))))
    uplink, heard = sending(CUT, peers, 2)
    until(lambda: len(heard) == 1)
    uplink.close()
    assert heard[0].questions == [question] and heard[0].urgent


def test_a_plan_that_is_not_the_controllers_any_more_is_not_renewed(peers: list[Peer]) -> None:
    peers.append(Peer(well))
    uplink, heard = sending(CUT, peers, 2, 3, version="v0")
    until(lambda: not list(uplink.waiting))
    uplink.close()
    assert heard == []


def test_its_own_way_is_taken_again_when_it_works(peers: list[Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detour_module, "OWN_WAY_EVERY", 0.3)
    peers.append(Peer(well))
    controller = Controller()
    uplink, heard = sending(CUT, peers, 2)
    until(lambda: len(heard) == 1)
    assert not uplink.reaches()
    for number, line in enumerate(clients(controller.url, NOBODY)):
        uplink.https[number] = line  # the cut is healed
    deadline, sequence = time.monotonic() + 3, 3
    while not controller.posts and time.monotonic() < deadline:
        uplink.waiting.append(report(sequence := sequence + 1))
        uplink.waiting.write()
        time.sleep(0.05)
    until(lambda: not list(uplink.waiting))
    assert controller.posts and {path for path, _ in controller.posts} == {"/agent/v1/reports"}
    assert uplink.reaches() and uplink.detour.by == ""
    told = [decode_report(body) for _, body in controller.posts]
    assert {one.via for one in told} == {""}
    uplink.close()
    controller.close()


def changed(**given: object):
    return lambda bundle: relay.encode(msgspec.structs.replace(honest(bundle), **given))


LIES = {
    "says nothing": lambda _: b"", "says anything": lambda _: b"\xc1", "says yes": lambda _: b"\x80",
    "has a receipt of its own": lambda b: relay.encode(relay.acknowledge(b, relay.key_of(b"s" * 32, "node1"), 0.25)),
    "changed a refusal": changed(refused="no report"), "changed the plan": changed(plan_version="v9"),
    "has one for another report": lambda b: relay.encode(honest(relay.seal("firewall", b.body + b"x", KEY))),
    "hangs": lambda _: None,
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_through_a_peer_that_lies_or_hangs_nothing_is_lost(peers: list[Peer], lie: str) -> None:
    peers += [Peer(LIES[lie], "liar"), Peer(well)]
    began = time.monotonic()
    uplink, heard = sending(CUT, peers, 2, 3)
    until(lambda: len(heard) == 2)
    uplink.close()
    assert time.monotonic() - began < 2.5
    assert bodies(peers[0]) == [3], "it is left, and kept to the one through which it works"
    assert bodies(peers[1]) == [3, 2]


def test_where_every_peer_lies_the_reports_wait(peers: list[Peer]) -> None:
    peers += [Peer(LIES["says yes"], "liar"), Peer(LIES["has a receipt of its own"], "forger")]
    uplink, heard = sending(CUT, peers, 2, 3)
    until(lambda: len(peers[0].came) > 1)
    uplink.close()
    assert heard == []
    assert [one.sequence for one in uplink.waiting] == [2, 3]
    assert "can't be reached" in uplink._told


def test_an_old_receipt_acknowledges_no_later_report(peers: list[Peer]) -> None:
    kept: list[bytes] = []

    def again(bundle: Bundle) -> bytes:
        kept.append(well(bundle))
        return kept[0]

    peers.append(Peer(again))
    uplink, heard = sending(CUT, peers, 2, 3)
    until(lambda: len(peers[0].came) > 2)
    uplink.close()
    assert [one.acknowledged for one in heard] == [3]
    assert [one.sequence for one in uplink.waiting] == [2]


def test_what_the_controller_refuses_for_good_is_a_gap_through_a_peer_too(peers: list[Peer]) -> None:
    def refuse(bundle: Bundle) -> bytes:
        return relay.encode(relay.acknowledge(bundle, KEY, 0.25, "v1", "no report" if len(peers[0].came) < 2 else ""))

    peers.append(Peer(refuse))
    uplink, _ = sending(CUT, peers, 2)
    until(lambda: not list(uplink.waiting))
    uplink.close()
    gap = decode_report(peers[0].came[1].body)
    assert [(one.first, one.last, one.why) for one in gap.gaps] == [(2, 2, "the controller refused it: 400: no report")]


def test_an_answer_of_the_controllers_whatever_it_is_needs_no_peer(peers: list[Peer]) -> None:
    peers.append(Peer(well))
    controller = Controller()
    controller.status = 503
    uplink, _ = sending(controller.url, peers, 2)
    until(lambda: len(controller.posts) > 1)
    uplink.close()
    controller.close()
    assert peers[0].came == []


def test_of_several_controllers_each_is_tried_before_a_peer(peers: list[Peer]) -> None:
    peers.append(Peer(well))
    controller = Controller()
    uplink, heard = sending(f"{CUT}, {CUT}, {controller.url}", peers, 2)
    until(lambda: len(heard) == 1)
    uplink.close()
    controller.close()
    assert peers[0].came == []


def test_the_peer_through_which_it_works_stays_the_first_under_a_new_plan(peers: list[Peer]) -> None:
    peers += [Peer(LIES["says nothing"], "liar"), Peer(well)]
    uplink, heard = sending(CUT, peers, 2)
    until(lambda: len(heard) == 1)
    uplink.detour.adopt(plan(version="v2", relays=[one.way for one in peers], relay_key=KEY))
    assert uplink.detour.ways[0] == peers[1].way
    gone = ("gone", "127.0.0.1", free_port())
    uplink.detour.adopt(plan(version="v3", relays=[gone], relay_key=KEY))
    assert list(uplink.detour.ways) == [gone]
    assert uplink.detour.send(encode(report(9))) is None
    uplink.close()
