"""What people are woken for: an incident, or an objective whose budget burns. One cause, one alert.

Times are Unix seconds. An alert keeps its ``id`` from first to last; its ``revision`` grows with what is news, so that
a receiver that was told once is told again only then. Severities are PagerDuty's (Events API v2, "Severity").
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from prober import slo
from prober.declared import RECEIVERS
from prober.verdict import Label

Severity = Literal["critical", "error", "warning", "info"]
Kind = Literal["incident", "burn", "test"]

SEVERITIES: tuple[Severity, ...] = ("critical", "error", "warning", "info")
"""The worst first."""
BURNING: dict[float, Severity] = {14.4: "critical", 6.0: "error", 1.0: "warning"}
"""How bad it is that a budget burns so many times too fast (`prober.slo.THRESHOLDS`)."""
HOLD = 300.0
"""Seconds without a burn rate above its threshold after which the alert is over: at a threshold it comes and goes."""
BURNS_NO_MORE, UNDECLARED, MERGED, FORGOTTEN = "burns no more", "undeclared", "merged", "forgotten"
"""Why an alert is over, beside what an incident says."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Plain words, nothing escaped. ``closed`` is None as long as it is open.

    ``cells`` is how many belong to it, ``failing`` how many of them fail now. ``worn`` are the severities that it had
    before, ``to`` the `RECEIVERS` that are told.
    """

    id: str
    kind: Kind
    severity: Severity
    title: str
    sentence: str
    opened: float
    closed: float | None = None
    because: str = ""
    label: str = ""
    cause: str = ""
    confidence: str = ""
    culprit: str = ""
    next_step: str = ""
    cells: int = 0
    failing: int = 0
    zones: tuple[str, ...] = ()
    objective: str = ""
    link: str = ""
    revision: int = 1
    worn: tuple[Severity, ...] = ()
    to: tuple[str, ...] = RECEIVERS

    @property
    def state(self) -> Literal["opened", "changed", "resolved"]:
        if self.closed is not None:
            return "resolved"
        return "opened" if self.revision == 1 else "changed"


def severity_of(label: str) -> Severity:
    """How bad an incident of cells with this label is: what comes and goes wakes nobody at night."""
    return "warning" if label == Label.INTERMITTENT else "critical"


def title_of(label: str, element: str, cells: int) -> str:
    """``return-path-misroute: node19, 4 paths``."""
    return f"{label}: {element}, {cells} path{'' if cells == 1 else 's'}"


def follow(kept: Alert | None, made: Alert) -> Alert | None:
    """`made` as it is to be kept in the place of `kept`; None where nothing has changed, or it is over already.

    It never becomes less severe: what was bad enough to wake somebody is over, or still is.
    """
    if kept is None:
        return made
    if kept.closed is not None:
        return None
    worst = min(kept.severity, made.severity, key=SEVERITIES.index)
    worn = kept.worn if worst == kept.severity else (*kept.worn, kept.severity)
    now = msgspec.structs.replace(made, severity=worst, worn=worn, revision=kept.revision)
    if now == kept:
        return None
    return msgspec.structs.replace(now, revision=kept.revision + 1) if _news(now) != _news(kept) else now


def _news(one: Alert) -> tuple[object, ...]:
    """Another path that fails alike is no news; ten times as many are."""
    return one.closed is None, one.severity, one.label, one.culprit, len(str(one.cells))


def over(kept: Alert, at: float, because: str) -> Alert:
    """The alert as it is told for the last time."""
    return msgspec.structs.replace(kept, closed=max(at, kept.opened), because=because, revision=kept.revision + 1)


def of_burns(
    burns: Sequence[slo.Alert], kept: Alert | None, now: float, to: tuple[str, ...] = RECEIVERS, link: str = ""
) -> Alert:
    """The one alert of an objective for all burn rates that are too fast, one at least, the fastest first."""
    worst = burns[0]
    return Alert(
        id=kept.id if kept else _identity(worst.objective, now), kind="burn", severity=BURNING[worst.factor],
        title=f"{worst.objective} burns its error budget {worst.factor:g} times too fast or more",
        sentence=f"{worst.sentence}.", opened=kept.opened if kept else now, objective=worst.objective, link=link,
        to=to, next_step=f"See which paths of {worst.objective} fail now and then: `prober matrix`, `prober slo`.",
    )  # fmt: skip


def _identity(objective: str, now: float) -> str:
    key = f"burn {now!r} {objective}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(key, digest_size=8).hexdigest()


def explained(burn: slo.Alert, share: float, availability: float) -> bool:
    """Whether incidents tell this already: the `share` of the objective's pairs that they broke within the burn's short
    window would burn as fast all by itself."""
    return share > 0 and share >= burn.factor * round(1 - availability, 12)


def trial(now: float, link: str = "", closed: float | None = None) -> Alert:
    """What ``prober alert test`` sends."""
    return Alert(
        id=hashlib.blake2b(f"test {now!r}".encode(), digest_size=8).hexdigest(), kind="test", severity="info",
        title="prober: a trial alert", sentence="Somebody tries whether prober's alerts arrive here: nothing is wrong.",
        opened=now, closed=closed, because="tried" if closed is not None else "", next_step="Nothing is to be done.",
        link=link, revision=1 if closed is None else 2,
    )  # fmt: skip
