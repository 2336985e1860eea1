"""Files that an operator names: read whole, or one sentence says why not, and shows nothing of a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from prober.errors import ConfigInvalid
from prober.ondisk import read_document, read_targets, word
from prober.targets import parse

DEMO = Path(__file__).parents[1] / "targets.yaml"


def test_the_document_is_read_from_disk_with_its_name_in_the_messages(tmp_path: Path) -> None:
    assert read_targets(DEMO) == parse(DEMO.read_text(encoding="utf-8"))
    bad = tmp_path / "bad.yaml"
    bad.write_text("zones: 7\n")
    with pytest.raises(ConfigInvalid, match=r"bad.yaml:1:8  zones  7 stands here; write a list"):
        read_targets(bad)


def test_a_file_that_is_no_document_gets_one_sentence(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"zones:\n\xff\xfe")
    accented = tmp_path / "accented"
    accented.write_bytes("# größer\n- größ".encode() + b"\xe9r")
    big = tmp_path / "big"
    big.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    for path, said in (
        (tmp_path / "none", "No such file or directory; name a document that can be read"),
        (tmp_path, "Is a directory; name a document that can be read"),
        (binary, "binary:2:1: byte 7 is not UTF-8 text; save the document as UTF-8"),
        (accented, "accented:2:7: byte 19 is not UTF-8 text; save the document as UTF-8"),
        (big, "is larger than 4194304 bytes; this is no document"),
        (Path("/dev/zero"), "is larger than 4194304 bytes; this is no document"),
    ):
        with pytest.raises(ConfigInvalid) as caught:
            read_document(path)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_file_of_one_word_is_that_word_and_another_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    assert word(file, "key file") == "s3cret"
    for text, count in (("", 0), ("s3cret s3cret", 2)):
        file.write_text(text)
        with pytest.raises(ConfigInvalid) as caught:
            word(file, "key file")
        assert str(caught.value) == f"{file} holds {count} words; a key file holds one word alone"
