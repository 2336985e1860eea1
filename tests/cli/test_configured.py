"""Commands that need no controller: the document, the settings, the database, tokens."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.fleet.world import enrolled
from prober.controller import access
from prober.signature import fingerprint
from prober.store import schema
from prober.store.engine import open_store
from tests.cli.prober_command import Left, prober

ROOT = Path(__file__).parents[2]
BAD = sorted((ROOT / "tests/bad_targets").glob("*.yaml"))
Run = Callable[..., Left]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """`prober` in a state folder of its own."""
    monkeypatch.setenv("PROBER_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PROBER_TARGETS", str(ROOT / "targets.yaml"))
    return lambda *words: prober(monkeypatch, capsys, *words)


@pytest.mark.parametrize("file", BAD, ids=[file.stem for file in BAD])
def test_a_bad_document_leaves_with_4_and_says_where(run: Run, file: Path) -> None:
    left = run("check", str(file))
    assert (left.code, left.out) == (4, "")
    assert re.search(rf"^{re.escape(str(file))}:\d+:\d+  ", left.err, re.MULTILINE), left.err


def test_a_good_document_leaves_with_0(run: Run) -> None:
    left = run("check")
    assert left.code == 0
    assert re.fullmatch(r"\S+: fine\. 6 zones, 8 agents, 11 targets, 5 objectives\.\n", left.out), left.out
    assert json.loads(run("check", "--json").out) | {"ok": True, "mistakes": []} == json.loads(
        run("check", "--json").out
    )


def test_what_a_pipe_gets_is_not_broken_where_a_terminal_would_end(run: Run, tmp_path: Path) -> None:
    deep = tmp_path / "a-folder-with-a-name-of-some-length" / "and-another-one-within-it" / "targets.yaml"
    deep.parent.mkdir(parents=True)
    deep.write_text((ROOT / "targets.yaml").read_text())
    assert run("check", str(deep)).out.splitlines()[0].endswith(" 5 objectives.")


def test_mistakes_as_json_have_line_and_path(run: Run) -> None:
    left = run("check", "--json", str(ROOT / "tests/bad_targets/port-70000.yaml"))
    document = json.loads(left.out)
    assert (left.code, document["ok"]) == (4, False)
    assert {"line", "column", "path", "what", "right"} <= set(document["mistakes"][0])


@pytest.mark.parametrize("words", [("check", "/nonexistent.yaml"), ("plan", "/nonexistent.yaml"), ("check", "/")])
def test_a_document_that_cannot_be_read_leaves_with_4(run: Run, words: tuple[str, ...]) -> None:
    left = run(*words)
    assert left.code == 4
    assert "name a document that can be read" in left.err


def test_a_document_that_cannot_be_read_says_so_as_json_too(run: Run) -> None:
    left = run("check", "--json", "/nonexistent.yaml")
    document = json.loads(left.out)
    assert (left.code, document["ok"], document["mistakes"]) == (4, False, [])
    assert document["why"] == left.err.strip()


def test_the_plan_costs_what_it_says_and_sends_nothing(run: Run) -> None:
    document = json.loads(run("plan", "--json").out)
    assert document["pairs"] == len(document["plan"]) > 40
    assert {"source", "target", "address", "port", "every"} <= set(document["plan"][0])
    assert "pairs, " in run("plan").out
    assert document["rounds"] == 1


def test_the_plan_says_in_how_many_rounds_all_pairs_are_reached_where_they_take_turns(run: Run, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "targets.yaml").read_text().replace("  policy:", "  policy:", 1)
    file = tmp_path / "targets.yaml"
    file.write_text(text.replace("max_pairs: 1000 ", "max_packets_per_second: 100\n  max_pairs: 1000 ", 1))
    document = json.loads(run("plan", "--json", str(file)).out)
    assert document["rounds"] > 1
    assert document["packets_per_second"] <= 90
    assert {one["every"] for one in document["plan"]} == {float(document["rounds"])}
    said = " ".join(run("plan", str(file)).out.split())
    assert f"all are reached in {document['rounds']} rounds." in said
    assert "would cost 177 packets a second and policy allows 100" in said


def test_config_shows_each_value_its_source_and_no_secret(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBER_TOKEN", "prb_a.very-secret")
    monkeypatch.setenv("PROBER_DATABASE", "postgresql://me:hidden@db/prober")
    rows = {row["name"]: row for row in json.loads(run("config", "show", "--json").out)}
    assert rows["token"] == {"name": "token", "value": "********", "from": "environment PROBER_TOKEN"}
    assert "hidden" not in rows["database"]["value"]
    assert rows["log_level"]["from"] == "default"
    assert "very-secret" not in run("config", "show").out


def test_a_misspelt_variable_is_said_in_one_line_and_is_no_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBER_TOKE", "prb_a.very-secret")
    left = run("check")
    assert (left.code, left.err.count("\n")) == (0, 1)
    assert "PROBER_TOKE in the environment is no setting, did you mean PROBER_TOKEN?" in left.err
    left = run("config", "show", "--json")
    row = next(row for row in json.loads(left.out) if row["name"] == "PROBER_TOKE")
    assert row == {
        "name": "PROBER_TOKE",
        "value": "",
        "from": "environment, but no setting: did you mean PROBER_TOKEN?",
    }
    assert "very-secret" not in left.out + left.err


def test_a_bad_setting_leaves_with_4(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBER_LOG_LEVEL", "loud")
    left = run("config", "show")
    assert left.code == 4
    assert "environment PROBER_LOG_LEVEL" in left.err


def test_a_token_is_alone_on_stdout_and_is_listed_without_its_secret(run: Run) -> None:
    token = run("token", "create", "--agent", "firewall", "--zone", "firewall")
    assert (token.code, token.err) == (0, "")
    assert re.fullmatch(r"prb_[0-9a-f]{12}\.[\w-]{43}\n", token.out)
    token_id, secret = token.out.strip().removeprefix("prb_").split(".")
    listed = run("token", "list", "--json")
    assert (
        json.loads(listed.out)[0] | {"id": token_id, "agent": "firewall", "revoked": False} == json.loads(listed.out)[0]
    )
    assert secret not in listed.out + run("token", "list").out
    assert run("token", "revoke", token_id).code == 0
    assert run("token", "revoke", token_id).code == 2
    assert "(revoked)" in run("token", "list").out


def test_the_list_says_which_key_came_with_a_token_and_what_is_revoked_takes_it_along(run: Run, tmp_path: Path) -> None:
    run("token", "create", "--agent", "firewall", "--zone", "firewall")
    store = open_store(f"sqlite:///{tmp_path}/state/prober.sqlite")
    key = enrolled(store, "lb", "lb").kept.enrolled
    access.create(store, agent="vm", zone="nodes", now_ns=1)
    store.close()
    assert key is not None
    listed = {one["agent"]: one for one in json.loads(run("token", "list", "--json").out)}
    assert {name: one["state"] for name, one in listed.items()} == {"firewall": "good", "lb": "used", "vm": "expired"}
    name = fingerprint(key.public)
    assert {agent: one["key"] for agent, one in listed.items()} == {"firewall": "", "lb": name, "vm": ""}
    told = run("token", "list").out.splitlines()
    assert {f"{listed['lb']['id']}  agent  lb {name}", f"{listed['vm']['id']}  agent  vm (expired)"} < {*told}
    assert (left := run("token", "revoke", "--agent", "lb")).code == 0
    assert left.err == "agent lb is revoked\n"
    assert "agent  lb (revoked)" in run("token", "list").out
    again = run("token", "revoke", "--agent", "lb")
    assert (again.code, "has no key and no token that could be revoked" in again.err) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ("token", "create"), ("token", "create", "--role", "king"), ("token", "create", "--agent", "a"),
        ("token", "create", "--agent", "a", "--zone", "z", "--role", "viewer"), ("token", "revoke", "nope"),
        ("token", "create", "--role", "viewer", "--zone", "z"), ("token", "revoke"), ("token",), ("db",), ("lab",),
        ("nonsense",), ("plan", "--nonsense"), ("lab", "run"), ("why", "one"), ("run", "--flows", "many"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_leaves_with_2_and_nothing_on_stdout(run: Run, words: tuple[str, ...]) -> None:
    run("db", "upgrade")
    left = run(*words)
    assert (left.code, left.out) == (2, "")
    assert left.err.strip()


@pytest.mark.parametrize(
    ("url", "code"),
    [("mysql://db/x", 4), ("sqlite:///:memory:", 4), ("nonsense", 4), ("sqlite:////proc/x/y.sqlite", 3)],
)
def test_a_database_that_is_none_or_cannot_be_made_is_one_sentence(run: Run, url: str, code: int) -> None:
    for words in (("db", "upgrade"), ("token", "list"), ("token", "create", "--role", "viewer")):
        left = run(*words, "--database", url)
        assert (left.code, left.out) == (code, ""), left.err


def test_the_database_is_brought_to_this_version_and_again(run: Run) -> None:
    for _ in range(2):
        left = run("db", "upgrade")
        assert (left.code, left.out) == (0, "")
        assert f"is at {schema.head()}" in left.err


def test_a_recording_that_is_none_is_one_sentence(run: Run, tmp_path: Path) -> None:
    left = run("replay", str(tmp_path / "nothing"))
    assert left.code in (2, 4)
    assert left.out == ""


def test_version_and_help(run: Run) -> None:
    assert run("--version").out.startswith("prober 0.")
    left = run("--help")
    assert left.code == 0
    words = "check plan controller agent run matrix why diff slo audit lab replay token db doctor config"
    assert [word for word in words.split() if not re.search(rf"^  {word} ", left.out, re.MULTILINE)] == []


def test_a_fault_of_our_own_is_one_sentence_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("spoilt")

    monkeypatch.setattr("prober.settings.load", fail)
    left = run("config", "show")
    assert (left.code, left.out) == (3, "")
    assert "prober failed (ZeroDivisionError: spoilt); PROBER_LOG_LEVEL=debug shows where" in left.err
    assert sys.exc_info() == (None, None, None)


def test_an_upgrade_names_the_database_as_it_was_given(run: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'named.sqlite'}"
    assert run("db", "upgrade", "--database", url).err.startswith(f"{url} is at ")


def test_the_help_of_each_command_names_the_variable_of_each_setting(run: Run) -> None:
    import typer.main

    from prober import settings
    from prober.cli.commands import app

    known, seen = {name for name, _, _ in settings.effective(settings.load())}, set()

    def walk(command: Any, words: list[str]) -> None:
        for name, one in getattr(command, "commands", {}).items():
            walk(one, [*words, name])
        for name in known & {param.name for param in command.params if words[:1] != ["lab"]}:  # a lab has its own
            seen.add((" ".join(words), name))
            assert f"[PROBER_{name.upper()}]" in run(*words, "--help").out, (words, name)

    walk(typer.main.get_command(app), [])
    assert {
        ("controller", "listen"),
        ("agent", "token_file"),
        ("matrix", "controller"),
        ("db upgrade", "database"),
    } <= seen
    assert len(seen) >= 18
    assert "PROBER_TARGETS" in run("check", "--help").out


@pytest.mark.parametrize("words", [(), ("audit",), ("lab",), ("token",), ("alert",), ("db",), ("config",)])
def test_each_line_of_a_list_of_commands_is_whole_on_eighty_columns(run: Run, words: tuple[str, ...]) -> None:
    listed = run(*words, "--help").out.partition("Commands:")[2].strip().splitlines()
    assert listed and [line for line in listed if line.endswith(("...", "…")) or not line.endswith(".")] == []
