"""A network that can't stand is refused when it is read, with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from dialling import DUAL

from prober.errors import ConfigInvalid
from prober.lab import incident
from prober.lab.network import Network


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("{subnets: {left: 198.18.1.0/33}, hosts: {}}", "does not appear to be an IPv4 or IPv6 network"),
        ("{subnets: {}, hosts: {a: {addresses: {left: 198.18.1.4}}}}", "is in subnet 'left', which is not declared"),
        (
            "{subnets: {left: 198.18.1.0/24}, hosts: {a: {addresses: {left: 198.18.2.4}}}}",
            "host 'a': 198.18.2.4 is not in subnet 'left' (198.18.1.0/24)",
        ),
        (
            "{subnets: {left: 198.18.1.0/24}, hosts: {a: {addresses: {left: 198.18.1.4}, gateway: 198.18.9.1}}}",
            "host 'a': its gateway 198.18.9.1 is in none of its subnets (198.18.1.0/24)",
        ),
        (
            (
                "{subnets: {left: 198.18.1.0/24}, "
                "hosts: {a: {addresses: {left: 198.18.1.4}, pods: {a: {address: 198.18.5.1}}}}}"
            ),
            "'a' names two hosts or pods; each needs a name of its own",
        ),
        ("{subnets: {}, hosts: {}, agents: [a]}", "agent 'a' is not a host"),
        ("{subnets: {}, hosts: {switch: {addresses: {}}}}", "'switch' is the lab's own"),
        ("azzure", "'azzure' is neither a shipped network (azure"),
    ],
)
def test_a_network_that_cannot_stand_is_refused_before_anything_is_built(
    network: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"title: A title\nnetwork: {network}\n")
    with pytest.raises(ConfigInvalid) as caught:
        incident.load(str(path))
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}:2:")
    assert len(str(caught.value).splitlines()) == 1


def test_one_value_is_a_list_of_one_and_places_come_in_the_order_written() -> None:
    several = {"subnets": {"left": ["198.18.1.0/24"]}, "hosts": {"a": {"addresses": {"left": ["198.18.1.4"]}}}}
    one = {"subnets": {"left": "198.18.1.0/24"}, "hosts": {"a": {"addresses": {"left": "198.18.1.4"}}}}
    assert Network.model_validate(one) == Network.model_validate(several)
    assert DUAL.places() == ("router", "caller", "node", "pod")
