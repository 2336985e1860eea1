"""One thread over the wire: send what is due, hear what arrives, close what is open, report what was seen.

The order of a turn matters. What has arrived is heard before anything is timed out, so a late turn never makes a
loss; the host's interfaces are looked at before what came by them is heard; and the coverage statement ends where the
tap was known to be drained.
"""

from __future__ import annotations

import os
import random
import select
import selectors
import socket
import time
from collections import deque
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from prober import logs
from prober.agent import burst
from prober.agent.asking import Asking
from prober.agent.backlog import Backlog
from prober.agent.brief import Brief
from prober.agent.credential import Credential
from prober.agent.dialler import Dialler
from prober.agent.doors import Doors
from prober.agent.echoes import Echoes
from prober.agent.engine import Engine, Heard
from prober.agent.handing import Handing
from prober.agent.line import RELAYED, clients
from prober.agent.memory import Memory
from prober.agent.outbox import Outbox
from prober.agent.policy import permitted, task_refusal, unsound
from prober.agent.schedule import Schedule
from prober.agent.takers import Table, Takers
from prober.agent.uplink import Uplink
from prober.errors import CannotMeasure
from prober.host import interfaces
from prober.host.changes import Changes
from prober.host.conntrack import Conntrack
from prober.host.counters import Counters
from prober.host.routes import Routes
from prober.report import CONNECT, OFTEN, Orders, Plan, Task
from prober.segment import Batch
from prober.wire import crafting, packets, privileges
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
LAST_MINUTE_NS = 60_000_000_000
"""How far back the controller may ask what was seen of a probe."""
AGENT_RATE = 20_000.0
"""SYNs a second that an agent sends at most, whatever it is told: a thousand targets' flows in one second."""
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
        self.handing = Handing(self.routes, self.able)
        privileges.drop()
        self.handshakes = self.engine.handshakes
        epoch = int.from_bytes(os.urandom(6), "big")
        self.backlog = Backlog(name, epoch, outbox)
        self.outbox = Outbox(name, epoch, self.backlog)
        self.schedule = Schedule(random.Random(os.urandom(8)))  # noqa: S311  # it spreads probes, it hides nothing
        self.orders: deque[Orders] = deque()
        self.wake_out, self.wake_in = socket.socketpair()
        self.wake_out.setblocking(False)
        self.wake_in.setblocking(False)
        self.uplink = Uplink(clients(controller, credential), self.backlog, self._heard)
        self.doors = Doors(partial(clients, controller, credential, path=RELAYED), self.uplink.reaches)
        self.takers, self.table, self.echoes, self.memory = Takers(), Table(), Echoes(), Memory()
        self.outbox.tap = self.able
        if not self.able:
            _log.warning("only a responder", why=privileges.describe())
        self.plan: Plan | None = None
        self.brief, self.report_crowded, self.stopping = Brief(), CROWDED, False
        self.asking = Asking(self.mute.ports)
        self.targets, self.runs = self.asking.targets, self.asking.runs
        self.dialler, self._muted = Dialler(self.targets.index), np.array(self.mute.ports, np.uint16)
        self._expired, self._untold, self._begun, self._stumbles = False, False, False, 0
        self._lost_resets = self._waits = 0
        self._covered_ns, self._dropped = time.time_ns(), self.tap.dropped()
        self._gathered, self._reported, self._looked, self._heard_at = 0.0, 0.0, float("-inf"), time.monotonic()
        self.changes, self._anew = Changes(), True
        self._names: dict[int, str] = {}
        self._pods: frozenset[int] = frozenset()

    # -- orders ---------------------------------------------------------------------------------------------

    def _heard(self, orders: Orders) -> None:
        """Called by the uplink's thread."""
        self.orders.append(orders)
        if self._begun and not orders.urgent:
            return  # they are heard with the next turn
        with suppress(BlockingIOError):  # it has been woken often enough already
            self.wake_out.send(b"!")

    def _obey(self, orders: Orders, now: float) -> None:
        self._heard_at, self.brief.every = now, orders.report_every
        if orders.urgent:
            self.brief.press()
        known = self.plan.version if self.plan is not None and not self._expired else None
        if orders.plan is not None and orders.plan.version != known:
            self._adopt(orders.plan, now)
        for question in orders.questions:
            self.outbox.answered(self.routes.ask(question))
        if orders.recall:
            again = self.memory.of(orders.recall, time.time_ns() - LAST_MINUTE_NS)
            self.outbox.saw(again, [b""] * len(again))
        copies, refused = self.echoes.segments(orders.echoes, time.time_ns())
        for why in refused:
            self.outbox.note(why)
        self._transmit(copies)
        for task in self._admit(orders.once):
            self.schedule.once(list(burst.flows(task, self.asking.ports, now)), now)

    def _adopt(self, plan: Plan, now: float) -> None:
        if (why := unsound(plan)) is not None:
            _log.error("a plan is not taken", version=plan.version, why=why)
            self.outbox.note(f"a plan was not taken: {why}")
            return
        self.plan, self._expired, self._untold = plan, False, True
        self.asking.number, self.uplink.holds, self.brief.whole = plan.number, plan.version, plan.whole
        self.schedule.syns_per_second = plan.syns_per_second
        admitted = self._admit(plan.tasks)
        self._begun = self._begun or not admitted  # a witness alone has no first probe
        self.schedule.ahead = time.time() - now
        self.schedule.replace(admitted, now)
        self.dialler.adopt(admitted if plan.connects else [], now)
        self._looked, self._anew = float("-inf"), True
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
            selector.register(self.wake_in, selectors.EVENT_READ)
            while not self.stopping:
                selector.select(self._patience())
                began = time.monotonic()
                try:
                    self._turn(began)
                except OSError as error:
                    self._stumble(error)
                if not self.able and self.plan is None and time.monotonic() - self._heard_at > USELESS:
                    raise CannotMeasure(privileges.describe())
                if self.uplink.over:
                    raise CannotMeasure(self.uplink.over)
                rest = min(REST if self._begun else FIRST_REST, SHARE * (time.monotonic() - began))
                select.select([self.wake_in], [], [], rest)
        self._close()

    def _stumble(self, error: OSError) -> None:
        """The host was short of something, or an interface went away: said once a second, and a gap in the coverage."""
        self._covered_ns = time.time_ns()
        self._stumbles += 1
        said = f"{type(error).__name__}: {error.strerror or error}"
        if self._stumbles % 10 == 1:
            _log.error("a turn failed", why=said, times=self._stumbles)
        self.outbox.note(f"a turn failed: {said}")
        time.sleep(IDLE)

    def stop(self) -> None:
        self.stopping = True

    def _close(self) -> None:
        resets, _ = self.handshakes.expire(time.time_ns() + 3_600_000_000_000)
        self._transmit(resets)  # their outcomes are not told: they did not time out, nobody may read them as losses
        self._gather(time.monotonic())
        self.outbox.saw(*self.brief.all())
        self._report(time.monotonic(), self._covered_ns)
        self.backlog.flush()
        self.uplink.close()
        for one in (self.dialler, self.asking, self.backlog, self.handing, self.counters, self.doors):
            one.close()

    def _patience(self) -> float:
        now = time.monotonic()
        deadlines = [now + IDLE, self._gathered + min(OFTEN, self.brief.every)]
        if (due := self.schedule.next_due()) is not None:
            deadlines.append(due)
        if (deadline := self.handshakes.earliest) is not None:
            deadlines.append(now + (deadline - time.time_ns()) / 1e9)
        return max(0.0, min(deadlines) - now)

    def _turn(self, now: float) -> None:
        self._drain_wake()
        while self.orders:
            self._obey(self.orders.popleft(), now)
        self._keep_to_the_plan(now)
        self._ask(self.schedule.due(time.monotonic()))
        if now - self._looked > LOOK_AGAIN:
            self._look(now)
        drained_ns = time.time_ns() - SETTLE_NS
        if not self._hear():
            drained_ns = self._covered_ns
        if self.plan is None:
            self._covered_ns = drained_ns  # without the fleet's keys nothing was recognised: that was no watching
        self._expire()
        self._dial(now)
        self.doors.serve()
        if now - self._gathered >= min(OFTEN, self.brief.every):
            self._gather(now)
            if now - self._reported >= max(self.brief.wait(now), self.report_crowded * self.backlog.crowded()):
                self._report(now, self.brief.until(drained_ns))

    def _keep_to_the_plan(self, now: float) -> None:
        """A plan of which nobody has said for long that it still holds ends."""
        if self.plan is None or self._expired or now - self._heard_at <= self.plan.expires_after:
            return
        self._expired, self.uplink.holds = True, ""
        self.schedule.clear()
        self.dialler.adopt([], now)
        _log.warning("the plan has expired, nothing is probed", silent_for=round(now - self._heard_at))

    def _drain_wake(self) -> None:
        try:
            while self.wake_in.recv(4096):
                continue
        except BlockingIOError:
            return

    def _look(self, now: float) -> None:
        """Before anything is heard under a new plan, and after its first probes, which need not wait for this."""
        self._looked = now
        if self._untold and self.plan is not None:
            _log.info("plan", version=self.plan.version, tasks=len(self.plan.tasks))
            self._untold = False
        self._anew = self.changes.happened() or self._anew  # also where the last look failed halfway
        if not self._anew:
            return
        self._names = interfaces.names()
        if self.plan is not None:
            self._pods = interfaces.pod_interfaces(self.plan.addresses, self.plan.pods)
        self._anew = False

    def _hear(self) -> bool:
        """Everything that has arrived; False where more keeps coming."""
        for _ in range(DRAIN):
            keys = tuple(self.plan.keys) if self.plan is not None else ()
            heard = self.engine.hear(keys, self._pods, time.time_ns())
            self._take(heard)
            if self.tap.emptied:
                return True
        return False

    def _take(self, heard: Heard) -> None:
        self._ended(heard.outcomes)
        if self.plan is None:
            return
        self.dialler.hear(heard.segments, self._muted)
        self.outbox.saw(*self.brief.take(heard.sightings, heard.frames))
        self.memory.keep(heard.sightings)
        self.echoes.hear(heard.arrived)
        self.takers.hear(heard.arrived, frozenset(self.plan.addresses))

    def _expire(self) -> None:
        self._ended(self.engine.expire(time.time_ns()))

    def _ended(self, outcomes: Batch) -> None:
        """They are told; and the ports of those that were not answered rest."""
        if len(outcomes):
            self.asking.ports.rest(outcomes, time.monotonic())
            self.outbox.ended(self.brief.ended(outcomes))

    def _transmit(self, batch: Batch) -> None:
        """RSTs: best effort; a failure is told, for it leaves something half-open."""
        if len(batch):
            errors = self.link.send(batch)
            if errors.any() and self.plan is not None:
                _log.debug("an RST could not be sent", errors=errors[errors != 0].tolist())

    # -- asking ---------------------------------------------------------------------------------------------

    def _ask(self, tasks: list[Task]) -> None:
        if not tasks or self.plan is None:
            return
        packets.prepare()
        self._begun = True
        for sender, part in self.handing.parted(tasks, self.outbox.note):
            asked = self.asking.syns(part, self.plan, time.monotonic())
            if any(task.ports for task in part):
                self._transmit(self.handshakes.again(asked.syns))
            self.outbox.ended(self.brief.ended(self.engine.ask(asked, time.time_ns(), AGENT_RATE, sender)))
        for at, task in burst.attempts(tasks, time.monotonic(), self.schedule.random):
            self.schedule.once([task], at)

    def _dial(self, now: float) -> None:
        """The kernel's own connect(), now and then."""
        now_ns = time.time_ns()
        outcomes = np.concatenate(
            [self.dialler.finished(now, now_ns), self.dialler.begin(self.asking.next_id, now, now_ns)]
        )  # fmt: skip
        outcomes["run"] = self.runs.index(CONNECT)
        self.outbox.ended(outcomes)

    def _admit_failures(self) -> None:
        """What sending met since the last report: it makes no verdict, and the operator should know."""
        lost, waits = self.engine.lost_resets, self.link.waits
        if lost > self._lost_resets:
            self.outbox.note(
                f"{lost - self._lost_resets} RSTs could not be sent: targets keep half-open sockets a while"
            )
        if waits > self._waits:
            self.outbox.note(f"the send queue was full {waits - self._waits} times, and was waited for")
        self._lost_resets, self._waits = lost, waits

    # -- reporting ------------------------------------------------------------------------------------------

    def _gather(self, now: float) -> None:
        """Half-open sockets live for a moment only: they are looked at as often as a report may be due."""
        taken = self.takers.look(time.time_ns())
        self.outbox.saw(taken, [b""] * len(taken))
        self.outbox.saw(*self.brief.settle(time.time_ns()))
        if self.plan is not None and not self.able:
            self.outbox.found(self.table.look(time.time_ns(), partial(permitted, self.plan)))
        self._gathered = now

    def _report(self, now: float, drained_ns: int) -> None:
        self._admit_failures()
        dropped, counted = self.tap.dropped(), self.counters.read() | self.conntrack.read()
        self.dialler.compare(counted.get("TcpExtTCPMinTTLDrop", 0), now)
        self.outbox.close(
            time.time_ns(), (self._covered_ns, drained_ns), dropped - self._dropped, counted, self._names,
            self.targets.order, self.runs.order,
        )  # fmt: skip
        self._covered_ns, self._dropped, self._reported = drained_ns, dropped, now
