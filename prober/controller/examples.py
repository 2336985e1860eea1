"""An example of each answer of the API, and how OpenAPI is told of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from prober.controller.documents import Problem

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
