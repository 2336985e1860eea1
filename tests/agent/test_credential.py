"""The agent's key in its file: there before anybody hears of it, whatever happens in between."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import structlog

from prober import signature
from prober.agent import credential as module
from prober.agent.credential import Credential, Kept, Pair
from prober.enrolment import Enrolment
from prober.errors import CannotMeasure, ConfigInvalid

TOKEN, NEWER = "prb_aaaaaaaaaaaa.secret", "prb_bbbbbbbbbbbb.secret"
FILE = "key-firewall"


def opened(folder: Path | None, token: str | None = TOKEN, agent: str = "firewall") -> Credential:
    return Credential.open(agent, lambda: token, folder)


def kept(folder: Path) -> Kept:
    return msgspec.json.decode((folder / FILE).read_bytes(), type=Kept)


def by(one: Credential) -> bytes:
    """The public key with which what it signs is genuine."""
    headers = one.signed("/p", b"body", 5)
    signed = signature.read(headers[signature.INPUT], headers[signature.SIGNATURE])
    assert (signed.agent, signed.created) == ("firewall", 5)
    pair = one.kept.enrolled
    assert pair and signature.is_genuine(signed, pair.public, "POST", "/p", headers[signature.DIGEST])
    return pair.public


def test_a_key_is_on_the_disk_before_anybody_is_told_and_nobody_else_reads_it(tmp_path: Path) -> None:
    one = opened(tmp_path / "state")
    coming = kept(tmp_path / "state").coming
    assert coming and one.pending == Enrolment("firewall", coming.public)
    assert one.signed("/p", b"", 5) == {}, "nobody knows this key yet"
    assert (tmp_path / "state" / FILE).stat().st_mode & 0o777 == 0o600
    assert [file.name for file in (tmp_path / "state").iterdir()] == [FILE]
    assert b"secret" not in (tmp_path / "state" / FILE).read_bytes(), "the token's secret is not kept"


def test_until_it_is_enrolled_each_start_tries_with_the_same_key(tmp_path: Path) -> None:
    first = opened(tmp_path).pending
    assert opened(tmp_path).pending == first
    one = opened(tmp_path)
    one.enrolled()
    assert first and by(one) == first.public
    assert (one.pending, kept(tmp_path).coming) == (None, None)


@pytest.mark.parametrize("token", [TOKEN, None, "", "no token"])
def test_an_agent_that_is_enrolled_needs_no_token_again(tmp_path: Path, token: str | None) -> None:
    opened(tmp_path).enrolled()
    before = (tmp_path / FILE).read_bytes()
    again = opened(tmp_path, token)
    assert again.pending is None
    assert by(again)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_token_file_that_is_gone_is_told_and_stops_no_agent_that_has_its_key(tmp_path: Path) -> None:
    def gone() -> str:
        raise ConfigInvalid("token: No such file or directory")

    with pytest.raises(ConfigInvalid, match="No such file"):
        Credential.open("firewall", gone, tmp_path)
    opened(tmp_path).enrolled()
    with structlog.testing.capture_logs() as logs:
        assert by(Credential.open("firewall", gone, tmp_path))
    assert "No such file" in logs[0]["why"]


def test_a_new_token_brings_a_new_key_and_the_old_one_serves_until_it_is_taken(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.enrolled()
    old, anew = by(first), opened(tmp_path, NEWER)
    assert anew.pending and anew.pending.public != old
    assert by(anew) == old
    anew.enrolled()
    assert by(anew) == by(opened(tmp_path)) != old


def test_a_new_token_that_is_refused_leaves_the_old_key(tmp_path: Path) -> None:
    opened(tmp_path).enrolled()
    anew = opened(tmp_path, NEWER)
    assert anew.refused("expired")
    assert anew.pending is None
    assert by(anew)
    assert not opened(None).refused("expired"), "there is no other"


def test_a_key_that_was_never_enrolled_needs_its_token(tmp_path: Path) -> None:
    opened(tmp_path)
    with pytest.raises(CannotMeasure, match=r"is not enrolled yet: start the agent with --token-file and a token that"):
        opened(tmp_path, None)
    assert opened(tmp_path, NEWER).pending


def test_without_a_token_and_a_key_nothing_is_signed_and_nothing_written(tmp_path: Path) -> None:
    one = opened(tmp_path / "state", None)
    assert (one.pending, one.signed("/p", b"", 5), (tmp_path / "state").exists()) == (None, {}, False)


@pytest.mark.parametrize("text", ["garbage", "prb_a", "prb_a.", "prb_ü.x"])
def test_what_is_no_token_is_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"a token reads prb_ID\.SECRET"):
        opened(tmp_path, text)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(os.urandom(200)),
        lambda file: file.write_bytes(file.read_bytes()[:-9]),
        lambda file: file.write_bytes(b"[" * 4000),
        lambda file: file.write_bytes(msgspec.json.encode(Kept("firewall", Pair("a", bytes(31), bytes(32))))),
        lambda file: file.write_bytes(msgspec.json.encode(Kept("firewall", Pair("a", bytes(32), bytes(32))))),
    ],
    ids=["empty", "noise", "torn", "nested", "short", "halves that do not fit"],
)
def test_a_damaged_file_is_one_sentence_with_the_cure(tmp_path: Path, change: Callable[[Path], object]) -> None:
    opened(tmp_path).enrolled()
    change(tmp_path / FILE)
    with pytest.raises(CannotMeasure, match="is damaged: delete that file, and start the agent with") as said:
        opened(tmp_path)
    assert "prober token create --agent firewall --zone ZONE" in str(said.value)


def test_every_flipped_bit_is_found_or_changes_no_key(tmp_path: Path) -> None:
    opened(tmp_path).enrolled()
    whole, key = (tmp_path / FILE).read_bytes(), by(opened(tmp_path))
    for at in range(len(whole)):
        (tmp_path / FILE).write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        try:
            one = opened(tmp_path, None)
        except CannotMeasure:
            continue
        assert by(one) == key


def test_another_agents_key_is_not_taken_for_its_own(tmp_path: Path) -> None:
    opened(tmp_path, agent="lb").enrolled()
    (tmp_path / "key-lb").rename(tmp_path / FILE)
    with pytest.raises(CannotMeasure, match="is agent lb's, not firewall's: give each its own --name and --state"):
        opened(tmp_path)


def test_a_folder_that_takes_no_file_is_one_sentence_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(CannotMeasure, match=r"can't be (kept|read).*"):
        opened(tmp_path / "state")


def test_a_disk_that_does_not_take_that_it_is_enrolled_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    one = opened(tmp_path)
    was = one.pending
    monkeypatch.setattr(module.os, "fsync", full)
    with structlog.testing.capture_logs() as logs:
        one.enrolled()
    assert "No space left" in logs[0]["why"]
    assert by(one)
    monkeypatch.undo()
    assert opened(tmp_path).pending == was, "the next start tells the controllers again"
