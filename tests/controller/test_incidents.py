"""Incidents of a whole controller: written by the holder, read by any, the same after a restart."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prober import plan
from prober.columns import Columns
from prober.controller import access, incidents
from prober.controller.desk import Desk
from prober.controller.incidents import Incidents, Reader
from prober.controller.judged import Day
from prober.flip import Flip
from prober.incident import Incident
from prober.ondisk import read_targets
from prober.store import flips as kept_flips
from prober.store import incidents as kept
from prober.store.engine import Store, open_store
from prober.store.schema import upgrade
from prober.targets import parse
from prober.verdict import Cause
from tests.controller.centres import CULPRIT, TARGETS, controller, verdict

INGRESS, POD2 = ("firewall", "ingress"), ("firewall", "pod2")
MISROUTE = "return-path-misroute"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'prober.sqlite'}"
    upgrade(url)
    one = open_store(url)
    yield one
    one.close()


class Life:
    """The incidents of one controller's life, on a made-up clock."""

    def __init__(self, store: Store, wall: float = 1_700_000_000.0) -> None:
        self.store, self.desk, self.wall = store, Desk(read_targets(TARGETS)), wall
        self.incidents = Incidents(self.desk)
        told = kept_flips.newest(store)
        self.desk.debounce.told.update({cell: flip.after for cell, flip in told.items()})
        self.incidents.begin(incidents.opened(store), told, wall, wall)
        self.reader = Reader(store, self.desk)
        self._probe = 0

    def judge(self, cell: tuple[str, str], label: str, **given: Any) -> None:
        self._probe += 1
        held = self.desk.matrix.hold(cell)
        assert held is not None
        held.recent.clear()
        held.take(self._probe, self.wall, verdict(*cell, label, **given), None)

    def misroute(self, cell: tuple[str, str]) -> Flip:
        self.judge(cell, MISROUTE, cause=Cause.R1B, culprit=CULPRIT)
        return Flip(self.wall, *cell, "healthy", MISROUTE, "it broke")

    def heal(self, cell: tuple[str, str]) -> Flip:
        self.judge(cell, "healthy")
        return Flip(self.wall, *cell, MISROUTE, "healthy", "it healed")

    def turn(self, *flips: Flip, seconds: float = 1.0) -> None:
        """One turn, written down."""
        self.wall += seconds
        kept_flips.add_flips(self.store, flips)
        self.desk.debounce.told.update({(flip.source, flip.target): flip.after for flip in flips})
        kept.keep(self.store, self.incidents.look(Day(flips=list(flips)), self.wall, self.wall))

    def listed(self, **given: Any) -> list[dict[str, Any]]:
        found = self.reader.listed(None, 100, given.get("is_open"), self.wall)["incidents"]
        return list(found)


def test_an_incident_is_told_from_its_first_flip_to_its_last(store: Store) -> None:
    life = Life(store)
    life.turn(life.misroute(INGRESS), life.misroute(POD2))
    (one,) = life.listed()
    assert one["opened_at"] == "2023-11-14T22:13:20.000Z"
    assert (one["closed_at"], one["label"], one["cause"], one["confidence"]) == (None, MISROUTE, "R1b", "proven")
    assert (one["element"], one["kind"], one["culprit"]) == ("node19", "node", str(CULPRIT))
    assert one["sentence"].startswith("node19: node1 routes 10.19.0.0/16 via 10.224.0.23")
    assert one["next_step"].startswith("Take node19 out")
    assert (one["cells_total"], one["cells_failing"], one["cells_unknown"]) == (2, 2, 0)
    assert one["zones"] == ["firewall", "pods"]
    life.wall += 30
    life.misroute(POD2)
    life.turn(life.heal(INGRESS))
    (one,) = life.listed(is_open=True)
    assert (one["cells_failing"], [cell["now"] for cell in one["cells"]]) == (1, [MISROUTE, "healthy"])
    life.turn(life.heal(POD2))
    (one,) = life.listed(is_open=False)
    assert (one["closed_at"], one["closed_because"]) == ("2023-11-14T22:13:52.000Z", "healed")
    assert [cell["now"] for cell in one["cells"]] == [None, None]
    assert life.listed(is_open=True) == []


def test_an_agent_that_falls_silent_heals_nothing(store: Store) -> None:
    life = Life(store)
    life.turn(life.misroute(INGRESS))
    life.turn(seconds=600)
    (one,) = life.listed(is_open=True)
    assert (one["cells_failing"], one["cells_unknown"], one["cells"][0]["now"]) == (1, 1, "unknown")
    assert one["sentence"].endswith(". Now nothing is known of what failed.")
    assert one["label"] == MISROUTE


def test_ids_outlive_the_controller_and_what_healed_meanwhile_is_closed(store: Store) -> None:
    life = Life(store)
    life.turn(life.misroute(INGRESS), life.misroute(POD2))
    (before,) = life.listed()
    after = Life(store, life.wall + 20)
    after.turn()
    (one,) = after.listed()
    assert (one["id"], one["opened_at"], one["cells_unknown"]) == (before["id"], before["opened_at"], 2)
    healed = [Flip(after.wall, *cell, MISROUTE, "healthy", "…") for cell in (INGRESS, POD2)]
    kept_flips.add_flips(store, healed)
    last = Life(store, after.wall + 20)
    last.turn()
    (one,) = last.listed()
    assert (one["id"], one["closed_because"], one["closed_at"]) == (before["id"], "healed", "2023-11-14T22:13:42.000Z")


def test_a_flip_whose_incident_was_not_written_any_more_is_told_by_the_next(store: Store) -> None:
    kept_flips.add_flips(store, [Flip(1_600_000_000.5, *INGRESS, "healthy", MISROUTE, "it broke")])
    life = Life(store)
    life.turn()
    (one,) = life.listed()
    assert (one["opened_at"], one["label"]) == ("2020-09-13T12:26:40.500Z", MISROUTE)
    assert one["sentence"] == "firewall → ingress: return-path misroute. Now nothing is known of what failed."


def test_a_label_that_was_judged_beside_a_holder_who_fell_is_told_now(store: Store) -> None:
    life = Life(store)
    life.desk.debounce.told[INGRESS] = "ingress-drop"
    life.incidents.begin([], {}, life.wall, life.wall)
    life.turn()
    assert [one["label"] for one in life.listed()] == ["ingress-drop"]


def test_cells_that_nobody_asks_any_more_end_it_without_having_healed(store: Store) -> None:
    life = Life(store)
    life.turn(life.misroute(INGRESS))
    document = TARGETS.read_text()
    without = "\n".join(line for line in document.splitlines() if "ingress-via-lb" not in line)
    assert without != document
    life.desk.adopt(parse(document.replace("every: 1s", "every: 2s")))
    life.turn()
    assert len(life.listed(is_open=True)) == 1, "another document, the same cells"
    life.desk.matrix.cells.pop(INGRESS)  # type: ignore[attr-defined]
    life.desk.targets = parse(document)
    life.turn()
    assert [one["closed_because"] for one in life.listed()] == ["undeclared"]


def test_many_cells_are_bounded_and_counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidents, "KEPT", 5)
    monkeypatch.setattr(incidents, "SHOWN", 2)
    life = Life(store)
    cells = [cell for cell in life.desk.matrix.cells if cell[0] == "firewall"][:6]
    life.turn(*(life.misroute(cell) for cell in cells))
    (one,) = life.listed()
    assert (one["cells_total"], one["cells_failing"], len(one["cells"])) == (6, 6, 2)
    assert len(life.reader.one(one["id"], life.wall)["cells"]) == 5
    again = Life(store, life.wall)
    again.turn()
    assert [(told["id"], told["cells_total"]) for told in again.listed()] == [(one["id"], 6)]


def test_a_large_fleets_incidents_are_as_a_small_ones(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "EACH_UP_TO", 0.0)
    monkeypatch.setattr(plan, "WHOLE_A_SECOND", 1e-5)
    life = Life(store)
    assert isinstance(life.desk.matrix, Columns)
    life.turn(life.misroute(INGRESS), life.misroute(POD2))
    (one,) = life.listed(is_open=True)
    assert (one["element"], [cell["now"] for cell in one["cells"]]) == ("node19", [MISROUTE, MISROUTE])
    life.turn(life.heal(INGRESS), life.heal(POD2))
    assert [one["closed_because"] for one in life.listed()] == ["healed"]


def test_who_lost_the_lease_tells_nothing(store: Store) -> None:
    life = Life(store)
    life.turn(life.misroute(INGRESS))
    life.incidents.end()
    life.turn(seconds=60)
    assert isinstance(incidents.opened(store)[0], Incident)
    assert not life.incidents.book.open


def until(true: Callable[[], Any], seconds: float = 10.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_the_api_tells_them_page_by_page_open_ones_alone_and_one_by_one(tmp_path: Path) -> None:
    with controller(tmp_path) as running:
        client = running.client
        assert client.get("/api/v1/incidents").json() == {"incidents": [], "cursor": None}
        running.judge_all()
        running.misroute()
        running.flip(*INGRESS, MISROUTE)
        running.judge("lb", "vm", "target")
        (one,) = until(lambda: client.get("/api/v1/incidents").json()["incidents"])
        assert one["cells"][0] | {"source": "firewall", "target": "ingress", "now": MISROUTE} == one["cells"][0]
        assert (one["culprit"], one["label"]) == (str(CULPRIT), MISROUTE)
        running.judge("firewall", "ingress")
        running.flip(*INGRESS, "healthy")
        until(lambda: client.get("/api/v1/incidents?open=false").json()["incidents"])
        running.flip("lb", "vm", "target")
        until(lambda: client.get("/api/v1/incidents?open=true").json()["incidents"])
        first = client.get("/api/v1/incidents?limit=1").json()
        rest = client.get("/api/v1/incidents", params={"limit": 1, "cursor": first["cursor"]}).json()
        assert [(page["incidents"][0]["element"], page["incidents"][0]["closed_because"]) for page in (first, rest)] \
            == [("lb → vm", None), ("node19", "healed")]  # fmt: skip
        assert client.get(f"/api/v1/incidents/{one['id']}").json()["closed_at"]
        for name in ("nope", "%00", "..%2f", one["id"] + "%00"):
            assert client.get(f"/api/v1/incidents/{name}").status_code == 404
        assert client.get("/api/v1/incidents?open=perhaps").status_code == 422


def test_incidents_are_for_viewers(tmp_path: Path) -> None:
    with controller(tmp_path) as running:
        for role, status in (("monitor", 403), ("viewer", 200)):
            headers = {"Authorization": f"Bearer {access.create(running.centre.store, role)}"}
            assert running.client.get("/api/v1/incidents", headers=headers).status_code == status
