"""Signed requests: the standard's own example, and that nothing else than what was signed passes."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as some

from prober import signature
from prober.errors import Refused
from prober.signature import COVERED, DIGEST, INPUT, SIGNATURE, WINDOW, Seen

KEY = signature.private_key(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER = signature.private_key(bytes(32)).public_key().public_bytes_raw()
PATH, BODY = "/agent/v1/reports", b"a report"
HEADERS = signature.sign(KEY, "firewall", PATH, BODY, 1_700_000_000, b"12345678")


def genuine(headers: dict[str, str], method: str = "POST", path: str = PATH, told: str | None = None) -> bool:
    signed = signature.read(headers[INPUT], headers[SIGNATURE])
    return signature.is_genuine(signed, PUBLIC, method, path, told or headers[DIGEST])


def test_the_example_of_rfc_9421_appendix_b_2_6() -> None:
    components = [
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"), ("@method", "POST"), ("@path", "/foo"),
        ("@authority", "example.com"), ("content-type", "application/json"), ("content-length", "18"),
    ]  # fmt: skip
    names = " ".join(f'"{name}"' for name, _ in components)
    what = signature.base(components, f'({names});created=1618884473;keyid="test-key-ed25519"')
    private = base64.b64decode("MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF")[-32:]
    public = base64.b64decode("MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")[-32:]
    told = base64.b64decode("wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==")
    assert signature.private_key(private).sign(what) == told
    assert signature.is_by(public, told, what)
    assert not signature.is_by(public, told, what + b" ")


def test_the_digest_of_rfc_9530_appendix_b_1() -> None:
    assert signature.digest(b'{"hello": "world"}') == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"


def test_what_is_signed_reads_as_the_standard_writes_it() -> None:
    assert HEADERS[INPUT] == (
        'sig1=("@method" "@path" "content-digest");created=1700000000;keyid="firewall";'
        'nonce="MTIzNDU2Nzg=";alg="ed25519"'
    )
    signed = signature.read(HEADERS[INPUT], HEADERS[SIGNATURE])
    assert (signed.agent, signed.created, signed.covered) == ("firewall", 1_700_000_000, COVERED)
    assert signed.signature == KEY.sign(
        f'"@method": POST\n"@path": {PATH}\n"content-digest": {HEADERS[DIGEST]}\n'
        f'"@signature-params": {HEADERS[INPUT].removeprefix("sig1=")}'.encode()
    )


@given(
    agent=some.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", fullmatch=True),
    body=some.binary(max_size=200), created=some.integers(0, 10**12), nonce=some.binary(min_size=8, max_size=8),
)  # fmt: skip
def test_what_an_agent_signs_is_genuine_and_says_whose_it_is(
    agent: str, body: bytes, created: int, nonce: bytes
) -> None:
    headers = signature.sign(KEY, agent, PATH, body, created, nonce)
    signed = signature.read(headers[INPUT], headers[SIGNATURE])
    assert (signed.agent, signed.created) == (agent, created)
    assert signature.is_genuine(signed, PUBLIC, "POST", PATH, signature.digest(body))
    assert not signature.is_genuine(signed, OTHER, "POST", PATH, signature.digest(body))
    assert not signature.is_genuine(signed, PUBLIC, "POST", PATH, signature.digest(body + b"\0"))


def test_another_method_path_or_body_is_not_what_was_signed() -> None:
    assert genuine(HEADERS)
    assert not genuine(HEADERS, method="PUT")
    assert not genuine(HEADERS, path="/agent/v1/relayed")
    assert not genuine(HEADERS, told=signature.digest(b"another"))


@given(header=some.sampled_from([INPUT, SIGNATURE]), at=some.integers(0, 200), to=some.characters(max_codepoint=255))
def test_a_header_that_was_changed_anywhere_is_refused_or_not_genuine(header: str, at: int, to: str) -> None:
    was = HEADERS[header]
    at %= len(was)
    changed = was[:at] + to + was[at + 1 :]
    try:
        passes = genuine(HEADERS | {header: changed})
    except Refused:
        return
    same = header == INPUT and changed.partition("=")[2] == was.partition("=")[2]
    assert passes == (changed == was or same), "the label alone is not signed"


@given(some.text(max_size=300), some.text(max_size=300))
def test_any_text_is_read_or_refused(one: str, other: str) -> None:
    for given_, made in ((one, other), (HEADERS[INPUT] + one, HEADERS[SIGNATURE]), (HEADERS[INPUT], other)):
        with suppress(Refused):
            assert signature.read(given_, made).agent


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ('"@path" ', "", "covers @method, @path, content-digest"),
        ('"@path"', '"@method"', "each once"),
        ('"@path"', '"@path" "date"', "each once"),
        (";created=1700000000", "", "when it was made"),
        (";created=1700000000", ';created="now"', "when it was made"),
        (";created=1700000000", ";created=1;created=1700000000", "each once"),
        (';keyid="firewall"', "", "by whose key"),
        (';keyid="firewall"', ';keyid=""', "by whose key"),
        ('"ed25519"', '"rsa-pss-sha512"', "algorithm is ed25519"),
        ("sig1=", "sig2=", "not one signature"),
        ("sig1=", "sig1 = ", "not one signature"),
        (';keyid="firewall"', f';keyid="{"a" * 2048}"', "longer than 2048"),
    ],
)
def test_a_signature_that_says_too_little_or_something_else_is_one_sentence(was: str, becomes: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        signature.read(HEADERS[INPUT].replace(was, becomes), HEADERS[SIGNATURE])


def test_two_signatures_are_one_too_many() -> None:
    with pytest.raises(Refused, match="not one signature"):
        signature.read(f"{HEADERS[INPUT]}, {HEADERS[INPUT]}", f"{HEADERS[SIGNATURE]}, {HEADERS[SIGNATURE]}")


@given(some.integers(0, 2**40), some.floats(-2 * WINDOW, 2 * WINDOW))
def test_a_signature_counts_within_the_window_on_both_sides(created: int, off: float) -> None:
    now = created + off
    assert signature.is_now(created, now) == (abs(now - created) <= WINDOW)


@given(some.lists(some.tuples(some.floats(0.0, WINDOW), some.integers(0, 5)), max_size=60))
def test_what_was_used_is_known_for_as_long_as_it_could_count(steps: list[tuple[float, int]]) -> None:
    seen, last, now = Seen(), dict[int, float](), 1000.0
    for after, which in steps:
        now += after
        used = seen.again(hashlib.sha512(bytes([which])).digest(), now)
        first = last.get(which)
        if first is not None and now - first <= 2 * WINDOW:
            assert used
        if first is None:
            assert not used
        if not used:
            last[which] = now


def test_a_flood_forgets_the_oldest_and_stays_within_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature, "REMEMBERED", 100)
    seen = Seen()
    made = [hashlib.sha512(b"%d" % number).digest() for number in range(1000)]
    assert not any(seen.again(one, 5.0) for one in made)
    assert len(seen) <= 200
    assert all(seen.again(one, 6.0) for one in made[-100:])


def test_a_fingerprint_names_a_key_and_not_another() -> None:
    one, other = (signature.fingerprint(key) for key in (PUBLIC, OTHER))
    assert one != other
    assert one.startswith("SHA256:") and len(one) == 50


@given(some.binary(max_size=40))
def test_any_bytes_are_a_key_that_did_not_sign_this(public: bytes) -> None:
    signed = signature.read(HEADERS[INPUT], HEADERS[SIGNATURE])
    assert not signature.is_genuine(signed, public, "POST", PATH, HEADERS[DIGEST])
