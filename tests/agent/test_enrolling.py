"""An agent and a real controller: the key is made known once, whatever is lost, and whatever the clocks show."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from prober.agent import credential as module
from prober.agent.backlog import Backlog
from prober.agent.credential import Credential
from prober.agent.enrolling import NotEnrolled, enrol
from prober.agent.line import RELAYED, Line, clients
from prober.agent.uplink import Uplink
from prober.controller import access
from prober.report import decode_orders, encode
from prober.signature import INPUT, SIGNATURE, read
from prober.store.keys import get_key
from tests.agent.peers import Controller as Standin
from tests.controller.centres import Controller, controller
from tests.controller.reports import Reporter

HOUR = 3600.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    with controller(tmp_path_factory.mktemp("enrolling")) as one:
        yield one


def token(running: Controller, agent: str = "firewall", **given: int) -> str:
    return access.create(running.centre.store, agent=agent, zone=running.centre.desk.targets.agent(agent).zone, **given)


def opened(text: str, folder: Path | None = None, agent: str = "firewall") -> Credential:
    return Credential.open(agent, lambda: text, folder)


def reporter(running: Controller, epoch: int) -> Reporter:
    return Reporter("firewall", running.centre.dispatch.number("firewall"), epoch)


def test_an_agent_enrols_and_reports_after_a_restart_too(running: Controller, tmp_path: Path) -> None:
    text, by = token(running), reporter(running, 1)
    for _ in range(2):
        line = Line(running.url, opened(text, tmp_path))
        enrol(line)
        answer = line.post(encode(by.answered()), {})
        assert answer.status_code == 200, answer.text
        line.close()
    assert decode_orders(answer.content).acknowledged == 2
    told = access.listed(running.centre.store)
    assert [state for one, state, _ in told if text.startswith(f"prb_{one.id}")] == ["used"]


def test_an_answer_that_was_lost_is_asked_for_again(running: Controller, tmp_path: Path) -> None:
    text = token(running)
    enrol(Line(running.url, opened(text, tmp_path)))
    spoilt = opened(text, tmp_path).kept
    spoilt.coming, spoilt.enrolled = spoilt.enrolled, None  # as a process that was killed before the answer left it
    again = Credential(spoilt, text, tmp_path / "key-firewall")
    line = Line(running.url, again)
    enrol(line)
    assert line.post(encode(reporter(running, 2).answered()), {}).status_code == 200


@pytest.mark.parametrize("off", [-26 * HOUR, -HOUR, -61.0, 0.0, 61.0, HOUR, 26 * HOUR])
def test_an_agents_clock_may_show_anything(running: Controller, off: float) -> None:
    credential, by = opened(token(running)), reporter(running, int(100 + off / 60) % 5000 + 10)
    line = Line(running.url, credential)
    line._ahead += off
    enrol(line)
    assert [line.post(encode(by.answered()), {}).status_code for _ in range(3)] == [200] * 3
    assert abs(line._ahead + time.monotonic() - time.time()) <= 60.0
    peer = Line(running.url, credential, path=RELAYED)
    peer._ahead += off
    assert peer.post(b"\xc1", {}).status_code == 400, "it is known who hands in what is no bundle"


def test_a_clock_that_is_set_while_the_agent_runs_changes_nothing(
    running: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line(running.url, opened(token(running)))
    enrol(line)
    now = time.time()
    monkeypatch.setattr("prober.agent.line.time.time", lambda: now - 9 * HOUR)
    signed = line._signed(b"")
    monkeypatch.undo()
    created = read(signed[INPUT], signed[SIGNATURE]).created
    assert abs(created - now) < 5.0


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("used", "was used before, for another key: it is good once"),
        ("expired", "has expired: it is good for an hour"),
        ("revoked", "was revoked"),
        ("unknown", "is not known here"),
        ("another's", "this is lb's token, not firewall's"),
        ("role", "is a token for the role viewer"),
    ],
)
def test_a_token_that_is_no_good_ends_the_agent_with_one_sentence(running: Controller, spoil: str, said: str) -> None:
    store = running.centre.store
    text = token(running)
    if spoil == "used":
        enrol(Line(running.url, opened(text)))
    elif spoil == "expired":
        text = token(running, now_ns=time.time_ns() - int(HOUR * 1e9))
    elif spoil == "revoked":
        access.revoke(store, text.removeprefix("prb_").partition(".")[0])
    elif spoil == "unknown":
        text = text[:-1] + ("a" if text[-1] != "a" else "b")
    elif spoil == "another's":
        text = token(running, "lb")
    else:
        text = access.create(store, "viewer")
    had = get_key(store, "firewall")
    waiting = Backlog("firewall", 1)
    waiting.append(reporter(running, 4).answered())
    waiting.write()
    uplink = Uplink(clients(running.url, opened(text)), waiting, lambda _: None)
    uplink.start()
    uplink.thread.join(5.0)
    assert said in uplink.over
    assert "prober token create --agent firewall --zone " in uplink.over
    assert list(waiting), "what it has to report is kept"
    assert get_key(store, "firewall") == had
    uplink.close()


def test_a_token_for_another_zone_is_asked_about_again_for_the_document_may_be_mended(running: Controller) -> None:
    text = access.create(running.centre.store, agent="firewall", zone="elsewhere")
    with pytest.raises(NotEnrolled, match="is for firewall in zone elsewhere, and targets.yaml declares it in") as said:
        enrol(Line(running.url, opened(text)))
    assert not said.value.for_good
    with pytest.raises(NotEnrolled, match="agent nobody is not in targets.yaml: declare it there") as said:
        enrol(Line(running.url, opened(access.create(running.centre.store, agent="nobody", zone="z"), agent="nobody")))
    assert not said.value.for_good


def test_with_a_new_token_that_is_no_good_the_agent_goes_on_with_its_key(running: Controller, tmp_path: Path) -> None:
    enrol(Line(running.url, opened(token(running), tmp_path)))
    late = token(running, now_ns=time.time_ns() - int(HOUR * 1e9))
    line = Line(running.url, opened(late, tmp_path))
    enrol(line)
    assert line.post(encode(reporter(running, 5).answered()), {}).status_code == 200


def test_who_enrols_anew_takes_the_place_of_the_key_before_at_once(running: Controller) -> None:
    before, after = (Line(running.url, opened(token(running))) for _ in range(2))
    by = reporter(running, 6)
    enrol(before)
    assert before.post(encode(by.answered()), {}).status_code == 200
    enrol(after)
    refused = before.post(encode(by.answered()), {})
    assert (refused.status_code, "is not signed with the key" in refused.text) == (401, True)
    assert after.post(encode(by.answered()), {}).status_code == 200


def test_a_controller_that_is_older_is_told_from_one_that_refuses(running: Controller) -> None:
    line = Line(f"{running.url}/elsewhere", opened(token(running)))
    with pytest.raises(NotEnrolled, match="the controller is older than this agent, upgrade it first") as said:
        enrol(line)
    assert not said.value.for_good


def test_nothing_is_posted_for_who_has_no_token() -> None:
    nowhere = Standin()
    enrol(Line(nowhere.url, opened("")))
    assert nowhere.posts == []
    nowhere.close()


def test_a_controller_that_does_not_answer_is_no_refusal() -> None:
    with pytest.raises(httpx.HTTPError):
        enrol(Line("unix:/nonexistent/socket", opened("prb_aaaaaaaaaaaa.secret")))


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("at", range(12))
def test_an_agent_that_is_killed_at_any_step_enrols_when_it_starts_again(
    running: Controller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Each step is one that the disk sees; the last ones come after the controller has taken the key."""
    text, steps = token(running), list[str]()

    def dying(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*given: Any, **named: Any) -> Any:
            steps.append(name)
            if len(steps) > at:
                raise Killed
            return real(*given, **named)

        return step

    own = ModuleType("os")  # the controller's thread has the real one
    vars(own).update(vars(os) | {name: dying(name, getattr(os, name)) for name in ("open", "fsync")})
    with monkeypatch.context() as patched:
        patched.setattr(module, "os", own)
        patched.setattr(module.Path, "replace", dying("replace", Path.replace))
        patched.setattr(module, "sync_folder", dying("sync_folder", module.sync_folder))
        with suppress(Killed):
            enrol(Line(running.url, opened(text, tmp_path)))
    line = Line(running.url, opened(text, tmp_path))
    enrol(line)
    assert line.post(encode(reporter(running, 6000 + at).answered()), {}).status_code == 200, steps
    assert [file.name for file in tmp_path.iterdir()] == ["key-firewall"]


def test_a_large_report_by_a_wrong_clock_arrives_whole_with_its_second_try(running: Controller) -> None:
    """The first try is refused before its body is read."""
    line, by = Line(running.url, opened(token(running))), reporter(running, 9)
    line._ahead -= HOUR
    enrol(line)
    report = by.answered()
    report.notes = ["a note " * 50_000] * 10
    answer = line.post(encode(report), {})
    assert (answer.status_code, decode_orders(answer.content).acknowledged) == (200, 1)


def test_a_proxys_page_enrols_nobody(tmp_path: Path) -> None:
    """It says 200 to whatever it is asked, and the token would be taken for one that was used."""
    there = Standin()
    credential = opened("prb_0123456789ab.x", tmp_path)
    with pytest.raises(NotEnrolled, match="firewall is not enrolled"):
        enrol(Line(there.url, credential))
    there.close()
    assert opened("prb_0123456789ab.x", tmp_path).pending == credential.pending is not None
