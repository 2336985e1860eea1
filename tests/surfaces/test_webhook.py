"""A webhook's messages by the Standard Webhooks specification."""

from __future__ import annotations

import json

import pytest

from prober.surfaces.webhook import body, headers, secret_of, sign
from tests.alarms import hostile, incident, resolved


def test_the_signature_is_that_of_the_specification() -> None:
    """The specification's own example (spec/standard-webhooks.md, "Signature scheme" and its reference libraries)."""
    secret = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_has_one_identity_however_often_it_is_sent() -> None:
    first, again = (headers(incident(), body(incident()), now, b"s") for now in (1.0, 99.0))
    assert first["webhook-id"] == again["webhook-id"] == "3f2a0b1c4d5e6f70.1"
    assert first["webhook-signature"] != again["webhook-signature"]
    assert headers(resolved(), body(resolved()), 1.0)["webhook-id"] == "3f2a0b1c4d5e6f70.2"
    assert "webhook-signature" not in headers(incident(), b"", 1.0)


def test_the_body_says_what_happened_and_when() -> None:
    told = json.loads(body(resolved()))
    assert (told["type"], told["timestamp"]) == ("prober.alert.resolved", told["data"]["closed_at"])
    assert json.loads(body(incident()))["timestamp"] == json.loads(body(incident()))["data"]["opened_at"]
    assert json.loads(body(hostile()).decode("utf-8", "strict"))["data"]["state"] == "opened"


def test_a_secret_is_itself_or_what_its_base64_says() -> None:
    assert secret_of("plain") == b"plain"
    assert secret_of("whsec_c2FpZA==") == b"said"
    with pytest.raises(ValueError, match="base64"):
        secret_of("whsec_!")
