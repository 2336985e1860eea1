"""OTLP over HTTP: what is asserted is what arrived at a receiver, decoded with opentelemetry-proto."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from prober.handshake import State
from prober.observation import Asked, Observation, Seen
from prober.probe import Kind
from prober.segment import OUT
from prober.sighting import Where
from prober.surfaces.spans import BOUNDS, Spans
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

WALL = 1790000000.5
SEEN = Seen(
    "firewall", Kind.SYN, Where.NIC, OUT, "eth0", "10.19.0.4", "10.4.76.34", 61440, 8080, 2, 64, 1, 0, after_ms=0.1
)


@dataclass(frozen=True)
class Judged:
    """What the desk hands over."""

    observation: Observation
    verdict: Verdict
    wall: float = WALL
    new: bool = True


@dataclass
class Received:
    """Everything that came, by path."""

    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)

    @property
    def spans(self) -> list[Span]:
        return [span for one in self.traces for r in one.resource_spans for s in r.scope_spans for span in s.spans]

    def points(self, name: str) -> list[Any]:
        """The data points of a metric in the newest export that has it."""
        found = [m for one in self.metrics for r in one.resource_metrics for s in r.scope_metrics for m in s.metrics]
        newest = [metric for metric in found if metric.name == name][-1]
        return list((newest.histogram if newest.HasField("histogram") else newest.sum).data_points)


@contextmanager
def receiver(code: int = 200) -> Iterator[tuple[Received, str]]:
    """An OTLP/HTTP receiver on loopback."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                received.traces.append(ExportTraceServiceRequest.FromString(body))
            elif self.path == "/v1/metrics":
                received.metrics.append(ExportMetricsServiceRequest.FromString(body))
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield received, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def judged(label: str = "return-path-misroute", run: str = "", rtt_ms: float | None = None, **given: Any) -> Judged:
    state = State.ANSWERED if rtt_ms else State.TIMED_OUT
    asked = Asked("10.19.0.4", "10.4.76.34", 61440, 8080, state, rtt_ms=rtt_ms)
    observation = Observation(7, "firewall", "ingress", asked, ("node1",), {}, (SEEN,), run)
    failed = label == "return-path-misroute"
    culprit = Culprit("route", "node19", "node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)") if failed else None
    cause = Cause.R1B if failed else None
    verdict = Verdict(Label(label), Confidence.PROVEN, "The SYN-ACK went elsewhere.", cause, culprit)
    return Judged(observation, verdict, **given)


def attributes(span: Any) -> dict[str, object]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def sent(*all_judged: Judged) -> Received:
    with receiver() as (received, url):
        spans = Spans(url, "1.2.3")
        for one in all_judged:
            spans.record(one)
        spans.close()
    return received


def test_a_failed_probe_arrives_as_a_span_with_the_label_as_error_type() -> None:
    (span,) = sent(judged()).spans
    told = attributes(span)
    assert span.name == "handshake firewall ingress"
    assert span.kind == Span.SPAN_KIND_CLIENT
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "The SYN-ACK went elsewhere.")
    assert {key: told[key] for key in told if not key.startswith("prober.")} == {
        "error.type": "return-path-misroute", "network.transport": "tcp", "network.type": "ipv4",
        "network.peer.address": "10.4.76.34", "network.peer.port": 8080,
        "source.address": "10.19.0.4", "source.port": 61440,
        "destination.address": "10.4.76.34", "destination.port": 8080,
    }  # fmt: skip
    assert told["prober.culprit"] == "node19: node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)"
    assert (told["prober.cause"], told["prober.confidence"]) == ("R1b", "proven")
    assert [(event.name, attributes(event)["prober.interface"]) for event in span.events] == [("syn", "eth0")]


def test_a_healthy_probe_of_a_run_arrives_without_an_error() -> None:
    (span,) = sent(judged("healthy", run="run-7", rtt_ms=2.0)).spans
    assert "error.type" not in attributes(span)
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert span.end_time_unix_nano == int(WALL * 1e9)
    assert span.end_time_unix_nano - span.start_time_unix_nano == 2_000_000
    assert attributes(span)["prober.run"] == "run-7"


def test_continuous_probing_is_told_when_it_fails_or_changes_and_not_while_it_is_healthy() -> None:
    healthy, broken = judged("healthy", rtt_ms=1.0), judged()
    labels = [
        attributes(span)["prober.label"] for span in sent(healthy, healthy, broken, broken, healthy, healthy).spans
    ]
    assert labels == ["return-path-misroute", "return-path-misroute", "healthy"]


def test_the_histogram_arrives_in_seconds_with_bounds_in_seconds() -> None:
    received = sent(judged("healthy", rtt_ms=0.3), judged("healthy", rtt_ms=40.0), judged())
    (point,) = received.points("prober.handshake.duration")
    assert tuple(point.explicit_bounds) == BOUNDS
    assert (point.count, round(point.sum, 6)) == (2, 0.0403)
    assert point.bucket_counts[BOUNDS.index(0.0005)] == 1
    assert point.bucket_counts[BOUNDS.index(0.05)] == 1


def test_every_probe_is_counted_once_and_a_revision_is_not() -> None:
    first = judged("unknown")
    revised = replace(judged(), new=False)
    points = {attributes(one)["prober.label"]: one.as_int for one in sent(first, revised).points("prober.probes")}
    assert points == {"unknown": 1}


def test_the_resource_says_who_speaks() -> None:
    (request,) = sent(judged()).traces
    told = attributes(request.resource_spans[0].resource)
    assert (told["service.name"], told["service.version"]) == ("prober", "1.2.3")


def test_ipv6_is_said_as_such() -> None:
    one = judged()
    asked = msgspec.structs.replace(one.observation.asked, src="fd00::4", dst="fd00:1::34")
    (span,) = sent(replace(one, observation=msgspec.structs.replace(one.observation, asked=asked))).spans
    assert attributes(span)["network.type"] == "ipv6"


def test_ten_thousand_spans_of_one_run_all_arrive() -> None:
    assert len(sent(*[judged(run="r")] * 10_000).spans) == 10_000


def test_without_an_endpoint_nothing_is_done() -> None:
    before = threading.active_count()
    spans = Spans(None, "1.2.3")
    spans.record(judged())
    spans.close()
    assert threading.active_count() == before


def test_a_receiver_that_is_away_neither_delays_a_record_nor_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    spans = Spans(f"http://127.0.0.1:{port}", "1.2.3")
    started = time.monotonic()
    spans.record(judged())
    assert time.monotonic() - started < 0.1
    spans.close()
    assert time.monotonic() - started < 8
