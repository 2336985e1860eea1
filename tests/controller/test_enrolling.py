"""The door by which keys come in, on two controllers at once, and what is refused there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from bench.fleet import postgres
from bench.fleet.world import enrolled
from prober import enrolment, signature
from prober.agent.credential import Credential
from prober.controller import access
from prober.enrolment import Enrolment
from prober.report import encode
from prober.store import audit
from prober.store.keys import get_key
from tests.controller.centres import TARGETS, Bearer, Controller, Signing, controller
from tests.controller.reports import Reporter

DOOR, REPORTS = "/agent/v1/enrol", "/agent/v1/reports"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Controller, Controller]]:
    """Two controllers on one database."""
    folder = tmp_path_factory.mktemp("enrolling")
    url = f"sqlite:///{folder / 'shared.sqlite'}"
    if request.param == "postgresql":
        url = postgres.database(request.getfixturevalue("cluster"))
    with controller(folder, database=url) as one, controller(folder, database=url) as other:
        yield one, other


@pytest.fixture
def one(both: tuple[Controller, Controller]) -> Controller:
    return both[0]


def token(running: Controller, agent: str = "firewall") -> str:
    return access.create(running.centre.store, agent=agent, zone=running.centre.desk.targets.agent(agent).zone)


def ask(running: Controller, secret: str, public: bytes, agent: str = "firewall") -> httpx.Response:
    body = enrolment.encode(Enrolment(agent, public))
    return httpx.post(f"{running.url}{DOOR}", content=body, headers={"Authorization": f"Bearer {secret}"})


def test_of_many_joins_that_race_on_one_token_over_two_controllers_exactly_one_wins(
    both: tuple[Controller, Controller],
) -> None:
    racers = 8
    for _ in range(3):
        secret, start = token(both[0]), threading.Barrier(racers)

        def join(at: int, secret: str = secret, start: threading.Barrier = start) -> int:
            start.wait()
            return ask(both[at % 2], secret, bytes([at]) * 32).status_code

        with ThreadPoolExecutor(racers) as pool:
            came = list(pool.map(join, range(racers)))
        assert sorted(came) == [204] + [401] * (racers - 1)
        kept = get_key(both[0].centre.store, "firewall")
        assert kept is not None and kept.public == bytes([came.index(204)]) * 32


def test_an_enrolment_is_in_the_audit_log_with_the_key_that_came(one: Controller) -> None:
    assert ask(one, token(one), bytes(32)).status_code == 204
    last = audit.entries(one.centre.store, 1)[0]
    zone = one.centre.desk.targets.agent("firewall").zone
    assert (last.what, last.detail) == ("enrol", f"firewall in {zone}, key {signature.fingerprint(bytes(32))}")


def test_who_enrols_at_one_controller_reports_to_the_other_at_once(both: tuple[Controller, Controller]) -> None:
    here, there = both
    secret = token(here)
    key = Credential.open("firewall", lambda: secret, None)
    assert key.pending
    assert ask(here, secret, key.pending.public).status_code == 204
    key.enrolled()
    by = Reporter("firewall", there.centre.dispatch.number("firewall"), 7)
    assert there.client.post(REPORTS, content=encode(by.answered()), auth=Signing(key)).status_code == 200


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x82", enrolment.encode(Enrolment("firewall", b"short"))])
def test_what_is_no_enrolment_uses_no_token_up(one: Controller, body: bytes) -> None:
    secret = token(one)
    answer = one.client.post(DOOR, content=body, auth=Bearer(secret))
    assert (answer.status_code, "this is no enrolment" in answer.json()["detail"]) == (400, True)
    assert ask(one, secret, bytes(32)).status_code == 204


def test_a_large_body_and_no_token_are_refused_before_anything_is_read(one: Controller) -> None:
    assert one.client.post(DOOR, content=bytes(1025), auth=Bearer(token(one))).status_code == 413
    assert one.client.post(DOOR, content=enrolment.encode(Enrolment("firewall", bytes(32)))).status_code == 401


def test_a_wrong_zone_or_an_agent_that_is_not_declared_uses_no_token_up(one: Controller) -> None:
    secret = access.create(one.centre.store, agent="firewall", zone="elsewhere")
    answer = ask(one, secret, bytes(32))
    assert (answer.status_code, "correct the one, or make another" in answer.json()["detail"]) == (403, True)
    assert [state for token, state, _ in access.listed(one.centre.store) if token.zone == "elsewhere"] == ["good"]
    stranger = access.create(one.centre.store, agent="stranger", zone="z")
    assert ask(one, stranger, bytes(32), "stranger").status_code == 403
    assert ask(one, "prb_0123456789ab.x", bytes(32), "stranger").status_code == 401, "whoever asks learns no names"


def test_an_agents_token_opens_nothing_else(one: Controller) -> None:
    secret = token(one)
    for path in ("/api/v1/matrix", "/api/v1/agents", "/status"):
        answer = one.client.get(path, auth=Bearer(secret))
        assert (answer.status_code, "needs the role" in answer.json()["detail"]) == (403, True), path


def test_a_request_that_is_sent_again_or_changed_is_refused_and_can_be_signed_anew(one: Controller) -> None:
    key = enrolled(one.centre.store, "firewall", "firewall")
    by = Reporter("firewall", one.centre.dispatch.number("firewall"), 8)
    body = encode(by.answered())
    headers = key.signed(REPORTS, body, int(time.time()))
    spoilt = one.client.post(REPORTS, content=body + b"\0", headers=headers)
    assert (spoilt.status_code, "not what was signed" in spoilt.json()["detail"]) == (401, True)
    again = one.client.post(REPORTS, content=body, headers=headers)
    assert (again.status_code, "came before" in again.json()["detail"]) == (401, True), "one signature, one request"
    assert one.client.post(REPORTS, content=body, auth=Signing(key)).status_code == 200
    assert one.client.post(REPORTS, content=body, auth=Signing(key)).status_code == 200, "a report may come twice"


@pytest.mark.parametrize("off", [-61.0, 61.0])
def test_a_refusal_tells_the_controllers_time(one: Controller, off: float) -> None:
    key = enrolled(one.centre.store, "firewall", "firewall")
    answer = one.client.post(REPORTS, content=b"x", auth=Signing(key, off))
    assert (answer.status_code, "by the clock of the controller" in answer.json()["detail"]) == (401, True)
    assert answer.headers["date"].endswith(" GMT")


def test_half_a_signature_is_none(one: Controller) -> None:
    key = enrolled(one.centre.store, "firewall", "firewall")
    headers = key.signed(REPORTS, b"x", int(time.time()))
    for left in ((signature.INPUT,), (signature.SIGNATURE,), (signature.INPUT, signature.SIGNATURE)):
        answer = one.client.post(REPORTS, content=b"x", headers={name: headers[name] for name in left})
        assert answer.status_code == 401, left
    doubled = [*headers.items(), (signature.INPUT, headers[signature.INPUT])]
    assert one.client.post(REPORTS, content=b"x", headers=doubled).status_code == 401


def test_what_somebody_makes_up_is_refused_in_words_and_never_breaks(one: Controller) -> None:
    for given in ('sig1=("@method" "@path" "content-digest");created=1;keyid="firewall"', "x", "\xff", '"' * 3000):
        headers = {signature.INPUT: given.encode("latin-1"), signature.SIGNATURE: f"sig1=:{'A' * 86}==:".encode()}
        assert one.client.post(REPORTS, content=b"x", headers=headers).status_code == 401


def test_an_agent_that_a_reload_takes_out_is_told_so_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    document = tmp_path / "targets.yaml"
    document.write_text(TARGETS.read_text())
    with controller(tmp_path, document) as running:
        key = enrolled(running.centre.store, "vm", "nodes")
        by = Reporter("vm", running.centre.dispatch.number("vm"), 9)
        assert running.client.post(REPORTS, content=encode(by.answered()), auth=Signing(key)).status_code == 200
        lines = TARGETS.read_text().splitlines(keepends=True)
        document.write_text("".join(one for one in lines if "name: vm, " not in one))
        running.centre.reload()
        answer = running.client.post(REPORTS, content=encode(by.answered()), auth=Signing(key))
        assert (answer.status_code, "is not in targets.yaml" in answer.json()["detail"]) == (403, True)


@pytest.mark.parametrize("by", ["a signature", "a token", "a monitor's token"])
def test_who_is_asked_after_in_a_database_that_hangs_keeps_nobody_else_waiting(
    tmp_path: Path, cluster: str, by: str
) -> None:
    with controller(tmp_path, database=postgres.database(cluster)) as running, ThreadPoolExecutor(1) as pool:
        key = enrolled(running.centre.store, "firewall", "firewall").kept
        key.agent = "stranger"
        headers = Credential(key).signed(REPORTS, b"x", int(time.time()))
        headers = headers if by == "a signature" else {"Authorization": "Bearer prb_0123456789ab.x"}
        method, path, body = ("GET", "/status", b"") if by == "a monitor's token" else ("POST", REPORTS, b"x")
        with running.centre.store.begin() as connection:
            for table in ("keys", "tokens"):
                connection.exec_driver_sql(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            answer = pool.submit(
                httpx.request, method, f"{running.url}{path}", content=body, headers=headers, timeout=20
            )
            time.sleep(0.3)
            assert running.client.get("/livez", timeout=2).status_code == 200
            assert not answer.done()
        assert answer.result().status_code == 401
