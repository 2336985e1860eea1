"""An incident as a value: a network, how to break it, how to heal it, and what must be said of each cell.

The shipped ones are the files in ``incidents/``; any other file of the same form does as well (docs/incidents.md).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import Field

from prober.document import Node
from prober.errors import ConfigInvalid
from prober.lab import family, reading
from prober.lab.network import Many, Name, Network, Steps, Value
from prober.verdict import Cause, Confidence, Label


class Expected(Value):
    """What must be said of the cells `source` x `target`; what is left out is not asked for."""

    source: Many[str]
    target: Many[str]
    label: Many[Label]
    cause: Many[Cause] = ()
    confidence: Many[Confidence] = ()
    culprit: str = ""

    def met_by(self, label: str, cause: str | None, confidence: str | None, culprit: str | None) -> bool:
        """Does a verdict say it? `culprit` must occur in the verdict's own; the others are one of those listed."""
        return (
            label in self.label
            and (not self.cause or cause in self.cause)
            and (not self.confidence or confidence in self.confidence)
            and self.culprit in (culprit or "")
        )

    def text(self) -> str:
        """In words: ``return-path-misroute R1b proven 'node19'``."""
        parts = ["|".join(one) for one in (self.label, self.cause, self.confidence) if one]
        return " ".join([*parts, *([repr(self.culprit)] if self.culprit else [])])


class Incident(Value):
    """One file of ``incidents/``. `break_steps` and `heal_steps` are the document's ``break`` and ``heal``.

    `unprivileged` agents start without CAP_NET_RAW; `settle` is for how many seconds a judged run is left to gain what
    comes late (an ICMP error after ARP's three seconds) before its cells are read.

    ``live``: seconds from the break within which the live matrix must say it by itself; 0: a run on demand is asked.
    ``flap``: seconds after which, until then, the break is healed and made again, in turn.
    """

    name: Name
    title: str
    story: str = ""
    network: Network
    break_steps: Steps = Field(default_factory=dict, alias="break")
    heal_steps: Steps = Field(default_factory=dict, alias="heal")
    stop_agents: Many[Name] = ()
    unprivileged: Many[Name] = ()
    settle: float = Field(default=0.0, ge=0.0, le=10.0)
    expect: tuple[Expected, ...] = ()
    others: Many[Label] = (Label.HEALTHY,)
    flap: float = Field(default=0.0, ge=0.0, le=60.0)
    live: float = Field(default=0.0, ge=0.0, le=60.0)
    targets: dict[str, Any] = Field(default_factory=dict)

    def expected(self, source: str, target: str) -> Expected:
        """What the broken network's cell must be: the first entry of ``expect`` that names it, else ``others``."""
        for one in self.expect:
            if source in one.source and target in one.target:
                return one
        return Expected(source=(source,), target=(target,), label=self.others)

    def targets_text(self) -> str:
        """The incident's own ``targets``, else its network's, as JSON (which YAML 1.2 reads)."""
        return json.dumps(self.targets or self.network.targets, indent=2)


@functools.cache
def names() -> tuple[str, ...]:
    """The shipped incidents, in alphabetical order."""
    return tuple(sorted(path.stem for path in _folder("incidents").glob("*.yaml")))


def load(name_or_file: str) -> Incident:
    """A shipped incident by name, or any file by path; ConfigInvalid says what is wrong with it and where."""
    if name_or_file in names():
        return _shipped(name_or_file)
    path = Path(name_or_file)
    if not path.is_file():
        raise ConfigInvalid(
            f"{name_or_file!r} is neither a file nor a shipped incident; those are: {', '.join(names())}"
        )
    return _read(path)


@functools.cache
def _shipped(name: str) -> Incident:
    return _read(_folder("incidents") / f"{name}.yaml")


def _read(path: Path) -> Incident:
    """Read the incident, then the one that it is like, then the network that it names or holds."""
    root = reading.read(path)
    content = {"name": path.stem.lower(), **reading.plain(root)}
    version, like = content.pop("family", 4), content.pop("like", None)
    if version not in (4, 6):
        raise ConfigInvalid(reading.mistake(root, path, ["family"], f"{version!r} is no family; write 4 or 6"))
    if like is not None:
        content = {**_like(str(like), root, path), **content}
    if isinstance(content.get("network"), str):
        content["network"] = _network(content["network"], root, path)
    if version == 6:
        content = _in_ipv6(content)
    incident = reading.value(Incident, content, root, path)
    for location, sentence in _strangers(incident):
        raise ConfigInvalid(reading.mistake(root, path, location, sentence))
    return incident


def _like(name: str, root: Node, path: Path) -> dict[str, Any]:
    """What a shipped incident, or a file beside this one, says: all but its name."""
    source = _folder("incidents") / f"{name}.yaml" if name in names() else path.parent / name
    if not source.is_file() or source == path:
        sentence = f"{name!r} is neither a shipped incident nor a file beside this one; those are: {', '.join(names())}"
        raise ConfigInvalid(reading.mistake(root, path, ["like"], sentence))
    content: dict[str, Any] = reading.plain(reading.read(source))
    if "like" in content:
        sentence = f"{name!r} is like another one itself; name that one"
        raise ConfigInvalid(reading.mistake(root, path, ["like"], sentence))
    return {key: one for key, one in content.items() if key not in ("name", "family")}


def _in_ipv6(content: dict[str, Any]) -> dict[str, Any]:
    """The same network, the same break, the same words, in the other family."""
    network = content["network"]
    if isinstance(network, Network):
        network = Network.model_validate(family.in_ipv6(network.model_dump(mode="json")))
    told = {key: family.in_ipv6(one) for key, one in content.items() if key not in ("name", "network")}
    title = str(content.get("title", ""))
    return {**told, "name": content["name"], "title": f"{title}, in IPv6", "network": network}


def _network(name: str, root: Node, path: Path) -> Network:
    """A shipped network by name, or a file beside the incident."""
    shipped = {one.stem: one for one in _folder("networks").glob("*.yaml")}
    if name in shipped:
        return _read_network(shipped[name])
    source = path.parent / name
    if not source.is_file():
        sentence = f"{name!r} is neither a shipped network ({', '.join(sorted(shipped))}) nor a file beside this one"
        raise ConfigInvalid(reading.mistake(root, path, ["network"], sentence))
    return _read_network(source)


@functools.cache
def _read_network(source: Path) -> Network:
    """Some hundred incidents share a few networks."""
    content = reading.read(source)
    return reading.value(Network, reading.plain(content), content, source)


def _strangers(incident: Incident) -> Iterator[tuple[list[str | int], str]]:
    """Names that mean nothing: of places that run steps, of agents that are stopped, of cells that are expected."""
    places, agents = incident.network.places(), incident.network.agents
    for key, steps in (("break", incident.break_steps), ("heal", incident.heal_steps)):
        for place in steps:
            if place not in places:
                yield [key, place], f"no such host or pod; there are: {', '.join(places)}"
    for key, several in (("stop_agents", incident.stop_agents), ("unprivileged", incident.unprivileged)):
        for agent in several:
            if agent not in agents:
                yield [key], f"no agent {agent!r}; there are: {', '.join(agents)}"
    targets = _named(incident, "targets") | _named(incident, "agents")
    for number, one in enumerate(incident.expect):
        for key, given, known in (("source", one.source, set(agents)), ("target", one.target, targets)):
            for name in sorted(set(given) - known):
                yield ["expect", number, key], f"no {key} {name!r}; there are: {', '.join(sorted(known))}"


def _named(incident: Incident, section: str) -> set[str]:
    """The names in a section of the incident's targets; its mistakes are told where the document is read."""
    told = (incident.targets or incident.network.targets).get(section)
    rows = told if isinstance(told, list) else []
    return {str(one["name"]) for one in rows if isinstance(one, dict) and "name" in one}


def _folder(name: str) -> Path:
    """A folder of documents inside the package."""
    return Path(str(resources.files("prober.lab"))) / name
