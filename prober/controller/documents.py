"""What the API's answers look like, for OpenAPI. Answers are built elsewhere; a test holds them against this."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

At = str
"""RFC 3339, UTC."""


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


class Cell(BaseModel):
    """One source and one target."""

    source: str
    target: str
    label: str
    cause: str | None = Field(description="id of a row of the table of causes")
    confidence: str
    culprit: str | None
    sentence: str
    age_seconds: float | None
    rtt_ms: float | None
    sent: int
    answered: int


class Finding(BaseModel):
    """Cells that are not healthy and have one element in common."""

    line: str = Field(description="the finding in words: the culprit, what it breaks, what speaks against it")
    label: str = Field(description="the worst among its cells")
    confidence: str | None
    culprit: str | None
    element: str = Field(description="what the cells have in common")
    kind: str = Field(description="node, hop, route, prefix, target, source, target zone, source zone or pair")
    route: str | None
    paths: str
    cells: int
    against: int = Field(description="how many cells through the same element pass")
    source: str = Field(description="of its worst cell")
    target: str


class ZonePair(BaseModel):
    """The cells of two zones."""

    source_zone: str
    target_zone: str
    labels: dict[str, int]
    age_seconds: float | None = Field(description="of the oldest cell; null where one was never judged")
    sent: int
    answered: int


class Matrix(BaseModel):
    """Every cell asked for."""

    at: At
    sources: list[str]
    targets: list[str]
    cells: list[Cell]
    left_out: dict[str, int] = Field(default={}, description="of a large matrix: cells that are not listed, by label")
    zone_pairs: list[ZonePair] = Field(default=[], description="of a large matrix: all cells by pairs of zones")
    zones: dict[str, str] = Field(default={}, description="of agents and targets")
    sentence: str = Field(description="the state of the whole")
    findings: list[Finding]


class Compact(BaseModel):
    """A sign for each cell."""

    at: At
    sources: list[str]
    targets: list[str]
    signs: dict[str, str] = Field(description="what each sign means")
    labels: dict[str, int] = Field(description="how many cells have which label")
    rows: list[str] = Field(description="for each source a sign for each target")


class ZoneMatrix(BaseModel):
    """The matrix by pairs of zones."""

    at: At
    zones: list[ZonePair]


class Verdict(BaseModel):
    """What is said of a cell."""

    label: str
    cause: str | None
    cause_title: str | None
    confidence: str
    culprit: str | None
    sentence: str
    missing: list[str]
    next_step: str
    revision: int


class Said(BaseModel):
    """A verdict of the past."""

    at: At
    label: str
    cause: str | None
    confidence: str
    sentence: str
    culprit: str | None
    revision: int


class Column(BaseModel):
    """Who is on the ladder: prober, responder, witness or backend."""

    id: str
    role: str


class Step(BaseModel):
    """One packet at one place."""

    packet: str
    column: str
    to: str | None
    place: str
    state: str
    at_ms: float | None
    interface: str | None
    text: str


class Ladder(BaseModel):
    """Steps in the order of the handshake."""

    columns: list[Column]
    steps: list[Step]


class Experiment(BaseModel):
    """What prober tried by itself because the cell failed, and what came of it."""

    name: str
    state: Literal["running", "finished"]
    result: str


class Path(BaseModel):
    """A cell with its evidence."""

    cell: Cell
    verdict: Verdict
    history: list[Said]
    ladder: Ladder
    evidence: list[dict[str, Any]]
    links: dict[str, str]
    judged_at: At | None
    experiments: list[Experiment]


class Run(Matrix):
    """A run and its cells so far."""

    id: str
    state: Literal["running", "finished", "cancelled"]
    pairs: int
    probes: int
    judged: int
    asked_by: str
    created: At
    finished: At | None


class RunRow(BaseModel):
    """A run in the list."""

    id: str
    state: Literal["running", "finished", "cancelled"]
    asked_by: str
    created: At
    finished: At | None
    sources: list[str] = Field(alias="from")
    targets: list[str] = Field(alias="to")
    flows: int | None


class Runs(BaseModel):
    """Newest first; give ``cursor`` back for the page after."""

    runs: list[RunRow]
    cursor: int | None


class Slo(BaseModel):
    """How an objective stands."""

    name: str
    availability: float
    latency_ms: float | None
    window_seconds: float
    good: int
    total: int
    attainment: float | None
    budget_left: float | None
    burn: dict[str, float]
    alerts: list[str]
    sources: list[str]
    targets: list[str]


class Slos(BaseModel):
    """Every declared objective."""

    at: At
    slos: list[Slo]


class Flip(BaseModel):
    """A cell's label changed."""

    id: int
    at: At
    source: str
    target: str
    before: str | None
    after: str
    sentence: str


class Flips(BaseModel):
    """Newest first; give ``cursor`` back for the page after."""

    flips: list[Flip]
    cursor: int | None


class IncidentCell(BaseModel):
    """A cell of an incident: what it was told to be, from when until when, and what it is ``now``.

    ``now`` is null for an incident that is over, and for a cell that is not declared any more.
    """

    source: str
    target: str
    label: str
    since: At
    until: At | None
    now: str | None


class Incident(BaseModel):
    """Cells that fail with one cause, from the flip of the first to the flip of the last.

    It is open until each of its cells was told to pass again: one of which nothing is known is not well. ``id`` stays
    the same whatever becomes of controllers, and on each of them.
    """

    id: str
    opened_at: At
    closed_at: At | None
    closed_because: Literal["healed", "undeclared", "merged"] | None = Field(
        description="undeclared: nobody asks its cells any more; merged: another one turned out to be the same"
    )
    merged_into: str | None = Field(description="the id of that one")
    label: str
    cause: str | None = Field(description="id of a row of the table of causes")
    confidence: str | None
    culprit: str | None
    element: str = Field(description="what its cells have in common")
    kind: str = Field(description="node, hop, route, prefix, target, source, target zone, source zone or pair")
    route: str | None
    sentence: str
    next_step: str
    zones: list[str] = Field(description="of its sources and targets")
    cells_total: int = Field(description="how many cells it covers, or did")
    cells_failing: int = Field(description="how many of them have not been told to pass again")
    cells_unknown: int = Field(description="of how many of those in ``cells`` nothing is known now")
    cells: list[IncidentCell] = Field(description="the first 100 of them in the list, 1000 of a single incident")


class Incidents(BaseModel):
    """Newest first; give ``cursor`` back for the page after."""

    incidents: list[Incident]
    cursor: int | None


class Gap(BaseModel):
    """Reports that an agent let go: of this span nothing is known. ``failed`` of its ``probes`` are known to have."""

    from_: At = Field(alias="from")
    to: At
    reports: int
    probes: int
    failed: int
    why: str


class Outbox(BaseModel):
    """What an agent still has to report; ``memory``: its disk takes nothing, a crash would lose it."""

    reports: int
    bytes: int
    memory: bool


class Agent(BaseModel):
    """A declared agent; ``age_seconds`` since its last report, null before the first.

    ``alarm``: two processes use its key. ``via``: the peer through which its last report came, and ``detour`` says
    so. ``gaps``: the last spans of which it kept nothing, newest first.
    """

    name: str
    zone: str
    addresses: list[str]
    pods: list[str]
    note: str | None
    age_seconds: float | None
    alarm: str | None
    via: str | None
    detour: str | None
    outbox: Outbox
    gaps: list[Gap]


class Agents(BaseModel):
    """Every declared agent."""

    at: At
    agents: list[Agent]


class Deed(BaseModel):
    """An entry of the audit log."""

    id: int
    at: At
    who: str
    what: str
    detail: str


class Deeds(BaseModel):
    """Newest first; give ``cursor`` back for the page after."""

    audit: list[Deed]
    cursor: int | None
