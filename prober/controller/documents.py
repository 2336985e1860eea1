"""What the API's answers look like, for OpenAPI. Answers are built elsewhere; a test holds them against this."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

At = str
"""RFC 3339, UTC."""


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


class Cell(BaseModel):
    """One source and one target."""

    source: str
    target: str
    label: str
    cause: str | None = Field(description="id of a row of the table of causes")
    confidence: str
    culprit: str | None
    sentence: str
    age_seconds: float | None
    rtt_ms: float | None
    sent: int
    answered: int


class Finding(BaseModel):
    """Cells that are not healthy and have one element in common."""

    line: str = Field(description="the finding in words: the culprit, what it breaks, what speaks against it")
    label: str = Field(description="the worst among its cells")
    confidence: str | None
    culprit: str | None
    element: str = Field(description="what the cells have in common")
    kind: str = Field(description="node, hop, route, prefix, target, source, target zone, source zone or pair")
    route: str | None
    paths: str
    cells: int
    against: int = Field(description="how many cells through the same element pass")
    source: str = Field(description="of its worst cell")
    target: str


class ZonePair(BaseModel):
    """The cells of two zones."""

    source_zone: str
    target_zone: str
    labels: dict[str, int]
    age_seconds: float | None = Field(description="of the oldest cell; null where one was never judged")
    sent: int
    answered: int


class Matrix(BaseModel):
    """Every cell asked for."""

    at: At
    sources: list[str]
    targets: list[str]
    cells: list[Cell]
    left_out: dict[str, int] = Field(default={}, description="of a large matrix: cells that are not listed, by label")
    zone_pairs: list[ZonePair] = Field(default=[], description="of a large matrix: all cells by pairs of zones")
    zones: dict[str, str] = Field(default={}, description="of agents and targets")
    sentence: str = Field(description="the state of the whole")
    findings: list[Finding]


class Compact(BaseModel):
    """A sign for each cell."""

    at: At
    sources: list[str]
    targets: list[str]
    signs: dict[str, str] = Field(description="what each sign means")
    labels: dict[str, int] = Field(description="how many cells have which label")
    rows: list[str] = Field(description="for each source a sign for each target")


class ZoneMatrix(BaseModel):
    """The matrix by pairs of zones."""

    at: At
    zones: list[ZonePair]


class Verdict(BaseModel):
    """What is said of a cell."""

    label: str
    cause: str | None
    cause_title: str | None
    confidence: str
    culprit: str | None
    sentence: str
    missing: list[str]
    next_step: str
    revision: int


class Said(BaseModel):
    """A verdict of the past."""

    at: At
    label: str
    cause: str | None
    confidence: str
    sentence: str
    culprit: str | None
    revision: int


class Column(BaseModel):
    """Who is on the ladder: prober, responder, witness or backend."""

    id: str
    role: str


class Step(BaseModel):
    """One packet at one place."""

    packet: str
    column: str
    to: str | None
    place: str
    state: str
    at_ms: float | None
    interface: str | None
    text: str


class Ladder(BaseModel):
    """Steps in the order of the handshake."""

    columns: list[Column]
    steps: list[Step]


class Experiment(BaseModel):
    """What prober tried by itself because the cell failed, and what came of it."""

    name: str
    state: Literal["running", "finished"]
    result: str


class Path(BaseModel):
    """A cell with its evidence."""

    cell: Cell
    verdict: Verdict
    history: list[Said]
    ladder: Ladder
    evidence: list[dict[str, Any]]
    links: dict[str, str]
    judged_at: At | None
    experiments: list[Experiment]


class Run(Matrix):
    """A run and its cells so far."""

    id: str
    state: Literal["running", "finished", "cancelled"]
    pairs: int
    probes: int
    judged: int
    asked_by: str
    created: At
    finished: At | None


class RunRow(BaseModel):
    """A run in the list."""

    id: str
    state: Literal["running", "finished", "cancelled"]
    asked_by: str
    created: At
    finished: At | None
    sources: list[str] = Field(alias="from")
    targets: list[str] = Field(alias="to")
    flows: int | None


class Runs(BaseModel):
    """Newest first; give ``cursor`` back for the page after."""

    runs: list[RunRow]
    cursor: int | None


class Slo(BaseModel):
    """How an objective stands."""

    name: str
    availability: float
    latency_ms: float | None
    window_seconds: float
    good: int
    total: int
    attainment: float | None
    budget_left: float | None
    burn: dict[str, float]
    alerts: list[str]
    sources: list[str]
    targets: list[str]


class Slos(BaseModel):
    """Every declared objective."""

    at: At
    slos: list[Slo]


class Flip(BaseModel):
    """A cell's label changed."""

    id: int
    at: At
    source: str
    target: str
    before: str | None
    after: str
    sentence: str


class Flips(BaseModel):
    """Newest first; give ``cursor`` back for the page after."""

    flips: list[Flip]
    cursor: int | None


class IncidentCell(BaseModel):
    """A cell of an incident: what it was told to be, from when until when, and what it is ``now``.

    ``now`` is null for an incident that is over, and for a cell that is not declared any more.
    """

    source: str
    target: str
    label: str
    since: At
    until: At | None
    now: str | None


class Incident(BaseModel):
    """Cells that fail with one cause, from the flip of the first to the flip of the last.

    It is open until each of its cells was told to pass again: one of which nothing is known is not well. ``id`` stays
    the same whatever becomes of controllers, and on each of them.
    """

    id: str
    opened_at: At
    closed_at: At | None
    closed_because: Literal["healed", "undeclared", "merged"] | None = Field(
        description="undeclared: nobody asks its cells any more; merged: another one turned out to be the same"
    )
    merged_into: str | None = Field(description="the id of that one")
    label: str
    cause: str | None = Field(description="id of a row of the table of causes")
    confidence: str | None
    culprit: str | None
    element: str = Field(description="what its cells have in common")
    kind: str = Field(description="node, hop, route, prefix, target, source, target zone, source zone or pair")
    route: str | None
    sentence: str
    next_step: str
    zones: list[str] = Field(description="of its sources and targets")
    cells_total: int = Field(description="how many cells it covers, or did")
    cells_failing: int = Field(description="how many of them have not been told to pass again")
    cells_unknown: int = Field(description="of how many of those in ``cells`` nothing is known now")
    cells: list[IncidentCell] = Field(description="the first 100 of them in the list, 1000 of a single incident")


class Incidents(BaseModel):
    """Newest first; give ``cursor`` back for the page after."""

    incidents: list[Incident]
    cursor: int | None


class Gap(BaseModel):
    """Reports that an agent let go: of this span nothing is known. ``failed`` of its ``probes`` are known to have."""

    from_: At = Field(alias="from")
    to: At
    reports: int
    probes: int
    failed: int
    why: str


class Outbox(BaseModel):
    """What an agent still has to report; ``memory``: its disk takes nothing, a crash would lose it."""

    reports: int
    bytes: int
    memory: bool


class Agent(BaseModel):
    """A declared agent; ``age_seconds`` since its last report, null before the first.

    ``alarm``: two processes use its key. ``via``: the peer through which its last report came, and ``detour`` says
    so. ``gaps``: the last spans of which it kept nothing, newest first.
    """

    name: str
    zone: str
    addresses: list[str]
    pods: list[str]
    note: str | None
    age_seconds: float | None
    alarm: str | None
    via: str | None
    detour: str | None
    outbox: Outbox
    gaps: list[Gap]


class Agents(BaseModel):
    """Every declared agent."""

    at: At
    agents: list[Agent]


class Deed(BaseModel):
    """An entry of the audit log."""

    id: int
    at: At
    who: str
    what: str
    detail: str


class Deeds(BaseModel):
    """Newest first; give ``cursor`` back for the page after."""

    audit: list[Deed]
    cursor: int | None


_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
Answers = dict[int | str, dict[str, Any]]
"""A route's responses, as FastAPI takes them."""
PROBLEMS: Answers = {
    "4XX": {"description": "what is wrong with the request, in one sentence", "content": _PROBLEM},
    "5XX": {"description": "what is wrong here, in one sentence", "content": _PROBLEM},
}
"""Responses of every route of the API."""

CELL = {
    "source": "firewall", "target": "ingress", "label": "return-path-misroute", "cause": "R1b", "confidence": "proven",
    "culprit": "node19: node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)",
    "sentence": "firewall → ingress: the answer left node1 and went to node19.",
    "age_seconds": 0.7, "rtt_ms": None, "sent": 42, "answered": 30,
}  # fmt: skip
AT = "2026-01-01T12:00:00.000Z"
FINDING = {
    "line": "node19, where node1 routes 10.19.0.0/16 via 10.224.0.23 (node19) (proven): return-path misroute on "
    "firewall → ingress", "label": "return-path-misroute", "confidence": "proven",
    "culprit": "node19: node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)", "element": "node19", "kind": "node",
    "route": "10.19.0.0/16 via 10.224.0.23", "paths": "firewall → ingress", "cells": 1, "against": 0,
    "source": "firewall", "target": "ingress",
}  # fmt: skip
INCIDENT = {
    "id": "5f0c1f4f0d3b6a92", "opened_at": AT, "closed_at": None, "closed_because": None, "merged_into": None,
    "label": "return-path-misroute", "cause": "R1b", "confidence": "proven", "culprit": FINDING["culprit"],
    "element": "node19", "kind": "node", "route": FINDING["route"], "sentence": f"{FINDING['line']}.",
    "next_step": "Take node19 out, then give the pool blocks that overlap no subnet.", "zones": ["firewall", "pods"],
    "cells_total": 1, "cells_failing": 1, "cells_unknown": 0,
    "cells": [{"source": "firewall", "target": "ingress", "label": "return-path-misroute", "since": AT, "until": None,
               "now": "return-path-misroute"}],
}  # fmt: skip
INCIDENTS = {"incidents": [INCIDENT], "cursor": None}
MATRIX = {
    "at": AT, "sources": ["firewall"], "targets": ["ingress"], "cells": [CELL],
    "zones": {"firewall": "firewall", "ingress": "pods"},
    "sentence": "1 of 1 path fail: firewall → ingress is a return-path misroute", "findings": [FINDING],
}  # fmt: skip
COMPACT = {
    "at": AT, "sources": ["firewall"], "targets": ["ingress", "pod1"],
    "signs": {".": "healthy", "^": "return-path-misroute"},
    "labels": {"healthy": 1, "return-path-misroute": 1}, "rows": ["^."],
}  # fmt: skip
RUN = {
    "id": "0123456789abcdef", "state": "running", "pairs": 1, "probes": 1, "judged": 1, "asked_by": "token 01ab",
    **MATRIX, "created": AT, "finished": None,
}  # fmt: skip

RUNS = {
    "runs": [{"id": "0123456789abcdef", "state": "finished", "asked_by": "token 01ab", "created": AT, "finished": AT,
              "from": ["firewall"], "to": ["ingress"], "flows": None}],
    "cursor": None,
}  # fmt: skip
ZONES = {
    "at": AT, "zones": [{"source_zone": "firewall", "target_zone": "pods", "labels": {"return-path-misroute": 1},
                         "age_seconds": 0.7, "sent": 42, "answered": 30}],
}  # fmt: skip
SAID = {name: CELL[name] for name in ("label", "cause", "confidence", "culprit", "sentence")}
PATH = {
    "cell": CELL, "history": [{**SAID, "at": AT, "revision": 0}], "evidence": [], "judged_at": AT,
    "verdict": {**SAID, "cause_title": "another node's pod block covers the prober's address", "missing": [],
                "next_step": "Take that route away: may node19 cover 10.19.0.4?", "revision": 0},
    "ladder": {
        "columns": [{"id": "firewall", "role": "prober"}, {"id": "node1", "role": "responder"}],
        "steps": [{"packet": "SYN", "column": "firewall", "to": "node1", "place": "NIC out", "state": "seen",
                   "at_ms": 0.0, "interface": "eth0", "text": "SYN 10.19.0.4:20513 > 10.4.76.34:8080 ttl 64"}],
    },
    "links": {"pcapng": "/api/v1/paths/firewall/ingress.pcapng"},
    "experiments": [{"name": "other sources", "state": "finished", "result": "6 of 6 to ingress pass"}],
}  # fmt: skip
SLOS = {
    "at": AT,
    "slos": [{
        "name": "firewall-to-ingress", "availability": 0.999, "latency_ms": 50.0, "window_seconds": 2592000.0,
        "good": 99950, "total": 100000, "attainment": 0.9995, "budget_left": 0.5, "burn": {"5m": 0.0, "1h": 0.2},
        "alerts": [], "sources": ["firewall"], "targets": ["ingress"],
    }],
}  # fmt: skip
FLIPS = {
    "flips": [{"id": 8, "at": AT, "source": "firewall", "target": "ingress", "before": "healthy",
               "after": "return-path-misroute", "sentence": CELL["sentence"]}],
    "cursor": None,
}  # fmt: skip
AGENTS = {
    "at": AT,
    "agents": [{
        "name": "node1", "zone": "nodes", "addresses": ["10.224.0.4"], "pods": ["10.4.0.0/16"], "note": None,
        "age_seconds": 0.3, "alarm": None, "via": None, "detour": None,
        "outbox": {"reports": 0, "bytes": 0, "memory": False}, "gaps": [],
    }],
}  # fmt: skip
DEEDS = {
    "audit": [{"id": 7, "at": AT, "who": "token 01ab", "what": "run", "detail": "0123456789abcdef firewall → ingress"}],
    "cursor": None,
}  # fmt: skip


def answers(model: type[BaseModel], description: str, example: dict[str, Any] | None = None) -> dict[str, Any]:
    """A JSON response of this form."""
    content = {"application/json": {"example": example}} if example else {}
    return {"model": model, "description": description, "content": content}


def body(media_type: str, description: str) -> dict[str, Any]:
    """A response that is no JSON."""
    binary = {"type": "string"} if media_type.startswith("text/") else {"type": "string", "format": "binary"}
    return {"description": description, "content": {media_type: {"schema": binary}}}


def describe(app: FastAPI, routes: Iterable[object]) -> None:
    """The application's OpenAPI document, with the form that every problem has, and the examples of `routes`."""
    made = app.openapi

    def document() -> dict[str, Any]:
        result = made()
        schemas = result.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("Problem", Problem.model_json_schema())
        result["components"].setdefault(
            "securitySchemes", {"token": {"type": "http", "scheme": "bearer", "description": "`prober token create`"}}
        )
        result.setdefault("security", [{}, {"token": []}])
        _put_examples(routes, result)
        return result

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to change it


def _put_examples(routes: Iterable[object], result: dict[str, Any]) -> None:
    """Examples as they were written: FastAPI drops each null from them, and what is required may be null."""
    for route in routes:
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            told = result["paths"][route.path_format][method.lower()]["responses"]
            for code, given in route.responses.items():
                for media_type, content in given.get("content", {}).items():
                    if "example" in content:
                        told[str(code)]["content"][media_type]["example"] = content["example"]
