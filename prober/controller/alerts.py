"""Alerts, kept and told by the holder of the lease: incidents and burn rates -> the store -> a courier each receiver.

It reads what the store holds and writes what follows, off the way that reports take: a receiver that hangs keeps no
probe from being judged, and a controller that dies between two steps leaves the rest to the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import httpx
import structlog

from prober import alert, slo
from prober.alert import Alert
from prober.controller.courier import Courier, decoded, encoded
from prober.controller.desk import Desk
from prober.controller.incidents import members
from prober.controller.receivers import Receiver
from prober.errors import Deposed, StoreUnavailable
from prober.flip import Cell
from prober.store import alerts, incidents
from prober.store.engine import Store
from prober.surfaces.metrics import Told

LOOK_EVERY = 1.0
"""Seconds between two looks at incidents."""
BURNS_EVERY = 15.0
"""Seconds between two looks at burn rates: the shortest window has twenty."""
LATE = 600.0
"""Seconds after its end for which an incident that was never seen open is told: the store may have been away."""

_log = structlog.get_logger("prober.alerts")


class Holder(Protocol):
    """Whether this controller tells, and the store behind its fence."""

    @property
    def held(self) -> bool: ...
    @property
    def store(self) -> Store: ...


class Alerts:
    """`wall` gives Unix seconds, ``base`` is the page's address in links."""

    def __init__(
        self, desk: Desk, holder: Holder, receivers: Sequence[Receiver], wall: Callable[[], float], base: str | None
    ) -> None:
        self.desk, self.holder, self.wall, self.base = desk, holder, wall, base
        self.client = httpx.AsyncClient(timeout=10.0)
        self.couriers = [Courier(one, self.client, wall) for one in receivers]
        self._burnt: dict[str, float] = {}
        self._next_burns = float("-inf")

    def works(self) -> list[Any]:
        """What goes on for ever; nothing where nobody is to be told."""
        if not self.couriers:
            return []
        self._complain()
        return [self._look_for_ever(), *(one.run(self._store) for one in self.couriers)]

    def told(self) -> list[Told]:
        """What was told to whom."""
        return [
            Told(one.receiver.kind, one.receiver.name, one.counts.delivered, one.counts.failed, one.counts.dropped,
                 one.counts.waiting, one.trouble is not None)
            for one in self.couriers
        ]  # fmt: skip

    async def close(self) -> None:
        await self.client.aclose()

    def _store(self) -> Store | None:
        return self.holder.store if self.holder.held else None

    def _complain(self) -> None:
        """An objective may name receivers that nobody told this controller of."""
        known = {one.receiver.kind for one in self.couriers}
        for one in self.desk.targets.objectives:
            if one.alerts and not known & set(one.alerts):
                _log.warning("nobody is told when a budget burns", objective=one.name, wanted=list(one.alerts))

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            store = self._store()
            if store is None:
                self._burnt = {}
                continue
            try:
                await self.look(store)
            except (StoreUnavailable, Deposed):
                continue  # whoever writes says so
            except Exception:  # noqa: BLE001  # the next look is taken, whatever this one stumbled over
                _log.exception("a look at what is to be told failed")

    async def look(self, store: Store) -> None:
        """What is to be told now, kept. Raises StoreUnavailable, Deposed."""
        wall = self.wall()
        burns = self._burns(wall)
        if await asyncio.to_thread(self._note, store, wall, burns):
            for one in self.couriers:
                one.wake()

    def _burns(self, wall: float) -> dict[str, list[slo.Alert]] | None:
        """What burns too fast, by objective; None where it is not the time to look."""
        if wall < self._next_burns:
            return None
        self._next_burns = wall + BURNS_EVERY
        standings = self.desk.tally.ledger.standings(wall)
        return {one.objective: list(found) for one in standings if (found := slo.alerts(one))}

    def _note(self, store: Store, wall: float, burns: dict[str, list[slo.Alert]] | None) -> bool:
        """For a thread. Whether anything has changed."""
        kept = {one.id: one for one in map(decoded, alerts.since(store, _ns(wall - 2 * LATE)))}
        changed = [*self._incidents(store, wall, kept)]
        if burns is not None:
            changed += self._budgets(store, wall, kept, burns)
        if changed:
            alerts.keep(store, [encoded(one) for one in changed])
            for one in changed:
                _log.info("an alert", id=one.id, state=one.state, severity=one.severity, what=one.title)
        return bool(changed)

    def _incidents(self, store: Store, wall: float, kept: dict[str, Alert]) -> Iterable[Alert]:
        rows = {row.id: row for row in incidents.since(store, _ns(wall - LATE))}
        for one in kept.values():
            if one.kind == "incident" and one.closed is None and one.id not in rows:
                row = incidents.get(store, one.id)
                if row is None:
                    yield alert.over(one, wall, alert.FORGOTTEN)
                else:
                    rows[row.id] = row
        for row in rows.values():
            if (made := alert.follow(kept.get(row.id), self._of(row))) is not None:
                yield made

    def _of(self, row: incidents.Row) -> Alert:
        return Alert(
            id=row.id, kind="incident", severity=alert.severity_of(row.label),
            title=alert.title_of(row.label, row.element, row.cells), sentence=row.sentence, opened=row.opened_ns / 1e9,
            closed=None if row.closed_ns is None else row.closed_ns / 1e9, because=row.because, label=row.label,
            cause=row.cause or "", confidence=row.confidence or "", culprit=row.culprit or "", next_step=row.next_step,
            cells=row.cells, failing=row.failing, zones=tuple(row.zones), link=self._link(f"#/incident/{row.id}"),
        )  # fmt: skip

    def _budgets(
        self, store: Store, wall: float, kept: dict[str, Alert], burns: dict[str, list[slo.Alert]]
    ) -> Iterable[Alert]:
        known = {one.objective: one for one in kept.values() if one.kind == "burn" and one.closed is None}
        declared = {one.name: one for one in self.desk.targets.objectives}
        for name, found in burns.items():
            left = found if name in known else self._unexplained(store, wall, name, found)
            if left:
                self._burnt[name] = wall
                made = alert.of_burns(left, known.get(name), wall, declared[name].alerts, self._link(""))
                if (news := alert.follow(known.get(name), made)) is not None:
                    yield news
        for name, one in known.items():
            if name not in declared:
                yield alert.over(one, wall, alert.UNDECLARED)
            elif wall - self._burnt.setdefault(name, wall) >= alert.HOLD:
                yield alert.over(one, wall, alert.BURNS_NO_MORE)

    def _unexplained(self, store: Store, wall: float, name: str, found: list[slo.Alert]) -> list[slo.Alert]:
        """What no incident tells already: one cause, one alert."""
        promise = self.desk.tally.ledger.objectives[name]
        pairs = [c for c in list(self.desk.matrix.cells) if c[0] in promise.sources and c[1] in promise.targets]
        left = []
        for burn in found:
            rows = incidents.since(store, _ns(wall - slo.WINDOWS[burn.short]))
            broken: set[Cell] = {one.cell for row in rows for one in members(row)}
            share = sum(cell in broken for cell in pairs) / max(1, len(pairs))
            if not alert.explained(burn, share, promise.availability):
                left.append(burn)
        return left

    def _link(self, rest: str) -> str:
        return f"{self.base}/{rest}" if self.base and self.base.startswith(("http://", "https://")) else ""


def _ns(seconds: float) -> int:
    return round(seconds * 1e6) * 1000
