"""The agent and the controller as processes, and `doctor`: every way not to start is one sentence with its cure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from prober import logs
from prober.agent import main
from prober.agent.credential import Credential
from prober.controller import access, enrolling
from prober.enrolment import Enrolment
from tests.cli.prober_command import Left, prober
from tests.controller.centres import controller

ROOT = Path(__file__).parents[2]
Run = Callable[..., Left]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.setenv("PROBER_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PROBER_TARGETS", str(ROOT / "targets.yaml"))
    return lambda *words: prober(monkeypatch, capsys, *words)


def test_an_interrupt_before_anything_is_imported_shows_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "prober.cli.commands":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "prober.cli.commands", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    assert run("check").code == 130


def test_an_agent_without_a_name_leaves_with_4(run: Run) -> None:
    left = run("agent")
    assert left.code == 4
    assert "--name NAME" in left.err


def test_an_agent_whose_token_file_is_missing_or_holds_more_leaves_with_4(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "token"
    assert run("agent", "--name", "firewall", "--token-file", str(file)).code == 4
    file.write_text("two words")
    left = run("agent", "--name", "firewall", "--token-file", str(file))
    assert left.code == 4
    assert "holds the token alone" in left.err


def test_a_command_takes_its_logging_with_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def began(*_: object) -> None:
        logs.get_logger("x").warning("began")

    before = structlog.get_config()
    monkeypatch.setattr(main, "run", began)
    left = run("agent", "--name", "firewall")
    assert (left.code, '"event": "began"' in left.err) == (0, True)
    assert structlog.get_config() == before
    monkeypatch.setattr(main, "run", lambda *_: None)
    run("agent", "--name", "firewall")  # says nothing, so that what it chose is not asked for
    logs.get_logger("x").info("later")
    assert structlog.get_config() == before


def test_an_agent_without_cap_net_raw_leaves_with_3_and_the_cure() -> None:
    words = [sys.executable, "-m", "prober", "agent", "--name", "firewall", "--controller", "unix:/nonexistent"]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv (util-linux) is not here to take CAP_NET_RAW away")
        words = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw", *words]
    left = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert left.returncode == 3, left.stderr
    assert "CAP_NET_RAW" in left.stderr
    assert "setcap" in left.stderr
    assert "Traceback" not in left.stderr


@pytest.mark.parametrize(
    ("trouble", "code", "said"),
    [
        ("used", 3, "was used before, for another key: it is good once"),
        (
            "expired",
            3,
            "has expired: it is good for an hour; make another: prober token create --agent firewall",
        ),
        ("empty", 4, "holds 0 words; a token file holds the token alone"),
        ("garbled", 4, "the agent's token is none: a token reads prb_ID.SECRET"),
        ("damaged key", 3, "is damaged: delete that file, and start the agent with a new token"),
        ("another's key", 3, "is agent lb's, not firewall's: give each its own --name and --state"),
    ],
)
def test_an_agent_that_cannot_enrol_leaves_with_one_sentence(
    tmp_path: Path, trouble: str, code: int, said: str
) -> None:
    file, state = tmp_path / "token", tmp_path / "agent"
    with controller(tmp_path) as running:
        store = running.centre.store
        zone = running.centre.desk.targets.agent("firewall").zone
        text = access.create(store, agent="firewall", zone=zone, now_ns=1 if trouble == "expired" else 0)
        file.write_text({"empty": "", "garbled": "firewall"}.get(trouble, text))
        if trouble == "used":
            enrolling.enrol(store, text, Enrolment("firewall", bytes(32)), zone)
        if trouble.endswith("key"):
            Credential.open("firewall" if "damaged" in trouble else "lb", lambda: text, state)
            (made,) = state.iterdir()
            made.rename(state / "key-firewall")
        if trouble == "damaged key":
            (state / "key-firewall").write_bytes(b"{}")
        words = ["--name", "firewall", "--controller", running.url, "--token-file", str(file), "--state", str(state)]
        left = subprocess.run(
            [sys.executable, "-m", "prober", "agent", *words], capture_output=True, text=True, timeout=30, check=False
        )
    assert left.returncode == code, left.stderr
    last = left.stderr.splitlines()[-1]
    assert said in last
    assert "Traceback" not in left.stderr


def test_a_controller_with_a_bad_document_leaves_with_4_before_it_listens(run: Run, tmp_path: Path) -> None:
    bad = ROOT / "tests/bad_targets/unknown-key.yaml"
    left = run("controller", "--targets", str(bad), "--listen", f"unix:{tmp_path / 'c.sock'}")
    assert left.code == 4
    assert "unknown-key.yaml:" in left.err
    assert not (tmp_path / "c.sock").exists()


@pytest.mark.parametrize("listen", ["127.0.0.1:99999", "nowhere", "unix:"])
def test_a_listener_that_is_none_leaves_with_4(run: Run, listen: str) -> None:
    left = run("controller", "--listen", listen)
    assert left.code == 4
    assert "write HOST:PORT or unix:PATH" in left.err


def test_doctor_has_a_cure_for_each_line_that_says_no(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {row["what"]: row for row in json.loads(run("doctor", "--json").out)}
    assert set(rows) == {"settings", "agent", "database", "targets", "chat", "alerts", "lab"}
    assert rows["targets"]["ok"] and rows["settings"]["ok"]
    monkeypatch.setenv("PROBER_TARGETS", "/nonexistent.yaml")
    monkeypatch.setenv("PROBER_LISTN", "127.0.0.1:8081")
    left = run("doctor")
    assert left.code == 3
    assert "✗ settings: PROBER_LISTN in the environment is no setting, did you mean PROBER_LISTEN?" in " ".join(
        left.out.split()
    )
    assert "✗ targets" in left.out


@pytest.mark.parametrize(("may", "said"), [(True, "may open raw sockets"), (False, "setcap cap_net_raw+ep")])
def test_doctor_tells_of_raw_sockets_what_is_so(
    run: Run, monkeypatch: pytest.MonkeyPatch, may: bool, said: str
) -> None:
    monkeypatch.setattr("prober.wire.privileges.can_capture", lambda: may)
    row = next(row for row in json.loads(run("doctor", "--json").out) if row["what"] == "agent")
    assert row["ok"] is may
    assert said in row["detail"]


def test_doctor_says_which_chats_are_set_up_and_what_is_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def told() -> tuple[bool, str]:
        row = next(row for row in json.loads(run("doctor", "--json").out) if row["what"] == "chat")
        return row["ok"], row["detail"]

    assert told() == (True, "none; give PROBER_SLACK_SIGNING_SECRET_FILE or PROBER_MATTERMOST_TOKEN_FILE for one")
    monkeypatch.setenv("PROBER_SLACK_BOT_TOKEN_FILE", str(tmp_path / "bot"))
    assert told() == (False, f"{tmp_path}/bot: No such file or directory; name a slack bot token file that can be read")
    (tmp_path / "bot").write_text("xoxb-s3cret\n")
    assert told()[1].endswith("slack_signing_secret is not: nobody could ask the bot anything")
    monkeypatch.setenv("PROBER_SLACK_SIGNING_SECRET", "s3cret")
    monkeypatch.setenv("PROBER_MATTERMOST_TOKEN", "s3cret")
    assert told()[1].endswith("mattermost_url is not: say where answers may go")
    monkeypatch.setenv("PROBER_MATTERMOST_URL", "https://chat.example")
    assert told() == (True, "Slack: /prober, mentions and pictures; Mattermost: /prober")
    assert "s3cret" not in run("doctor").out + run("config", "show").out


def test_doctor_makes_no_database(run: Run, tmp_path: Path) -> None:
    row = next(row for row in json.loads(run("doctor", "--json").out) if row["what"] == "database")
    assert row["ok"]
    assert row["detail"].endswith("is new; the controller makes its tables")
    assert not (tmp_path / "state").exists()
    run("db", "upgrade")
    row = next(row for row in json.loads(run("doctor", "--json").out) if row["what"] == "database")
    assert f"sqlite:///{tmp_path}/state/prober.sqlite is at " in row["detail"]


def test_doctor_says_why_no_lab_can_be_built(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.lab.sealed._PACKAGES", {"no-such-program": "no-such-package"})
    row = next(row for row in json.loads(run("doctor", "--json").out) if row["what"] == "lab")
    assert not row["ok"]
    assert "apt-get install -y no-such-package" in row["detail"]
