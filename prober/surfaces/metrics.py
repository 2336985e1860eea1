"""What Prometheus reads, as families of prometheus-client made anew from a `Reading` at each scrape.

Nothing is counted here: counters and ages are the controller's own, so a scrape that is lost loses nothing. Base
units, prefix ``prober_``. Beyond `PER_PAIR` cells the series of pairs give way to those of zone pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from prober.matrix import Cell, Matrix, ZonePair
from prober.report import Held
from prober.slo import Attainment
from prober.verdict import Label


@dataclass(frozen=True, slots=True)
class Told:
    """What one receiver was told of alerts since this controller started, what waits for it, and whether it takes
    nothing now."""

    kind: str
    name: str
    delivered: int
    failed: int
    dropped: int
    waiting: int
    stuck: bool


PER_PAIR = 2500
"""Cells up to which each pair has series of its own."""

PAIR, ZONES = ["source", "target"], ["source_zone", "target_zone"]
TEXT = CONTENT_TYPE_PLAIN_0_0_4
"""The content type of Prometheus' text format, which every scraper reads."""
OPEN_METRICS = "application/openmetrics-text"
NEVER = float("inf")
"""The age of what never came: larger than any threshold, so that an alert on the age fires."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a scrape shows. `now` in the seconds of the cells; ``agents`` maps a declared agent to the seconds since
    its last report (None: never); ``zones`` maps agents and targets to their zone. ``held`` is what agents' outboxes
    hold, ``let_go`` how many reports they let go, ``doubled`` whether two processes use an agent's key. ``relayed``
    are reports that came through a peer, ``forged`` what a peer handed in that its agent had not signed. ``incidents``
    are open, ``told`` is what receivers of alerts were. ``judged`` are the seconds since the last turn of judging,
    ``unwritten`` the writes that wait for the store, ``holds`` whether this controller has the lease."""

    matrix: Matrix
    now: float
    standings: tuple[Attainment, ...] = ()
    promised: Mapping[str, float] = field(default_factory=dict)
    agents: Mapping[str, float | None] = field(default_factory=dict)
    verdicts: Mapping[str, int] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    reload_ok: bool = True
    reloaded: float = 0.0
    held: Mapping[str, Held] = field(default_factory=dict)
    let_go: Mapping[str, int] = field(default_factory=dict)
    doubled: Mapping[str, bool] = field(default_factory=dict)
    via: Mapping[str, str] = field(default_factory=dict)
    relayed: Mapping[str, int] = field(default_factory=dict)
    forged: Mapping[str, int] = field(default_factory=dict)
    incidents: int = 0
    told: Sequence[Told] = ()
    judged: float = 0.0
    unwritten: int = 0
    holds: bool = True

    def by_zones(self) -> list[ZonePair]:
        return self.matrix.by_zones(self.zones, self.now)


def render(reading: Reading, accept: str = "", per_pair: int = PER_PAIR) -> tuple[bytes, str]:
    """The exposition and its content type: OpenMetrics where `accept` asks for it, else Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Scrape(reading, per_pair))
    ProcessCollector(registry=registry)
    if OPEN_METRICS in accept:
        return bytes(openmetrics.generate_latest(registry)), openmetrics.CONTENT_TYPE_LATEST  # type: ignore[no-untyped-call]  # the library's own file lacks the hints
    return generate_latest(registry), TEXT


class _Scrape(Collector):
    """One reading, for one registry."""

    def __init__(self, reading: Reading, per_pair: int) -> None:
        self.reading, self.per_pair = reading, per_pair

    def collect(self) -> Iterator[Metric]:
        each = len(self.reading.matrix.cells) <= self.per_pair
        yield from _pairs(self.reading) if each else _zones(self.reading)
        yield _gauge("prober_series_per_pair", "1 while each pair has series of its own, 0 where only zone pairs do.",
                     [], [((), float(each))])  # fmt: skip
        yield from _objectives(self.reading)
        yield from _process(self.reading)
        yield from _alerts(self.reading)


Rows = Iterable[tuple[Iterable[str], float]]


def _gauge(name: str, help_: str, labels: list[str], rows: Rows) -> Metric:
    family = GaugeMetricFamily(name, help_, labels=labels)
    for values, value in rows:
        family.add_metric(list(values), value)
    return family


def _counter(name: str, help_: str, labels: list[str], rows: Rows) -> Metric:
    family = CounterMetricFamily(name, help_, labels=labels)
    for values, value in rows:
        family.add_metric(list(values), value)
    return family


def _pairs(reading: Reading) -> Iterator[Metric]:
    cells, now = list(reading.matrix.cells.values()), reading.now
    yield _gauge("prober_cell_state", "1 for the label that a pair has now.", [*PAIR, "label"],
                 [((c.source, c.target, c.verdict(now).label.value), 1) for c in cells])  # fmt: skip
    yield _gauge("prober_cell_age_seconds", "Seconds since a pair's newest judged probe; +Inf: never judged.", PAIR,
                 [((c.source, c.target), _age(c.age(now))) for c in cells])  # fmt: skip
    yield _gauge("prober_rtt_seconds", "Median of a pair's last answered handshakes, SYN to SYN-ACK.", PAIR,
                 [((c.source, c.target), rtt / 1e3) for c in cells if (rtt := c.rtt_ms()) is not None])  # fmt: skip
    outcomes = [row for cell in cells for row in _outcomes(cell)]
    yield _counter("prober_handshakes", "Judged handshakes by outcome, since this controller started.",
                   [*PAIR, "outcome"], outcomes)  # fmt: skip


def _outcomes(cell: Cell) -> list[tuple[tuple[str, str, str], float]]:
    pair = cell.source, cell.target
    return [((*pair, "answered"), cell.answered), ((*pair, "failed"), cell.sent - cell.answered)]


def _zones(reading: Reading) -> Iterator[Metric]:
    """The same by zone pair: counts of cells by label and the oldest age, so that no failure is averaged away."""
    rows = [((one.source, one.target), one) for one in reading.by_zones()]
    yield _gauge("prober_zone_cells", "Pairs of two zones by their label now.", [*ZONES, "label"],
                 [((*zones, label.value), n) for zones, one in rows for label, n in one.labels.items()])  # fmt: skip
    yield _gauge("prober_zone_age_seconds", "The oldest pair's age.", ZONES, [(zones, one.age) for zones, one in rows])
    outcomes = (((*zones, "answered"), one.answered) for zones, one in rows)
    failed = (((*zones, "failed"), one.sent - one.answered) for zones, one in rows)
    yield _counter("prober_zone_handshakes", "Judged handshakes of two zones by outcome.", [*ZONES, "outcome"],
                   [row for both in zip(outcomes, failed, strict=True) for row in both])  # fmt: skip


def _age(age: float | None) -> float:
    return NEVER if age is None else age


def _objectives(reading: Reading) -> Iterator[Metric]:
    one = ["objective"]
    known = [s for s in reading.standings if s.attainment is not None and s.budget_left is not None]
    yield _gauge("prober_objective_target_ratio", "What is promised.", one,
                 [((name,), share) for name, share in reading.promised.items()])  # fmt: skip
    yield _gauge("prober_objective_attainment_ratio", "Good probes / all over the objective's window.", one,
                 [((s.objective,), s.attainment or 0.0) for s in known])  # fmt: skip
    yield _gauge("prober_objective_budget_left_ratio", "1: untouched, 0: spent, below: overspent.", one,
                 [((s.objective,), s.budget_left or 0.0) for s in known])  # fmt: skip
    burning = [((s.objective, window), rate) for s in reading.standings for window, rate in s.burn.items()]
    yield _gauge("prober_objective_burn_rate", "Times the error budget, over a window.", [*one, "window"], burning)


def _process(reading: Reading) -> Iterator[Metric]:
    yield _gauge("prober_agent_age_seconds", "Seconds since an agent's last report; +Inf: it has never reported.",
                 ["agent"], [((name,), _age(age)) for name, age in reading.agents.items()])  # fmt: skip
    yield from _outboxes(reading)
    yield from _relays(reading)
    yield _counter("prober_verdicts", "Probes judged, by label, since this controller started.", ["label"],
                   [((label.value,), reading.verdicts.get(label.value, 0)) for label in Label])  # fmt: skip
    yield _gauge("prober_config_last_reload_success", "1: the last reading of targets.yaml was taken.", [],
                 [((), float(reading.reload_ok))])  # fmt: skip
    yield _gauge("prober_config_last_reload_success_timestamp_seconds", "When targets.yaml was last taken.", [],
                 [((), reading.reloaded)])  # fmt: skip
    yield _gauge("prober_judge_age_seconds", "Seconds since this controller last took a turn of judging.", [],
                 [((), reading.judged)])  # fmt: skip
    yield _gauge("prober_store_writes_waiting", "Writes that wait because the store takes nothing.", [],
                 [((), float(reading.unwritten))])  # fmt: skip
    yield _gauge("prober_controller_holds_lease", "1: this controller keeps what follows, and tells alerts.",
                 [], [((), float(reading.holds))])  # fmt: skip
    yield InfoMetricFamily("prober_build", "This controller's version.", value={"version": reading.version})


def _outboxes(reading: Reading) -> Iterator[Metric]:
    one, held = ["agent"], reading.held
    yield _gauge("prober_agent_outbox_reports", "Reports that an agent had still to deliver at its last one.", one,
                 [((name,), box.reports) for name, box in held.items()])  # fmt: skip
    yield _gauge("prober_agent_outbox_bytes", "Bytes on an agent's disk of them.", one,
                 [((name,), box.bytes) for name, box in held.items()])  # fmt: skip
    yield _gauge("prober_agent_outbox_in_memory", "1: an agent's disk takes nothing, a crash would lose reports.", one,
                 [((name,), float(box.memory)) for name, box in held.items()])  # fmt: skip
    yield _counter("prober_agent_reports_let_go", "Reports that an agent let go, since this controller started.", one,
                   [((name,), count) for name, count in reading.let_go.items()])  # fmt: skip
    yield _gauge("prober_agent_doubled", "1: two processes report with this agent's key.", one,
                 [((name,), float(is_so)) for name, is_so in reading.doubled.items()])  # fmt: skip


def _relays(reading: Reading) -> Iterator[Metric]:
    yield _gauge("prober_agent_detour", "1: an agent's last report came through this peer: its own way is broken.",
                 ["agent", "via"], [(way, 1.0) for way in reading.via.items()])  # fmt: skip
    yield _counter("prober_agent_reports_relayed", "Reports of an agent that a peer handed in.", ["agent"],
                   [((name,), count) for name, count in reading.relayed.items()])  # fmt: skip
    yield _counter("prober_relay_forged", "What a peer handed in that its agent had not signed: refused.", ["via"],
                   [((name,), count) for name, count in reading.forged.items()])  # fmt: skip


def _alerts(reading: Reading) -> Iterator[Metric]:
    """The controller that holds the lease has incidents and tells of them; the others have none."""
    yield _gauge("prober_incidents_open", "Incidents that are open, at the controller that holds the lease.", [],
                 [((), float(reading.incidents))])  # fmt: skip
    one, told = ["receiver", "kind"], [((each.name, each.kind), each) for each in reading.told]
    outcomes = [
        ((*who, outcome), float(getattr(each, outcome)))
        for who, each in told
        for outcome in ("delivered", "failed", "dropped")
    ]
    yield _counter("prober_alert_deliveries", "Alerts delivered (repeats too), posts that failed, alerts let go.",
                   [*one, "outcome"], outcomes)  # fmt: skip
    yield _gauge("prober_alerts_waiting", "Alerts that a receiver has still to be told.", one,
                 [(who, float(each.waiting)) for who, each in told])  # fmt: skip
    yield _gauge("prober_alert_receiver_stuck", "1: a receiver takes no alerts now.", one,
                 [(who, float(each.stuck)) for who, each in told])  # fmt: skip


def probe(cells: Iterable[Cell], now: float, timeout: float) -> bytes:
    """blackbox_exporter's answer for these cells: it succeeds when each passes now; a stale cell does not.

    ``probe_duration_seconds`` is the slowest pair's median RTT, or `timeout` where one does not pass.
    ``prober_verdict{label, cause}`` counts the pairs that have it.
    """
    chosen = list(cells)
    verdicts = [cell.verdict(now) for cell in chosen]
    success = bool(chosen) and all(verdict.label.passes for verdict in verdicts)
    rtts = [rtt / 1e3 for cell in chosen if (rtt := cell.rtt_ms()) is not None]
    counts: dict[tuple[str, str], float] = {}
    for verdict in verdicts:
        key = (verdict.label.value, verdict.cause.value if verdict.cause else "")
        counts[key] = counts.get(key, 0) + 1
    registry = CollectorRegistry()
    registry.register(_Families([
        _gauge("probe_success", "Displays whether or not the probe was a success", [], [((), float(success))]),
        _gauge("probe_duration_seconds", "Returns how long the probe took to complete in seconds", [],
               [((), max(rtts, default=timeout) if success else timeout)]),
        _gauge("prober_probe_age_seconds", "Age of the oldest pair this answer rests on.", [],
               [((), max((_age(cell.age(now)) for cell in chosen), default=NEVER))]),
        _gauge("prober_verdict", "Pairs with this verdict.", ["label", "cause"], counts.items()),
    ]))  # fmt: skip
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        return self.families
