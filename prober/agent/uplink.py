"""The agent's other thread: reports out, orders in. The wire never waits for it."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from prober import logs
from prober.agent.backlog import Backlog
from prober.agent.detour import Detour
from prober.agent.enrolling import NotEnrolled, enrol
from prober.agent.line import UNREACHED, Answer, Line, detail
from prober.agent.recovery import Entry
from prober.report import LANE, PLAN, Orders, decode_orders, lane_of

FOR_GOOD = (400, 413, 415, 422)
"""The report itself is refused: sending it again is of no use."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
"""Seconds: the span of the random wait doubles from the one to the other."""
LONGEST_ASKED = 60.0
"""Seconds for which a controller may put an agent off."""
LATELY = 15.0
"""Seconds for which an answer says that the own way to the controller works."""
STUMBLED = 30.0
"""Seconds for which a report over which the controller stumbles (500) lets others go first."""
_log = logs.get_logger("prober.uplink")


class Uplink:
    """Posts one report after the other: what tells of now first, the rest behind it.

    What can't be posted is tried again after a random wait, longer and longer up to `LONGEST_WAIT`: a fleet that lost
    its controller does not come back in one moment. A wait that the controller asks for is kept to. Of several
    controllers (`https`) it keeps to one for as long as that one answers; where none can be reached, reports go through
    a peer (`detour`), and of orders only questions come.
    """

    def __init__(
        self, https: Iterable[Line], waiting: Backlog, heard: Callable[[Orders], None],
        chance: random.Random | None = None,
    ) -> None:  # fmt: skip
        self.https, self.waiting, self.heard = deque(https), waiting, heard
        self.chance = chance or random.Random()  # noqa: S311  # it spreads waits, it hides nothing
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self.idle = threading.Event()
        self.holds = ""
        """The version of the plan that the agent goes by."""
        self.detour = Detour()
        self.over = ""
        """Why nothing of this agent will ever be taken."""
        self._told = self._by = self._refused = ""
        self._failures = self._unreached = 0
        self._reached = float("-inf")
        self._behind_from = 0.0

    def start(self) -> None:
        self.thread.start()

    def close(self, patience: float = 1.0) -> None:
        """Stops when all is delivered, and after `patience` seconds at the latest; at once where nobody takes it."""
        deadline = time.monotonic() + patience
        self.idle.clear()
        self.waiting.ready.set()
        while not self._told and time.monotonic() < deadline and not self.idle.wait(0.02):
            continue
        self.stop.set()
        self.waiting.ready.set()
        self.thread.join(timeout=2.0)
        for http in self.https:
            http.close()

    def reaches(self) -> bool:
        """Whether this agent's own way to the controller works, as far as that is known."""
        return time.monotonic() - self._reached < LATELY

    def _run(self) -> None:
        while not self.stop.is_set():
            self.waiting.ready.clear()
            now = time.monotonic()
            found = self.waiting.next(now, behind=now >= self._behind_from)
            if found is None:
                self.idle.set()
                self.waiting.ready.wait(timeout=0.5)
                continue
            try:
                self._send(*found)
            except Exception as error:  # noqa: BLE001  # one report that can't be sent must not keep back the others
                _log.exception("a report could not be sent", sequence=found[0].summary.sequence)
                self.waiting.refused(found[0], f"{type(error).__name__}: {error}")

    def _send(self, entry: Entry, body: bytes) -> None:
        """One try. The controller has it, or will never take it, or is asked again later."""
        if self.detour.stands(time.monotonic()) and self._through_a_peer(entry, body):
            return
        headers = {LANE: lane_of(entry.live)} | ({PLAN: self.holds} if self.holds else {})
        try:
            enrol(self.https[0])
            answer = self.https[0].post(body, headers, self.detour.patience())
        except NotEnrolled as why:
            self._stay_out(why)
            return
        except UNREACHED as error:
            self._cut_off(entry, body, f"the controller can't be reached: {type(error).__name__}: {error}")
            return
        self._reached, self._unreached, self.detour.by = time.monotonic(), 0, ""
        if answer.status_code == 200:
            self._taken(entry, answer.content)
        elif answer.status_code in FOR_GOOD:
            self._refuse(entry, answer.status_code, detail(answer))
        else:
            self._put_off(entry, answer)

    def _stay_out(self, why: NotEnrolled) -> None:
        """The report waits until the agent is enrolled; where that will never be, the process ends."""
        self.https.rotate(-1)
        if not why.for_good:
            self._wait(str(why))
            return
        self._tell(str(why))
        self.over = str(why)
        self.stop.set()

    def _cut_off(self, entry: Entry, body: bytes, trouble: str) -> None:
        """To the next controller, and where none can be reached, through a peer."""
        self.https.rotate(-1)
        self._reached = float("-inf")
        self._unreached += 1
        self.detour.failed(time.monotonic())
        if self._unreached < len(self.https) or not self._through_a_peer(entry, body):
            self._wait(trouble)

    def _through_a_peer(self, entry: Entry, body: bytes) -> bool:
        """Whether the controller has it, or has refused it for good: its own signed word came back."""
        receipt = self.detour.send(body)
        if receipt is None:
            return False
        if receipt.refused:
            self._refuse(entry, 400, receipt.refused)
        else:
            self.waiting.done(entry)
        self._failures = 0
        self._tell("", self.detour.by)
        if entry.live and receipt.plan_version == self.holds:  # a plan that still holds is gone on with
            version, asked = receipt.plan_version, receipt.questions
            self.heard(Orders(entry.summary.sequence, receipt.report_every, plan_version=version, questions=asked))
        return True

    def _taken(self, entry: Entry, content: bytes) -> None:
        try:
            orders = decode_orders(content)
        except msgspec.MsgspecError as error:
            self._wait(f"the controller's orders can't be read: {error}")
            return
        self.waiting.done(entry)
        self._failures = 0
        self._tell("")
        if entry.live:
            self.heard(orders)

    def _put_off(self, entry: Entry, answer: Answer) -> None:
        """Not now: this report alone, everything that does not tell of now, or everything."""
        status, now = answer.status_code, time.monotonic()
        if status >= 500:
            self.https.rotate(-1)
        if status == 500:
            self.waiting.later(entry, now + STUMBLED)
        if status == 429 and not entry.live:
            self._behind_from = now + _asked(answer) + self._jitter(1)
            return
        self._wait(f"the controller answers {status}: {detail(answer)}", _asked(answer))

    def _wait(self, trouble: str, asked: float = 0.0) -> None:
        """At least what was asked for, and a random part of a span that doubles with each failure (full jitter)."""
        self._failures += 1
        self._tell(trouble)
        self.stop.wait(asked + self._jitter(self._failures))

    def _jitter(self, failures: int) -> float:
        return self.chance.uniform(0.0, min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures, 16)))

    def _refuse(self, entry: Entry, status: int, why: str) -> None:
        """Said once for each reason: the next report is a quarter of a second away."""
        if why != self._refused:
            self._refused = why
            _log.error("report refused", status=status, sequence=entry.summary.sequence, why=why)
        self.waiting.refused(entry, f"{status}: {why}")

    def _tell(self, trouble: str, by: str = "") -> None:
        """Say it once, not at every try."""
        if (trouble, by) != (self._told, self._by):
            self._told, self._by = trouble, by
            if trouble:
                _log.warning("uplink", trouble=trouble)
            elif by:
                _log.warning("uplink", state=f"reports go through {by}: the own way to the controller is broken")
            else:
                _log.info("uplink", state="the controller takes reports")


def _asked(answer: Answer) -> float:
    """The seconds of Retry-After, bounded; a date in it is left out: the agent's own clock may be wrong."""
    told = answer.headers.get("retry-after", "")
    return min(LONGEST_ASKED, float(told)) if told.isascii() and told.isdigit() else 0.0
