"""Targets that are declared by a host name: each pinned to one of its addresses that policy permits."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from prober.address import Address
from prober.declared import Target, Targets
from prober.errors import Refused
from prober.segment import address, pair

Found = Mapping[str, Sequence[Address]]
"""What was found for host names."""


def names(targets: Targets) -> list[str]:
    """The host names that are declared, each once."""
    return list(dict.fromkeys(one.hostname for one in targets.targets if one.hostname is not None))


def look_up(hostname: str) -> list[Address]:
    """All its addresses. Raises OSError with the resolver's own words; may take its resolver's patience, seconds."""
    answers = socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
    return [address(*pair(str(answer[4][0]).partition("%")[0])) for answer in answers]


def pin(targets: Targets, found: Found, before: Targets | None = None) -> tuple[Targets, list[str]]:
    """Every target of a host name that was found, pinned; and a sentence for each whose addresses policy forbids.

    The address that the same name was pinned to `before` stays for as long as it is among those found: names with many
    addresses answer in another order each time. Else it is the lowest, so that controllers agree without a word.
    """
    wrong, old = [], {one.hostname: one.address for one in before.targets} if before else {}
    for target in targets.targets:
        if target.hostname is None or not (answers := found.get(target.hostname)):
            continue
        try:
            targets = targets.pinned(target.name, _chosen(targets, target, answers, old.get(target.hostname)))
        except Refused as refused:
            wrong.append(str(refused))
    return targets, wrong


def _chosen(targets: Targets, target: Target, answers: Sequence[Address], before: Address | None) -> Address:
    ordered = sorted(answers, key=lambda one: (one.version, int(one)))
    good = [one for one in ordered if targets.policy.permits(one, target.port)]
    return before if before is not None and before in good else (good or ordered)[0]
