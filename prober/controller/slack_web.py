"""Slack's Web API, as far as an answer needs it: posts in a thread, and the picture of a matrix.

A picture takes three steps (Slack, "Working with files"): a place for it, its bytes, and where it is to be shown. The
place is Slack's to name, so its host is checked; the bot's token goes to the API alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import structlog

from prober.controller.posts import PAUSES, destination
from prober.errors import ProberError

ALT = 1000
"""Characters of a picture's description at most."""
UPLOAD_WITHIN = 20.0
LONGEST_PAUSE = 30.0

_log = structlog.get_logger("prober.chat")


class NotTaken(ProberError):
    """Slack did not take what was sent."""


class Web:
    """One bot. `api` is the address of the Web API; pictures go to `hosts` alone."""

    def __init__(self, client: httpx.AsyncClient, api: str, token: str, hosts: Sequence[str]) -> None:
        self._client, self._api, self._hosts = client, api.rstrip("/"), hosts
        self._authorization = {"Authorization": f"Bearer {token}"}

    async def post(self, channel: str, thread: str, message: dict[str, Any]) -> str:
        """A message in a thread: its ``ts``. Tries again; raises `NotTaken`."""
        given = {"channel": channel, "thread_ts": thread, "unfurl_links": False, "unfurl_media": False, **message}
        return str((await self._patiently("chat.postMessage", given)).get("ts", ""))

    async def update(self, channel: str, ts: str, message: dict[str, Any]) -> None:
        """Other words for a message that was posted. One try; raises `NotTaken`."""
        await self._call("chat.update", json={"channel": channel, "ts": ts, **message})

    async def picture(self, channel: str, thread: str | None, png: bytes, name: str, alt: str) -> None:
        """Shows a PNG in a channel, or in its thread. Raises `NotTaken`, `Refused` for an upload to another host."""
        wanted = {"filename": f"{name}.png", "length": str(len(png)), "alt_txt": alt[:ALT]}
        place = await self._call("files.getUploadURLExternal", data=wanted)  # this method takes no JSON
        url = destination(str(place.get("upload_url", "")), self._hosts, "slack_upload_hosts", "upload_url")
        await self._upload(url, png)
        shown = {"files": [{"id": place.get("file_id"), "title": name}], "channel_id": channel}
        await self._call("files.completeUploadExternal", json=shown | ({"thread_ts": thread} if thread else {}))

    async def _upload(self, url: httpx.URL, png: bytes) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        try:
            answer = await self._client.post(
                url, content=png, headers=headers, timeout=UPLOAD_WITHIN, follow_redirects=False
            )
        except httpx.HTTPError as error:
            raise NotTaken(f"the picture's upload: {type(error).__name__}: {error}") from error
        if answer.status_code != 200:
            raise NotTaken(f"the picture's upload: status {answer.status_code}")

    async def _patiently(self, method: str, given: dict[str, Any]) -> dict[str, Any]:
        """A call that is made again where that may help."""
        for pause in PAUSES:
            try:
                return await self._call(method, json=given)
            except _Later as later:
                _log.warning("a call to Slack failed", why=str(later))
                await asyncio.sleep(min(max(pause, later.seconds), LONGEST_PAUSE))
        return await self._call(method, json=given)

    async def _call(self, method: str, **given: Any) -> dict[str, Any]:
        """A method's answer. Raises `NotTaken` with Slack's own word for what was wrong."""
        try:
            answer = await self._client.post(
                f"{self._api}/{method}", headers=self._authorization, follow_redirects=False, **given
            )
        except httpx.HTTPError as error:
            raise _Later(f"{method}: {type(error).__name__}: {error}") from error
        if answer.status_code == 429 or answer.status_code >= 500:
            wait = answer.headers.get("retry-after", "")
            raise _Later(f"{method}: status {answer.status_code}", float(wait) if wait.isdecimal() else 0.0)
        try:
            said = answer.json()
        except ValueError:
            said = None
        if not isinstance(said, dict) or said.get("ok") is not True:
            why = said.get("error") if isinstance(said, dict) else f"status {answer.status_code}"
            raise NotTaken(f"{method}: {str(why)[:200]}")
        return said


class _Later(NotTaken):
    """The same call may be taken after so many seconds."""

    def __init__(self, why: str, seconds: float = 0.0) -> None:
        super().__init__(why)
        self.seconds = seconds
