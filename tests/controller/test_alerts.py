"""Alerts of a whole controller: to the real Alertmanager, to a webhook, over the death of controllers and receivers."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import socket
import zlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from bench.fleet import postgres
from prober.alert import Alert
from prober.controller.alerts import Alerts
from prober.controller.courier import decoded
from prober.controller.desk import Desk
from prober.incident import Member
from prober.ondisk import read_targets
from prober.store import alerts as kept
from prober.store.engine import Store, open_store
from prober.store.incidents import keep
from prober.store.schema import upgrade
from prober.targets import parse
from tests.controller.centres import CULPRIT, TARGETS, Controller, controller
from tests.receiving import Server, Taken, alertmanager, free_port, server, until
from tests.store.test_incidents import row

MISROUTE = "return-path-misroute"


def breaks(one: Controller, source: str = "firewall") -> None:
    """The incident, in one cell."""
    one.misroute()
    one.flip(source, "ingress", MISROUTE)


def heals(one: Controller) -> None:
    one.judge("firewall", "ingress")
    one.flip("firewall", "ingress", "healthy")


def test_the_real_alertmanager_is_told_of_an_incident_and_of_its_end(tmp_path: Path) -> None:
    with alertmanager(tmp_path) as real:
        with controller(tmp_path, alertmanager=real.url, public_url="https://prober.example") as one:
            breaks(one)
            until(real.active, why="Alertmanager was told nothing")
            ((alert,), (listed,)) = real.active(), one.client.get("/api/v1/incidents").json()["incidents"]
            assert alert["labels"] == {
                "alertname": "ProberIncident", "severity": "critical", "prober_alert": listed["id"],
            }  # fmt: skip
            assert alert["annotations"]["culprit"] == str(CULPRIT)
            assert alert["annotations"]["next_step"] == listed["next_step"]
            assert alert["generatorURL"] == f"https://prober.example/#/incident/{listed['id']}"
            heals(one)
            until(lambda: not real.active(), why="it is open for ever")
            until(lambda: ("resolved", listed["id"]) in real.notified(), why=f"{real.notified()}")
        assert [status for status, _ in real.notified()] == ["firing", "resolved"], "a person was told twice"


def test_the_culprit_is_told_to_alertmanager_again_where_it_changed(tmp_path: Path) -> None:
    with alertmanager(tmp_path) as real, controller(tmp_path, alertmanager=real.url) as one:
        one.judge("firewall", "ingress", "intermittent")
        one.flip("firewall", "ingress", "intermittent")
        until(lambda: [one["labels"]["severity"] for one in real.active()] == ["warning"])
        breaks(one)
        until(lambda: [one["labels"]["severity"] for one in real.active()] == ["critical"], why="the milder one stays")
        assert real.active()[0]["annotations"]["culprit"] == str(CULPRIT)


def test_an_end_is_not_lost_where_the_controller_dies_before_it_was_told(tmp_path: Path) -> None:
    port = free_port()
    with controller(tmp_path, alertmanager=f"http://127.0.0.1:{port}") as one:
        with alertmanager(tmp_path, port) as real:
            breaks(one)
            until(real.active)
        heals(one)
        until(lambda: not one.client.get("/api/v1/incidents", params={"open": True}).json()["incidents"])
        until(lambda: any(row.trouble for row in one.centre.alerts.couriers))
    with alertmanager(tmp_path, port) as real, controller(tmp_path, alertmanager=real.url) as after:
        until(lambda: after.centre.alerts.couriers[0].counts.delivered, why="nobody told how it ended")
        assert real.active() == []


def test_an_alertmanager_that_forgot_everything_is_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.controller.receivers.alertmanager.REPEAT", 1.0)
    port = free_port()
    with controller(tmp_path, alertmanager=f"http://127.0.0.1:{port}") as one:
        with alertmanager(tmp_path, port) as real:
            breaks(one)
            until(real.active)
        (tmp_path / "other").mkdir()
        with alertmanager(tmp_path / "other", port) as real:
            until(real.active, why="it was told once and never again")


def test_a_webhook_is_told_once_each_and_can_check_who_says_so(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("whsec_" + b64encode(b"between us").decode() + "\n")
    with server() as hook:
        secret = {"webhook": f"{hook.url}/in?key=1", "webhook_secret_file": tmp_path / "secret"}
        with controller(tmp_path, **secret) as one:
            breaks(one)
            hook.wait(1)
            heals(one)
            first, last = hook.wait(2)
    assert first.path == "/in?key=1"
    assert [taken.document["type"] for taken in (first, last)] == ["prober.alert.opened", "prober.alert.resolved"]
    name = first.document["data"]["id"]
    assert [taken.headers["webhook-id"] for taken in (first, last)] == [f"{name}.1", f"{name}.2"]
    for taken in (first, last):
        signed = f"{taken.headers['webhook-id']}.{taken.headers['webhook-timestamp']}.".encode() + taken.body
        mac = hmac.new(b"between us", signed, hashlib.sha256).digest()
        assert taken.headers["webhook-signature"] == "v1," + b64encode(mac).decode()


def test_cells_with_one_cause_are_one_alert(tmp_path: Path) -> None:
    with server() as hook, controller(tmp_path, webhook=hook.url) as one:
        for target in ("ingress", "pod2"):
            one.judge("firewall", target, MISROUTE, culprit=CULPRIT)
            one.flip("firewall", target, MISROUTE)
        until(lambda: one.client.get("/api/v1/incidents").json()["incidents"][0]["cells_total"] == 2)
        heals_at_last(one, ("ingress", "pod2"), hook)
    told = [taken.document["data"] for taken in hook.taken]
    assert len({one["id"] for one in told}) == 1
    assert [one["state"] for one in told] == ["opened", "resolved"]
    assert told[-1]["cells_total"] == 2


def heals_at_last(one: Controller, targets: tuple[str, ...], hook: Server) -> None:
    hook.wait(1)
    for target in targets:
        one.judge("firewall", target)
        one.flip("firewall", target, "healthy")
    hook.wait(2)


def test_one_that_hangs_keeps_nobody_waiting(tmp_path: Path) -> None:
    """A receiver that takes connections and says nothing: judging and the other receiver go on."""
    with socket.create_server(("127.0.0.1", 0)) as mute, server() as hook:
        both = f"http://127.0.0.1:{mute.getsockname()[1]},{hook.url}"
        with controller(tmp_path, webhook=both) as one:
            breaks(one)
            hook.wait(1, 5)
            assert one.client.get("/readyz").status_code == 200


def test_one_that_is_away_is_told_how_it_stands_now_and_not_what_it_missed(tmp_path: Path) -> None:
    port = free_port()
    with controller(tmp_path, webhook=f"http://127.0.0.1:{port}") as one:
        breaks(one)
        until(lambda: one.centre.alerts.couriers[0].trouble)
        heals(one)
        until(lambda: all(row.closed_ns for row in kept.since(one.centre.store, 0)), why="the alert is not over")
        with server(port=port) as hook:
            (only,) = hook.wait(1)
    assert only.document["data"]["state"] == "resolved"


def test_the_next_holder_goes_on_and_tells_nothing_twice(tmp_path: Path, cluster: str) -> None:
    database = postgres.database(cluster)
    with server() as hook:
        with controller(tmp_path, database=database, webhook=hook.url) as one:
            breaks(one)
            hook.wait(1)
        with controller(tmp_path, database=database, webhook=hook.url) as after:
            until(lambda: after.centre.record.held)
            heals(after)
            hook.wait(2)
    assert [taken.document["data"]["state"] for taken in hook.taken] == ["opened", "resolved"]


def refusing(code: int, times: int, **headers: str) -> Any:
    """Answers this code so many times, then takes everything."""
    left = [times]

    def rule(_: Taken) -> tuple[int, dict[str, str], bytes]:
        left[0] -= 1
        return (code, headers, b"not now") if left[0] >= 0 else (200, {}, b"ok")

    return rule


def test_what_is_refused_for_good_is_not_sent_again_and_its_end_is(tmp_path: Path) -> None:
    with server(refusing(400, 1)) as hook, controller(tmp_path, webhook=hook.url) as one:
        breaks(one)
        until(lambda: one.centre.alerts.couriers[0].counts.dropped == 1)
        heals(one)
        assert [taken.document["data"]["state"] for taken in hook.wait(2)] == ["opened", "resolved"]


@pytest.mark.parametrize("code", [302, 401, 404, 429, 500, 503])
def test_what_may_be_mended_is_tried_again_with_the_same_identity(tmp_path: Path, code: int) -> None:
    elsewhere = {"location": "http://127.0.0.1:1/"}
    with server(refusing(code, 2, **elsewhere)) as hook, controller(tmp_path, webhook=hook.url) as one:
        breaks(one)
        taken = hook.wait(3)
        assert len({(one.headers["webhook-id"], one.body) for one in taken}) == 1


class Told:
    """Alerts of one controller's life on a made-up clock, against a real store; nobody is sent anything."""

    def __init__(self, store: Store) -> None:
        self.store, self.wall = store, 1_700_000_000.0
        self.desk = Desk(read_targets(TARGETS))
        self.alerts = Alerts(self.desk, Held(store), (), lambda: self.wall, None)

    def burn(self, good: int, total: int, objective: str = "firewall-to-ingress") -> None:
        self.desk.tally.ledger.count(objective, self.wall, good, total)

    def look(self, later: float = 0.0) -> list[Alert]:
        """All that are kept, after a look so much later."""
        self.wall += later
        asyncio.run(self.alerts.look(self.store))
        return [decoded(row) for row in kept.since(self.store, 0)]

    def incident(self, *cells: tuple[str, str], closed: float | None = None) -> None:
        members = [Member(*cell, MISROUTE, "…", self.wall, self.wall) for cell in cells]
        body = zlib.compress(msgspec.msgpack.encode(members))
        closed_ns = None if closed is None else int(closed * 1e9)
        keep(self.store, [row("i", int(self.wall * 1e9), closed_ns, body=body)])


class Held(NamedTuple):
    store: Store
    held: bool = True


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    url = f"sqlite:///{tmp_path / 'prober.sqlite'}"
    upgrade(url)
    store = open_store(url)
    yield Told(store)
    store.close()


def test_a_budget_that_burns_is_one_alert_until_it_burns_no_more(told: Told) -> None:
    told.burn(0, 100)
    (burning,) = told.look()
    assert (burning.kind, burning.severity, burning.objective) == ("burn", "critical", "firewall-to-ingress")
    assert told.look(60) == [burning], "as long as it burns there is nothing new"
    told.burn(1_000_000, 1_000_000)
    assert told.look(100)[0].closed is None, "at its threshold a burn rate comes and goes"
    told.look(100)
    (ended,) = told.look(200)
    assert (ended.because, ended.revision, ended.id) == ("burns no more", 2, burning.id)
    told.wall += 3600
    told.burn(0, 1_000_000)
    assert len({one.id for one in told.look()}) == 2, "the next one is another"


def test_an_incident_that_burns_a_budget_is_one_alert_and_its_burn_none(told: Told) -> None:
    told.incident(("firewall", "ingress"))
    told.burn(0, 100)
    assert [one.kind for one in told.look()] == ["incident"]
    told.incident(("firewall", "ingress"), closed=told.wall)
    assert [one.kind for one in told.look(200)] == ["incident"], "its short windows still burn, of the same cause"


def test_a_budget_that_burns_beside_an_incident_is_another_alert(told: Told) -> None:
    told.incident(("lb", "ingress"))
    told.burn(0, 100)
    assert sorted(one.kind for one in told.look()) == ["burn", "incident"]


def test_an_objective_that_is_gone_burns_nothing(told: Told) -> None:
    told.burn(0, 100)
    told.look()
    told.desk.adopt(parse(TARGETS.read_text().replace("name: firewall-to-ingress", "name: another")))
    assert [one.because for one in told.look(20)] == ["undeclared"]


def test_an_incident_that_was_over_before_anybody_looked_is_told(told: Told) -> None:
    told.incident(("firewall", "ingress"), closed=told.wall + 1)
    (only,) = told.look(60)
    assert (only.state, only.because) == ("resolved", "healed")
    assert len(told.look(20 * 60)) == 1


def test_one_that_was_over_long_ago_is_not(told: Told) -> None:
    told.incident(("firewall", "ingress"), closed=told.wall)
    assert told.look(3600) == []


def test_an_incident_that_nobody_keeps_any_more_is_over(told: Told) -> None:
    told.incident(("firewall", "ingress"))
    told.look()
    with told.store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM incidents")
    assert [one.because for one in told.look(5)] == ["forgotten"]


def test_an_objective_names_who_is_told(tmp_path: Path) -> None:
    told = TARGETS.read_text().replace("latency: 50ms, window: 30d}", "latency: 50ms, window: 30d, alerts: [slack]}")
    (tmp_path / "targets.yaml").write_text(told)
    with server() as hook, controller(tmp_path, tmp_path / "targets.yaml", webhook=hook.url) as one:
        one.centre.desk.tally.ledger.count("firewall-to-ingress", one.centre.wall(), 0, 100)
        until(lambda: [row for row in kept.since(one.centre.store, 0) if decoded(row).kind == "burn"])
        breaks(one)
        hook.wait(1)
        assert {taken.document["data"]["kind"] for taken in hook.taken} == {"incident"}


def test_one_of_two_controllers_tells_and_the_other_goes_on_when_it_ends(tmp_path: Path, cluster: str) -> None:
    database = postgres.database(cluster)
    given = {"database": database}
    with (
        server() as hook,
        controller(tmp_path, webhook=hook.url, **given) as one,
        controller(tmp_path, webhook=hook.url, **given) as other,
    ):
        first, second = (one, other) if one.centre.record.held else (other, one)
        assert not second.centre.record.held
        breaks(first)
        hook.wait(1)
        second.misroute()  # it read the same reports
        second.centre.desk.debounce.told["firewall", "ingress"] = MISROUTE
        first.centre.record.holding._lose()
        first.centre.record.holding.seek = never  # type: ignore[method-assign]  # it hangs
        until(lambda: second.centre.record.held, 20, "nobody took over")
        heals(second)
        hook.wait(2)
    assert [taken.document["data"]["state"] for taken in hook.taken] == ["opened", "resolved"]
    assert len({taken.document["data"]["id"] for taken in hook.taken}) == 1


async def never() -> None:
    """Seeks no lease."""
