"""Host names are looked up beside the loop, once, and again when the document is read again."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prober import hostnames
from prober.address import Address
from prober.controller import access
from prober.controller.pins import Pins
from prober.controller.rounds import plan_for
from prober.store import runs
from prober.store.engine import open_store
from prober.store.schema import upgrade
from prober.targets import Targets, parse
from tests.controller.centres import TARGETS, Controller, controller
from tests.receiving import until

NAME, ADDRESS = "ingress.example.org", ipaddress.ip_address("10.4.76.34")


def text() -> str:
    return TARGETS.read_text().replace("address: 10.4.76.34", f"hostname: {NAME}")


class Resolver:
    """What stands for the host's; ``asked`` counts, ``answers`` may be changed, ``open`` holds it up."""

    def __init__(self) -> None:
        self.asked, self.answers, self.open = 0, [ADDRESS], threading.Event()
        self.open.set()

    def look_up(self, name: str) -> list[Address]:
        self.asked += 1
        assert self.open.wait(20)
        if not self.answers:
            raise OSError(-2, "Name or service not known")
        return list(self.answers)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    one = Resolver()
    monkeypatch.setattr(hostnames, "look_up", one.look_up)
    return one


@pytest.fixture
def running(tmp_path: Path, resolver: Resolver) -> Iterator[Controller]:
    document = tmp_path / "targets.yaml"
    document.write_text(text())
    resolver.open.clear()
    with controller(tmp_path, targets=document) as one:
        yield one
        resolver.open.set()


def test_nothing_waits_for_a_resolver_and_what_it_says_is_probed(running: Controller, resolver: Resolver) -> None:
    told = running.client.get("/api/v1/paths/firewall/ingress").json()
    assert told["cell"]["label"] == "unknown"
    assert told["verdict"]["missing"] == ["the host name of ingress has not been resolved"]
    assert running.client.get("/status/firewall/ingress").status_code == 503
    assert tasks(running) == set()
    resolver.open.set()
    until(lambda: tasks(running) == {str(ADDRESS)})
    assert "resolved" not in running.client.get("/api/v1/paths/firewall/ingress").json()["verdict"]["sentence"]
    assert resolver.asked == 1


def test_a_run_under_way_goes_on_with_all_its_pairs_after_a_start(tmp_path: Path, resolver: Resolver) -> None:
    document = tmp_path / "targets.yaml"
    document.write_text(text())
    upgrade(url := f"sqlite:///{tmp_path / 'prober.sqlite'}")
    store = open_store(url)
    request = {"from": ["firewall"], "to": ["ingress", "pod2"], "flows": None}
    runs.create_run(store, runs.Run("r1", "running", "me", time.time_ns(), request=request))
    store.close()
    with controller(tmp_path, targets=document) as one:
        assert set(one.centre.desk.runs["r1"].cells) == {("firewall", "ingress"), ("firewall", "pod2")}


def test_a_reload_asks_anew_and_keeps_what_it_has_meanwhile(running: Controller, resolver: Resolver) -> None:
    resolver.open.set()
    until(lambda: tasks(running) == {str(ADDRESS)})
    resolver.answers = [ipaddress.ip_address("10.4.76.35")]
    resolver.open.clear()
    reload(running)
    assert tasks(running) == {str(ADDRESS)}
    resolver.open.set()
    until(lambda: tasks(running) == {"10.4.76.35"})
    resolver.answers = []
    reload(running)
    until(lambda: resolver.asked == 3)
    assert tasks(running) == {"10.4.76.35"}


def reload(running: Controller) -> None:
    admin = {"Authorization": f"Bearer {access.create(running.centre.store, 'admin')}"}
    assert running.client.post("/-/reload", headers=admin).status_code == 200


def tasks(running: Controller) -> set[str]:
    """The addresses that the firewall's agent is to ask for ingress."""
    desk = running.centre.desk
    plan = plan_for(desk.targets, "firewall", 1, [])
    return {one.address for one in plan.tasks if one.target == "ingress"}


def test_a_name_that_is_not_found_is_asked_for_again(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.controller.pins.AGAIN", 0.02)
    resolver.answers = []
    pins, heard = Pins(parse(text())), list[bool]()
    following = threading.Thread(target=pins.follow, args=(lambda *looked: heard.append(pins.settle(*looked)),))
    following.start()
    until(lambda: len(heard) > 2)
    assert address(pins.targets) is None and not any(heard)
    resolver.answers = [ADDRESS]
    until(lambda: address(pins.targets) == ADDRESS)
    count = resolver.asked
    pins.end()
    following.join(5)
    assert not following.is_alive() and heard[-1] and resolver.asked <= count + 1


def test_what_is_wrong_is_said_once(resolver: Resolver, capsys: pytest.CaptureFixture[str]) -> None:
    pins = Pins(parse(text()))
    for _ in range(3):
        assert not pins.settle({}, [f"{NAME} does not resolve (Name or service not known)"])
    assert not pins.settle({NAME: [ipaddress.ip_address("192.0.2.1")]}, [])
    said = capsys.readouterr()
    assert (said.out + said.err).count("does not resolve") == 1
    assert (said.out + said.err).count("is 192.0.2.1, port 8080, which lies outside policy.allow") == 1


def address(targets: Targets) -> Address | None:
    return targets.target("ingress").address
