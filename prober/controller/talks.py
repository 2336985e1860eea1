"""Where the words of a command go: to a ``response_url`` of Slack or Mattermost, or into a thread of Slack."""

from __future__ import annotations

from typing import Protocol

import structlog

from prober.controller.posts import Posts
from prober.controller.slack_web import NotTaken, Web
from prober.surfaces import slack
from prober.surfaces.answer import Answer, Note
from prober.surfaces.slack import Message

_log = structlog.get_logger("prober.chat")


class Markup(Protocol):
    """What `prober.surfaces.slack` and `prober.surfaces.mattermost` both do."""

    def answer(self, told: Answer) -> Message: ...
    def note(self, told: Note) -> Message: ...
    def reply(self, told: Note) -> Message: ...


class ByUrl:
    """The answer to a slash command; pictures go to its `channel` where there is a bot (`web`)."""

    def __init__(self, posts: Posts, markup: Markup, web: Web | None = None, channel: str = "") -> None:
        self._posts, self._markup, self._web, self._channel = posts, markup, web, channel

    @property
    def takes_pictures(self) -> bool:
        return self._web is not None

    async def progress(self, sentence: str) -> None:
        await self._posts.progress(self._markup.note(Note(sentence)))

    async def answer(self, told: Answer | Note) -> None:
        message = self._markup.note(told) if isinstance(told, Note) else self._markup.answer(told)
        await self._posts.answer(message)

    async def picture(self, png: bytes, name: str, alt: str) -> None:
        """Raises `NotTaken`: where the bot is not in the channel, for one."""
        assert self._web is not None
        await self._web.picture(self._channel, None, png, name, alt)


class InThread:
    """The answer to a mention: one message that tells the progress, and one that is the answer."""

    takes_pictures = True

    def __init__(self, web: Web, channel: str, thread: str) -> None:
        self._web, self._channel, self._thread = web, channel, thread
        self._told = ""

    async def progress(self, sentence: str) -> None:
        """A failure is logged: the answer may arrive all the same."""
        message = slack.post(Note(sentence))
        try:
            if self._told:
                await self._web.update(self._channel, self._told, message)
            else:
                self._told = await self._web.post(self._channel, self._thread, message)
        except NotTaken as error:
            _log.warning("progress did not reach Slack", why=str(error))

    async def answer(self, told: Answer | Note) -> None:
        """Raises `NotTaken`."""
        await self._web.post(self._channel, self._thread, slack.post(told))

    async def picture(self, png: bytes, name: str, alt: str) -> None:
        """Raises `NotTaken`."""
        await self._web.picture(self._channel, self._thread, png, name, alt)
