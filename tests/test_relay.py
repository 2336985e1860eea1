"""A report through a peer's hands: nobody between can make one, change one, or acknowledge one."""

from __future__ import annotations

import msgspec
import pytest

from prober import relay
from prober.controller.intake import LIMIT
from prober.relay import Bundle, Receipt
from prober.report import Question, Report, encode

SECRET = b"s" * 32
KEY = relay.key_of(SECRET, "firewall")


def body(sequence: int = 1) -> bytes:
    return encode(Report("firewall", 1, sequence, clock_ns=5, since_ns=1, until_ns=2, via="node1"))


BUNDLE = relay.seal("firewall", body(), KEY)
RECEIPT = relay.acknowledge(BUNDLE, KEY, 0.25, "v1")


def test_a_bundle_and_its_receipt_arrive_as_they_were_made() -> None:
    assert relay.decode_bundle(relay.encode(BUNDLE)) == BUNDLE
    assert relay.is_genuine(BUNDLE, KEY)
    assert relay.decode_receipt(relay.encode(RECEIPT)) == RECEIPT
    assert relay.is_for(RECEIPT, BUNDLE, KEY)
    assert relay.is_for(relay.acknowledge(BUNDLE, KEY, 5.0, refused="no report"), BUNDLE, KEY)
    asking = relay.acknowledge(BUNDLE, KEY, 5.0, questions=[Question("10.4.76.34", port=8080)])
    assert relay.is_for(relay.decode_receipt(relay.encode(asking)), BUNDLE, KEY)


def test_every_agent_has_a_key_of_its_own_and_another_secret_makes_others() -> None:
    keys = {relay.key_of(secret, name) for secret in (SECRET, b"t" * 32) for name in ("firewall", "node1", "")}
    assert len(keys) == 6
    assert {len(key) for key in keys} == {32}


@pytest.mark.parametrize(
    "forged",
    [
        relay.seal("firewall", body(), relay.key_of(SECRET, "node1")), relay.seal("firewall", body(), b""),
        msgspec.structs.replace(BUNDLE, body=body(2)), msgspec.structs.replace(BUNDLE, agent="node1"),
        msgspec.structs.replace(BUNDLE, signature=b""), msgspec.structs.replace(BUNDLE, signature=RECEIPT.signature),
        msgspec.structs.replace(BUNDLE, signature=BUNDLE.signature[:-1]),
    ],
)  # fmt: skip
def test_a_bundle_that_was_made_up_or_changed_is_not_genuine(forged: Bundle) -> None:
    assert not relay.is_genuine(forged, KEY)


@pytest.mark.parametrize(
    "forged",
    [
        relay.acknowledge(BUNDLE, relay.key_of(SECRET, "node1"), 0.25, "v1"),
        relay.acknowledge(relay.seal("firewall", body(2), KEY), KEY, 0.25, "v1"),
        msgspec.structs.replace(RECEIPT, report_every=60.0), msgspec.structs.replace(RECEIPT, plan_version="v2"),
        msgspec.structs.replace(RECEIPT, questions=[Question("10.4.76.34")]),
        msgspec.structs.replace(RECEIPT, refused="no report"), msgspec.structs.replace(RECEIPT, signature=b""),
        msgspec.structs.replace(RECEIPT, signature=BUNDLE.signature),
        relay.acknowledge(msgspec.structs.replace(BUNDLE, agent="node1"), KEY, 0.25, "v1"),
    ],
)  # fmt: skip
def test_a_receipt_of_another_key_for_another_report_or_changed_acknowledges_nothing(forged: Receipt) -> None:
    assert not relay.is_for(forged, BUNDLE, KEY)


def test_the_largest_report_that_a_controller_takes_fits_into_a_bundle() -> None:
    largest = relay.encode(relay.seal("a" * 253, bytes(LIMIT), KEY))
    assert LIMIT < len(largest) <= relay.MOST
    questions = [Question(f"2001:db8::{number:x}", "2001:db8:1:2:3:4:5:6", "eth0") for number in range(4096)]
    said = relay.acknowledge(BUNDLE, KEY, 0.25, "v" * 64, "\U0001f525" * 500, questions)
    assert len(relay.encode(said)) <= relay.MOST_BACK
