"""What is shipped: the wheel holds everything it needs, the locks hold everything that is declared."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = ("requirements.lock", "requirements-test.lock")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's contents, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_every_file_of_the_package_and_the_migrations(installed: Path) -> None:
    shipped = {str(file.relative_to(installed / "prober")) for file in (installed / "prober").rglob("*")}
    here = {
        str(file.relative_to(ROOT / "prober"))
        for file in (ROOT / "prober").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    migrations = {f"store/migrations/versions/{file.name}" for file in (ROOT / "migrations/versions").glob("*.py")}
    assert migrations
    assert here | migrations | {"store/migrations/env.py"} <= shipped


def test_the_wheel_alone_upgrades_a_database(installed: Path, tmp_path: Path) -> None:
    asked = (
        "import sys; sys.path.insert(0, sys.argv[1]); from prober.store import engine, schema; "
        "print(schema.scripts()); print(schema.upgrade(sys.argv[2])); engine.open_store(sys.argv[2])"
    )
    url = f"sqlite:///{tmp_path}/prober.sqlite"
    ended = subprocess.run(
        [sys.executable, "-c", asked, str(installed), url], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    where, revision = ended.stdout.split()
    assert where == str(installed / "prober/store/migrations")
    assert list((installed / "prober/store/migrations/versions").glob(f"{revision}_*.py"))


def test_the_wheel_carries_the_licence(installed: Path) -> None:
    (licence,) = installed.glob("prober-*.dist-info/licenses/LICENSE")
    assert "GNU GENERAL PUBLIC LICENSE" in licence.read_text()


def test_the_licence_fits_scapys() -> None:
    assert PROJECT["license"] == metadata("scapy")["License-Expression"] == "GPL-2.0-only"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _locked(lock: str) -> set[str]:
    return {_plain(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / lock).read_text(), re.MULTILINE)}


def _declared(*extras: str) -> set[str]:
    words = [*PROJECT["dependencies"], *(one for extra in extras for one in PROJECT["optional-dependencies"][extra])]
    return {_plain(re.match(r"[A-Za-z0-9._-]+", word)[0]) for word in words}  # type: ignore[index]


def test_the_locks_hold_what_is_declared() -> None:
    assert _declared() <= _locked("requirements.lock")
    assert _declared("postgres", "test") <= _locked("requirements-test.lock")
    assert _locked("requirements.lock") <= _locked("requirements-test.lock")


def test_both_locks_agree_on_every_version() -> None:
    pins = [set(re.findall(r"^[^\s#].*?==[^\s;]+", (ROOT / lock).read_text(), re.MULTILINE)) for lock in LOCKS]
    assert pins[0] <= pins[1]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_hashed_and_names_no_registry(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"https?:|index-url|find-links|file:", text)
    entries = re.split(r"^(?=[A-Za-z])", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)


def test_prober_is_a_command() -> None:
    assert PROJECT["scripts"] == {"prober": "prober.cli:main"}
