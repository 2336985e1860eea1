"""A field is read, or its mistake is told with what would be right; a list and a mapping tell all of theirs."""

from __future__ import annotations

from prober import document
from prober.fields import BAD, Field, Log, list_of, mapping_of, nearest
from prober.scalars import NAME, PORT

PAIR = mapping_of({"name": Field(NAME, "how it is called", required=True), "port": Field(PORT, "its port")}, "a pair")


def read(kind, text):
    root, found = document.load(text, "f")
    log = Log("f", found)
    return kind.read(root, log), [one.what for one in log.mistakes]


def test_the_nearest_word_is_offered_else_the_list() -> None:
    assert nearest("zonse", ["zones", "agents"]) == "did you mean zones?"
    assert nearest("xyz", ["zones", "agents"]) == "write one of zones, agents"
    assert nearest("xyz", []) == "none is declared"


def test_what_is_left_out_has_its_default_and_what_is_bad_is_missing() -> None:
    item, told = read(PAIR, "{name: web}")
    assert (item.values, told) == ({"name": "web", "port": None}, [])
    item, told = read(PAIR, "{name: web, port: none}")
    assert item.values == {"name": "web"} and told == ["none is not a TCP port"]


def test_a_misspelt_key_is_not_missing_as_well() -> None:
    assert read(PAIR, "{nmae: web}")[1] == ["nmae is not a key of a pair"]
    assert read(PAIR, "{port: 80}")[1] == ["name is missing"]


def test_a_list_with_a_bad_element_is_bad_unless_its_good_ones_are_kept() -> None:
    text = "[80, 0, 443]"
    assert read(list_of(PORT, "ports"), text) == (BAD, ["0 is not a TCP port"])
    assert read(list_of(PORT, "ports", keep=True), text) == ((80, 443), ["0 is not a TCP port"])


def test_a_single_value_may_stand_for_a_list_only_where_that_is_said() -> None:
    assert read(list_of(PORT, "ports", lone=True), "80") == ((80,), [])
    assert read(list_of(PORT, "ports"), "80") == (BAD, ["80 stands here"])
    assert read(list_of(PORT, "ports", at_least=1), "[]") == (BAD, ["the list is empty"])
