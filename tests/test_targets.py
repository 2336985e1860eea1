"""``targets.yaml`` as people write it: what it means, and the whole message for each way to get it wrong."""

from __future__ import annotations

import ipaddress
import json
import time
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prober.errors import ConfigInvalid
from prober.targets import mistakes, parse, schema

ROOT = Path(__file__).parents[1]
DEMO = (ROOT / "targets.yaml").read_text(encoding="utf-8")
BAD = sorted((ROOT / "tests/bad_targets").glob("*.yaml"))
SMALL = """
zones: [{name: a, cidrs: [10.1.0.0/24, "2001:db8::/64"]}, {name: p, kind: pods}]
agents: [{name: one, zone: a, addresses: [10.1.0.1]}]
targets: [{name: web, zone: p, address: 10.2.0.1, port: 80}]
policy: {allow: [{network: 10.0.0.0/8, ports: [80, 8000-8099]}, {network: "2001:db8::/64", ports: [443]}]}
"""


def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_bad_file_gets_its_whole_message(path: Path) -> None:
    expected = path.with_suffix(".txt").read_text(encoding="utf-8")
    text = path.read_bytes().decode()
    assert "".join(f"{mistake}\n" for mistake in mistakes(text, path.name)) == expected
    with pytest.raises(ConfigInvalid) as caught:
        parse(text, path.name)
    assert f"{caught.value}\n" == expected
    assert caught.value.exit_code == 4


def test_there_is_a_bad_file_for_every_message_and_a_message_for_every_bad_file() -> None:
    assert len(BAD) > 80
    assert {path.stem for path in BAD} == {path.stem for path in (ROOT / "tests/bad_targets").glob("*.txt")}


def test_the_demo_network_reads_without_a_mistake() -> None:
    assert mistakes(DEMO) == []
    targets = parse(DEMO)
    assert [agent.name for agent in targets.agents] == [
        "firewall", "lb", "node1", "node2", "node19", "vm", "remote", "private",
    ]  # fmt: skip
    assert targets.target("ingress").address == address("10.4.76.34")
    assert targets.target("ingress-via-lb").backends == ("ingress",)
    assert [one.name for one in targets.objectives] == [
        "firewall-to-ingress", "lb-to-ingress", "nodes-to-ingress", "remote-to-ingress", "private-through-lb",
    ]  # fmt: skip
    promise = targets.objectives[0]
    assert (promise.availability, promise.latency_ms, promise.window) == (0.999, 50, 30 * 86400)
    assert targets.objectives[2].sources == ("node1", "node2", "node19", "vm")
    assert {(probe.every, probe.timeout, probe.flows) for probe in targets.probes} == {(1.0, 1.0, 1)}
    assert (targets.pools[0].kind, targets.pools[0].mask) == ("cilium-cluster-pool", 16)


def test_a_json_document_means_the_same_as_the_yaml_it_came_from() -> None:
    as_json = json.dumps(
        {
            "zones": [{"name": "a", "cidrs": ["10.1.0.0/24", "2001:db8::/64"]}, {"name": "p", "kind": "pods"}],
            "agents": [{"name": "one", "zone": "a", "addresses": ["10.1.0.1"]}],
            "targets": [{"name": "web", "zone": "p", "address": "10.2.0.1", "port": 80}],
            "policy": {
                "allow": [
                    {"network": "10.0.0.0/8", "ports": [80, "8000-8099"]},
                    {"network": "2001:db8::/64", "ports": [443]},
                ]
            },
        },
        indent="\t",
    )
    assert parse(as_json) == parse(SMALL)
    assert parse(as_json).digest == parse(SMALL).digest


def test_a_listening_agent_is_a_target_of_its_own_name_at_its_first_address() -> None:
    target = parse(DEMO).target("node1")
    assert (target.address, target.port, target.zone) == (address("10.224.0.4"), 7007, "nodes")
    with pytest.raises(KeyError):
        parse(SMALL).target("one")


def test_defaults_are_ten_seconds_one_flow_one_second_one_attempt() -> None:
    targets = parse(SMALL + "probes: [{from: all, to: web}]\nobjectives: [{name: o, availability: 0.99}]\n")
    probe, promise = targets.probes[0], targets.objectives[0]
    assert (probe.every, probe.flows, probe.timeout, probe.attempts) == (10, 1, 1, 1)
    assert (promise.sources, promise.targets) == (("one",), ("web",))
    assert (promise.latency_ms, promise.window) == (None, 30 * 86400)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("500ms", 0.5), ("1s", 1), ("1.5s", 1.5), ("2m", 120), ("1h", 3600), ("1d", 86400), ("7", 7), ("'7'", 7)],
)
def test_a_duration_is_a_number_with_a_unit_or_seconds(written: str, seconds: float) -> None:
    text = SMALL + f"probes: [{{from: one, to: web, every: {written}, timeout: 100ms}}]\n"
    text = text.replace("policy: {", "policy: {syns_per_second: 10, ")
    assert parse(text).probes[0].every == seconds


def test_no_is_a_word_in_yaml_1_2_and_may_be_a_name() -> None:
    assert parse(SMALL.replace("name: one", "name: NO")).agents[0].name == "NO"


def test_a_few_aliases_are_fine() -> None:
    text = SMALL.replace("[80, 8000-8099]", "&ports [80, 8000-8099]").replace("[443]", "*ports")
    assert len({one.ports for one in parse(text).policy.allow}) == 1


def test_a_document_over_4_mib_is_refused_at_once() -> None:
    began = time.monotonic()
    (mistake,) = mistakes("# " + "x" * 4 * 1024 * 1024)
    assert str(mistake).startswith("targets.yaml:1:1  (document)  is larger than 4 MiB")
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("text", ["[" * 200_000, "{a: " * 50_000, "- " * 100_000, "&a [" * 9 + "*a, " * 100_000])
def test_depth_and_aliases_are_refused_before_they_cost_anything(text: str) -> None:
    began = time.monotonic()
    assert mistakes(text)
    assert time.monotonic() - began < 5


def test_the_schema_in_the_repository_is_the_parsers_own() -> None:
    stored = json.loads((ROOT / "prober/targets.schema.json").read_text(encoding="utf-8"))
    assert stored == schema(), "write json.dumps(schema(), indent=2, ensure_ascii=False) to prober/targets.schema.json"


def as_plain_data(text: str) -> object:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(text)


def test_the_schema_accepts_the_demo_network() -> None:
    jsonschema_rs.validate(schema(), as_plain_data(DEMO))


@pytest.mark.parametrize(
    "name", ["unknown-key", "unknown-section", "port-70000", "port-word", "no-policy", "duration", "kind", "flows",
             "name-with-slash", "name-number", "policy-without-allow", "item-is-a-word", "port-list", "many-at-once",
             "chat-name"]
)  # fmt: skip
def test_the_schema_refuses_what_the_parser_refuses(name: str) -> None:
    text = (ROOT / f"tests/bad_targets/{name}.yaml").read_text(encoding="utf-8")
    assert not jsonschema_rs.is_valid(schema(), as_plain_data(text))


def only_config_invalid(text: str) -> None:
    if mistakes(text):
        with pytest.raises(ConfigInvalid, match=r"\Atargets\.yaml:") as told:
            parse(text)
        str(told.value).encode()
    else:
        assert parse(text).policy.allow


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=400))
def test_any_text_parses_or_is_invalid(text: str) -> None:
    only_config_invalid(text)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["latin-1", "utf-16-le"]))
def test_any_bytes_parse_or_are_invalid(raw: bytes, coding: str) -> None:
    only_config_invalid(
        raw.decode(coding, "surrogatepass" if coding != "latin-1" else "strict")
        if len(raw) % 2 == 0
        else raw.decode("latin-1")
    )


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_demo_document_parses_or_is_invalid(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(DEMO)))
    cut = data.draw(st.integers(0, 40))
    only_config_invalid(
        DEMO[:at] + data.draw(st.text("{}[]:,-&*!#|>'\"%@` \n\t\\0129axA./~?\0\ufeff", max_size=8)) + DEMO[at + cut :]
    )


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = ["zones", "agents", "targets", "groups", "probes", "objectives", "policy", "pools", "chat"]


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), JUNK | st.lists(st.dictionaries(st.sampled_from(
    ["name", "zone", "cidrs", "addresses", "from", "to", "port", "address", "allow", "mask", "backends", "every"]
), JUNK, max_size=5), max_size=4)))  # fmt: skip
def test_any_json_of_the_right_keys_parses_or_is_invalid(document: dict[str, object]) -> None:
    only_config_invalid(json.dumps(document))
