"""What each agent is told to do next: its number and the fleet's keys, its plan, its part of what is done once."""

from __future__ import annotations

from prober.controller.desk import Desk
from prober.controller.errands import Errand
from prober.controller.rounds import Plans
from prober.errors import Refused
from prober.report import Orders, Report, report_every
from prober.store import fleet as stored
from prober.store.engine import Store


class Dispatch:
    """``keys`` are the fleet's, the current one first. `secret`: see `relay.key_of`."""

    def __init__(self, store: Store, desk: Desk, secret: bytes) -> None:
        self.store, self.desk = store, desk
        self.keys, self._plans = stored.keys(store), Plans(secret)
        given = stored.agent_numbers(store)
        self._numbers = {
            one.name: given[one.name, one.zone] for one in desk.targets.agents if (one.name, one.zone) in given
        }

    def knows(self, agent: str) -> bool:
        """Whether its number is known without a look into the store."""
        return agent in self._numbers

    def number(self, agent: str) -> int:
        """The agent's part of a probe's id. Raises `Refused` for one that is not in targets.yaml, or no more."""
        try:
            zone = self.desk.targets.agent(agent).zone
        except KeyError:
            raise Refused(f"agent {agent} has a key and is not in targets.yaml: declare it there") from None
        if agent not in self._numbers:
            self._numbers[agent] = stored.agent_number(self.store, agent, zone)
        return self._numbers[agent]

    def orders(self, report: Report, work: Errand, holds: str = "") -> Orders:
        """What this agent is to do next, `work` beside its plan; a report that waited long brings none.

        `holds`: the version of the plan that the agent goes by.
        """
        agent, every = report.agent, report_every(len(self.desk.targets.agents))
        if not report.live:
            return Orders(acknowledged=report.sequence, report_every=every)
        version, plan = self._plans.of(self.desk.targets, agent, self.number(agent), self.keys, holds)
        return Orders(
            acknowledged=report.sequence, report_every=every, plan=plan, plan_version=version,
            questions=self.desk.joiner.questions(agent), once=work.once, echoes=work.echoes,
        )  # fmt: skip

    def version(self, agent: str) -> str:
        """The version of the plan by which an agent is to go. Raises as `number`."""
        return self._plans.version(self.desk.targets, agent, self.number(agent), self.keys)
