"""OTLP: a span for each probe of a run and for each continuous one that failed or changed, an RTT histogram, counts.

Names follow OpenTelemetry's semantic conventions where they have one (``error.type``, ``network.*``, ``source.*``,
``destination.*``); ours start with ``prober.``. Sending happens in the SDK's own threads: `Spans.record` never waits.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Protocol

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from prober.observation import Observation
from prober.verdict import Label, Verdict

BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the RTT histogram's buckets, in seconds; the SDK's own are meant for milliseconds."""
EXPORT_EVERY = 5.0
SEND_WITHIN = 2.0
"""Seconds for one export; also how long a receiver that is away can hold up the end of the process."""
WAITING = 16_384
"""Spans that may wait to be sent; the SDK drops the oldest beyond that."""
DURATION = "prober.handshake.duration"


class Judged(Protocol):
    """One probe with what was said of it: ``wall`` in Unix seconds; ``new`` is false for a revision."""

    @property
    def observation(self) -> Observation: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def wall(self) -> float: ...
    @property
    def new(self) -> bool: ...


class Spans:
    """Where telemetry goes; without an endpoint it goes nowhere and costs nothing."""

    def __init__(self, endpoint: str | None, version: str, export_every: float = EXPORT_EVERY) -> None:
        self._last: dict[tuple[str, str], Label] = {}
        self._on = endpoint is not None
        if endpoint is not None:
            self._open(endpoint.rstrip("/"), version, export_every)

    def _open(self, endpoint: str, version: str, export_every: float) -> None:
        resource = Resource.create({"service.name": "prober", "service.version": version})
        to_traces = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=SEND_WITHIN)
        to_metrics = OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics", timeout=SEND_WITHIN)
        self._tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
        waiting = BatchSpanProcessor(
            to_traces, WAITING, schedule_delay_millis=export_every * 1e3, export_timeout_millis=SEND_WITHIN * 1e3
        )
        self._tracing.add_span_processor(waiting)
        reader = PeriodicExportingMetricReader(to_metrics, export_every * 1e3, SEND_WITHIN * 1e3)
        view = View(instrument_name=DURATION, aggregation=ExplicitBucketHistogramAggregation(BOUNDS))
        self._metering = MeterProvider([reader], resource, shutdown_on_exit=False, views=[view])
        self._tracer = self._tracing.get_tracer("prober", version)
        meter = self._metering.get_meter("prober", version)
        self._duration = meter.create_histogram(DURATION, "s", "SYN sent to SYN-ACK received")
        self._probes = meter.create_counter("prober.probes", "{probe}", "Probes judged")

    def record(self, judged: Judged) -> None:
        """Take one judgement: counted once, and told as a span where it is worth one."""
        if not self._on:
            return
        o, verdict = judged.observation, judged.verdict
        if judged.new:
            self._count(o, verdict)
        last = self._last.get((o.source, o.target))
        self._last[o.source, o.target] = verdict.label
        changed = last is not None and last != verdict.label
        if o.run or changed or not verdict.label.passes:
            self._span(o, verdict, judged.wall)

    def _count(self, o: Observation, verdict: Verdict) -> None:
        pair = {"prober.source": o.source, "prober.target": o.target}
        failed = {} if verdict.label.passes else {"error.type": verdict.label.value}
        self._probes.add(1, pair | {"prober.label": verdict.label.value} | failed)
        if o.asked.rtt_ms is not None:
            self._duration.record(o.asked.rtt_ms / 1e3, pair | failed)

    def _span(self, o: Observation, verdict: Verdict, wall: float) -> None:
        """It ends when it was judged and lasts as long as the handshake took, or as its last sighting came late."""
        took_ms = o.asked.rtt_ms if o.asked.rtt_ms is not None else max((s.after_ms for s in o.seen), default=0.0)
        end = int(wall * 1e9)
        start = end - int(took_ms * 1e6)
        span = self._tracer.start_span(
            f"handshake {o.source} {o.target}",
            kind=SpanKind.CLIENT,
            attributes=attributes(o, verdict),
            start_time=start,
        )
        for seen in o.seen:
            where = {"prober.agent": seen.agent, "prober.interface": seen.interface, "prober.segment": seen.text()}
            span.add_event(seen.kind.name.lower(), where, start + int(seen.after_ms * 1e6))
        _close(span, verdict, end)

    def close(self) -> None:
        """Send what waits and stop; within a few seconds even where nobody listens."""
        if self._on:
            self._on = False
            self._tracing.shutdown()
            self._metering.shutdown(SEND_WITHIN * 1e3)


def _close(span: Any, verdict: Verdict, end: int) -> None:
    assert isinstance(span, Span)
    if not verdict.label.passes:
        span.set_status(Status(StatusCode.ERROR, verdict.sentence))
    span.end(end)


def attributes(o: Observation, verdict: Verdict) -> dict[str, str | int]:
    """A span's attributes. ``error.type`` is the label of a probe that does not pass, and absent otherwise."""
    asked = o.asked
    version = ipaddress.ip_address(asked.dst).version
    told: dict[str, str | int | None] = {
        "network.transport": "tcp", "network.type": f"ipv{version}",
        "network.peer.address": asked.dst, "network.peer.port": asked.dport,
        "source.address": asked.src, "source.port": asked.sport,
        "destination.address": asked.dst, "destination.port": asked.dport,
        "error.type": None if verdict.label.passes else verdict.label.value,
        "prober.source": o.source, "prober.target": o.target, "prober.label": verdict.label.value,
        "prober.confidence": verdict.confidence.value, "prober.cause": verdict.cause.value if verdict.cause else None,
        "prober.culprit": str(verdict.culprit) if verdict.culprit else None, "prober.sentence": verdict.sentence,
        "prober.run": o.run or None, "prober.probe": o.probe, "prober.revision": verdict.revision,
    }  # fmt: skip
    return {key: value for key, value in told.items() if value is not None}
