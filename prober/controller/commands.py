"""What a line in a chat asks for, who may ask it, and what comes of it; which chat it is makes no difference here.

What is in memory (why, status, help) is answered at once. A run goes on in a task of its own, one a channel: it tells
its start, at most three times its progress, and the answer, with a picture where the chat can take one.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from prober.controller import access
from prober.controller.asked import Asked, Wanted, help_of, wanted_by
from prober.controller.desk import Desk
from prober.controller.incidents import Reader
from prober.controller.problems import told_of
from prober.controller.runs import Runs
from prober.controller.views import Views
from prober.errors import ProberError, Refused, StoreUnavailable
from prober.settings import Settings
from prober.surfaces import answer, incidents, picture
from prober.surfaces.answer import Answer, Note
from prober.surfaces.glyphs import shown

LOOK_EVERY = 0.2
TELL_AFTER = (3.0, 10.0, 30.0)
"""Seconds into a run at which its progress is told."""
GIVE_UP_AFTER = 25 * 60.0
"""A ``response_url`` lives for thirty minutes."""
DRAWN = 10_000
"""Cells of a matrix that is drawn at most."""
NEEDS = {"run": "operator", "why": "viewer", "status": "viewer"}
"""The role that a command asks for; help is for everybody."""

_log = structlog.get_logger("prober.chat")
Document = dict[str, Any]


class Centre(Protocol):
    """What chat needs of the controller."""

    @property
    def desk(self) -> Desk: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def incidents(self) -> Reader: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def views(self) -> Views: ...
    def now(self) -> float: ...
    def wall(self) -> float: ...
    async def seen_before(self, signature: str) -> bool: ...
    async def audit(self, who: str, what: str, detail: str) -> None: ...


class Talk(Protocol):
    """Where a run's words go. `answer` and `picture` raise a ProberError for what the chat does not take."""

    async def progress(self, sentence: str) -> None: ...
    async def answer(self, told: Answer | Note) -> None: ...
    async def picture(self, png: bytes, name: str, alt: str) -> None: ...
    @property
    def takes_pictures(self) -> bool: ...


class Started(Note):
    """The acknowledgement of a run whose words come by themselves."""


class Commands:
    """The commands of one controller's chats; what they started ends with `stop`."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self._running: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """A task that goes on after its request was answered."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, ProberError):
            _log.error("the answer did not reach the chat", why=str(error))
        elif error is not None:
            _log.error("a request of chat failed", exc_info=error)

    async def obey(self, asked: Asked, talk: Callable[[], Talk]) -> Answer | Note:
        """The direct answer; a mistake in the command is a sentence to who typed it."""
        try:
            return await self._obeyed(asked, talk)
        except ProberError as error:
            return Note(told_of(error))

    async def _obeyed(self, asked: Asked, talk: Callable[[], Talk]) -> Answer | Note:
        verb, *names = asked.text.split() or ["help"]
        names = [name for name in names if name not in ("→", "->")]
        verb = verb.lower()
        await self._allow(asked, verb)
        if verb == "run":
            return self._run(asked, names, talk)
        if verb == "why":
            return await self._why(names)
        if verb == "status":
            return await self._status()
        return help_of(asked.call, "" if verb == "help" else verb)

    async def _allow(self, asked: Asked, verb: str) -> None:
        """Refused, and noted in the audit log, for whom the document gives no such role."""
        chat, needed = self.centre.desk.targets.chat, NEEDS.get(verb, "none")
        if chat is None or access.allows(role := chat.role(asked.by), needed):
            return
        await self.centre.audit(asked.who, f"{verb} refused", shown(asked.text)[:500])
        name, listed = asked.name or asked.by, "operators" if needed == "operator" else "viewers"
        may = "may look, not start runs" if role == "viewer" else "has no role here"
        raise Refused(f"{name} {may}: chat.{listed} in targets.yaml must name {asked.by}.")

    def _run(self, asked: Asked, names: list[str], talk: Callable[[], Talk]) -> Note:
        wanted = wanted_by(self.centre.desk.targets, names)
        if asked.channel in self._running:
            return Note(f"{self._running[asked.channel]} is still running in this channel; wait for its answer.")
        work = self._work(asked, wanted, talk())
        self._running[asked.channel] = wanted.what
        self.keep(work)
        return Started(f"Running {wanted.what}…")

    async def _why(self, names: list[str]) -> Answer:
        if len(names) != 2:
            raise Refused("why takes a source and a target: why firewall ingress")
        declared = self.centre.desk.targets
        sources, targets = declared.expand_sources(names[:1]), declared.expand_targets(names[1:])
        if len(sources) > 1 or len(targets) > 1:
            raise Refused(
                f"{names[0]} → {names[1]} are {len(sources) * len(targets)} pairs; name one agent and one target"
            )
        try:
            document = await asyncio.to_thread(self.centre.views.path, sources[0], targets[0])
        except KeyError:
            raise Refused(f"no probe is declared from {sources[0]} to {targets[0]}; run asks all the same") from None
        return answer.of_path(document, self.centre.settings.public_url)

    async def _work(self, asked: Asked, wanted: Wanted, talk: Talk) -> None:
        """A run from its start to its answer, whatever happens on the way."""
        try:
            told, document = await self._outcome(asked, wanted, talk)
            await talk.answer(told)
            if document is not None:
                await self._draw(document, wanted.what, talk)
        except ProberError as error:
            _log.error("the answer did not reach the chat", what=wanted.what, why=str(error))
        finally:
            self._running.pop(asked.channel, None)

    async def _outcome(self, asked: Asked, wanted: Wanted, talk: Talk) -> tuple[Answer | Note, Document | None]:
        try:
            return await self._ran(asked, wanted, talk)
        except ProberError as error:
            return Note(told_of(error)), None
        except Exception:  # noqa: BLE001  # the channel must not wait for ever, whatever broke
            _log.exception("a run for chat failed", what=wanted.what)
            return Note(f"{wanted.what}: something went wrong here; the controller's log says what"), None

    async def _ran(self, asked: Asked, wanted: Wanted, talk: Talk) -> tuple[Answer, Document]:
        started, what = self.centre.now(), wanted.what
        run_id = await self.centre.runs.start(wanted.sources, wanted.targets, None, asked.who)
        document = self.centre.views.run(run_id)
        await talk.progress(f"{what}: the run of {_count(document['pairs'])} has started.")
        waits = list(TELL_AFTER)
        while document["state"] == "running" and self.centre.now() - started < GIVE_UP_AFTER:
            await asyncio.sleep(LOOK_EVERY)
            document = self.centre.views.run(run_id)
            if waits and self.centre.now() - started >= waits[0]:
                waits.pop(0)
                await talk.progress(f"{what}: {document['judged']} of {document['probes']} probes judged.")
        state = "" if document["state"] == "finished" else f" and is {document['state']}"
        took, whose = f"{self.centre.now() - started:.1f} s", asked.name or asked.by
        note = f"run {run_id}, {_count(document['pairs'])}, {took}{state}, for {whose}"
        return self._told(document, note), document

    async def _draw(self, document: Document, what: str, talk: Talk) -> None:
        """The picture, where the chat takes one. Without it the text has said all."""
        if not talk.takes_pictures or len(document["sources"]) * len(document["targets"]) > DRAWN:
            return
        try:
            png = await asyncio.to_thread(picture.png, document)
            await talk.picture(png, f"{what}, run {document['id']}", answer.described(document))
        except ProberError as error:
            _log.warning("the picture of a run is not shown", run=document["id"], why=str(error))

    async def _status(self) -> Answer:
        """Every pair as it stands, and the incidents that are open."""
        told = self._told(self.centre.views.matrix())
        try:
            found = await asyncio.to_thread(self.centre.incidents.listed, None, 50, True, self.centre.now())
        except StoreUnavailable as error:
            why = f"which incidents are open is not known: {told_of(error)}"
            return dataclasses.replace(told, details=(*told.details, why))
        return dataclasses.replace(told, details=(*incidents.lines(found["incidents"]), *told.details))

    def _told(self, document: Document, note: str = "") -> Answer:
        """The answer to a matrix; what to do next is what was said of its worst cell."""
        step, cell = "", answer.worst(document)
        kept = self.centre.desk.evidence.get((cell["source"], cell["target"])) if cell else None
        if cell and kept and kept.verdict.label.value == cell["label"]:
            step = kept.verdict.next_step
        return answer.of_matrix(document, step, self.centre.settings.public_url, note)


def _count(pairs: int) -> str:
    return "1 pair" if pairs == 1 else f"{pairs} pairs"
