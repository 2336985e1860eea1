"""The whole of ``targets.yaml`` as read, before anything is made of it: its items, names, policy and networks.

A field that has a mistake is missing from its item, and what is derived here goes as far as the rest allows: so that
`prober.crosscheck` can keep quiet about what was told already.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from prober.address import Network
from prober.declared import Allowed, Names, Policy
from prober.document import Mapping
from prober.fields import Item, Log


@dataclass
class Sheet:
    """``root`` holds a tuple of items for each section, ``log`` the mistakes found so far."""

    root: Item
    log: Log

    def section(self, name: str) -> tuple[Item, ...]:
        """The items of a section; none when it is left out or is no list."""
        items: tuple[Item, ...] = self.root.values.get(name) or ()
        return items

    @property
    def groups(self) -> dict[str, Item]:
        """The groups; each item's values hold ``members``."""
        groups: dict[str, Item] = self.root.values.get("groups") or {}
        return groups

    @cached_property
    def names(self) -> Names:
        """Every name that is declared, those of items with other mistakes included."""
        agents = _zones_of(self.section("agents"))
        listening = _zones_of(
            tuple(item for item in self.section("agents") if item.values.get("listen", 0) is not None)
        )
        groups = {name: item.values.get("members", ()) for name, item in self.groups.items()}
        return Names(
            tuple(_zones_of(self.section("zones"))), agents, _zones_of(self.section("targets")) | listening, groups
        )

    @cached_property
    def policy(self) -> Policy:
        """The policy, as far as it could be read."""
        item: Item | None = self.root.values.get("policy")
        values: dict[str, Any] = dict(item.values) if item else {}
        good = [one.values for one in values.pop("allow", ()) if len(one.values) == len(Allowed.__slots__)]
        return Policy(tuple(Allowed(**one) for one in good), **values)

    @cached_property
    def policy_reads(self) -> bool:
        """Whether the policy was read without a mistake; if not, that mistake is enough."""
        return isinstance(self.root.written.get("policy"), Mapping) and not any(
            mistake.path.startswith("policy") for mistake in self.log.mistakes
        )

    @cached_property
    def networks(self) -> dict[str, tuple[Network, ...]]:
        """A zone's networks and those of the pods on its agents' nodes; a zone is missing if they aren't all known."""
        found: dict[str, list[Network]] = {}
        doubtful = set[str]()
        for section, key in (("zones", "cidrs"), ("agents", "pods")):
            for item in self.section(section):
                zone = item.values.get("name" if section == "zones" else "zone", "")
                if key not in item.values:
                    doubtful.add(zone)
                elif section == "zones" or found.get(zone):
                    found.setdefault(zone, []).extend(item.values[key])
        return {zone: tuple(nets) for zone, nets in found.items() if nets and zone not in doubtful}

    def usable(self, side: str) -> set[str]:
        """The names that mean at least one agent or target (`side`)."""
        mapping: Any = getattr(self.names, side)
        return {name for name in self.names.known() if self.names.expand((name,), mapping)}

    @cached_property
    def sources(self) -> set[str]:
        """The names that from may use."""
        return self.usable("agents")

    @cached_property
    def destinations(self) -> set[str]:
        """The names that to may use."""
        return self.usable("targets")


def _zones_of(items: tuple[Item, ...]) -> dict[str, str]:
    return {item.values["name"]: item.values.get("zone", "") for item in items if "name" in item.values}
