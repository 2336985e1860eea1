"""A document for so many agents and targets, and keys for the agents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from prober.agent.credential import Credential
from prober.controller import access, enrolling
from prober.ondisk import read_targets
from prober.store.engine import Store, open_store
from prober.store.schema import upgrade
from prober.targets import Targets

TARGET, OBJECTIVE = "ingress", "all-to-ingress"


@dataclass(frozen=True, slots=True)
class World:
    """Where a controller finds its document and its store, and its agents their keys and numbers."""

    folder: Path
    database: str
    document: Path
    credentials: dict[str, Credential]
    name: str = "controller"

    @property
    def socket(self) -> str:
        return f"unix:{self.folder / self.name}.sock"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def targets(self) -> Targets:
        return read_targets(self.document)


def document(agents: int, targets: int = 1, every: float = 10.0) -> str:
    """targets.yaml, as JSON: one zone of agents, one of targets, every agent asks every target, one objective.

    A lone target is called `TARGET`.
    """
    names = [f"agent{number}" for number in range(agents)]
    asked = [TARGET] if targets == 1 else [f"target{number}" for number in range(targets)]
    to = TARGET if targets == 1 else "pods"
    return json.dumps({
        "zones": [{"name": "fleet", "kind": "other", "cidrs": ["10.1.0.0/16"]},
                  {"name": "pods", "kind": "pods", "cidrs": ["10.2.0.0/16"]}],
        "agents": [{"name": name, "zone": "fleet", "addresses": [f"10.1.{number // 250}.{number % 250 + 1}"]}
                   for number, name in enumerate(names)],
        "targets": [{"name": name, "zone": "pods", "address": f"10.2.{number // 250}.{number % 250 + 1}", "port": 80}
                    for number, name in enumerate(asked)],
        "probes": [{"from": "fleet", "to": to, "every": f"{every:g}s", "timeout": "1s", "flows": 1}],
        "objectives": [{"name": OBJECTIVE, "from": "fleet", "to": to, "availability": "99.9%", "window": "30d"}],
        "policy": {"allow": [{"network": "10.2.0.0/16", "ports": [80]}], "runs_per_hour": 10_000},
    })  # fmt: skip


def make(folder: Path, database: str, agents: int, declared: str = "") -> World:
    """The document (left out: `document`) and a store at head, with a key for each agent."""
    written = folder / "targets.json"
    written.write_text(declared or document(agents))
    upgrade(database)
    store = open_store(database)
    try:
        credentials = {name: enrolled(store, name, "fleet") for name in (f"agent{n}" for n in range(agents))}
    finally:
        store.close()
    return World(folder, database, written, credentials)


def enrolled(store: Store, agent: str, zone: str) -> Credential:
    """An agent's key, in memory, that the controllers of this store know: it came with a token, as any does."""
    token = access.create(store, agent=agent, zone=zone)
    credential = Credential.open(agent, lambda: token, None)
    assert credential.pending is not None
    enrolling.enrol(store, token, credential.pending, zone)
    credential.enrolled()
    return credential
