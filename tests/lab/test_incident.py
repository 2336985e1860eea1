"""An incident file: what it may say, and each mistake in it with its place and a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from prober.errors import ConfigInvalid
from prober.lab import incident
from prober.verdict import Label

NETWORK = """\
title: A title
network:
  subnets: {left: 198.18.1.0/24}
  hosts:
    a: {addresses: {left: 198.18.1.4}}
    b: {addresses: {left: 198.18.1.5}, listen: 80}
  agents: [a]
"""

MISTAKES = {
    "break:\n  c: [ip link]": ":9:3  break.c  no such host or pod; there are: a, b",
    "break:\n  a: [rm -rf /]": (
        ":9:7  break.a[0]  'rm -rf /' does not start with one of ip, bridge, nft, sysctl, listen, close"
    ),
    "break:\n  a:\n    - ip link set eth0 netns 1": (
        ":10:7  break.a[0]  'ip link set eth0 netns 1' may not use 'netns': a command stays inside its own host"
    ),
    "break:\n  a: nft -f /etc/passwd": (
        "'nft -f /etc/passwd' may not use '-f': a command stays inside its own host"
    ),
    "break:\n  a: sysctl kernel.panic=1": "'sysctl kernel.panic=1' is not of the form 'sysctl net.KEY=VALUE'",
    "break:\n  a: listen 70000": "'listen 70000' is not of the form 'listen PORT' with a port from 1 to 65535",
    "break:\n  a: ip route add 'x": "cannot be split into words: No closing quotation",
    "stop_agents: [b]": ":8:1  stop_agents  no agent 'b'; there are: a",
    "colour: red": ":8:1  colour  is not a key that is known here; see docs/incidents.md for those that are",
    "expect:\n  - {source: a, target: b, label: broken}": (
        ":9:28  expect[0].label  Input should be 'healthy', 'detour', 'ingress-drop'"
    ),
    "expect:\n  - {source: a, target: b}": ":9:5  expect[0]  Field required",
    "expect:\n  - {source: b, target: a, label: healthy}": ":9:6  expect[0].source  no source 'b'; there are: a",
    "targets: {targets: [{name: t}]}\nexpect:\n  - {source: a, target: [t, x], label: healthy}": (
        ":10:17  expect[0].target  no target 'x'; there are: t"
    ),
    "title: Again": "the key is written twice, first at line 1",
}  # fmt: skip


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_answered_with_its_place_and_what_would_be_right(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(NETWORK + text)
    with pytest.raises(ConfigInvalid) as caught:
        incident.load(str(path))
    assert MISTAKES[text].removeprefix(":") in str(caught.value)
    assert str(caught.value).startswith(f"{path}:")
    assert len(str(caught.value).splitlines()) == 1


def test_a_name_that_is_neither_shipped_nor_a_file_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        incident.load("incidnet")
    assert str(caught.value).startswith("'incidnet' is neither a file nor a shipped incident; those are: ")
    assert str(caught.value).endswith(", ".join(incident.names()))


def test_a_file_of_ones_own_may_use_a_network_beside_it(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("subnets: {left: 198.18.1.0/24}\nhosts: {a: {addresses: {left: 198.18.1.4}}}\n")
    (tmp_path / "Mine.yaml").write_text("title: Mine\nnetwork: net.yaml\nbreak: {a: ip link set eth0 down}\n")
    told = incident.load(str(tmp_path / "Mine.yaml"))
    assert (told.name, told.network.places()) == ("mine", ("a",))
    assert told.break_steps == {"a": ("ip link set eth0 down",)}


def test_a_network_that_incidents_share_is_read_once() -> None:
    networks = {id(one): one for one in (incident.load(name).network for name in incident.names())}
    assert len(networks) < len(incident.names()) / 2


def test_a_mistake_in_a_network_file_is_shown_in_that_file(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("subnets: {left: 198.18.1.0/24}\nhosts:\n  a: {adresses: {}}\n")
    (tmp_path / "mine.yaml").write_text("title: Mine\nnetwork: net.yaml\n")
    with pytest.raises(ConfigInvalid) as caught:
        incident.load(str(tmp_path / "mine.yaml"))
    assert f"{tmp_path}/net.yaml:3:7  hosts.a.adresses  is not a key that is known here" in str(caught.value)


def test_the_first_expectation_that_names_a_cell_holds_and_all_others_must_be_healthy() -> None:
    told = incident.load("incident")
    asked = told.expected("firewall", "ingress")
    assert asked.text() == "return-path-misroute R1b proven '10.19.0.0/16 via 10.224.0.23'"
    culprit = "node19: node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)"
    assert asked.met_by("return-path-misroute", "R1b", "proven", culprit)
    assert not asked.met_by("return-path-misroute", "R1b", "likely", culprit)
    assert not asked.met_by("return-path-misroute", "R1a", "proven", culprit)
    assert not asked.met_by("return-path-misroute", "R1b", "proven", None)
    assert not asked.met_by("return-path-loss", "R1b", "proven", culprit)
    assert told.expected("vm", "ingress").label == (Label.HEALTHY,)
    assert not told.expected("vm", "ingress").met_by("unknown", None, None, None)


def test_an_incident_is_like_another_but_for_what_it_says_itself(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("like: filter\ntitle: mine\nfamily: 6\nothers: unknown\n")
    mine, filtered = incident.load(str(file)), incident.load("filter")
    assert (mine.name, mine.title, mine.others) == ("mine", "mine, in IPv6", ("unknown",))
    assert len(mine.break_steps["vpc"]) == len(filtered.break_steps["vpc"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("like: nothing\n", ":1:1  like  'nothing' is neither a shipped incident nor a file beside this one"),
        ("like: filter-6\n", ":1:1  like  'filter-6' is like another one itself"),
        ("like: filter\nfamily: 5\n", ":2:1  family  5 is no family; write 4 or 6"),
    ],
)
def test_a_strange_likeness_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigInvalid) as refused:
        incident.load(str(file))
    assert said in str(refused.value)
