"""``/prober`` in Slack: a signed slash command in, acknowledged at once, the answer later at its ``response_url``.

What is in memory (why, status, help) is answered with the acknowledgement itself. A run goes on in a task of its own:
at most five posts (start, three of progress for the asker alone, the answer for the channel), one run a channel.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs

import httpx
import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from prober.controller import slack_door
from prober.controller.agents_api import read_body
from prober.controller.desk import Desk
from prober.controller.incidents import Reader
from prober.controller.problems import problem
from prober.declared import Targets
from prober.errors import ProberError, Refused, StoreUnavailable
from prober.settings import Settings
from prober.surfaces import answer, incidents, slack
from prober.surfaces.glyphs import shown

LIMIT = 64 * 1024
"""Bytes of a command's body at most; Slack's own have a few hundred."""
READ_WITHIN = 5.0
LOOK_EVERY = 0.2
TELL_AFTER = (3.0, 10.0, 30.0)
"""Seconds into a run at which its progress is told."""
GIVE_UP_AFTER = 25 * 60.0
"""A ``response_url`` lives for thirty minutes."""
SEND_WITHIN = 3.0

HELP = """`/prober run firewall ingress` – probe these pairs now; names of zones, groups, agents and targets
`/prober run firewall` – everything from (or to) one name; `/prober run` – everything
`/prober why firewall ingress` – which packet was seen where, and what follows from it
`/prober status` – every pair as it stands, and the incidents that are open
`/prober help` – this"""

_log = structlog.get_logger("prober.chat")
Document = dict[str, Any]


class Centre(Protocol):
    """What chat needs of the controller. `start_run` raises Refused; the documents raise KeyError for what is not."""

    @property
    def desk(self) -> Desk: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def incidents(self) -> Reader: ...
    def now(self) -> float: ...
    def wall(self) -> float: ...
    async def start_run(self, sources: list[str], targets: list[str], flows: int | None, asked_by: str) -> str: ...
    def run_document(self, run_id: str) -> Document: ...
    def matrix_document(self) -> Document: ...
    def path_document(self, source: str, target: str) -> Document: ...
    async def seen_before(self, signature: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One slash command."""

    text: str
    url: str
    channel: str
    by: str


def routes(centre: Centre) -> APIRouter:
    """The routes of one controller; what they started ends with it."""
    chat = _Chat(centre)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=SEND_WITHIN) as chat.client:
            yield
            await chat.stop()

    router = APIRouter(lifespan=life, tags=["chat"])
    router.add_api_route("/chat/slack/commands", chat.command, methods=["POST"], operation_id="slack_command")
    return router


class _Chat:
    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self.client = httpx.AsyncClient(timeout=SEND_WITHIN)
        self._running: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def command(self, request: Request) -> Response:
        """A Slack slash command. 401 for whatever was not signed by Slack within five minutes."""
        secret = self.centre.settings.slack_signing_secret
        if secret is None:
            return problem(
                404, "Slack is not set up here: give the app's signing secret as PROBER_SLACK_SIGNING_SECRET"
            )
        given = slack_door.signature(request.headers)
        if given is None:
            return problem(401, "this request is not signed by Slack")
        try:
            async with asyncio.timeout(READ_WITHIN):
                body = await read_body(request, LIMIT)
        except TimeoutError:
            return problem(408, f"the body did not come within {READ_WITHIN:.0f} s")
        if not slack_door.verified(secret.get_secret_value(), given, body, self.centre.wall()):
            return problem(401, "this request is not signed by Slack, or its stamp is more than five minutes off")
        if await self.centre.seen_before(given[0]):
            return JSONResponse(slack.reply("This very request came before; nothing new was started."))
        return JSONResponse(await self._replied(body))

    async def _replied(self, body: bytes) -> slack.Message:
        """The acknowledgement; a mistake in the command is a sentence to who typed it."""
        try:
            return await self._obeyed(_asked(body))
        except ProberError as error:
            return slack.reply(str(error))

    async def _obeyed(self, asked: Asked) -> slack.Message:
        verb, *names = asked.text.split() or ["help"]
        names = [name for name in names if name not in ("→", "->")]
        verb = verb.lower()
        if verb == "run":
            return self._run(asked, names)
        if verb == "why":
            return await self._why(names)
        if verb == "status":
            return slack.answer(await self._status())
        return slack.reply(HELP if verb == "help" else f"There is no command {verb[:40]}. There are:\n{HELP}")

    def _run(self, asked: Asked, names: list[str]) -> slack.Message:
        sources, targets = chosen(self.centre.desk.targets, names)
        url = slack_door.response_url(asked.url, self.centre.settings.slack_response_hosts)
        what = f"{', '.join(sources) or 'all'} → {', '.join(targets) or 'all'}"
        if asked.channel in self._running:
            return slack.reply(f"{self._running[asked.channel]} is still running in this channel; wait for its answer.")
        self._running[asked.channel] = what
        posts = slack_door.Posts(self.client, url)
        task = asyncio.create_task(self._work(asked, what, sources, targets, posts))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return slack.reply(f"Running {what}…")

    async def _why(self, names: list[str]) -> slack.Message:
        if len(names) != 2:
            raise Refused("why takes a source and a target: /prober why firewall ingress")
        declared = self.centre.desk.targets
        sources, targets = declared.expand_sources(names[:1]), declared.expand_targets(names[1:])
        if len(sources) > 1 or len(targets) > 1:
            raise Refused(
                f"{names[0]} → {names[1]} are {len(sources) * len(targets)} pairs; name one agent and one target"
            )
        try:
            document = await asyncio.to_thread(self.centre.path_document, sources[0], targets[0])
        except KeyError:
            raise Refused(f"no probe is declared from {sources[0]} to {targets[0]}; `run` asks all the same") from None
        return slack.answer(answer.of_path(document, self.centre.settings.public_url))

    async def _work(
        self, asked: Asked, what: str, sources: list[str], targets: list[str], posts: slack_door.Posts
    ) -> None:
        """A run from its start to its answer, whatever happens on the way."""
        try:
            message = await self._ran(asked, what, sources, targets, posts)
        except ProberError as error:
            message = slack.note(str(error))
        except Exception:  # noqa: BLE001  # the channel must not wait for ever, whatever broke
            _log.exception("a run for chat failed", what=what)
            message = slack.note(f"{what}: something went wrong here; the controller's log says what")
        try:
            await posts.answer(message)
        finally:
            self._running.pop(asked.channel, None)

    async def _ran(
        self, asked: Asked, what: str, sources: list[str], targets: list[str], posts: slack_door.Posts
    ) -> slack.Message:
        started = self.centre.now()
        run_id = await self.centre.start_run(sources, targets, None, asked.by)
        document = self.centre.run_document(run_id)
        await posts.progress(slack.note(f"{what}: the run of {_count(document['pairs'])} has started."))
        waits = list(TELL_AFTER)
        while document["state"] == "running" and self.centre.now() - started < GIVE_UP_AFTER:
            await asyncio.sleep(LOOK_EVERY)
            document = self.centre.run_document(run_id)
            if waits and self.centre.now() - started >= waits[0]:
                waits.pop(0)
                await posts.progress(slack.note(f"{what}: {document['judged']} of {document['probes']} probes judged."))
        state = "" if document["state"] == "finished" else f" and is {document['state']}"
        took = f"{self.centre.now() - started:.1f} s"
        return slack.answer(
            self._told(document, f"run {run_id}, {_count(document['pairs'])}, {took}{state}, for {asked.by}")
        )

    async def _status(self) -> answer.Answer:
        """Every pair as it stands, and the incidents that are open."""
        told = self._told(self.centre.matrix_document())
        try:
            found = await asyncio.to_thread(self.centre.incidents.listed, None, 50, True, self.centre.now())
        except StoreUnavailable as error:
            return dataclasses.replace(told, details=(*told.details, f"which incidents are open is not known: {error}"))
        return dataclasses.replace(told, details=(*incidents.lines(found["incidents"]), *told.details))

    def _told(self, document: Document, note: str = "") -> answer.Answer:
        """The answer to a matrix; what to do next is what was said of its worst cell."""
        step, cell = "", answer.worst(document)
        kept = self.centre.desk.evidence.get((cell["source"], cell["target"])) if cell else None
        if cell and kept and kept.verdict.label.value == cell["label"]:
            step = kept.verdict.next_step
        return answer.of_matrix(document, step, self.centre.settings.public_url, note)


def _count(pairs: int) -> str:
    return "1 pair" if pairs == 1 else f"{pairs} pairs"


def chosen(declared: Targets, names: list[str]) -> tuple[list[str], list[str]]:
    """Sources and targets of a run; names in one word have commas between. Refused for a name that means nothing.

    One name alone is a source where it means agents, else a target; none means everything that is declared.
    """
    if len(names) > 2:
        raise Refused("run takes a source and a target, several with commas between: /prober run firewall,lb ingress")
    lists = [[one for one in name.split(",") if one] for name in names]
    if not all(lists):
        raise Refused("a comma alone names nothing: /prober run firewall,lb ingress")
    if len(lists) == 2:
        declared.expand_sources(lists[0])
        declared.expand_targets(lists[1])
        return lists[0], lists[1]
    if not lists:
        return [], []
    agents, known = declared.names.agents, declared.names
    if all(known.expand((name,), agents) for name in lists[0]):
        return lists[0], []
    declared.expand_targets(lists[0])
    return [], lists[0]


def _asked(body: bytes) -> Asked:
    """The form that Slack posts. Refused for one that is not."""
    try:
        form = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError:
        raise Refused("this command can't be read as a form") from None

    def field(name: str) -> str:
        return form.get(name, [""])[0]

    who = shown(field("user_name") or field("user_id") or "somebody")[:80]
    channel = f"{field('team_id')}/{field('channel_id')}"
    return Asked(field("text")[:2000], field("response_url"), channel, f"slack:{who}")
