"""The doors of chat: slash commands of Slack and Mattermost, and Slack's mentions. Acknowledged at once.

A slash command is answered at its ``response_url``, a mention in its thread by the bot. Who may come in is said by
`slack_door` and `chats`, what is done by `commands`.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import parse_qs

import httpx
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from prober.controller import chat_described, chats, examples, posts, slack_door, talks
from prober.controller.agents_api import read_body
from prober.controller.asked import Asked
from prober.controller.commands import Centre, Commands, Started
from prober.controller.problems import problem, told_of
from prober.controller.slack_door import Mention
from prober.controller.slack_web import Web
from prober.errors import Refused, StoreUnavailable
from prober.surfaces import mattermost, slack
from prober.surfaces.answer import Answer, Note
from prober.surfaces.glyphs import shown

LIMIT = 64 * 1024
"""Bytes of a command's body at most; Slack's own have a few hundred."""
EVENT_LIMIT = 256 * 1024
"""The same of an event: it holds a whole message, twice."""
READ_WITHIN = 5.0
SEND_WITHIN = 3.0
AGAIN = Note("This very request came before; nothing new was started.")

TEXT = 2000
"""Characters of a command at most."""
_COMMAND = re.compile(r"/[A-Za-z0-9_-]{1,40}")

Form = dict[str, list[str]]


class _Chat(NamedTuple):
    """A chat with slash commands. ``setting`` says where its answers may go."""

    name: str
    markup: talks.Markup
    setting: str


SLACK = _Chat("slack", slack, "slack_response_hosts")
MATTERMOST = _Chat("mattermost", mattermost, "mattermost_url")


def routes(centre: Centre) -> APIRouter:
    """The routes of one controller; what they started ends with it. Raises ConfigInvalid for half of a chat."""
    doors = _Doors(centre, chats.of(centre.settings))

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=SEND_WITHIN) as doors.client:
            yield
            await doors.commands.stop()

    router = APIRouter(lifespan=life, tags=["chat"], responses=examples.PROBLEMS)
    add = router.add_api_route
    for path, door, name, told in (
        ("/chat/slack/commands", doors.slack_command, "slack_command", chat_described.COMMAND),
        ("/chat/slack/events", doors.slack_event, "slack_event", chat_described.EVENT),
        ("/chat/mattermost/commands", doors.mattermost_command, "mattermost_command", chat_described.COMMAND),
    ):
        add(path, door, methods=["POST"], operation_id=name, response_class=Response, **told)
    return router


class _Doors:
    def __init__(self, centre: Centre, there: chats.Chats) -> None:
        self.centre, self.there, self.commands = centre, there, Commands(centre)
        self.client = httpx.AsyncClient(timeout=SEND_WITHIN)

    async def slack_command(self, request: Request) -> Response:
        """A Slack slash command. 401 for whatever was not signed by Slack within five minutes."""
        body = await self._signed(request, LIMIT)
        if isinstance(body, Response):
            return body
        given = slack_door.signature(request.headers)
        if given and await self.centre.seen_before(given[0]):
            return JSONResponse(slack.reply(AGAIN))
        try:
            form = _form(body)
        except Refused as error:
            return JSONResponse(slack.reply(Note(str(error))))
        return await self._answered(form, SLACK, self.centre.settings.slack_response_hosts, self._web())

    async def slack_event(self, request: Request) -> Response:
        """What Slack's Events API posts: its challenge is given back, a mention of the bot is obeyed in its thread."""
        if self.there.signing_secret and not self.there.bot_token:
            return problem(404, "mentions are not set up here: give the bot's token as PROBER_SLACK_BOT_TOKEN_FILE")
        body = await self._signed(request, EVENT_LIMIT)
        if isinstance(body, Response):
            return body
        try:
            told = slack_door.envelope(body)
        except Refused as error:
            return problem(400, str(error))
        if told.type == "url_verification":
            return PlainTextResponse(told.challenge[:1000])
        if found := slack_door.mention(told, self.centre.wall()):
            self.commands.keep(self._mentioned(found))
        return Response(status_code=200)

    async def mattermost_command(self, request: Request) -> Response:
        """A Mattermost slash command. 401 for one without the token that Mattermost gave it."""
        if not self.there.mattermost_tokens:
            return problem(
                404, "Mattermost is not set up here: give the command's token as PROBER_MATTERMOST_TOKEN_FILE"
            )
        body = await _read(request, LIMIT)
        if isinstance(body, Response):
            return body
        try:
            form = _form(body)
        except Refused as error:
            return problem(400, str(error))
        tokens = form.get("token", [])
        if len(tokens) != 1 or not self.there.is_mattermost(tokens[0]):
            return problem(401, "this request does not carry the token of Mattermost's slash command")
        if await self.centre.seen_before("mattermost " + hashlib.sha256(body).hexdigest()):
            return JSONResponse(mattermost.reply(AGAIN))
        hosts = (f"{self.centre.settings.mattermost_url}/hooks/commands",)
        return await self._answered(form, MATTERMOST, hosts)

    async def _signed(self, request: Request, limit: int) -> bytes | Response:
        """The body of what Slack signed, or the problem."""
        if self.there.signing_secret is None:
            return problem(
                404, "Slack is not set up here: give the app's signing secret as PROBER_SLACK_SIGNING_SECRET_FILE"
            )
        given = slack_door.signature(request.headers)
        if given is None:
            return problem(401, "this request is not signed by Slack")
        body = await _read(request, limit)
        if isinstance(body, bytes) and not slack_door.verified(
            self.there.signing_secret, given, body, self.centre.wall()
        ):
            return problem(401, "this request is not signed by Slack, or its stamp is more than five minutes off")
        return body

    async def _answered(self, form: Form, chat: _Chat, hosts: tuple[str, ...], web: Web | None = None) -> Response:
        """The acknowledgement of a slash command, or its answer."""
        asked = _asked(form, chat.name)

        def talk() -> talks.ByUrl:
            url = posts.destination(_field(form, "response_url"), hosts, chat.setting)
            return talks.ByUrl(posts.Posts(self.client, url), chat.markup, web, _field(form, "channel_id"))

        told = await self.commands.obey(asked, talk)
        return JSONResponse(chat.markup.answer(told) if isinstance(told, Answer) else chat.markup.reply(told))

    async def _mentioned(self, found: Mention) -> None:
        """Obeys a mention, once: the same event that comes again starts nothing."""
        web = self._web()
        assert web is not None
        talk = talks.InThread(web, found.channel, found.thread)
        channel = f"slack {found.team}/{found.channel}"
        asked = Asked(found.text[:TEXT], channel, f"slack:{shown(found.user)[:80]}", "", "@prober")
        try:
            if await self.centre.seen_before(f"event {found.event_id}"):
                return
            told: Answer | Note = await self.commands.obey(asked, lambda: talk)
        except StoreUnavailable as error:
            told = Note(told_of(error))
        if not isinstance(told, Started):
            await talk.answer(told)

    def _web(self) -> Web | None:
        """The bot, where there is one."""
        if self.there.bot_token is None:
            return None
        settings = self.centre.settings
        return Web(self.client, settings.slack_api, self.there.bot_token, settings.slack_upload_hosts)


async def _read(request: Request, limit: int) -> bytes | Response:
    """The body, or the problem of one that only drips."""
    try:
        async with asyncio.timeout(READ_WITHIN):
            return await read_body(request, limit)
    except TimeoutError:
        return problem(408, f"the body did not come within {READ_WITHIN:.0f} s")


def _form(body: bytes) -> Form:
    """The form that a chat posts. Refused for one that can't be read."""
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError:
        raise Refused("this command can't be read as a form") from None


def _field(form: Form, name: str) -> str:
    return form.get(name, [""])[0]


def _asked(form: Form, chat: str) -> Asked:
    """The command in a form. Slack and Mattermost name its fields alike."""
    text, command = _field(form, "text")[:TEXT], _field(form, "command")
    call = command if _COMMAND.fullmatch(command) else "/prober"
    channel = f"{chat} {_field(form, 'team_id')}/{_field(form, 'channel_id')}"
    by = f"{chat}:{shown(_field(form, 'user_id'))[:80]}"
    return Asked(
        slack_door.plain(text) if chat == "slack" else text, channel, by, shown(_field(form, "user_name"))[:80], call
    )
