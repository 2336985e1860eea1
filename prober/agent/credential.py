"""An agent's own key: made here, kept in a file that nobody else can read, and never sent.

The file holds the key that the controllers know, and the one that they are to know next: that one is on the disk before
they hear of it, so whatever is lost on the way, the same token is tried again with the same key.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import msgspec

from prober import enrolment, logs, signature
from prober.agent.journal import sync_folder
from prober.enrolment import Enrolment
from prober.errors import CannotMeasure, ConfigInvalid, ProberError

NONCE_BYTES = 8
MOST = 4096
"""Bytes of a key's file at most."""
_log = logs.get_logger("prober.key")


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key and its public half (32 bytes each), and the id of the token it is enrolled with."""

    token: str
    private: bytes
    public: bytes

    @classmethod
    def made(cls, token: str) -> Pair:
        """A new one."""
        private = os.urandom(32)
        return cls(token, private, _public(private))


class Kept(msgspec.Struct, forbid_unknown_fields=True):
    """The file, as JSON. ``enrolled``: the controllers know it; ``coming``: they are to know it next."""

    agent: str
    enrolled: Pair | None = None
    coming: Pair | None = None


class Credential:
    """What this agent signs with, and what it enrols with. Neither, where it has no token and no key: then it signs
    nothing, as an agent does that talks to a controller of a test."""

    def __init__(self, kept: Kept, token: str = "", path: Path | None = None) -> None:
        self.kept, self.token, self.path = kept, token, path
        known = kept.enrolled
        self._key = signature.private_key(known.private) if known else None

    @classmethod
    def open(cls, agent: str, token: Callable[[], str | None], folder: Path | None) -> Credential:
        """The agent's key in this folder; made, and on the disk, where there is none or the token is another one than
        it came with. None: in memory.

        `token` gives it, or raises ConfigInvalid; with a key that is enrolled it is not needed. Raises CannotMeasure
        for a file that is not this agent's key or can't be written.
        """
        path = folder / f"key-{quote(agent, safe='')}" if folder is not None else None
        kept = _read(path, agent) if path is not None else Kept(agent)
        text = _token(token, kept.enrolled is not None)
        made = cls(kept, text, path)
        made._prepare()
        return made

    def _prepare(self) -> None:
        """A key for a token that is new here."""
        parts, kept = enrolment.parts(self.token), self.kept
        tried = {one.token for one in (kept.enrolled, kept.coming) if one}
        if parts is not None and parts[0] not in tried:
            kept.coming = Pair.made(parts[0])
            self._write()
        if kept.enrolled is None and kept.coming is not None and parts is None:
            raise CannotMeasure(
                f"the key of agent {kept.agent} in {self.path} is not enrolled yet: start the agent with --token-file "
                f"and a token that `{_command(kept.agent)}` prints"
            )

    @property
    def pending(self) -> Enrolment | None:
        """What the controllers are to be told with the token; None where there is nothing to tell."""
        parts, coming = enrolment.parts(self.token), self.kept.coming
        if coming is None or parts is None or parts[0] != coming.token:
            return None
        return Enrolment(self.kept.agent, coming.public)

    def enrolled(self) -> None:
        """The controllers know the key that was coming. Where the disk does not take that, it is told them again at the
        next start."""
        assert self.kept.coming is not None
        self.kept.enrolled, self.kept.coming = self.kept.coming, None
        self._key = signature.private_key(self.kept.enrolled.private)
        try:
            self._write()
        except CannotMeasure as error:
            _log.warning("the agent is enrolled, which could not be written down", why=str(error))

    def refused(self, why: str) -> bool:
        """The token is no good. Whether there is a key that the controllers know, with which the agent goes on."""
        self.token = ""
        if self._key is not None:
            _log.warning("the new token is not taken, the agent goes on with the key that it has", why=why)
        return self._key is not None

    def signed(self, path: str, body: bytes, created: int) -> dict[str, str]:
        """The headers that say who posts this, at that moment by the controller's clock; none without a key."""
        if self._key is None:
            return {}
        return signature.sign(self._key, self.kept.agent, path, body, created, os.urandom(NONCE_BYTES))

    def _write(self) -> None:
        """Durable when this returns; the file before is there until then (rename(2), fsync(2))."""
        if self.path is None:
            return
        anew = self.path.with_name(f"{self.path.name}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            anew.unlink(missing_ok=True)
            fd = os.open(anew, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(msgspec.json.encode(self.kept))
                file.flush()
                os.fsync(file.fileno())
            anew.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise CannotMeasure(
                f"the agent's key can't be kept in {self.path}: {error.strerror}; name a folder that it may write to "
                f"with --state"
            ) from error


def _public(private: bytes) -> bytes:
    return signature.private_key(private).public_key().public_bytes_raw()


def _command(agent: str) -> str:
    return f"prober token create --agent {agent} --zone ZONE"


def _token(token: Callable[[], str | None], is_enrolled: bool) -> str:
    """The token, where there is a good one; an agent that is enrolled needs none."""
    try:
        text = token() or ""
        if text and enrolment.parts(text) is None:
            raise ConfigInvalid(
                "the agent's token is none: a token reads prb_ID.SECRET, as `prober token create` prints"
            )
    except ProberError as error:
        if not is_enrolled:
            raise
        _log.warning("the agent goes on with the key that it has", why=str(error))
        return ""
    return text


def _read(path: Path, agent: str) -> Kept:
    """The file as it was written. Raises CannotMeasure with the cure for what is none, or another agent's."""
    try:
        with path.open("rb") as file:
            kept = msgspec.json.decode(file.read(MOST), type=Kept)
        whole = all(one.public == _public(one.private) for one in (kept.enrolled, kept.coming) if one)
    except FileNotFoundError:
        return Kept(agent)
    except OSError as error:
        raise CannotMeasure(f"the agent's key in {path} can't be read: {error.strerror}; see who owns it") from error
    except (msgspec.MsgspecError, ValueError):
        whole = False
    if not whole:
        raise CannotMeasure(
            f"the agent's key in {path} is damaged: delete that file, and start the agent with a new token that "
            f"`{_command(agent)}` prints, in --token-file"
        )
    if kept.agent != agent:
        raise CannotMeasure(
            f"the key in {path} is agent {kept.agent[:80]}'s, not {agent}'s: give each its own --name and --state"
        )
    return kept
