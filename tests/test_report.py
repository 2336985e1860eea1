"""Reports and orders on the wire."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober import report
from prober.handshake import State
from prober.probe import Kind
from prober.report import BEFORE_TUNNELS, OUTCOME, Echo, Orders, Plan, Question, Report, Route, Task
from prober.segment import OUT
from prober.sighting import SIGHTING
from tests.fleet import ended, saw

FULL = Report(
    "node1", 7, 3, 100, 10, 90, interfaces=["eth0"], targets=["ingress"], runs=[""],
    outcomes=ended(State.TIMED_OUT, 1.0, 2.0).tobytes(), sightings=saw(Kind.SYN, OUT, 1.0).tobytes(),
    frames=[b"\x45\x00"],
    answers=[Route("node1", "10.19.0.4", prefix="10.19.0.0/16", via="10.224.0.23")], counters={"IpOutNoRoutes": 2},
)  # fmt: skip


def test_a_report_comes_out_of_the_wire_as_it_went_in():
    again = report.decode_report(report.encode(FULL))
    assert again == FULL
    assert again.outcome_rows()["state"].tolist() == [State.TIMED_OUT]
    assert again.sighting_rows()["kind"].tolist() == [Kind.SYN]


@pytest.mark.parametrize("live", [True, False])
@given(age_ns=st.integers(0, 2**62))
def test_a_report_is_aged_without_its_being_read(live, age_ns):
    for before in (FULL, msgspec.structs.replace(FULL, live=False), msgspec.structs.replace(FULL, age_ns=300)):
        told = report.aged(report.encode(before), age_ns, live)
        assert told == report.encode(msgspec.structs.replace(FULL, age_ns=age_ns, live=live))


def test_a_report_that_another_version_wrote_is_aged_all_the_same():
    fields = msgspec.to_builtins(FULL, builtin_types=(bytes,))
    other = msgspec.msgpack.encode({name: fields[name] for name in reversed(fields)})
    assert report.decode_report(report.aged(other, 5, False)) == msgspec.structs.replace(FULL, age_ns=5, live=False)
    with pytest.raises(msgspec.MsgspecError):
        report.aged(other[:-3], 5, False)


def test_orders_come_out_of_the_wire_as_they_went_in():
    task = Task("ingress", "10.4.76.34", 8080, 1.0, 1, 1.0)
    plan = Plan("v1", 1, [bytes(16)], [("10.4.0.0/16", 8080, 8080)], [task], ["10.19.0.4"], [])
    orders = Orders(3, 0.25, plan, "v1", [Question("10.19.0.4", iif="veth1")], [task])
    assert report.decode_orders(report.encode(orders)) == orders


def test_only_orders_that_ask_for_something_end_a_rest():
    assert not Orders(3, 0.25, plan_version="v1").urgent
    asks = [
        {"questions": [Question("10.19.0.4")]}, {"once": [Task("t", "10.4.76.34", 8080, 0.0, 1, 1.0)]},
        {"echoes": [Echo(7, [3])]}, {"recall": [7]}, {"plan": Plan("v1", 3, [], [], [], [], [])},
    ]  # fmt: skip
    assert all(Orders(3, 0.25, **one).urgent for one in asks)


@given(st.binary(max_size=200))
def test_what_is_no_report_is_refused_with_one_kind_of_error(body):
    try:
        report.decode_report(body)
    except msgspec.MsgspecError:
        return
    raise AssertionError("200 random bytes are no report")


@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_a_report_that_was_cut_or_altered_breaks_nothing(cut, noise):
    body = report.encode(FULL)
    for broken in (body[:cut], body[:cut] + noise + body[cut + len(noise) :]):
        try:
            again = report.decode_report(broken)
            again.outcome_rows(), again.sighting_rows()
        except (msgspec.MsgspecError, ValueError):
            continue


@pytest.mark.parametrize("name", ["outcome_rows", "sighting_rows"])
def test_bytes_that_are_no_whole_rows_are_refused(name):
    broken = msgspec.structs.replace(FULL, outcomes=FULL.outcomes[:-1], sightings=FULL.sightings[:-1])
    with pytest.raises(ValueError, match="multiple of element size"):
        getattr(broken, name)()


def test_columns_have_no_padding_and_one_byte_order():
    for dtype in (OUTCOME, SIGHTING):
        assert dtype.itemsize == sum(dtype[name].itemsize for name in dtype.names)
        assert all(dtype[name].str[0] in "<|" for name in dtype.names)
    assert len(Report("a", 1, 1, 1, 1, 1).outcome_rows()) == 0


@pytest.mark.parametrize(
    ("route", "said"),
    [
        (Route(prefix="10.19.0.0/16", via="10.224.0.23", dev="eth0"), "10.19.0.0/16 via 10.224.0.23"),
        (Route(prefix="10.19.0.0/16", dev="pods0"), "10.19.0.0/16 dev pods0"),
        (Route(prefix="10.19.0.0/16", type="blackhole"), "blackhole 10.19.0.0/16"), (Route(type=""), "no route"),
    ],
)  # fmt: skip
def test_a_route_as_ip_route_writes_it(route, said):
    assert route.text() == said


def test_a_report_can_be_written_as_json():
    assert msgspec.json.encode(report.plain(FULL)) and np.frombuffer(FULL.sightings, SIGHTING)["probe"][0]


def test_an_older_agents_rows_lack_the_newest_columns_and_read_all_the_same():
    rows = FULL.sighting_rows()
    assert len(rows) == len(FULL.frames) == 1
    older = rows.view(np.uint8).reshape(len(rows), -1)[:, :BEFORE_TUNNELS].tobytes()
    again = msgspec.structs.replace(FULL, sightings=older).sighting_rows()
    assert again.tolist() == rows.tolist()
