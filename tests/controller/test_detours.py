"""What a peer hands in for another agent: signed by that one, taken once, and acknowledged for that one alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
import structlog

from bench.fleet.world import enrolled
from prober import relay
from prober.controller import access
from prober.controller.detours import Detours
from prober.controller.intake import LIMIT
from prober.relay import Bundle
from prober.report import Question, Report, decode_orders, encode
from prober.store.reports import recent_reports
from tests.controller.centres import Bearer, Controller, Signing, controller
from tests.controller.reports import Reporter

DECLARED = (Path(__file__).parents[2] / "targets.yaml").read_text()


class Fleet:
    """A controller, what firewall and node1 sign with, and firewall's key for the relay as its plan tells it."""

    def __init__(self, running: Controller) -> None:
        self.running, store = running, running.centre.store
        self.keys = {name: Signing(enrolled(store, name, "z")) for name in ("firewall", "node1")}
        self.reporter = Reporter("firewall", running.centre.dispatch.number("firewall"), 7)
        plan = decode_orders(self.direct(self.reporter.report([], [])).content).plan
        assert plan is not None and plan.relays == [("node1", "10.224.0.4", 7008)]
        self.key, self.version = plan.relay_key, plan.version

    def direct(self, report: Report) -> httpx.Response:
        return self.post("/agent/v1/reports", "firewall", encode(report))

    def post(self, path: str, who: str, content: bytes) -> httpx.Response:
        return self.running.client.post(path, content=content, auth=self.keys.get(who, Bearer(who)))

    def relayed(self, bundle: Bundle, peer: str = "node1") -> httpx.Response:
        return self.post("/agent/v1/relayed", peer, relay.encode(bundle))

    def bundle(self, report: Report) -> Bundle:
        return relay.seal("firewall", encode(report), self.key)

    def told(self) -> dict[str, object]:
        agents = self.running.client.get("/api/v1/agents").json()["agents"]
        return next(one for one in agents if one["name"] == "firewall")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("detours")
    targets = folder / "targets.yaml"
    targets.write_text(DECLARED.replace("10.224.0.4],   listen: 7007,", "10.224.0.4], listen: 7007, relay: 7008,"))
    with controller(folder, targets) as one:
        yield Fleet(one)


def test_a_relayed_report_is_on_disk_once_and_judged_as_if_it_had_come_by_itself(fleet: Fleet) -> None:
    cell = fleet.running.centre.desk.matrix.cells["firewall", "ingress"]
    before, report = cell.sent, fleet.reporter.answered(via="node1")
    bundle = fleet.bundle(report)
    receipts = [relay.decode_receipt(fleet.relayed(bundle).content) for _ in range(2)]
    assert fleet.direct(report).status_code == 200
    for one in receipts:
        assert relay.is_for(one, bundle, fleet.key)
        assert (one.refused, one.plan_version, one.report_every) == ("", fleet.version, 0.25)
    kept = [row for row in recent_reports(fleet.running.centre.store, 0) if row.sequence == 2]
    assert [row.body for row in kept] == [bundle.body]
    deadline = time.monotonic() + 5
    while cell.sent == before and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    assert cell.sent == before + 1


def test_an_agent_whose_word_comes_through_a_peer_is_said_to_be_cut_off_until_it_is_not(fleet: Fleet) -> None:
    assert fleet.direct(fleet.reporter.report([], [])).status_code == 200
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            assert fleet.relayed(fleet.bundle(fleet.reporter.report([], [], via="node1"))).status_code == 200
        said = fleet.told()
        metrics = fleet.running.client.get("/metrics").text
        assert fleet.direct(fleet.reporter.report([], [])).status_code == 200
    sentence = "firewall reports through node1: its own way to the controller is broken"
    assert (said["via"], said["detour"]) == ("node1", sentence)
    assert 'prober_agent_detour{agent="firewall",via="node1"} 1.0' in metrics
    assert (fleet.told()["via"], fleet.told()["detour"]) == (None, None)
    ways = [one["why"] for one in logs if one["event"] == "an agent's way"]
    assert ways == [sentence, "firewall reaches the controller by itself again"]


def test_the_controllers_questions_come_with_the_receipt_and_nothing_else_of_its_orders(fleet: Fleet) -> None:
    fleet.running.centre.desk.joiner._inquiry.ask("firewall", Question("10.4.76.34"))
    asked = []
    for live in (False, True, True):
        bundle = fleet.bundle(fleet.reporter.report([], [], live=live))
        receipt = relay.decode_receipt(fleet.relayed(bundle).content)
        assert relay.is_for(receipt, bundle, fleet.key)
        asked.append(receipt.questions)
    assert asked == [[], [Question("10.4.76.34")], []]
    assert not {"keys", "once", "echoes", "plan"} & set(relay.Receipt.__struct_fields__)


def test_what_the_agent_has_not_signed_is_refused_and_counted(fleet: Fleet) -> None:
    centre, good = fleet.running.centre, fleet.bundle(fleet.reporter.report([], []))
    node1 = relay.key_of(centre.fleet.detours.secret, "node1")
    for forged in (
        msgspec.structs.replace(good, body=encode(fleet.reporter.report([], []))),
        relay.seal("firewall", good.body, node1), relay.seal("firewall", good.body, centre.dispatch.keys[0]),
        relay.seal("nobody", good.body, fleet.key), msgspec.structs.replace(good, agent="lb"),
    ):  # fmt: skip
        answer = fleet.relayed(forged)
        assert (answer.status_code, "has not signed this report" in answer.json()["detail"]) == (403, True)
    assert centre.fleet.detours.forged == {"node1": 5}
    assert 'prober_relay_forged_total{via="node1"} 5.0' in fleet.running.client.get("/metrics").text


def test_only_an_agent_hands_in_others_reports(fleet: Fleet) -> None:
    good = fleet.bundle(fleet.reporter.report([], []))
    assert fleet.relayed(good, access.create(fleet.running.centre.store, "admin")).status_code == 403
    assert fleet.relayed(good, "prb_nonsense.x").status_code == 401


def test_a_bundle_that_is_none_or_too_large_is_refused(fleet: Fleet) -> None:
    large = relay.seal("firewall", bytes(LIMIT + 1), fleet.key)
    assert len(relay.encode(large)) <= relay.MOST
    assert fleet.relayed(large).status_code == 413
    assert fleet.post("/agent/v1/relayed", "node1", bytes(relay.MOST + 1)).status_code == 413
    answer = fleet.post("/agent/v1/relayed", "node1", b"\xc1")
    assert (answer.status_code, "no bundle" in answer.json()["detail"]) == (400, True)


def test_a_report_that_never_will_be_taken_is_refused_in_words_that_the_agent_can_trust(fleet: Fleet) -> None:
    for body in (b"\xc1", encode(Reporter("lb").report([], []))):
        bundle = relay.seal("firewall", body, fleet.key)
        receipt = relay.decode_receipt(fleet.relayed(bundle).content)
        assert relay.is_for(receipt, bundle, fleet.key)
        assert "report" in receipt.refused


def test_an_agent_that_may_not_report_any_more_may_not_through_a_peer_either(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre = fleet.running.centre
    enrolled(centre.store, "vm", "z")
    key, number = relay.key_of(centre.fleet.detours.secret, "vm"), centre.dispatch.number("vm")
    by = Reporter("vm", number, 3)
    bundle = relay.seal("vm", encode(by.report([], [])), key)
    assert fleet.relayed(bundle).status_code == 200
    access.revoke(centre.store, agent="vm")
    monkeypatch.setattr(centre.signers, "_until", 0.0)  # seconds later
    answer = fleet.relayed(bundle)
    assert (answer.status_code, "may not report any more" in answer.json()["detail"]) == (403, True)


def test_controllers_that_share_a_secret_give_one_key_and_another_secret_another() -> None:
    bundle = relay.seal("firewall", b"report", relay.key_of(b"s" * 32, "firewall"))
    one, other, stranger = Detours(b"s" * 32), Detours(b"s" * 32), Detours(b"t" * 32)
    assert one.key(bundle, "node1", lambda _: True) == other.key(bundle, "lb", lambda _: True) is not None
    assert stranger.key(bundle, "node1", lambda _: True) is None
    assert one.key(bundle, "node1", lambda _: False) is None
