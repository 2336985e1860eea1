"""Recorded reports judged again give the same words."""

from __future__ import annotations

from pathlib import Path

import msgspec

from prober import replay
from prober.joiner import Joiner
from prober.replay import Received, Recording, Said
from prober.verdict import Confidence, Label, Verdict
from tests.fleet import EVERY, PROBE, TARGETS, Agent, incident

TEXT = (Path(__file__).parent.parent / "targets.yaml").read_text()


def recorded(agents: list[Agent], until: float = 16.0) -> Recording:
    """What the agents reported, with their answers to what they were really asked."""
    joiner, heard = Joiner(TARGETS), []
    for turn in range(int(until / EVERY)):
        now = turn * EVERY
        for agent in agents:
            for report in agent.report(now, joiner.questions(agent.name)):
                joiner.take(report, now)
                heard.append(Received(now, report))
        joiner.due(now + 0.1)
    bare = Recording("incident", TEXT, tuple(heard))
    return msgspec.structs.replace(bare, verdicts=replay.judge(bare)[0])


MADE = recorded(incident())


def test_the_incident_is_judged_from_its_reports_alone():
    verdict = next(said.verdict for said in MADE.verdicts if said.probe == PROBE)
    assert (verdict.label, verdict.cause, verdict.confidence) == (Label.RETURN_PATH_MISROUTE, "R1b", Confidence.PROVEN)


def test_it_says_the_same_every_time():
    assert replay.replay(MADE).same
    assert replay.replay(MADE).document()["lost"] == ()


def test_a_recording_survives_json():
    assert msgspec.json.decode(msgspec.json.encode(MADE), type=Recording) == MADE


def test_another_verdict_than_the_recorded_one_is_told():
    other = tuple(
        msgspec.structs.replace(said, verdict=Verdict(Label.HEALTHY, Confidence.LIKELY, "fine."))
        for said in MADE.verdicts
    )
    result = replay.replay(msgspec.structs.replace(MADE, verdicts=other))
    assert not result.same and not any(one.same for one in result.verdicts)
    assert [row["same"] for row in result.document()["verdicts"]] == [False, False]


def test_a_probe_that_is_judged_no_more_is_told():
    ghost = Said(1, "a", "b", MADE.verdicts[0].verdict)
    result = replay.replay(msgspec.structs.replace(MADE, verdicts=(*MADE.verdicts, ghost)))
    assert not result.same and result.lost == (ghost,)


def test_a_probe_that_was_not_judged_then_is_told():
    assert not replay.replay(msgspec.structs.replace(MADE, verdicts=MADE.verdicts[1:])).same


def test_observations_come_as_the_controller_would_make_them():
    made = [o for o in replay.observe(MADE) if o.probe == PROBE]
    assert made[-1].routes and made[-1].seen
