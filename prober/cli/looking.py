"""Commands that ask a controller: the matrix, a run, the ladder of a pair, what differs, objectives."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from prober.cli import output
from prober.errors import CannotMeasure, Refused

if TYPE_CHECKING:
    import httpx

AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Where = Annotated[
    str | None, output.setting("controller", "http(s)://HOST:PORT or unix:PATH; several: A,B", "--controller")
]
Names = Annotated[list[str] | None, typer.Option(help="names of zones, agents, targets or groups; several are fine")]


class Controller:
    """A controller's API, with its errors as sentences."""

    def __init__(self, where: str | None) -> None:
        from prober import settings
        from prober.agent.line import client

        chosen = settings.load(controller=where)
        urls = chosen.controller.split(",")
        self.where = " or ".join(urls)
        self._lines = [client(url, chosen.bearer() or "", timeout=30.0) for url in urls]

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Raises `CannotMeasure` where nothing answers, `Refused` with the controller's own sentence."""
        import httpx

        try:
            answer = self._asked(method, path, **more)
        except httpx.HTTPError as error:
            raise CannotMeasure(f"no controller answers at {self.where}: {_unreached(error)}") from error
        if answer.status_code >= 400:
            raise _refusal(answer)
        return answer

    def _asked(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The first controller's answer; where nothing reaches it the next is asked the same, and is the first now."""
        import httpx

        for _ in self._lines[1:]:
            try:
                return self._lines[0].request(method, path, **more)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                self._lines.append(self._lines.pop(0))
        return self._lines[0].request(method, path, **more)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        given = {key: value for key, value in params.items() if value}
        answer = self.ask("GET", path, params=given)
        try:
            document: dict[str, Any] = answer.json()
        except ValueError:
            raise CannotMeasure(f"what answers at {self.where} is no controller: {path} is no JSON there") from None
        return document


def _unreached(error: httpx.HTTPError) -> str:
    """What stood in the way, and where to look: a name, a certificate and a closed port are mended in three places."""
    import socket
    import ssl

    causes: list[BaseException] = [error]
    while under := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(under)
    said = str(error) or type(error).__name__
    if any(isinstance(one, socket.gaierror) for one in causes):
        return f"{said}; is the name in --controller right?"
    if any(isinstance(one, ssl.SSLError) for one in causes):
        return f"{said}; is it http:// there, or a certificate that this host does not trust?"
    return f"{said}; is `prober controller` running there, and no firewall between?"


def _refusal(answer: httpx.Response) -> Refused | CannotMeasure:
    try:
        detail = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"the controller answers {answer.status_code}"
    measured = answer.status_code < 500 and answer.status_code not in (401, 403, 421, 429)
    return Refused(detail) if measured else CannotMeasure(detail)


def matrix(
    source: Names = None, target: Names = None,
    watch: Annotated[bool, typer.Option(help="keep it on the screen")] = False,
    as_json: AsJson = False, controller: Where = None,
) -> int:  # fmt: skip
    """The matrix as it is now."""
    api = Controller(controller)

    def fetch() -> dict[str, Any]:
        return api.get("/api/v1/matrix", source=source, target=target)

    if watch:
        return _watch(fetch)
    from prober.surfaces import terminal

    document = fetch()
    if as_json:
        output.data(document)
    else:
        output.out.print(terminal.matrix(document))
    return verdict_of(document)


def _watch(fetch: Callable[[], dict[str, Any]]) -> int:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from prober.surfaces import terminal

    shown = terminal.matrix(fetch())
    with Live(shown, console=output.out, auto_refresh=False, screen=output.out.is_terminal) as live:
        while True:
            time.sleep(1.0)
            try:
                shown = terminal.matrix(fetch())
                live.update(shown, refresh=True)
            except CannotMeasure as error:  # who watches an incident keeps what was seen last
                live.update(Group(Text(f"This may be old: {error}", style="bold"), shown), refresh=True)


def run(
    source: Annotated[list[str] | None, typer.Option("--from", help="names of zones, agents or groups")] = None,
    target: Annotated[list[str] | None, typer.Option("--to", help="names of zones, groups, agents, targets")] = None,
    flows: Annotated[int | None, typer.Option(help="source ports a pair")] = None,
    as_json: AsJson = False, controller: Where = None,
) -> int:  # fmt: skip
    """Run a matrix now, and print it labelled. Leaves with 0 when all is healthy, 1 when a pair fails."""
    from prober.surfaces import terminal

    api = Controller(controller)
    wanted: dict[str, Any] = {"from": source or [], "to": target or []}
    if flows is not None:
        wanted["flows"] = flows
    location = api.ask("POST", "/api/v1/runs", json=wanted).headers["location"]
    try:
        document = _follow(api, location)
    except KeyboardInterrupt:
        api.ask("DELETE", location)
        raise
    if as_json:
        output.data(document)
    else:
        output.out.print(terminal.matrix(document))
        output.say(f"run {document['id']}; `prober diff {document['id']} ANOTHER` says what differs")
    if not any(cell["sent"] for cell in document["cells"]):
        raise CannotMeasure("no agent probed anything: are they running? `prober matrix` shows how old each cell is")
    return verdict_of(document)


def _follow(api: Controller, location: str) -> dict[str, Any]:
    """A progress bar on a terminal, a line a change elsewhere; both on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("probing"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=output.err, transient=True, disable=not output.err.is_terminal) as progress:
        task, told = progress.add_task("run", total=None), -1
        while True:
            document = api.get(location)
            progress.update(task, total=document["probes"], completed=document["judged"])
            if document["judged"] != told and not output.err.is_terminal:
                told = document["judged"]
                output.say(f"{told} of {document['probes']} probes judged")
            if document["state"] != "running":
                return document
            time.sleep(0.1)


def why(source: str, target: str, as_json: AsJson = False, controller: Where = None) -> int:
    """The ladder of a pair: which packet was seen where; then the sentence."""
    from prober.surfaces import terminal

    document = Controller(controller).get(f"/api/v1/paths/{_quoted(source)}/{_quoted(target)}")
    if as_json:
        output.data(document)
    else:
        output.out.print(terminal.ladder(document))
    return verdict_of({"cells": [document["cell"]]})


def _quoted(name: str) -> str:
    """A name as one part of a path. Dots alone would lead elsewhere (RFC 3986, 5.2.4)."""
    return quote(name, safe="") if name.strip(".") else "%00"


def diff(before: str, after: str, as_json: AsJson = False, controller: Where = None) -> int:
    """What differs between two runs: newly broken, healed.

    A run says its id at its end; GET /api/v1/runs lists them.
    """
    from prober.flip import flips

    api = Controller(controller)
    labels = [
        {
            (cell["source"], cell["target"]): cell["label"]
            for cell in api.get(f"/api/v1/runs/{_quoted(run_id)}")["cells"]
        }
        for run_id in (before, after)
    ]
    changes = flips(labels[0], labels[1])
    if as_json:
        output.data([{"source": f.source, "target": f.target, "before": f.before, "after": f.after} for f in changes])
    for change in () if as_json else changes:
        output.line(change.sentence)
    if not changes and not as_json:
        output.line("Nothing differs.")
    return int(any(change.after not in ("healthy", "detour") for change in changes))


def agents(as_json: AsJson = False, controller: Where = None) -> int:
    """Every agent: when it was heard last, and what it says of itself. Leaves with 1 when one is silent."""
    from prober.surfaces import terminal_agents

    document = Controller(controller).get("/api/v1/agents")
    if as_json:
        output.data(document)
    else:
        output.out.print(terminal_agents.draw(document))
    return int(any(map(terminal_agents.is_silent, document["agents"])))


def slo(as_json: AsJson = False, controller: Where = None) -> int:
    """Every objective: attainment, budget left, burn rates.

    Leaves with 1 when one is missed, with 3 when none was measured.
    """
    from prober.surfaces import terminal

    document = Controller(controller).get("/api/v1/slos")
    if as_json:
        output.data(document)
    else:
        output.out.print(terminal.slo(document))
    measured = [one for one in document["slos"] if one["attainment"] is not None]
    if document["slos"] and not measured:
        return 3
    return int(any(one["attainment"] < one["availability"] for one in measured))


def verdict_of(document: dict[str, Any]) -> int:
    """The exit code of a matrix: 0 all pass, 1 some fail, 3 where nothing but unknown is left, or nothing at all."""
    from prober.surfaces.glyphs import counted

    labels = counted(document)
    if all(label == "unknown" for label in labels):
        return 3
    return int(any(label not in ("healthy", "detour") for label in labels))
