"""A file that can't be read is answered with a sentence that begins with its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from prober import document
from prober.errors import ConfigInvalid
from prober.lab import reading


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ":1:1  (document)  holds no mapping"),
        (b"- one\n", ":1:1  (document)  holds no mapping"),
        (b"\xff\xfe", ": cannot be read: it is not UTF-8 text"),
        (b"title: a: b\n", ":1:"),
        (b"a: [1, 2\n", ":1:4  (document)  this bracket is not closed"),
        (b"a: !!python/object:os.system {}\n", "is not read"),
    ],
)
def test_a_file_that_is_no_mapping_says_why(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigInvalid) as caught:
        reading.read(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="cannot be read: No such file or directory"):
        reading.read(tmp_path / "none.yaml")


def test_scalars_mean_what_yaml_1_2_says() -> None:
    root, mistakes = document.load("a: 8080\nb: 0.5\nc: 'x'\nd: NO\ne: true\nf:\ng: '80'\nh: 0x50\n", "mine.yaml")
    assert mistakes == []
    assert reading.plain(root) == {
        "a": 8080, "b": 0.5, "c": "x", "d": "NO", "e": True, "f": None, "g": "80", "h": "0x50",
    }  # fmt: skip
