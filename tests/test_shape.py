"""The house keeps its shape: who imports whom, and every file has its test."""

from __future__ import annotations

from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "prober"
FOLDERS = ("wire", "host", "store", "agent", "controller", "surfaces", "lab", "cli")

NOTHING_TO_TEST = {"__init__", "__main__"}
"""They only name things or hand on."""


def test_imports_keep_the_contracts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.mark.parametrize("noun", sorted({file.stem for file in PACKAGE.glob("*.py")} - NOTHING_TO_TEST))
def test_every_noun_has_its_twin(noun: str) -> None:
    assert (ROOT / "tests" / f"test_{noun}.py").is_file(), f"prober/{noun}.py has no tests/test_{noun}.py"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_is_a_package_with_tests(folder: str) -> None:
    assert (PACKAGE / folder / "__init__.py").is_file()
    assert list((ROOT / "tests" / folder).glob("test_*.py")), f"prober/{folder}/ has no tests in tests/{folder}/"


def test_every_folder_is_known_here() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(FOLDERS)


MODULES = sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "__main__.py"})


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(module: Path) -> None:
    assert module.read_text().startswith('"""'), f"{module.relative_to(ROOT)} has no docstring"
