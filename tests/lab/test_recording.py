"""What the lab recorded, judged again without a network."""

from __future__ import annotations

import functools
import gzip
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from prober import replay
from prober.classify import classify
from prober.errors import ConfigInvalid
from prober.lab import incident
from prober.lab.recording import FILE, read
from prober.replay import Received, Recording
from prober.report import Report
from prober.verdict import Cause, Confidence, Label, Verdict

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests" / "incidents"
NAMES = sorted(path.parent.name for path in RECORDED.glob(f"*/{FILE}"))


@functools.cache
def judged(name: str) -> tuple[Recording, Recording]:
    """A recording, and the same as it is judged now: once for all the tests below."""
    recording = read(RECORDED / name)
    verdicts, findings = replay.judge(recording)
    return recording, msgspec.structs.replace(recording, verdicts=verdicts, findings=findings)


def test_every_shipped_incident_is_recorded() -> None:
    assert list(incident.names()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_incident_is_judged_as_it_was(name: str) -> None:
    recording, now = judged(name)
    assert now.verdicts
    changed = [one for one in (*now.verdicts, *now.findings) if one not in (*recording.verdicts, *recording.findings)]
    assert now == recording, changed[:3]


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_earns_what_its_incident_expects(name: str) -> None:
    """The broken network's verdicts are among the recorded ones: each expected cell was said at least once."""
    expected = incident.load(name)
    _, now = judged(name)
    said = (*now.verdicts, *now.findings)
    for one in expected.expect:
        for source in set(one.source) - set(expected.stop_agents):  # who was silenced asked nothing after the break
            for target in one.target:
                verdicts = [s.verdict for s in said if (s.source, s.target) == (source, target)]
                assert any(
                    one.met_by(v.label, v.cause, v.confidence, str(v.culprit) if v.culprit else None) for v in verdicts
                ), (source, target, verdicts)


def test_the_command_needs_no_privilege() -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not there to give every right away")
    rightless = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    words = [sys.executable, "-m", "prober", "replay", str(RECORDED / "incident")]
    done = subprocess.run([*rightless, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 differ" in done.stdout


def test_another_verdict_than_the_recorded_one_is_told(tmp_path: Path) -> None:
    recording = read(RECORDED / "incident")
    first, *others = recording.verdicts
    wrong = msgspec.structs.replace(first.verdict, sentence="something else")
    changed = msgspec.structs.replace(recording, verdicts=(msgspec.structs.replace(first, verdict=wrong), *others))
    (tmp_path / FILE).write_bytes(gzip.compress(msgspec.json.encode(changed)))
    result = replay.replay(read(tmp_path))
    assert [one.probe for one in result.verdicts if not one.same] == [first.probe]


def test_a_recorded_verdict_that_is_not_said_any_more_is_printed_and_counted(tmp_path: Path) -> None:
    recording = read(RECORDED / "incident")
    gone = msgspec.structs.replace(recording.verdicts[0], probe=1)
    changed = msgspec.structs.replace(recording, verdicts=(*recording.verdicts, gone))
    (tmp_path / FILE).write_bytes(gzip.compress(msgspec.json.encode(changed)))
    words = [sys.executable, "-m", "prober", "replay", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert f"{gone.source} → {gone.target}: recorded, and not said now" in done.stdout
    assert "1 differ" in done.stdout


@pytest.mark.parametrize(
    "content",
    [b"", b"not gzip", gzip.compress(b"{}", mtime=0), gzip.compress(b"[", mtime=0)],
    ids=["empty", "not gzip", "another document", "cut short"],  # bytes differ from worker to worker
)
def test_what_is_no_recording_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.json.gz"
    file.write_bytes(content)
    with pytest.raises(ConfigInvalid, match="is no recording"):
        read(file)


def test_a_recording_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="lab record"):
        read(tmp_path / "nothing")


def test_the_icmp_error_that_comes_after_three_seconds_revises_the_verdict_and_makes_it_surer() -> None:
    """Nobody watches node8: first its route alone is said, then its own host unreachable proves it."""
    said: dict[int, list[Verdict]] = {}
    for o in replay.observe(read(RECORDED / "incident-unwatched")):
        if o.target == "web1" and o.failed:
            said.setdefault(o.probe, []).append(classify(o))
    revised = [verdicts for verdicts in said.values() if verdicts[-1].confidence == Confidence.PROVEN]
    assert revised
    for verdicts in revised:
        assert verdicts[0].confidence == Confidence.LIKELY
        assert {(one.label, one.cause) for one in verdicts} == {(Label.RETURN_PATH_MISROUTE, Cause.R1B)}
        assert "says ICMP 3/1" in verdicts[-1].sentence


def shifted(recording: Recording, agent: str, by_ns: int) -> Recording:
    """The same reports, had this agent's clock shown another time: every time it tells is moved, nothing else."""

    def moved(report: Report) -> Report:
        if report.agent != agent:
            return report
        outcomes, seen = report.outcome_rows().copy(), report.sighting_rows().copy()
        for rows, names in ((outcomes, ("sent_ns", "done_ns")), (seen, ("time_ns",))):
            for name in names:
                rows[name] += by_ns
        times = {name: getattr(report, name) + by_ns for name in ("clock_ns", "since_ns", "until_ns")}
        halfopen = [msgspec.structs.replace(one, seen_ns=one.seen_ns + by_ns) for one in report.halfopen]
        rows_moved = {"outcomes": outcomes.tobytes(), "sightings": seen.tobytes(), "halfopen": halfopen}
        return msgspec.structs.replace(report, **rows_moved, **times)

    received = tuple(Received(one.at, moved(one.report)) for one in recording.reports)
    return msgspec.structs.replace(recording, reports=received)


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize("name", NAMES)
def test_clocks_that_are_an_hour_wrong_change_no_byte_of_any_verdict(name: str, way: int) -> None:
    """A third of the agents an hour ahead, a third an hour behind, the others right."""
    recording, now = judged(name)
    wrong = recording
    for place, agent in enumerate(sorted({one.report.agent for one in recording.reports})):
        wrong = shifted(wrong, agent, (place % 3 - 1) * way * 3600 * 10**9)
    assert wrong != recording
    assert msgspec.json.encode(replay.judge(wrong)) == msgspec.json.encode((now.verdicts, now.findings))
