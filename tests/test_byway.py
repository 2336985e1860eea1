"""What a target's host says of its way to the prober, when it is asked from its own link."""

from __future__ import annotations

import msgspec
import pytest

from prober import byway
from prober.byway import Byway, Reading, Shot, Told, Way
from prober.handshake import State
from prober.icmp import Error
from prober.observation import Observation, Sight
from prober.verdict import Cause, Label
from tests.stories import FIREWALL, story

HOST, ROUTER, WRONG = "10.224.0.4", "10.224.0.1", "10.224.0.99"

STRAIGHT = Shot(Way.STRAIGHT, State.ANSWERED, True, Sight.SEEN)
OTHER = Shot(Way.OTHER, State.ANSWERED, True, Sight.SEEN)
FIRST = Shot(Way.FIRST, State.TIMED_OUT, True, Sight.NOT_SEEN, (Told(Error.LOOP, "11/0", ROUTER, 1),))


def lost(way: Way = Way.BY, *told: Told, state: State = State.TIMED_OUT, arrived: Sight = Sight.NOT_SEEN) -> Shot:
    return Shot(way, state, True, arrived, told)


def says(error: Error, code: str, by: str = HOST, ttl: int = byway.FULL) -> Shot:
    return lost(Way.BY, Told(error, code, by, ttl))


def read(*shots: Shot, usual: str = ROUTER) -> Reading | None:
    return byway.reading(Byway("firewall", FIREWALL, "vm", HOST, shots, frozenset({usual} - {""})))


ROUND = Shot(Way.ROUND, State.ANSWERED, True, Sight.NOT_WATCHED)
NO_ROUTE, ARP = says(Error.NO_ROUTE, "3/0"), says(Error.NO_HOST, "3/1", ttl=63)


@pytest.mark.parametrize(
    ("told", "cause"),
    [(NO_ROUTE, Cause.R2), (says(Error.REFUSES, "3/1"), Cause.R6), (says(Error.REJECTED, "3/13"), Cause.R6),
     (ARP, None)],
    ids=["no route", "unreachable", "prohibit", "nobody answers ARP"],
)  # fmt: skip
def test_a_host_that_says_it_has_no_way_to_the_prober_loses_its_answers(told, cause):
    found = read(STRAIGHT, OTHER, FIRST, ROUND, told, lost())
    assert found is not None
    assert (found.label, found.cause, found.culprit.node) == (Label.RETURN_PATH_LOSS, cause, HOST)
    assert "vm" in found.words and FIREWALL in found.step


def test_what_a_rule_against_forwarding_would_say_as_well_says_nothing():
    """A FORWARD chain rejects after the TTL was lowered; one further up rejects what is for another as well."""
    assert read(STRAIGHT, OTHER, says(Error.REJECTED, "3/13", ttl=63), lost()) is None
    assert read(STRAIGHT, NO_ROUTE, lost()) is None, "it may hand on nothing to anybody"
    assert read(STRAIGHT, FIRST, ROUND, ARP, lost()) is not None, "no rule is three seconds late"


def test_a_host_and_its_router_that_do_not_see_each_other_say_nothing_of_the_way_back():
    """The host's ARP for its router fails then, and the SYN died before."""
    assert read(STRAIGHT, FIRST, OTHER, ARP, lost()) is None
    assert read(STRAIGHT, FIRST, ROUND, ARP, lost(), usual=WRONG) is None, "another router may be down, both ways"
    assert read(STRAIGHT, FIRST, OTHER, msgspec.structs.replace(ROUND, state=State.TIMED_OUT), ARP, lost()) is None
    assert byway.router(Byway("firewall", FIREWALL, "vm", HOST, (FIRST, lost(Way.FIRST)))) == ROUTER


def test_a_host_may_speak_from_another_of_its_addresses():
    found = read(STRAIGHT, OTHER, FIRST, says(Error.NO_ROUTE, "3/0", by="10.4.0.1"), lost())
    assert found is not None and (found.label, found.culprit.node) == (Label.RETURN_PATH_LOSS, HOST)
    further = says(Error.NO_ROUTE, "3/0", by="10.4.0.1", ttl=63)
    found = read(STRAIGHT, OTHER, FIRST, further, lost())
    assert found is not None and found.label == Label.RETURN_PATH_MISROUTE, "that is one hop further"


def test_what_is_handed_to_a_wrong_next_hop_goes_astray():
    beyond = lost(Way.NEXT, Told(Error.LOOP, "11/0", WRONG, 1))
    found = read(STRAIGHT, FIRST, lost(), lost(), beyond)
    assert found is not None and (found.label, found.cause) == (Label.RETURN_PATH_MISROUTE, Cause.R1B)
    assert WRONG in found.culprit.what
    assert byway.beyond(Byway("firewall", FIREWALL, "vm", HOST, (beyond, lost(Way.NEXT), FIRST))) == {WRONG}
    assert read(STRAIGHT, FIRST, lost(), lost(), beyond, usual=WRONG) is None, (
        "who always gets it may lose the SYN, too"
    )
    assert read(STRAIGHT, FIRST, lost(), lost(), beyond, usual="") is None, "who used to get it is not known"
    router = lost(Way.NEXT, Told(Error.LOOP, "11/0", ROUTER, 1))
    assert read(STRAIGHT, FIRST, lost(), lost(), router) is None, "that is the helper's own next hop"
    assert read(STRAIGHT, lost(), lost(), beyond) is None, "whose next hop is right was not told"


def test_somebody_who_answers_in_the_probers_name_has_its_address():
    answers = lost(state=State.REFUSED)
    found = read(STRAIGHT, OTHER, answers, answers)
    assert found is not None and (found.label, found.cause) == (Label.RETURN_PATH_MISROUTE, Cause.R1C)
    assert read(STRAIGHT, answers, answers) is None, "a host that hands on nothing may refuse with an RST"


@pytest.mark.parametrize(
    "shots",
    [
        (OTHER, NO_ROUTE, lost()),
        (STRAIGHT, OTHER, lost(), lost()),
        (STRAIGHT, OTHER, NO_ROUTE),
        (STRAIGHT, OTHER, NO_ROUTE, lost(arrived=Sight.NOT_WATCHED)),
        (STRAIGHT, OTHER, NO_ROUTE, lost(state=State.ANSWERED, arrived=Sight.SEEN)),
        (STRAIGHT, OTHER, NO_ROUTE, Shot(Way.BY, State.NOT_SENT, False, Sight.NOT_SEEN)),
    ],
    ids=[
        "the helper's own way fails",
        "silence",
        "one alone",
        "the prober was not watching",
        "one arrived",
        "not sent",
    ],
)
def test_nothing_is_said_without_what_it_rests_on(shots):
    assert read(*shots) is None


def test_a_shot_is_read_off_its_observation():
    o = story(f"firewall >> SYN\nfirewall << ICMP 3/0 of SYN from {HOST}", State.TIMED_OUT)
    made = byway.shot(Way.BY, o)
    assert (made.left, made.state, made.arrived) == (True, State.TIMED_OUT, Sight.NOT_SEEN)
    assert [(one.error, one.code, one.by) for one in made.told] == [(Error.NO_ROUTE, "3/0", HOST)]


def near(ttl: int = 1, by: str = HOST) -> tuple[int, Observation]:
    return ttl, story(f"firewall >> SYN\nfirewall << ICMP 11/0 of SYN from {by}", State.TIMED_OUT)


def answered(back: str = "02:00:00:00:00:04") -> tuple[int, Observation]:
    o = story("firewall >> SYN\nfirewall << SYN-ACK", State.ANSWERED)
    there, came = o.seen
    seen = (
        msgspec.structs.replace(there, neighbour="02:00:00:00:00:04"),
        msgspec.structs.replace(came, neighbour=back),
    )
    return byway.BEYOND, msgspec.structs.replace(o, seen=seen)


def test_the_only_router_before_a_target_is_its_host():
    assert byway.host([near(), answered()]) == HOST
    assert byway.host([near()]) == "", "the target may be further away"
    assert byway.host([near(), answered("02:00:00:00:00:01")]) == "", "its answers take another way"
    assert byway.host([near(), near(by=ROUTER), answered()]) == ""


def test_what_came_of_it_is_told_in_a_sentence():
    def told(*shots: Shot) -> str:
        return byway.result(Byway("firewall", FIREWALL, "vm", HOST, shots))

    assert "no way to" in told(STRAIGHT, OTHER, NO_ROUTE, lost())
    assert told(lost(arrived=Sight.SEEN)).endswith("arrived")
    assert told(STRAIGHT, lost(), lost()).endswith("told nothing")
