"""Plans and tasks as a controller would send them."""

from __future__ import annotations

from typing import Any

from prober.report import Plan, Task


def task(target: str = "ingress", address: str = "10.4.76.34", port: int = 8080, **given: Any) -> Task:
    told: dict[str, Any] = {"every": 1.0, "flows": 1, "timeout": 1.0}
    return Task(target, address, port, **(told | given))


def plan(**given: Any) -> Plan:
    told: dict[str, Any] = {
        "version": "v1", "number": 3, "keys": [b"k" * 16],
        "allow": [("10.4.0.0/16", 8080, 8099), ("2001:db8::/32", 80, 80)],
        "tasks": [task()], "addresses": ["10.19.0.4"], "pods": [],
    }  # fmt: skip
    return Plan(**(told | given))
