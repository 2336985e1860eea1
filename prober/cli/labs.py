"""`prober lab …` and `prober replay`: incidents built, judged, recorded, judged again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from prober.cli import output
from prober.errors import Refused

AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Incident = Annotated[
    str, typer.Argument(metavar="NAME-or-FILE", help="a shipped incident (`prober lab list`) or a file")
]


def list_(as_json: AsJson = False) -> int:
    """The shipped incidents."""
    from rich.table import Table

    from prober.lab import incident

    loaded = [incident.load(name) for name in incident.names()]
    if as_json:
        output.data([{"name": one.name, "title": one.title, "story": one.story} for one in loaded])
        return 0
    table = Table(box=None, pad_edge=False)
    table.add_column("incident", no_wrap=True)
    table.add_column("what happens")
    for one in loaded:
        table.add_row(one.name, one.title)
    output.out.print(table)
    return 0


def run(
    incident: Annotated[
        list[str] | None, typer.Argument(metavar="NAME-or-FILE…", help="shipped incidents or files")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="every shipped incident")] = False,
    repeat: Annotated[int, typer.Option(min=1, help="how many times")] = 1,
    labs: Annotated[
        int | None, typer.Option(min=1, max=16, help="how many labs side by side; 2 with --all, else one")
    ] = None,
    agentless: Annotated[
        bool, typer.Option(help="without the agents at the target's side: the direction must be right, or unknown")
    ] = False,
    write: Annotated[Path | None, typer.Option(help="a file that keeps the confusion tables, as JSON")] = None,
    as_json: AsJson = False,
) -> int:
    """Build it, break it, judge it, heal it, tear it down. Leaves with 0 when every cell is as its file expects."""
    from prober.lab import incident as incidents
    from prober.lab import sealed

    names = list(incidents.names()) if every else list(incident or [])
    if not names:
        raise Refused("which incident? a name from `prober lab list`, a file, or --all")
    loaded = [incidents.load(name) for name in names]
    if agentless:
        loaded = _without_agents(loaded)
    loaded *= repeat
    written = write and write.resolve()
    folder = sealed.enter()
    from prober.lab import catalogue, trial

    trials = []
    workers = labs or (catalogue.SIDE_BY_SIDE if every else 1)
    for one in (
        catalogue.run(loaded, folder, output.say, workers) if workers > 1 else trial.run(loaded, folder, output.say)
    ):
        trials.append(one)
        if not as_json:
            _print(one)
    several = every or len(trials) > 1
    _told([one.document() for one in trials], several, as_json, written)
    return 0 if all(one.ok for one in trials) else 1


def _without_agents(loaded: list[Any]) -> list[Any]:
    """Those that can be run without agents at the target's side; which can't is said."""
    from prober.lab.agentless import without_agents

    bare = [(one, without_agents(one)) for one in loaded]
    left_out = [one.name for one, without in bare if without is None]
    if left_out:
        output.say(f"left out, for nobody would be left at the source, or it is about silence: {', '.join(left_out)}")
    if len(left_out) == len(loaded):
        raise Refused("none of these incidents can be run without agents at the target's side")
    return [without for _, without in bare if without is not None]


def _told(documents: list[dict[str, Any]], several: bool, as_json: bool, written: Path | None) -> None:
    """One trial's document, or of several the tables and counts too."""
    from prober import confusion
    from prober.surfaces import terminal_confusion

    reckoned = confusion.reckon(documents)
    if written is not None:
        written.write_text(json.dumps(reckoned, indent=1, ensure_ascii=False) + "\n")
    if as_json:
        output.data({**reckoned, "results": documents} if several else documents[0])
    elif several:
        output.out.print(terminal_confusion.draw(reckoned))


def _print(trial: Any) -> None:
    state = "✓" if trial.ok else "✗"
    output.line(f"{state} {trial.scenario}  {len(trial.cells)} cells, {trial.seconds:.1f} s")
    for miss in trial.misses:
        output.line(f"    {miss}", style="red")


def demo(
    incident: Incident = "incident",
    listen: Annotated[str, typer.Option(help="where the page and the API are")] = "127.0.0.1:8080",
    hold: Annotated[float, typer.Option(help="seconds for which the break stays")] = 4.0,
    once: Annotated[bool, typer.Option("--once", help="leave after the heal, do not wait for Ctrl-C")] = False,
) -> int:
    """The incident, live: healthy, broken, what prober says of it, healed; then it stays up until Ctrl-C."""
    from prober.lab import incident as incidents
    from prober.lab import sealed

    loaded = incidents.load(incident)
    folder = sealed.enter()
    from prober.lab import demo as demos

    return demos.play(loaded, folder, listen, hold, once, output.out)


def up(
    incident: Incident = "incident",
    listen: Annotated[str, typer.Option(help="where the page and the API are")] = "127.0.0.1:8080",
) -> int:
    """Build the incident's network with prober in it, and keep it until Ctrl-C; `lab break`, `lab heal` act on it."""
    from prober.lab import incident as incidents
    from prober.lab import sealed

    loaded = incidents.load(incident)
    folder = sealed.enter()
    from prober.lab import standing

    return standing.keep(loaded, folder, listen, output.say)


def break_() -> int:
    """Break the network that `lab up` keeps."""
    from prober.lab import standing

    return standing.tell("break", output.say)


def heal() -> int:
    """Heal the network that `lab up` keeps."""
    from prober.lab import standing

    return standing.tell("heal", output.say)


def record(
    folder: Annotated[Path, typer.Argument(help="where the recordings go, a folder each")],
    incident: Annotated[
        list[str], typer.Argument(metavar="NAME-or-FILE…", help="shipped incidents or files; `all`: every shipped one")
    ],
) -> int:
    """Run incidents and keep what the agents reported, so that `prober replay` can judge it again."""
    from prober.lab import incident as incidents
    from prober.lab import sealed

    loaded = [incidents.load(name) for name in (incidents.names() if incident == ["all"] else incident)]
    out = folder.resolve()
    private = sealed.enter()
    from prober.lab import recording

    recording.record(loaded, private, out, output.say)
    return 0


def replay(
    file: Annotated[Path, typer.Argument(help="a recording: a folder of `lab record`, or its recording.json.gz")],
    accept: Annotated[bool, typer.Option("--accept", help="write today's verdicts into the recording")] = False,
    as_json: AsJson = False,
) -> int:
    """Judge recorded evidence again: no privilege, no network. Leaves with 1 where a verdict differs."""
    from prober import replay as replays
    from prober.lab import recording

    result = replays.replay(recording.accept(file) if accept else recording.read(file))
    if as_json:
        output.data(result.document())
        return 0 if result.same else 1
    for one in result.verdicts:
        mark = "✓" if one.same else "✗"
        output.line(
            f"{mark} {one.source} → {one.target}: {one.said.label} {one.said.cause or ''} {one.said.confidence}",
        )
        if one.recorded is not None and not one.same:
            output.line(
                f"    recorded: {one.recorded.label} {one.recorded.cause or ''}; now: {one.said.sentence}",
                style="red",
            )
    for lost in result.lost:
        output.line(f"✗ {lost.source} → {lost.target}: recorded, and not said now")
        output.line(f"    recorded: {lost.verdict.sentence}", style="red")
    differing = len(result.lost) + sum(not one.same for one in result.verdicts)
    output.line(f"{len(result.verdicts)} verdicts, {differing} differ.")
    return 0 if result.same else 1
