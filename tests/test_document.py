"""The tree that ``targets.yaml`` is read from: every node knows where it was written."""

from __future__ import annotations

from prober.document import Mapping, Scalar, Sequence, load


def test_every_node_knows_its_line_column_and_path() -> None:
    root, mistakes = load("zones:\n  - name: a\n    cidrs: [x, 'y']\n", "f")
    assert mistakes == []
    assert isinstance(root, Mapping)
    zones = root.entries["zones"]
    assert isinstance(zones, Sequence)
    zone = zones.items[0]
    assert isinstance(zone, Mapping)
    cidrs = zone.entries["cidrs"]
    assert isinstance(cidrs, Sequence)
    last = cidrs.items[1]
    assert isinstance(last, Scalar)
    assert (last.line, last.column, last.path, last.text, last.plain) == (3, 16, "zones[0].cidrs[1]", "y", False)
    assert (zone.keys["cidrs"].line, zone.keys["cidrs"].column) == (3, 5)


def test_scalars_are_sorted_by_the_core_schema_of_yaml_1_2() -> None:
    root, _ = load("[no, NO, true, ~, 0x50, 0o17, 1e3, .inf, 10.1, '10', 10.0.0.1, 1_000]", "f")
    assert isinstance(root, Sequence)
    sorts = [item.sort for item in root.items if isinstance(item, Scalar)]
    assert sorts == [
        "text", "text", "boolean", "null", "number", "number", "number", "number", "number", "text", "text", "text",
    ]  # fmt: skip


def test_a_duplicate_key_is_a_mistake_and_the_first_stands() -> None:
    root, mistakes = load("a: 1\nb: 2\na: 3\n", "f")
    assert [str(mistake) for mistake in mistakes] == [
        "f:3:1  a  the key is written twice, first at line 1; keep one of them"
    ]
    assert isinstance(root, Mapping)
    first = root.entries["a"]
    assert isinstance(first, Scalar)
    assert first.text == "1"
