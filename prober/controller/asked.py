"""A command as it was said in a chat: by whom, where, and the pairs that its names mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from prober.declared import Targets
from prober.errors import Refused
from prober.surfaces.answer import Note
from prober.surfaces.fit import cut
from prober.surfaces.glyphs import shown

NAMED = 60
"""Characters of a run's sources, and of its targets, by which it is called."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command: its words, where it was said, by whom (``slack:U024BE7LH``, and a name), and how one calls prober."""

    text: str
    channel: str
    by: str
    name: str
    call: str

    @property
    def who(self) -> str:
        """As the audit log writes it: the id is certain, the name is only what is shown."""
        return f"{self.by} ({self.name})" if self.name else self.by


class Wanted(NamedTuple):
    """A run to start: in words, and the names that were given."""

    what: str
    sources: list[str]
    targets: list[str]


def wanted_by(declared: Targets, names: list[str]) -> Wanted:
    """The run that these names ask for. Refused for one that means nothing."""
    sources, targets = _chosen(declared, names)
    what = " → ".join(cut(", ".join(side) or "all", NAMED) for side in (sources, targets))
    return Wanted(what, sources, targets)


def _chosen(declared: Targets, names: list[str]) -> tuple[list[str], list[str]]:
    """Sources and targets of a run; names in one word have commas between. Refused for a name that means nothing.

    One name alone is a source where it means agents, else a target; none means everything that is declared.
    """
    if len(names) > 2:
        raise Refused("run takes a source and a target, several with commas between: run firewall,lb ingress")
    lists = [[one for one in name.split(",") if one] for name in names]
    if not all(lists):
        raise Refused("a comma alone names nothing: run firewall,lb ingress")
    if len(lists) == 2:
        declared.expand_sources(lists[0])
        declared.expand_targets(lists[1])
        return lists[0], lists[1]
    if not lists:
        return [], []
    agents, known = declared.names.agents, declared.names
    if all(known.expand((name,), agents) for name in lists[0]):
        return lists[0], []
    declared.expand_targets(lists[0])
    return [], lists[0]


def help_of(call: str, unknown: str = "") -> Note:
    """The commands there are, as one types them after `call`."""
    commands = (
        (f"{call} run firewall ingress", "probe these pairs now; several names with commas between"),
        (f"{call} run firewall", f"from (or to) one name; {call} run: everything"),
        (f"{call} why firewall ingress", "which packet was seen where, and what follows from it"),
        (f"{call} status", "every pair as it stands, and the incidents that are open"),
    )  # fmt: skip
    return Note(f"There is no command {shown(unknown)[:40]}. There are:" if unknown else "Ask me:", commands)
