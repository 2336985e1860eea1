"""Whose signature counts: the agents' public keys as the store has them, and the signatures that were used."""

from __future__ import annotations

import asyncio
import time

from prober import signature
from prober.controller.access import REMEMBERED_SECONDS, Unknown
from prober.signature import Seen, Signed
from prober.store.engine import Store
from prober.store.keys import Key, get_key, good_keys

_CURE = "enrol it with a new token: prober token create --agent {agent} --zone ZONE"


class Signers:
    """The keys are read anew, all with one look, when they are `REMEMBERED_SECONDS` old: within that a revoked one is
    refused. One that is not among them, or does not fit, is looked up by itself: who enrolled elsewhere is known at
    once. Signatures are remembered by each controller for itself: another one takes a repeat as it takes a report that
    comes twice, and the store has it once.

    Who asks may be anybody, and a database may hang: every look is made in a thread.
    """

    def __init__(self, store: Store) -> None:
        self.store, self._seen = store, Seen()
        self._keys: dict[str, bytes] = {}
        self._until = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def check(self, signed: Signed, path: str, digest: str, wall: float, now: float | None = None) -> None:
        """That its agent posted this, just now and not before. `wall`: this controller's clock, Unix seconds, the one
        that its answers tell; `now`: monotonic seconds. Raises Unknown, StoreUnavailable.
        """
        now = time.monotonic() if now is None else now
        if not signature.is_now(signed.created, wall):
            raise Unknown(
                f"this was signed at {signed.created} and it is {int(wall)} here: sign by the clock of the controller, "
                f"which is in its answers (Date), within {signature.WINDOW:.0f} s"
            )
        await self._check_key(signed, path, digest, now)
        if self._seen.again(signed.signature, now):
            raise Unknown("this very request came before; sign each one anew")

    async def _check_key(self, signed: Signed, path: str, digest: str, now: float) -> None:
        """By the key that is known, or by the one that the store has by now."""
        agent, known = signed.agent, (await self._known(now)).get(signed.agent)
        if known is not None and signature.is_genuine(signed, known, "POST", path, digest):
            return
        found, cure = await asyncio.to_thread(get_key, self.store, agent), _CURE.format(agent=agent[:80])
        if found is None:
            raise Unknown(f"agent {agent[:80]} has no key here; {cure}")
        if found.revoked_ns is not None:
            self._keys.pop(agent, None)
            raise Unknown(f"the key of agent {agent} was revoked; {cure}")
        if found.public == known or not signature.is_genuine(signed, found.public, "POST", path, digest):
            raise Unknown(f"this is not signed with the key that agent {agent} enrolled; if it lost that key, {cure}")
        self.learn(found)

    def may_report(self, agent: str, now: float | None = None) -> bool:
        """Whether this agent has a key that is good: what a peer hands in for it is as good as the agent is. In a
        thread: it may look."""
        now = time.monotonic() if now is None else now
        if now < self._until and agent in self._keys:
            return True
        found = get_key(self.store, agent)
        return found is not None and found.revoked_ns is None

    def learn(self, key: Key) -> None:
        """An agent was enrolled: from now on this key counts, and the one before no more."""
        self._keys[key.agent] = key.public

    async def _known(self, now: float) -> dict[str, bytes]:
        """All keys; who comes while they are being read waits for the same look."""
        if now >= self._until:
            self._looking = self._looking or asyncio.create_task(self._look(now))
            await asyncio.shield(self._looking)
        return self._keys

    async def _look(self, now: float) -> None:
        try:
            self._keys = await asyncio.to_thread(good_keys, self.store)
            self._until = now + REMEMBERED_SECONDS
        finally:
            self._looking = None
