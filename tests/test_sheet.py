"""The document as read: what is derived goes as far as what is right in it, and says where it can't."""

from __future__ import annotations

import ipaddress

from prober import document
from prober.fields import Log, mapping_of
from prober.sheet import Sheet
from prober.targets import DOCUMENT

TEXT = """
zones: [{name: a, cidrs: [10.1.0.0/24]}, {name: p, kind: pods}]
agents:
- {name: one, zone: a, addresses: [10.1.0.1], pods: [10.2.0.0/24], listen: 7007}
- {name: two, zone: a, addresses: [10.1.0.2]}
targets: [{name: web, zone: p, address: 10.2.0.1, port: 80}]
groups: {both: [one, web], hollow: [two]}
policy: {allow: [{network: 10.0.0.0/8, ports: [80]}]}
"""
POD_BLOCK, HOSTS = ipaddress.ip_network("10.2.0.0/24"), ipaddress.ip_network("10.1.0.0/24")


def sheet(text: str = TEXT) -> Sheet:
    root, found = document.load(text, "f")
    log = Log("f", found)
    assert root is not None
    return Sheet(mapping_of(DOCUMENT, "the document").read(root, log), log)


def test_an_agent_that_listens_is_a_target_too() -> None:
    assert dict(sheet().names.agents) == {"one": "a", "two": "a"}
    assert dict(sheet().names.targets) == {"web": "p", "one": "a"}


def test_a_name_with_another_mistake_is_a_name_all_the_same() -> None:
    wrong = sheet(TEXT.replace("listen: 7007", "listen: many").replace("address: 10.2.0.1", "address: here"))
    assert set(wrong.names.targets) == {"web", "one"} and len(wrong.log.mistakes) == 2


def test_only_what_means_an_agent_may_ask_and_only_what_means_a_target_be_asked() -> None:
    assert sheet().sources == {"all", "a", "one", "two", "both", "hollow"}
    assert sheet().destinations == {"all", "a", "p", "web", "one", "both"}


def test_a_zone_has_its_own_networks_and_its_pods() -> None:
    assert sheet().networks == {"a": (HOSTS, POD_BLOCK)}
    assert sheet(TEXT.replace("10.2.0.0/24", "10.2.0.9/24")).networks == {}, "not all of the zone's are known"


def test_a_policy_is_kept_as_far_as_it_could_be_read() -> None:
    assert sheet().policy_reads and sheet().policy.permits(ipaddress.ip_address("10.2.0.1"), 80)
    half = sheet(TEXT.replace("ports: [80]}]", "ports: [80]}, {network: 10.9.0.0/16, ports: [none]}]"))
    assert not half.policy_reads and half.policy.permits(ipaddress.ip_address("10.2.0.1"), 80)
    assert len(half.policy.allow) == 1


def test_a_section_that_is_left_out_or_is_no_list_has_no_items() -> None:
    assert sheet().section("pools") == () and sheet(TEXT + "objectives: soon\n").section("objectives") == ()
