"""Settings: flags before environment before defaults; every mistake is a sentence and no secret is shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prober.errors import ConfigInvalid
from prober.settings import KUBERNETES, default_state, effective, load, strangers


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.upper().startswith(("PROBER_", "OTEL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def came_from(**flags: object) -> dict[str, tuple[str, str]]:
    return {name: (value, source) for name, value, source in effective(load(**flags))}


def test_without_anything_the_defaults_are_those_of_the_manual(tmp_path: Path) -> None:
    settings = load()
    assert settings.targets == Path("targets.yaml")
    assert settings.listen == ("127.0.0.1:8080",)
    assert settings.controller == "http://127.0.0.1:8080"
    assert settings.slack_response_hosts == ("hooks.slack.com",)
    assert settings.anonymous == "auto"
    assert settings.bearer() is None
    assert {source for _, source in came_from().values()} == {"default"}
    if not Path("/var/lib/prober").is_dir():
        assert settings.database_url == f"sqlite:///{tmp_path}/state/prober/prober.sqlite"


def test_a_flag_wins_over_the_environment_and_each_value_says_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROBER_LISTEN", "127.0.0.1:9000, unix:/run/prober.sock")
    monkeypatch.setenv("PROBER_LOG_LEVEL", "debug")
    monkeypatch.setenv("PROBER_NAME", "node1")
    shown = came_from(log_level="error", name=None)
    assert shown["listen"] == ("127.0.0.1:9000, unix:/run/prober.sock", "environment PROBER_LISTEN")
    assert shown["log_level"] == ("error", "--log-level")
    assert shown["name"] == ("node1", "environment PROBER_NAME")
    assert shown["targets"] == ("targets.yaml", "default")


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBER_CONTROLLER", "")
    monkeypatch.setenv("PROBER_STATE", "")
    assert came_from()["controller"] == ("http://127.0.0.1:8080", "default")
    assert load().state is None


SERVICES = {
    "PROBER_SERVICE_HOST": "10.0.171.239", "PROBER_SERVICE_PORT": "8080", "PROBER_SERVICE_PORT_HTTP": "8080",
    "PROBER_PORT": "tcp://10.0.171.239:8080", "PROBER_PORT_8080_TCP": "tcp://10.0.171.239:8080",
    "PROBER_PORT_8080_TCP_PROTO": "tcp", "PROBER_PORT_8080_TCP_PORT": "8080",
    "PROBER_PORT_8080_TCP_ADDR": "10.0.171.239", "PROBER_CONTROLLER_SERVICE_HOST": "10.0.171.240",
    "PROBER_CONTROLLER_SERVICE_PORT": "8080", "PROBER_CONTROLLER_PORT": "tcp://10.0.171.240:8080",
    "PROBER_CONTROLLER_PORT_53_UDP": "udp://10.0.171.240:53", "PROBER_CONTROLLER_PORT_53_UDP_ADDR": "10.0.171.240",
}  # fmt: skip
"""What a pod sees beside Services called prober and prober-controller, as Kubernetes' manual lists it."""


def test_what_kubernetes_adds_for_a_service_called_prober_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    before = came_from()
    for name, value in SERVICES.items():
        monkeypatch.setenv(name, value)
    assert (strangers(), came_from()) == ([], before)


@pytest.mark.parametrize("name", [name for name, _, _ in effective(load())])
def test_no_setting_is_named_as_kubernetes_would_name_a_service(name: str) -> None:
    variable = f"PROBER_{name.upper()}"
    for value in ("10.0.171.239", "8080", "tcp", "tcp://10.0.171.239:8080"):
        assert not KUBERNETES.fullmatch(f"{variable}={value}")


@pytest.mark.parametrize(
    ("variable", "value", "right"),
    [
        ("PROBER_LISTN", "127.0.0.1:1", "did you mean PROBER_LISTEN?"),
        ("prober_tokenfile", "x", "did you mean PROBER_TOKEN_FILE?"),
        ("PROBER_LOGLEVEL", "debug", "did you mean PROBER_LOG_LEVEL?"),
        ("PROBER_PORT", "8080", "and none has a name like it"),
        ("PROBER_", "x", "and none has a name like it"),
    ],
)
def test_a_variable_that_is_no_setting_is_named_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, right: str
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("prober_log_level", "info")
    monkeypatch.setenv("PROBER_LISTENN", "")
    monkeypatch.setenv("PROBER_STRICT", "1")
    assert strangers() == [(variable, right)]


def test_the_standard_otlp_variable_is_read_and_ours_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/")
    assert came_from()["otlp_endpoint"] == ("http://collector:4318", "environment OTEL_EXPORTER_OTLP_ENDPOINT")
    monkeypatch.setenv("PROBER_OTLP_ENDPOINT", "http://ours:4318")
    assert came_from()["otlp_endpoint"] == ("http://ours:4318", "environment PROBER_OTLP_ENDPOINT")
    assert came_from(otlp_endpoint="http://flag:4318")["otlp_endpoint"] == ("http://flag:4318", "--otlp-endpoint")


def test_secrets_and_passwords_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBER_TOKEN", "s3cret")
    monkeypatch.setenv("PROBER_SLACK_SIGNING_SECRET", "s3cret")
    shown = came_from(database="postgresql://prober:s3c@ret@db/prober")
    assert shown["token"] == ("********", "environment PROBER_TOKEN")
    assert shown["database"] == ("postgresql://prober:********@db/prober", "--database")
    assert "s3c" not in str(shown) + repr(load())
    assert load().bearer() == "s3cret"


def test_chats_secrets_come_from_files_and_are_shown_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bot, mattermost = tmp_path / "bot", tmp_path / "mattermost"
    bot.write_text("xoxb-s3cret\n")
    mattermost.write_text("s3cret1\ns3cret2\n")
    monkeypatch.setenv("PROBER_SLACK_BOT_TOKEN_FILE", str(bot))
    settings = load(mattermost_token_file=mattermost, slack_signing_secret="s3cret")
    assert settings.secret("slack_bot_token") == "xoxb-s3cret"
    assert settings.secret("slack_signing_secret") == "s3cret"
    assert settings.secrets("mattermost_token") == ("s3cret1", "s3cret2")
    assert load().secrets("mattermost_token") is None
    assert "s3cret" not in str(effective(settings)) + repr(settings)
    assert came_from()["slack_bot_token_file"] == (str(bot), "environment PROBER_SLACK_BOT_TOKEN_FILE")
    assert came_from(slack_bot_token="s3cret")["slack_bot_token"] == ("********", "--slack-bot-token")
    with pytest.raises(ConfigInvalid, match="mattermost holds 2 words; a mattermost token file holds the mattermost"):
        settings.secret("mattermost_token")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"listen": "8080"}, "--listen: 8080 is not an address to listen on; write HOST:PORT or unix:PATH"),
        ({"listen": ("a:99999",)}, "--listen: a:99999 is not an address to listen on; write HOST:PORT or unix:PATH"),
        ({"listen": ()}, "--listen: is empty; write HOST:PORT or unix:PATH"),
        ({"controller": "ftp://x"}, "--controller: ftp://x is not an address; write http://HOST:PORT"),
        ({"slack_api": "http://x/api"}, "--slack-api: http://x/api would carry secrets in clear; write https://HOST"),
        (
            {"slack_api": "http://localhost.x.org"},
            "--slack-api: http://localhost.x.org would carry secrets in clear; write https://HOST",
        ),
        ({"mattermost_url": "chat.x.org"}, "--mattermost-url: chat.x.org is not an address; write http://HOST:PORT"),
        ({"log_level": "loud"}, "--log-level: loud does not fit; write 'debug', 'info', 'warning' or 'error'"),
        (
            {"anonymous": "admin"},
            "--anonymous: admin does not fit; write 'auto', 'none', 'monitor', 'viewer' or 'operator'",
        ),
    ],
)
def test_a_bad_setting_is_told_in_a_sentence_with_its_source(flags: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load(**flags)
    assert str(caught.value) == said


def test_several_controllers_stand_with_commas_between() -> None:
    assert load(controller="http://a:1/ , unix:/run/b.sock").controller == "http://a:1,unix:/run/b.sock"
    with pytest.raises(ConfigInvalid, match="--controller: .* is not an address"):
        load(controller="http://a:1,b")


def test_how_long_something_is_kept_is_written_with_a_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBER_KEEP_PASSING", "6h")
    assert (load().keep_passing, load(keep_failing="90d").keep_failing, load().keep_reports) == (21_600, 7_776_000, 900)
    assert came_from()["keep_passing"] == ("6h", "environment PROBER_KEEP_PASSING")
    assert came_from()["keep_reports"] == ("15m", "default")
    for bad in ("10s", "a while", "5y", "-1d", "inf", "9000d"):
        with pytest.raises(ConfigInvalid, match="--keep-reports: .* does not fit; write 5m to 3650d, as"):
            load(keep_reports=bad)


def test_every_bad_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBER_LOG_FORMAT", "xml")
    with pytest.raises(ConfigInvalid) as caught:
        load(listen="x", no_such_flag=1)
    lines = str(caught.value).splitlines()
    assert any(line.startswith("environment PROBER_LOG_FORMAT: xml does not fit") for line in lines)
    assert any(line.startswith("--listen: x is not") for line in lines)
    assert any(line.startswith("no_such_flag is not a setting; there are: targets, state") for line in lines)


def test_a_token_file_holds_the_token_alone(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("id.secret\n")
    assert load(token_file=file).bearer() == "id.secret"
    file.write_text("two words\n")
    with pytest.raises(ConfigInvalid, match="holds 2 words; a token file holds the token alone"):
        load(token_file=file).bearer()
    with pytest.raises(ConfigInvalid, match="No such file or directory; name a token file that can be read"):
        load(token_file=tmp_path / "none").bearer()


def test_state_is_kept_in_the_users_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if Path("/var/lib/prober").is_dir():
        assert default_state() == Path("/var/lib/prober")
        return
    assert default_state() == tmp_path / "state/prober"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")  # the XDG specification: relative paths are ignored
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_state() == tmp_path / ".local/state/prober"
    assert load(state=tmp_path).state_folder == tmp_path
