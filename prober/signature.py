"""A request that its sender signed: HTTP Message Signatures (RFC 9421) with Ed25519, as far as agents need them.

Covered are the method, the path and the body's digest (RFC 9530). The signature says whose key made it, when that was
by the clock of the controller it is for, and a nonce: the same report sent twice is signed twice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from prober.errors import Refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

COVERED = ("@method", "@path", "content-digest")
"""The components that a signature is of, in the order in which an agent names them."""
DIGEST, INPUT, SIGNATURE = "Content-Digest", "Signature-Input", "Signature"
"""The headers."""
WINDOW = 60.0
"""Seconds by which ``created`` may be off the controller's clock."""
LONGEST = 2048
"""Characters of a header at most."""
REMEMBERED = 131_072
"""Signatures that a generation of `Seen` holds at most."""

_TEXT = r'"[ !#-\[\]-~]*"'
_INPUT = re.compile(
    rf'(?P<label>[a-z*][a-z0-9_.*-]*)=(?P<params>\((?P<covered>{_TEXT}(?: {_TEXT})*)\)'
    rf"(?P<given>(?:;[a-z*][a-z0-9_.*-]*=(?:[0-9]{{1,15}}|{_TEXT}))*))"
)  # fmt: skip
_GIVEN = re.compile(rf";([^=]+)=({_TEXT}|[0-9]+)")
_SIGNATURE = re.compile(r"(?P<label>[a-z*][a-z0-9_.*-]*)=:(?P<bytes>[A-Za-z0-9+/]{85}[AQgw]==):")


@dataclass(frozen=True, slots=True)
class Signed:
    """What the two headers say. ``covered``: the components in their order; ``params``: the line that ends the base,
    as it was sent; ``created``: Unix seconds."""

    agent: str
    created: int
    covered: tuple[str, ...]
    params: str
    signature: bytes


def digest(body: bytes) -> str:
    """The ``Content-Digest`` of a body."""
    return f"sha-256=:{_base64(hashlib.sha256(body).digest())}:"


def base(components: Iterable[tuple[str, str]], params: str) -> bytes:
    """What is signed: a line for each component, and the parameters (RFC 9421, 2.5)."""
    lines = [*components, ("@signature-params", params)]
    return "\n".join(f'"{name}": {value}' for name, value in lines).encode("utf-8", "surrogatepass")


def sign(key: Ed25519PrivateKey, agent: str, path: str, body: bytes, created: int, nonce: bytes) -> dict[str, str]:
    """The headers with which `agent` posts this body. `path` is what the controller answers to: what the agent's URL
    has in front of it a proxy takes away. `created`: Unix seconds, by the controller's clock."""
    told = digest(body)
    names = " ".join(f'"{name}"' for name in COVERED)
    params = f'({names});created={created};keyid="{agent}";nonce="{_base64(nonce)}";alg="ed25519"'
    signature = key.sign(base(_components("POST", path, told, COVERED), params))
    return {DIGEST: told, INPUT: f"sig1={params}", SIGNATURE: f"sig1=:{_base64(signature)}:"}


def read(given: str, signature: str) -> Signed:
    """What the headers `INPUT` and `SIGNATURE` say, one signature and no more. Refused says what is wrong."""
    if len(given) > LONGEST or len(signature) > LONGEST:
        raise Refused(f"the signature's headers are longer than {LONGEST} characters")
    said, made = _INPUT.fullmatch(given), _SIGNATURE.fullmatch(signature)
    if said is None or made is None or said["label"] != made["label"]:
        raise Refused(f"{INPUT} and {SIGNATURE} are not one signature as RFC 9421 writes it")
    covered = tuple(name.strip('"') for name in said["covered"].split(" "))
    pairs = _GIVEN.findall(said["given"])
    params = dict(pairs)
    if len(params) != len(pairs) or sorted(covered) != sorted(COVERED):
        raise Refused(f"a signature covers {', '.join(COVERED)}, each once")
    if not params.get("created", '"').isdigit() or len(params.get("keyid", "")) < 3:
        raise Refused("a signature says when it was made (created) and by whose key (keyid)")
    if params.get("alg", '"ed25519"') != '"ed25519"':
        raise Refused("a signature's algorithm is ed25519")
    return Signed(
        params["keyid"].strip('"'), int(params["created"]), covered, said["params"], base64.b64decode(made["bytes"])
    )


def is_genuine(signed: Signed, public: bytes, method: str, path: str, told: str) -> bool:
    """Whether who has this key signed a request with this method, path and ``Content-Digest``."""
    what = base(_components(method, path, told, signed.covered), signed.params)
    return is_by(public, signed.signature, what)


def is_by(public: bytes, signature: bytes, what: bytes) -> bool:
    """Whether the owner of this key (32 bytes) signed these bytes."""
    from cryptography.exceptions import InvalidSignature

    try:
        _ed25519().Ed25519PublicKey.from_public_bytes(public).verify(signature, what)
    except (InvalidSignature, ValueError):  # 32 bytes that are no point of the curve, too
        return False
    return True


def is_now(created: float, now: float) -> bool:
    """Whether a signature of that moment counts at `now`, both by the controller's clock."""
    return abs(now - created) <= WINDOW


def private_key(raw: bytes) -> Ed25519PrivateKey:
    """The key of these 32 bytes. Raises ValueError for any other number."""
    key: Ed25519PrivateKey = _ed25519().Ed25519PrivateKey.from_private_bytes(raw)
    return key


def fingerprint(public: bytes) -> str:
    """A public key as people compare it, the way OpenSSH writes one."""
    return f"SHA256:{_base64(hashlib.sha256(public).digest()).rstrip('=')}"


class Seen:
    """Signatures that were used, for as long as they would count again: two generations of twice `WINDOW` each.

    Beyond `REMEMBERED` in one of them the oldest are forgotten: who floods it has a key, and what it could make count
    twice is a report that is taken once.
    """

    def __init__(self) -> None:
        self._newer, self._older = set[int](), set[int]()
        self._began = float("-inf")

    def again(self, signature: bytes, now: float) -> bool:
        """Whether it was used before; it is from now on. `now`: monotonic seconds."""
        if now - self._began >= 2 * WINDOW or len(self._newer) >= REMEMBERED:
            self._older = self._newer if now - self._began < 4 * WINDOW else set()
            self._newer, self._began = set(), now
        short = int.from_bytes(signature[:8], "big")  # nobody can choose these bits without the key
        if short in self._newer or short in self._older:
            return True
        self._newer.add(short)
        return False

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)


def _components(method: str, path: str, told: str, covered: tuple[str, ...]) -> list[tuple[str, str]]:
    values = {"@method": method, "@path": path, "content-digest": told}
    return [(name, values[name]) for name in covered]


def _base64(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


@cache
def _ed25519() -> ModuleType:
    """Imported when a key is used first: it takes a hundredth of a second, and a command without a key needs none."""
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return ed25519
