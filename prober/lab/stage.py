"""A lab with prober in it: the incident's network, a real controller, an agent in each place that has one.

The controller and the agents are the ordinary processes, forked from this one so that they start warm. They talk
over a Unix socket, for namespaces share the file system: no link of the lab is needed for it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from prober.agent.line import client
from prober.errors import CannotMeasure
from prober.lab.incident import Incident
from prober.lab.topology import Lab
from prober.logs import configure

READY_PATIENCE = 20.0
"""Seconds within which the controller must answer and every cell must have been judged once."""


class Stage:
    """A context manager; `folder` is a private directory (`sealed.enter`), ``listen`` further listeners."""

    def __init__(self, incident: Incident, folder: Path, listen: Sequence[str] = ()) -> None:
        self.incident, self.folder, self.more = incident, folder, tuple(listen)
        self.lab = Lab(incident.network)
        self.socket = f"unix:{folder}/controller.sock"
        self.agents: dict[str, int] = {}
        self.controller = 0
        self.http = client(self.socket, "")

    def __enter__(self) -> Self:
        try:
            self._prepare()
            self._warm()
            self.lab.__enter__()
            self.controller = self.lab.children.fork(self._control)
            self._await_controller()
            for name in self.incident.network.agents:
                self.start_agent(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process and let the namespaces go."""
        self.http.close()
        self.lab.close()

    def _prepare(self) -> None:
        """The document, the database at head, and a token for each agent."""
        from prober.controller import access
        from prober.store import schema
        from prober.store.engine import open_store
        from prober.targets import parse

        self.document = self.folder / "targets.yaml"
        self.document.write_text(self.incident.targets_text())
        self.targets = parse(self.document.read_text(), str(self.document))
        self.database = f"sqlite:///{self.folder}/prober.sqlite"
        schema.upgrade(self.database)
        store = open_store(self.database)
        try:
            self.tokens = {a.name: access.create(store, agent=a.name, zone=a.zone) for a in self.targets.agents}
        finally:
            store.close()

    def _token(self, name: str) -> str:
        """A token for this agent: another one each time, for its key dies with it."""
        from prober.controller import access
        from prober.store.engine import open_store

        if name in self.tokens:
            return self.tokens.pop(name)
        store = open_store(self.database)
        try:
            return access.create(store, agent=name, zone=self.targets.agent(name).zone)
        finally:
            store.close()

    def _warm(self) -> None:
        """Import what every child needs, and make the packet templates, once instead of in each of them."""
        from prober import signature
        from prober.agent import main  # noqa: F401
        from prober.controller import serve  # noqa: F401
        from prober.host import rtnetlink
        from prober.wire import packets

        signature.private_key(bytes(32))
        packets.prepare()
        rtnetlink.prepare()

    def _control(self) -> int:
        from prober import settings
        from prober.controller.serve import serve

        self._log_to("controller.log")
        chosen = settings.load(
            targets=self.document, database=self.database, listen=(self.socket, *self.more), state=self.folder,
            anonymous="operator",
        )  # fmt: skip
        serve(chosen)
        return 0

    def start_agent(self, name: str) -> None:
        """An agent in its own namespace."""
        token = self._token(name)
        self.agents[name] = self.lab.fork(name, lambda: self._probe(name, token))

    def stop_agent(self, name: str) -> None:
        """Kill an agent, as a crash would."""
        self.lab.end(self.agents.pop(name))

    def _probe(self, name: str, token: str) -> int:
        from prober.agent.main import run
        from prober.wire import privileges

        self._log_to(f"agent-{name}.log")
        if name in self.incident.unprivileged:
            privileges.drop()
        run(name, self.socket, lambda: token)
        return 0

    def _log_to(self, name: str) -> None:
        """Everything this child says goes to a file of the private directory."""
        log = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, sys.stdout.fileno())
        os.dup2(log, sys.stderr.fileno())
        configure("info", "json")

    def _await_controller(self) -> None:
        deadline = time.monotonic() + READY_PATIENCE
        while time.monotonic() < deadline:
            try:
                if self.http.get("/livez").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise CannotMeasure(f"the lab's controller does not answer: {self.said('controller.log')}")

    def said(self, name: str) -> str:
        """The last lines of a child's log."""
        path = self.folder / name
        return "\n".join(path.read_text(errors="replace").splitlines()[-8:]) if path.exists() else "it logged nothing"

    def gone(self) -> list[str]:
        """Agents that ended by themselves, each with its last words: what they did not see is no verdict's fault."""
        ended = [name for name, pid in self.agents.items() if self.lab.children.ended(pid)]
        return [f"agent {name} ended by itself: {self.said(f'agent-{name}.log')}" for name in ended]

    def _await_heard(self, names: Sequence[str]) -> None:
        """Until these agents report, and have had the time to open their listeners."""
        deadline = time.monotonic() + READY_PATIENCE
        while names:
            ages = {agent["name"]: agent["age_seconds"] for agent in self.get("/api/v1/agents")["agents"]}
            if all(ages[name] is not None and ages[name] < 1.0 for name in names):
                time.sleep(0.5)
                return
            if time.monotonic() > deadline:
                raise CannotMeasure(f"agents that were started again do not report: {', '.join(names)}")
            time.sleep(0.05)

    # -- acting and looking -----------------------------------------------------------------------------------

    def break_it(self) -> None:
        """The incident's break: its steps, then the agents that fall silent."""
        self.lab.run(self.incident.break_steps)
        for name in self.incident.stop_agents:
            self.stop_agent(name)

    def heal_it(self) -> None:
        """The heal: its steps, then the silenced agents come back."""
        self.lab.run(self.incident.heal_steps)
        for name in self.incident.stop_agents:
            self.start_agent(name)
        self._await_heard(self.incident.stop_agents)

    def _ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            return self.http.request(method, path, **given)
        except httpx.TransportError as failure:
            raise CannotMeasure(f"the lab's controller does not answer {path}: {failure}") from failure

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """A document of the controller's API."""
        answer = self._ask("GET", path, params=params)
        if answer.status_code not in (200, 202, 503):
            raise CannotMeasure(f"{path} answered {answer.status_code}: {answer.text[:300]}")
        document: dict[str, Any] = answer.json()
        return document

    def run(self, look: Callable[[dict[str, Any]], None] | None = None, patience: float = 30.0) -> dict[str, Any]:
        """A matrix run from every agent that lives, may probe and has something to: its document at its end.

        `look` sees it as it grows.
        """
        asking = {source for one in self.targets.probes for source in one.sources}
        sources = [name for name in self.probers() if name in asking]
        answer = self._ask("POST", "/api/v1/runs", json={"from": sources})
        if answer.status_code != 202:
            raise CannotMeasure(f"the run was refused: {answer.text[:300]}")
        path = answer.headers["location"]
        deadline = time.monotonic() + patience
        while True:
            document = self.get(path)
            if look is not None:
                look(document)
            if document["state"] != "running":
                return document
            if time.monotonic() > deadline:
                raise CannotMeasure(f"the run is not over after {patience:.0f} s")
            time.sleep(0.05)

    def settled(self, document: dict[str, Any]) -> dict[str, Any]:
        """A run's document once what comes late has come, if the incident asks to wait for it."""
        if not self.incident.settle:
            return document
        time.sleep(self.incident.settle)
        return self.get(f"/api/v1/runs/{document['id']}")

    def probers(self) -> list[str]:
        """The agents that live and may probe."""
        return [name for name in self.agents if name not in self.incident.unprivileged]

    def await_judged(self) -> dict[str, Any]:
        """The matrix once every cell has been judged that can be."""
        deadline = time.monotonic() + READY_PATIENCE
        while True:
            document = self.get("/api/v1/matrix")
            probed = [cell for cell in document["cells"] if cell["source"] not in self.incident.unprivileged]
            waiting = [f"{cell['source']} → {cell['target']}" for cell in probed if cell["age_seconds"] is None]
            if not waiting:
                return document
            if time.monotonic() > deadline:
                logs = "\n".join(self.said(f"agent-{name}.log") for name in list(self.agents)[:2])
                raise CannotMeasure(f"never judged: {', '.join(waiting[:5])}\n{self.said('controller.log')}\n{logs}")
            time.sleep(0.05)


def cells_by_pair(document: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """A matrix document's cells by source and target."""
    return {(cell["source"], cell["target"]): cell for cell in document["cells"]}
