"""The war room's other calls, answered by the matrix: the other way round, other sources, other targets.

They are asked all the time anyway. Only fresh cells count; of one that nobody probes, nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prober.verdict import Label

Key = tuple[str, str]
FEW = 3
"""Names that are listed before the rest are counted."""


def lines(key: Key, labels: Mapping[Key, Label], responders: Sequence[str]) -> dict[str, str]:
    """What the other cells say of a failing one, by the name of the call. `labels` holds fresh cells only.

    `responders` are the agents at the target's side: they are who can call back.
    """
    source, target = key
    back = {one: labels[one, source] for one in responders if (one, source) in labels}
    others = {one: label for (one, asked), label in labels.items() if asked == target and one != source}
    beside = {asked: label for (one, asked), label in labels.items() if one == source and asked != target}
    found = {
        "the other way round": "; ".join(f"{one} → {source} is {label}" for one, label in back.items()),
        "other sources": _counted(others, f"to {target}"),
        "other targets": _counted(beside, f"from {source}"),
    }
    return {name: words for name, words in found.items() if words}


def shapes(key: Key, labels: Mapping[Key, Label], responders: Sequence[str], lost_copies: bool) -> dict[str, str]:
    """SYN-shaped against SYN-ACK-shaped: the responder's own SYN comes through where copies of its answer do not.

    That is what a stateful firewall does which never saw the SYN: it takes a fresh one, and drops an answer to none.
    """
    passing = [one for one in responders if (one, key[0]) in labels and labels[one, key[0]].passes]
    if not lost_copies or not passing:
        return {}
    who = ", ".join(passing)
    said = (
        f"{who}'s own SYN reaches {key[0]} and its SYN-ACK does not: a firewall on the way back that saw no SYN, or a"
    )
    return {"SYN against SYN-ACK": f"{said} filter that knows the flags"}


def _counted(labels: Mapping[str, Label], which: str) -> str:
    """How many of them pass, and who does not."""
    if not labels:
        return ""
    failing = [f"{name} ({label})" for name, label in labels.items() if not label.passes and label != Label.UNKNOWN]
    unknown = sum(label == Label.UNKNOWN for label in labels.values())
    passing = len(labels) - len(failing) - unknown
    listed = ", ".join(failing[:FEW]) + (f" and {len(failing) - FEW} more" if len(failing) > FEW else "")
    told = f"{passing} of {len(labels)} {which} pass" + (f"; failing: {listed}" if failing else "")
    return told + (f"; {unknown} unknown" if unknown else "")


def one_offs(key: Key, labels: Mapping[Key, Label], responders: Sequence[str]) -> list[Key]:
    """The call the other way round, where nobody makes it all the time: to be made once."""
    return [(one, key[0]) for one in responders if (one, key[0]) not in labels and one != key[0]]
