"""Targets that are declared by a host name: each resolved once, to an address that policy permits."""

from __future__ import annotations

import socket
from collections.abc import Callable

from prober.address import Address
from prober.declared import Targets
from prober.errors import ConfigInvalid, Refused
from prober.segment import address, pair


def pin(targets: Targets, resolve: Callable[[str], list[Address]] | None = None) -> Targets:
    """Each host name resolved once, to the first of its addresses that policy permits.

    ConfigInvalid names every target that does not resolve, or resolves outside policy.
    """
    wrong = []
    for target in targets.targets:
        if target.hostname is None or target.address is not None:
            continue
        try:
            found = (resolve or _resolve)(target.hostname)
        except OSError as error:
            wrong.append(f"target {target.name}: {target.hostname} does not resolve ({error.strerror or error})")
            continue
        if not found:
            wrong.append(f"target {target.name}: {target.hostname} has no address")
            continue
        good = [one for one in found if targets.policy.permits(one, target.port)]
        try:
            targets = targets.pinned(target.name, (good or found)[0])
        except Refused as refused:
            wrong.append(str(refused))
    if wrong:
        raise ConfigInvalid("\n".join(wrong))
    return targets


def _resolve(hostname: str) -> list[Address]:
    answers = socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
    return [address(*pair(str(answer[4][0]).partition("%")[0])) for answer in answers]
