"""What the whole fleet shares: the keys that seal its probes, and each agent's number."""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from prober.errors import CannotMeasure
from prober.probe import AGENTS
from prober.store.engine import Store
from prober.store.tables import agents, fleet

KEY_BYTES = 16
"""SipHash's key (`prober.probe.seal`)."""
RELAY, RELAY_BYTES = "relay", 32
"""The controllers' own secret (`relay_secret`)."""


def keys(store: Store, now_ns: int = 0) -> list[bytes]:
    """The current key first, then the one before it; the first call makes the first key, at `now_ns`."""
    with store.read() as connection:
        found = _values(connection)
    if "current" not in found:
        with store.begin() as connection:
            store.alone(connection, fleet)
            for key, value in (("current", secrets.token_bytes(KEY_BYTES)), ("rotated_at", b"%d" % now_ns)):
                connection.execute(store.insert(fleet).values(key=key, value=value).on_conflict_do_nothing())
            found = _values(connection)
    return [found[name] for name in ("current", "previous") if name in found]


def rotate(store: Store, now_ns: int) -> list[bytes]:
    """A new current key; the one that was current becomes the one before. As `keys`."""
    keys(store, now_ns)
    with store.begin() as connection:
        store.alone(connection, fleet)
        fresh = {"current": secrets.token_bytes(KEY_BYTES), "previous": _values(connection)["current"]}
        for key, value in (*fresh.items(), ("rotated_at", b"%d" % now_ns)):
            row = store.insert(fleet).values(key=key, value=value)
            connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": value}))
    return list(fresh.values())


def relay_secret(store: Store) -> bytes:
    """From which every agent's key for `prober.relay` is derived: the controllers alone know it, and all the same one.
    The first call makes it."""
    with store.read() as connection:
        found = _values(connection)
    if RELAY not in found:
        with store.begin() as connection:
            store.alone(connection, fleet)
            made = store.insert(fleet).values(key=RELAY, value=secrets.token_bytes(RELAY_BYTES))
            connection.execute(made.on_conflict_do_nothing())
            found = _values(connection)
    return found[RELAY]


def rotated_ns(store: Store) -> int | None:
    """When the current key was made; None before there is one."""
    with store.read() as connection:
        made = _values(connection).get("rotated_at")
    return None if made is None else int(made)


def _values(connection: sa.Connection) -> dict[str, bytes]:
    return {row.key: row.value for row in connection.execute(sa.select(fleet))}


def agent_number(store: Store, name: str, zone: str, now_ns: int = 0) -> int:
    """The agent's number, 0 to 4095, the same for ever: the lowest free one the first time it is asked for.

    An agent that moved keeps its number, its zone is noted. Raises CannotMeasure when all numbers are given away.
    """
    with store.read() as connection:
        row = connection.execute(sa.select(agents.c.number, agents.c.zone).where(agents.c.name == name)).one_or_none()
    if row is not None and row.zone == zone:
        return int(row.number)
    with store.begin() as connection:
        store.alone(connection, agents)
        given: dict[str, int] = {row.name: row.number for row in connection.execute(sa.select(agents))}
        number = given[name] if name in given else _lowest_free(set(given.values()), name)
        made = store.insert(agents).values(name=name, number=number, zone=zone, created_ns=now_ns)
        connection.execute(made.on_conflict_do_update(index_elements=["name"], set_={"zone": zone}))
    return number


def agent_numbers(store: Store) -> dict[tuple[str, str], int]:
    """The numbers that were given, by name and zone."""
    with store.read() as connection:
        return {(row.name, row.zone): row.number for row in connection.execute(sa.select(agents))}


def _lowest_free(taken: set[int], name: str) -> int:
    free = next((number for number in range(AGENTS) if number not in taken), None)
    if free is None:
        raise CannotMeasure(
            f"all {AGENTS} agent numbers are given away; delete agents that are gone to make {name} one"
        )
    return free
