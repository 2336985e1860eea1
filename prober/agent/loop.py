"""One thread over the wire: send what is due, hear what arrives, close what is open, report what was seen.

The order of a turn matters. What has arrived is heard before anything is timed out, so a late turn never makes a
loss; the host's interfaces are looked at before what came by them is heard; and the coverage statement ends where the
tap was known to be drained.
"""

from __future__ import annotations

import os
import select
import selectors
import time
from functools import partial
from pathlib import Path

from prober import logs
from prober.agent.backlog import Backlog
from prober.agent.brief import Brief
from prober.agent.coverage import Coverage
from prober.agent.credential import Credential
from prober.agent.doors import Doors
from prober.agent.engine import Engine, Heard
from prober.agent.handing import Handing
from prober.agent.inbox import Inbox
from prober.agent.line import RELAYED, clients
from prober.agent.mandate import Mandate
from prober.agent.mishaps import Mishaps
from prober.agent.outbox import Outbox
from prober.agent.policy import task_refusal
from prober.agent.prober import Prober
from prober.agent.uplink import Uplink
from prober.agent.witness import Witness
from prober.errors import CannotMeasure
from prober.host.conntrack import Conntrack
from prober.host.counters import Counters
from prober.host.interfaces import Interfaces
from prober.host.routes import Routes
from prober.report import OFTEN, Orders, Plan, Task
from prober.segment import Batch
from prober.wire import crafting, privileges
from prober.wire.capture import Tap
from prober.wire.feeder import Feeder
from prober.wire.link import Link
from prober.wire.mute import Mute
from prober.wire.untapped import NoLink, NoTap

IDLE = 0.1
"""Seconds at most between two turns."""
SETTLE_NS = 2_000_000
"""A frame may still be on its way into the tap's queue this long after its time stamp."""
REST, SHARE = 0.25, 30.0
"""A turn is followed by a rest `SHARE` times as long as it took, of `REST` seconds at most: what comes meanwhile is
handled together, and an agent takes a thirtieth of a processor, not all of it. Times are the kernel's stamps, and what
the controller asks for ends the rest."""
FIRST_REST = 0.01
"""The longest rest before the first probe."""
LOOK_AGAIN = 2.0
"""Seconds between looks at the host's interfaces."""
CROWDED = 1.0
"""Seconds between two reports while an earlier one still waits: a slow controller gets fewer and larger ones."""
AN_HOUR_NS = 3_600_000_000_000
"""No handshake's deadline is as far away."""
DRAIN = 32
"""Reads of the tap in one turn; where that does not empty it, sending must not wait for ever."""

USELESS = 8.0
"""Seconds after which an agent that may not capture and has no plan ends: nobody would hear of its lack."""

_log = logs.get_logger("prober.agent")


class Agent:
    """One subnet's prober and witness. `run` until `stop`.

    Without CAP_NET_RAW it can neither probe nor capture, says so, and is still a responder that answers questions and
    reads its half-open sockets: a vantage all the same. Otherwise raw sockets are opened first, and every capability
    is dropped before anything is sent. It signs with its `credential`. `outbox` is the folder that keeps its reports;
    None: memory.
    """

    def __init__(self, name: str, controller: str, credential: Credential, outbox: Path | None = None) -> None:
        self.name = name
        crafting.begin()
        self.able = privileges.can_capture()
        self.tap: Tap | NoTap = Tap() if self.able else NoTap()
        self.link: Link | NoLink = Link() if self.able else NoLink()
        self.engine = Engine(self.tap, self.link, Feeder(Link() if self.able else NoLink()))
        self.mute, self.routes, self.conntrack, self.counters = Mute(), Routes(name), Conntrack(), Counters()
        handing = Handing(self.routes, self.able)
        privileges.drop()
        epoch = int.from_bytes(os.urandom(6), "big")
        self.backlog = Backlog(name, epoch, outbox)
        self.outbox, self.brief = Outbox(name, epoch, self.backlog), Brief()
        self.witness = Witness(self.outbox, self.brief, self.link.send)
        self.prober = Prober(self.engine, self.mute.ports, handing, self.outbox.note)
        self.inbox, self.mandate = Inbox(), Mandate(time.monotonic())
        self.uplink = Uplink(clients(controller, credential), self.backlog, self._heard)
        self.doors = Doors(partial(clients, controller, credential, path=RELAYED), self.uplink.reaches)
        self.outbox.tap = self.able
        if not self.able:
            _log.warning("only a responder", why=privileges.describe())
        self.report_crowded, self.stopping = CROWDED, False
        self.interfaces, self.mishaps = Interfaces(), Mishaps(self.engine, self.link)
        self.coverage = Coverage(self.tap.dropped, time.time_ns())
        self._untold, self._stumbles = False, 0
        self._gathered, self._reported, self._looked = 0.0, 0.0, float("-inf")

    @property
    def plan(self) -> Plan | None:
        """The plan that it goes by, expired or not."""
        return self.mandate.plan

    # -- orders ---------------------------------------------------------------------------------------------

    def _heard(self, orders: Orders) -> None:
        """Called by the uplink's thread."""
        self.inbox.put(orders, wake=orders.urgent or not self.prober.begun)

    def _obey(self, orders: Orders, now: float) -> None:
        self.mandate.heard_at, self.brief.every = now, orders.report_every
        if orders.urgent:
            self.brief.press()
        if orders.plan is not None and self.mandate.is_news(orders.plan):
            self._adopt(orders.plan, now)
        for question in orders.questions:
            self.outbox.answered(self.routes.ask(question))
        if orders.recall:
            self.witness.recall(orders.recall, time.time_ns())
        for why in self.witness.copy(orders.echoes, time.time_ns()):
            self.outbox.note(why)
        for task in self._admit(orders.once):
            self.prober.once(task, now)

    def _adopt(self, plan: Plan, now: float) -> None:
        if (why := self.mandate.take(plan)) is not None:
            _log.error("a plan is not taken", version=plan.version, why=why)
            self.outbox.note(f"a plan was not taken: {why}")
            return
        self._untold, self._looked = True, float("-inf")
        self.uplink.holds, self.brief.whole = plan.version, plan.whole
        admitted = self._admit(plan.tasks)
        self.prober.begun = self.prober.begun or not admitted  # a witness alone has no first probe
        self.prober.adopt(plan, admitted, now)
        self.uplink.detour.adopt(plan)
        for why in self.doors.adopt(plan):
            self.outbox.note(why)

    def _admit(self, tasks: list[Task]) -> list[Task]:
        """The tasks inside the policy. What is outside is told and never sent."""
        if not self.able:
            if tasks:
                self.outbox.note(f"nothing is probed from here. {privileges.describe()}")
            return []
        admitted = []
        for task in tasks:
            why = task_refusal(self.plan, task)
            if why is None:
                admitted.append(task)
            else:
                _log.error("refused to probe", target=task.target, why=why)
                self.outbox.note(f"refused to probe {task.target}: {why}")
        return admitted

    # -- a turn ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until `stop` is called (from a signal handler). CannotMeasure where it may not capture and no plan comes, and
        where the controller does not take it and never will."""
        self.backlog.start()
        self.uplink.start()
        with selectors.DefaultSelector() as selector:
            selector.register(self.tap.fileno(), selectors.EVENT_READ)
            selector.register(self.inbox, selectors.EVENT_READ)
            while not self.stopping:
                selector.select(self._patience())
                began = time.monotonic()
                try:
                    self._turn(began)
                except OSError as error:
                    self._stumble(error)
                if not self.able and self.plan is None and time.monotonic() - self.mandate.heard_at > USELESS:
                    raise CannotMeasure(privileges.describe())
                if self.uplink.over:
                    raise CannotMeasure(self.uplink.over)
                rest = min(REST if self.prober.begun else FIRST_REST, SHARE * (time.monotonic() - began))
                select.select([self.inbox], [], [], rest)
        self._close()

    def _stumble(self, error: OSError) -> None:
        """The host was short of something, or an interface went away: said once a second, and a gap in the coverage."""
        self.coverage.gap(time.time_ns())
        self._stumbles += 1
        said = f"{type(error).__name__}: {error.strerror or error}"
        if self._stumbles % 10 == 1:
            _log.error("a turn failed", why=said, times=self._stumbles)
        self.outbox.note(f"a turn failed: {said}")
        time.sleep(IDLE)

    def stop(self) -> None:
        self.stopping = True

    def _close(self) -> None:
        self.engine.expire(time.time_ns() + AN_HOUR_NS)  # none timed out: nobody is told, and may read them as losses
        self._gather(time.monotonic())
        self.witness.close()
        self._report(time.monotonic(), self.coverage.since_ns)
        self.backlog.flush()
        self.uplink.close()
        for one in (self.prober, self.backlog, self.counters, self.doors):
            one.close()

    def _patience(self) -> float:
        now = time.monotonic()
        deadlines = [now + IDLE, self._gathered + min(OFTEN, self.brief.every)]
        if (due := self.prober.schedule.next_due()) is not None:
            deadlines.append(due)
        if (deadline := self.engine.handshakes.earliest) is not None:
            deadlines.append(now + (deadline - time.time_ns()) / 1e9)
        return max(0.0, min(deadlines) - now)

    def _turn(self, now: float) -> None:
        for orders in self.inbox.take():
            self._obey(orders, now)
        self._keep_to_the_plan(now)
        if self.plan is not None:
            for unsent in self.prober.ask(self.plan):
                self.witness.ended(unsent)
        if now - self._looked > LOOK_AGAIN:
            self._look(now)
        drained_ns = time.time_ns() - SETTLE_NS
        if not self._hear():
            drained_ns = self.coverage.since_ns
        if self.plan is None:
            self.coverage.gap(drained_ns)  # without the fleet's keys nothing was recognised: that was no watching
        self._ended(self.engine.expire(time.time_ns()))
        self.outbox.ended(self.prober.dial(now))
        self.doors.serve()
        if now - self._gathered >= min(OFTEN, self.brief.every):
            self._gather(now)
            if now - self._reported >= max(self.brief.wait(now), self.report_crowded * self.backlog.crowded()):
                self._report(now, self.brief.until(drained_ns))

    def _keep_to_the_plan(self, now: float) -> None:
        """A plan of which nobody has said for long that it still holds ends."""
        if not self.mandate.ends(now):
            return
        self.uplink.holds = ""
        self.prober.rest(now)
        _log.warning("the plan has expired, nothing is probed", silent_for=round(now - self.mandate.heard_at))

    def _look(self, now: float) -> None:
        """Before anything is heard under a new plan, and after its first probes, which need not wait for this."""
        self._looked = now
        if self.plan is None:
            return
        if self._untold:
            _log.info("plan", version=self.plan.version, tasks=len(self.plan.tasks))
            self._untold = False
        self.interfaces.look(self.plan.addresses, self.plan.pods)

    def _hear(self) -> bool:
        """Everything that has arrived; False where more keeps coming."""
        for _ in range(DRAIN):
            keys = tuple(self.plan.keys) if self.plan is not None else ()
            heard = self.engine.hear(keys, self.interfaces.pods, time.time_ns())
            self._take(heard)
            if self.tap.emptied:
                return True
        return False

    def _take(self, heard: Heard) -> None:
        self._ended(heard.outcomes)
        if self.plan is not None:
            self.prober.hear(heard)
            self.witness.take(heard, self.plan)

    def _ended(self, outcomes: Batch) -> None:
        if len(outcomes):
            self.prober.ended(outcomes)
            self.witness.ended(outcomes)

    # -- reporting ------------------------------------------------------------------------------------------

    def _gather(self, now: float) -> None:
        self.witness.gather(time.time_ns(), self.plan)
        self._gathered = now

    def _report(self, now: float, drained_ns: int) -> None:
        for one in self.mishaps.since():
            self.outbox.note(one)
        counted = self.counters.read() | self.conntrack.read()
        self.prober.dialler.compare(counted.get("TcpExtTCPMinTTLDrop", 0), now)
        covered, dropped = self.coverage.close(drained_ns)
        self.outbox.close(
            time.time_ns(), covered, dropped, counted, self.interfaces.names, self.prober.targets.order,
            self.prober.runs.order,
        )  # fmt: skip
        self._reported = now
