"""An observation drawn as a ladder: columns for the ends and the witnesses, a step a packet or a place without one."""

from __future__ import annotations

from typing import Any

from prober.observation import Observation, Place, Seen, Sight
from prober.probe import Kind
from prober.segment import IN, OUT
from prober.sighting import Where
from prober.verdict import Verdict

PAUSE_MS = 100.0
"""After a pause as long as this a packet is sent again: a SYN-ACK's first time-out is a second (RFC 6298, 2.1), and
clocks of two agents are not as far apart."""
_PACKET = {
    Kind.SYN: "SYN", Kind.SYN_ACK: "SYN-ACK", Kind.ACK: "ACK", Kind.RST: "RST", Kind.REFUSAL: "RST",
    Kind.ICMP_SYN: "ICMP", Kind.ICMP_SYN_ACK: "ICMP", Kind.CHALLENGE: "ACK",
}  # fmt: skip


def columns(o: Observation) -> list[dict[str, str]]:
    """Prober, what lies on the declared way, responders, then whoever else saw a packet of this probe."""
    ends: list[tuple[str, str]] = [
        (o.source, "prober"),
        *((n, "backend") for n in o.through),
        *((n, "responder") for n in o.responders),
    ]
    known = {name for name, _ in ends}
    if o.home and o.home not in known:
        ends.insert(1, (o.home, "witness"))  # the prober's own node
        known.add(o.home)
    if not o.responders:
        ends.append((o.target, "responder"))  # nobody watches there, and the ladder says so
        known.add(o.target)
    others = dict.fromkeys(one.agent for one in o.seen if one.agent not in known)
    roles = dict(ends) | dict.fromkeys(others, "witness")
    return [{"id": name, "role": role} for name, role in roles.items()]


def steps(o: Observation) -> list[dict[str, Any]]:
    """Every sighting, and the places that nobody saw, in the order of the handshake; what is sent again comes again."""
    rows = sorted((_step(o, one) for one in o.seen if one.kind != Kind.RST), key=lambda row: row["at_ms"])
    last = _copies(rows)
    for place, sight in o.places.items():
        if sight != Sight.SEEN and _on_the_way(o, place):
            blank = _blank(o, place, sight)
            rows.append(blank | {"copy": last.get(blank["packet"], 0)})
    rows.sort(key=lambda row: (row["copy"], row["order"], row["at_ms"] or 0.0))
    _in_time(rows)
    closing = [_step(o, one) for one in o.seen if one.kind == Kind.RST]
    closing.sort(key=lambda row: (row["column"] != o.source, row["at_ms"]))
    _in_time(closing)
    return [{k: v for k, v in row.items() if k not in ("order", "copy")} for row in (*rows, *closing)]


def _copies(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Number what belongs together by its time; for each packet the number of the last that was seen of it."""
    last: dict[str, int] = {}
    copy, before = 0, rows[0]["at_ms"] if rows else 0.0
    for row in rows:
        copy += row["at_ms"] - before > PAUSE_MS
        before = row["at_ms"]
        row["copy"] = last[row["packet"]] = copy
    return last


def _in_time(rows: list[dict[str, Any]]) -> None:
    """Clocks of two agents are compared to a fraction of a millisecond only: no step is shown before its cause."""
    latest = 0.0
    for row in rows:
        if row["at_ms"] is not None:
            latest = row["at_ms"] = max(latest, row["at_ms"])


def _on_the_way(o: Observation, place: Place) -> bool:
    if place in (Place.B_POD_IN, Place.B_POD_OUT):
        return bool(o.pod)
    if place == Place.B_STACK:
        return (not o.pod or bool(o.inner)) and o.source not in o.responders
    if place == Place.A_NODE_OUT:
        return bool(o.home)
    return place != Place.A_SENT and o.source not in o.responders


def _place_of(o: Observation, one: Seen) -> str:
    end = "A" if one.agent == o.source else "B" if one.agent in o.responders else one.agent
    if one.where == Where.STACK:
        return f"{end}'s stack took it"
    return f"{end}'s {'pod' if one.where == Where.POD else 'NIC'} {'in' if one.way == IN else 'out'}"


_ORDER = {
    (Kind.SYN, "A"): 1.0, (Kind.SYN, "W"): 2.0, (Kind.SYN, "B"): 3.0, (Kind.ICMP_SYN, "A"): 4.0,
    (Kind.SYN_ACK, "B"): 5.0, (Kind.REFUSAL, "B"): 5.0, (Kind.SYN_ACK, "W"): 6.0, (Kind.REFUSAL, "W"): 6.0,
    (Kind.ICMP_SYN_ACK, "W"): 7.0, (Kind.ICMP_SYN_ACK, "B"): 7.1, (Kind.SYN_ACK, "A"): 8.0, (Kind.REFUSAL, "A"): 8.0,
}  # fmt: skip
_BLANKS = {
    Place.A_NIC_OUT: (1.5, "SYN"), Place.A_NODE_OUT: (2.9, "SYN"),
    Place.B_NIC_IN: (3.1, "SYN"), Place.B_POD_IN: (3.2, "SYN"),
    Place.B_STACK: (3.3, "SYN"),
    Place.B_POD_OUT: (4.9, "SYN-ACK"), Place.B_NIC_OUT: (5.2, "SYN-ACK"), Place.A_NIC_IN: (8.5, "SYN-ACK"),
}  # fmt: skip


def _order(o: Observation, one: Seen) -> float:
    end = "A" if one.agent == o.source else "B" if one.agent in o.responders else "W"
    return _ORDER.get((one.kind, end), 7.5)


def _step(o: Observation, one: Seen) -> dict[str, Any]:
    return {
        "order": _order(o, one), "packet": _PACKET.get(one.kind, "?"), "column": one.agent, "to": _towards(o, one),
        "place": _place_of(o, one), "state": Sight.SEEN.value, "at_ms": one.after_ms, "interface": one.interface,
        "text": one.text(),
    }  # fmt: skip


def _towards(o: Observation, one: Seen) -> str | None:
    """The column that a packet leaving its host's NIC was seen in next, or was meant for."""
    if one.way != OUT or one.where != Where.NIC:
        return None
    arrived = [s for s in o.seen if s.kind == one.kind and s.way == IN and s.agent != one.agent]
    after = [s for s in arrived if s.after_ms >= one.after_ms - 1.0 and s.where == Where.NIC]
    if after:
        return after[0].agent
    meant = o.responders[0] if one.kind in (Kind.SYN, Kind.ACK, Kind.RST) and o.responders else o.source
    return meant if meant != one.agent else None


def _blank(o: Observation, place: Place, sight: Sight) -> dict[str, Any]:
    order, packet = _BLANKS[place]
    column = o.source if place in (Place.A_NIC_OUT, Place.A_NIC_IN) else (o.responders or (o.target,))[0]
    if place == Place.A_NODE_OUT:
        column = o.home
    elif o.inner and place in (Place.B_POD_IN, Place.B_STACK, Place.B_POD_OUT):
        column = o.inner
    return {
        "order": order, "packet": packet, "column": column, "to": None, "place": str(place), "state": sight.value,
        "at_ms": None, "interface": "", "text": f"{packet} {sight.value} at {place.value}",
    }  # fmt: skip


def evidence(o: Observation) -> list[dict[str, Any]]:
    """Each place with its packets; `hex` is the captured frame."""
    return [
        {
            "place": _place_of(o, one), "state": Sight.SEEN.value, "agent": one.agent, "interface": one.interface,
            "packets": [{"at_ms": one.after_ms, "text": one.text(), "hex": one.frame.hex()}],
        }
        for one in o.seen
    ] + [
        {"place": str(place), "state": sight.value, "agent": "", "interface": "", "packets": []}
        for place, sight in o.places.items()
        if sight != Sight.SEEN
    ]  # fmt: skip


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the API shows it."""
    return {
        "label": verdict.label.value, "cause": verdict.cause.value if verdict.cause else None,
        "cause_title": verdict.cause.meaning if verdict.cause else None, "confidence": verdict.confidence.value,
        "culprit": str(verdict.culprit) if verdict.culprit else None, "sentence": verdict.sentence,
        "missing": list(verdict.missing), "next_step": verdict.next_step, "evidence": list(verdict.evidence),
        "revision": verdict.revision,
    }  # fmt: skip
