"""Documents as the API answers them, for the network of the incident: all healthy, and broken.

8 sources, 10 targets; `private` comes in through the load balancer alone, so its other cells are absent.
"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

SOURCES = ["firewall", "lb", "node1", "node2", "node19", "vm", "remote", "private"]
TARGETS = ["firewall", "lb", "node1", "node2", "node19", "vm", "remote", "ingress", "pod2", "ingress-via-lb"]
NODE_OF = {"ingress": "node1", "pod2": "node2", "node1": "node1", "node2": "node2", "node19": "node19"}
ADDRESS = {
    "firewall": "10.19.0.4", "lb": "10.224.1.4", "node1": "10.224.0.4", "node2": "10.224.0.5",
    "node19": "10.224.0.23", "vm": "10.224.0.100", "remote": "10.50.0.4", "private": "10.225.0.4",
    "ingress": "10.4.76.34", "pod2": "10.5.12.9", "ingress-via-lb": "10.224.1.4",
}  # fmt: skip
CAUSES = {"R1b": "another node's pod block covers the prober's address", "F9": "the SYN is routed to the wrong node"}
AT = "2026-11-23T03:12:07.250000Z"

SENTENCE = (
    "firewall → ingress: return-path misroute. The SYN reached pod 10.4.76.34 and its SYN-ACK left node1, but node1 "
    "routes 10.19.0.0/16 via 10.224.0.23 (node19) and node19 caught the reply. Firewall 10.19.0.0/24 lies inside "
    "node19's pod block."
)


def cell(source: str, target: str, label: str = "healthy", **given: Any) -> Document:
    """One cell of the matrix; `given` replaces its fields."""
    answered = 16 if label in ("healthy", "detour") else 0
    return {
        "source": source, "target": target, "label": label, "cause": None, "confidence": "proven", "culprit": None,
        "sentence": f"{source} → {target}: {label}.", "age_seconds": 0.8, "rtt_ms": 0.31 if answered else None,
        "sent": 16, "answered": answered,
    } | given  # fmt: skip


def pairs() -> list[tuple[str, str]]:
    """The pairs that are probed."""
    every = [(source, target) for source in SOURCES for target in TARGETS if source != target]
    return [pair for pair in every if pair[0] != "private" or pair[1] in ("lb", "ingress-via-lb")]


def healthy() -> Document:
    """The matrix before the break."""
    return {"at": AT, "sources": SOURCES, "targets": TARGETS, "cells": [cell(*pair) for pair in pairs()]}


def route(node: str) -> str:
    """The culprit as a verdict names it."""
    return f"node19: {node} routes 10.19.0.0/16 via 10.224.0.23 (node19)"


def incident() -> Document:
    """The matrix after node19 joined: what crosses from a node to the firewall's subnet goes astray."""
    return healthy() | {"cells": [_broken(*pair) for pair in pairs()]}


def _broken(source: str, target: str) -> Document:
    if source == "firewall" and target in NODE_OF and target != "node19":
        text = SENTENCE.replace("ingress", target).replace("node1 ", f"{NODE_OF[target]} ")
        culprit = route(NODE_OF[target])
        return cell(source, target, "return-path-misroute", cause="R1b", culprit=culprit, sentence=text)
    if target == "firewall" and source in ("node1", "node2"):
        text = f"{source} → firewall: ingress drop. The SYN left {source} towards node19, which owns no such pod."
        return cell(source, target, "ingress-drop", cause="F9", culprit=route(source), sentence=text)
    return cell(source, target)


def every_label() -> Document:
    """A matrix with each label at least once, and an unsafe name."""
    labels = ["detour", "ingress-drop", "return-path-misroute", "return-path-loss", "target", "local", "intermittent",
              "unknown"]  # fmt: skip
    document = healthy()
    confidences = ["proven", "likely", "inferred", "ambiguous"]
    for index, label in enumerate(labels):
        old = document["cells"][index * 7]
        new = cell(old["source"], old["target"], label, confidence=confidences[index % 4])
        document["cells"][index * 7] = new
    return document


def grid(rows: int, columns: int) -> Document:
    """A larger matrix, every eleventh cell failing, every seventh absent."""
    sources, targets = [f"node-pool-a-{i:02d}" for i in range(rows)], [f"svc-{i:02d}.prod" for i in range(columns)]
    cells = [
        cell(source, target, "ingress-drop" if (i * columns + j) % 11 == 3 else "healthy")
        for i, source in enumerate(sources)
        for j, target in enumerate(targets)
        if (i + j) % 7
    ]
    return {"at": AT, "sources": sources, "targets": targets, "cells": cells}


def path(document: Document, source: str, target: str) -> Document:
    """``GET /api/v1/paths/{source}/{target}`` of a cell of `document`."""
    one = next(cell for cell in document["cells"] if (cell["source"], cell["target"]) == (source, target))
    steps = _steps(one)
    verdict = {
        "label": one["label"], "cause": one["cause"], "confidence": one["confidence"], "culprit": one["culprit"],
        "cause_title": CAUSES.get(one["cause"]),
        "sentence": one["sentence"], "missing": _missing(one), "next_step": _next_step(one), "revision": 2,
    }  # fmt: skip
    return {
        "cell": one, "verdict": verdict, "history": _history(one),
        "ladder": {"columns": _columns(one), "steps": steps},
        "evidence": [
            {"place": step["place"], "state": step["state"], "agent": step["column"], "interface": step["interface"],
             "packets": [{"at_ms": step["at_ms"], "text": step["text"], "hex": "4500003c"}] if step["at_ms"] else []}
            for step in steps
        ],
        "links": {"pcapng": f"/api/v1/paths/{source}/{target}.pcapng"},
    }  # fmt: skip


def _columns(one: Document) -> list[Document]:
    responder = NODE_OF.get(one["target"], one["target"])
    columns = [{"id": one["source"], "role": "prober"}, {"id": responder, "role": "responder"}]
    return columns + ([{"id": "node19", "role": "witness"}] if one["culprit"] else [])


def _missing(one: Document) -> list[str]:
    return ["firewall's own stack was not watched"] if one["label"] == "return-path-misroute" else []


def _next_step(one: Document) -> str | None:
    if not one["culprit"]:
        return None
    return "Take node19 out (kubectl delete node node19), then give the pool blocks that overlap no subnet."


def _history(one: Document) -> list[Document]:
    now = {key: one[key] for key in ("label", "cause", "confidence", "sentence", "culprit")}
    if one["label"] == "healthy":
        return [{"at": "2026-11-23T02:40:00Z"} | now]
    before = {"at": "2026-11-23T02:40:00Z", "label": "healthy", "cause": None, "confidence": "proven",
              "sentence": f"{one['source']} → {one['target']}: healthy.", "culprit": None}  # fmt: skip
    early = now | {"at": "2026-11-23T03:12:02.100000Z", "confidence": "likely", "culprit": None}
    return [{"at": "2026-11-23T03:12:05.400000Z"} | now, early, before]


def _step(packet: str, column: str, place: str, at_ms: float | None, interface: str | None, **given: Any) -> Document:
    state = "seen" if at_ms is not None else "not seen"
    return {"packet": packet, "column": column, "to": None, "place": place, "state": state, "at_ms": at_ms,
            "interface": interface, "text": ""} | given  # fmt: skip


def _steps(one: Document) -> list[Document]:
    a, b = str(one["source"]), NODE_OF.get(str(one["target"]), str(one["target"]))
    source, target = (f"{ADDRESS.get(name, '192.0.2.1')}:{port}" for name, port in ((a, 61440), (one["target"], 8080)))
    syn, syn_ack = f"SYN {source} > {target} ttl 64", f"SYN-ACK {target} > {source} ttl 64"
    if one["label"] == "ingress-drop":
        return [
            _step("SYN", a, "A sent", 0.0, None, text=syn),
            _step("SYN", a, "A's NIC out", 0.04, "eth0", text=syn, to="node19"),
            _step("SYN", "node19", "node19's NIC in", 0.21, "eth0", text=syn),
            _step("SYN", b, "B's NIC in", None, None),
        ]
    forward = [
        _step("SYN", a, "A sent", 0.0, None, text=syn),
        _step("SYN", a, "A's NIC out", 0.04, "eth0", text=syn, to=b),
        _step("SYN", b, "B's NIC in", 0.12, "eth0", text=syn.replace("64", "63")),
        _step("SYN", b, "B's pod in", 0.14, "pod0", text=syn.replace("ttl 64", "ttl 62")),
        _step("SYN-ACK", b, "B's pod out", 0.17, "pod0", text=syn_ack),
    ]
    if one["label"] == "return-path-misroute":
        return [
            *forward,
            _step("SYN-ACK", b, "B's NIC out", 0.19, "eth0", text=syn_ack, to="node19"),
            _step("SYN-ACK", "node19", "node19's NIC in", 0.26, "eth0", text=syn_ack.replace("ttl 64", "ttl 63")),
            _step("SYN-ACK", a, "A's NIC in", None, None),
            _step("RST", a, "A's NIC out", None, None, state="not watched"),
        ]
    return [
        *forward,
        _step("SYN-ACK", b, "B's NIC out", 0.19, "eth0", text=syn_ack, to=a),
        _step("SYN-ACK", a, "A's NIC in", 0.29, "eth0", text=syn_ack.replace("ttl 64", "ttl 62")),
        _step("RST", a, "A's NIC out", 0.33, "eth0", text=f"RST {source} > {target} ttl 64", to=b),
    ]


def slos(broken: bool = False) -> Document:
    """``GET /api/v1/slos``."""

    def one(name: str, wants: float, has: float, sources: list[str], targets: list[str]) -> Document:
        left = 1 - (1 - has) / (1 - wants)
        return {"name": name, "sources": sources, "targets": targets, "availability": wants, "attainment": has,
                "budget_left": left, "burn": {"1h": 21.4 if has < wants else 0.2}, "window_seconds": 2592000.0,
                "total": 80640, "good": round(80640 * has)}  # fmt: skip

    return {"at": AT, "slos": [
        one("firewall-to-ingress", 0.999, 0.9962 if broken else 0.99987, ["firewall"], ["ingress", "pod2"]),
        one("nodes", 0.9995, 0.99981, ["node1", "node2"], ["node1", "node2"]),
        one("through-the-lb", 0.99, 1.0, ["private", "remote"], ["ingress-via-lb"]),
    ]}  # fmt: skip


def flips(broken: bool = False) -> Document:
    """``GET /api/v1/flips``, newest first."""

    def one(at: str, target: str, before: str, after: str, culprit: str | None = None) -> Document:
        return {"at": at, "source": "firewall", "target": target, "before": before, "after": after,
                "cause": "R1b" if culprit else None, "culprit": culprit,
                "sentence": SENTENCE.replace("ingress", target)}  # fmt: skip

    misroute = "return-path-misroute"
    new = [
        one("2026-11-23T03:12:05.400000Z", "ingress", "healthy", misroute, route("node1")),
        one("2026-11-23T03:12:05.900000Z", "pod2", "healthy", misroute, route("node2")),
    ]
    old = [
        one("2026-11-23T01:02:11Z", "remote", "unknown", "healthy"),
        one("2026-11-23T01:00:40Z", "remote", "healthy", "unknown"),
    ]
    return {"flips": (new if broken else []) + old}


def incidents(broken: bool = False) -> list[Document]:
    """The rows of ``GET /api/v1/incidents``, newest first."""

    def one(name: str, cells: list[Document], opened: str, closed: str | None, **given: Any) -> Document:
        told = [{"source": each["source"], "target": each["target"], "label": each["label"], "since": opened,
                 "until": closed, "now": None if closed else each["label"]} for each in cells]  # fmt: skip
        return {
            "id": name, "opened_at": opened, "closed_at": closed, "closed_because": "healed" if closed else None,
            "merged_into": None, "label": cells[0]["label"], "cause": cells[0]["cause"], "confidence": "proven",
            "culprit": cells[0]["culprit"], "element": "node19", "kind": "node", "route": None, "sentence": SENTENCE,
            "next_step": "Take node19 out.", "zones": ["firewall", "nodes", "pods"], "cells_total": len(told),
            "cells_failing": 0 if closed else len(told), "cells_unknown": 0, "cells": told,
        } | given  # fmt: skip

    failing = [each for each in incident()["cells"] if each["label"] != "healthy"]
    old = one("00aa", [cell("remote", "vm", "target")], "2026-11-23T02:40:00.000Z", "2026-11-23T02:52:30.000Z",
              element="remote → vm", kind="pair", sentence="remote → vm: target.", next_step="")  # fmt: skip
    return [one("19ff", failing, "2026-11-23T03:10:05.400Z", None), old] if broken else [old]


def agents(broken: bool = False) -> Document:
    """``GET /api/v1/agents``."""

    def one(name: str, **given: Any) -> Document:
        return {"name": name, "zone": name, "addresses": [ADDRESS[name]], "pods": [], "note": None, "age_seconds": 0.3,
                "alarm": None, "via": None, "detour": None, "gaps": [],
                "outbox": {"reports": 0, "bytes": 0, "memory": False}} | given  # fmt: skip

    detour = "firewall reports through node1: its own way to the controller is broken"
    first = one("firewall", via="node1", detour=detour) if broken else one("firewall")
    return {"at": AT, "agents": [first, *(one(name) for name in SOURCES[1:])]}


def run(document: Document, state: str, done: int) -> Document:
    """``GET /api/v1/runs/{id}``, `done` of its pairs measured."""
    total = len(document["cells"])
    progress = {"id": "run-7", "state": state, "pairs": total, "probes": total, "judged": done, "asked_by": "ops"}
    return progress | document | {"cells": document["cells"][:done]}
