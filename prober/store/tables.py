"""What is kept. The migrations build exactly this; a test asks ``alembic check`` whether they still do.

Times are Unix nanoseconds (``_ns``) or whole minutes as Unix seconds (``minute``).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_id = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER PRIMARY KEY counts up by itself in SQLite
_json = JSON(none_as_null=True)

agents = Table(
    "agents",
    metadata,
    Column("name", String(253), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("zone", String(253), nullable=False),
    Column("created_ns", BigInteger, nullable=False),
)
"""``number`` is an agent's part of its probes' ids (`prober.probe.AGENTS` of them), the same for ever."""

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("agent", String(253)),
    Column("zone", String(253)),
    Column("created_ns", BigInteger, nullable=False),
    Column("revoked_ns", BigInteger),
    Column("expires_ns", BigInteger),
    Column("used_ns", BigInteger),
)
"""``expires_ns`` and ``used_ns`` are of an agent's token alone: it is good once. Those that were made before keys were
never expire: an agent that is upgraded enrols with the token it has."""

keys = Table(
    "keys",
    metadata,
    Column("agent", String(253), primary_key=True),
    Column("zone", String(253), nullable=False),
    Column("public", LargeBinary, nullable=False),
    Column("token", String(32), nullable=False),
    Column("enrolled_ns", BigInteger, nullable=False),
    Column("revoked_ns", BigInteger),
)
"""The public half of each agent's key (Ed25519, 32 bytes), and the id of the token that it was enrolled with."""

reports = Table(
    "reports",
    metadata,
    Column("agent", String(253), primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("received_ns", BigInteger, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("agent", String(253), primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
)
"""Every report up to ``sequence`` was taken; pruning moves the mark before it forgets the reports."""

gaps = Table(
    "gaps",
    metadata,
    Column("agent", String(253), primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    Column("from_ns", BigInteger, nullable=False),
    Column("to_ns", BigInteger, nullable=False, index=True),
    Column("probes", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)
"""Reports ``first .. last`` that an agent had to let go and the span they covered, in the controller's time."""

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("source", String(253), nullable=False),
    Column("target", String(253), nullable=False),
    Column("run", String(64)),
    Column("probe", BigInteger, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("label", String(32), nullable=False),
    Column("cause", String(8)),
    Column("confidence", String(16), nullable=False),
    Column("culprit", _json),
    Column("sentence", Text, nullable=False),
    Column("next_step", Text, nullable=False),
    Column("missing", _json, nullable=False),
    Column("evidence", _json, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index(None, "source", "target", "run", "id"),
    Index(None, "probe", "source", "target", "run", "id"),
    Index(None, "run"),
    Index(None, "at_ns"),
    sqlite_autoincrement=True,
)

minutes = Table(
    "minutes",
    metadata,
    Column("source", String(253), primary_key=True),
    Column("target", String(253), primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("sent", BigInteger, nullable=False),
    Column("answered", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("rtt_sum_us", BigInteger, nullable=False),
)

objective_minutes = Table(
    "objective_minutes",
    metadata,
    Column("objective", String(253), primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("good", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
)

flips = Table(
    "flips",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("source", String(253), nullable=False),
    Column("target", String(253), nullable=False),
    Column("before", String(32)),
    Column("after", String(32), nullable=False),
    Column("sentence", Text, nullable=False),
    sqlite_autoincrement=True,
)

incidents = Table(
    "incidents",
    metadata,
    Column("number", _id, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("opened_ns", BigInteger, nullable=False),
    Column("closed_ns", BigInteger, index=True),
    Column("because", String(16), nullable=False),
    Column("into", String(32), nullable=False),
    Column("label", String(32), nullable=False),
    Column("cause", String(8)),
    Column("confidence", String(16)),
    Column("culprit", Text),
    Column("element", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("route", Text),
    Column("sentence", Text, nullable=False),
    Column("next_step", Text, nullable=False),
    Column("zones", _json, nullable=False),
    Column("cells", Integer, nullable=False),
    Column("failing", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""``body`` are its cells (msgpack, deflated), the first of them where there are many; ``cells`` how many it had."""

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("opened_ns", BigInteger, nullable=False),
    Column("closed_ns", BigInteger, index=True),
    Column("revision", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""``body`` is a `prober.alert.Alert` (msgpack)."""

tellings = Table(
    "tellings",
    metadata,
    Column("alert", String(32), primary_key=True),
    Column("receiver", String(64), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("at_ns", BigInteger, nullable=False, index=True),
)
"""Up to which revision of an alert a receiver needs to be told nothing more."""

snapshots = Table(
    "snapshots",
    metadata,
    Column("at_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)
"""The matrix as it was shown at a moment (msgpack, deflated)."""

runs = Table(
    "runs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("asked_by", String(253), nullable=False),
    Column("created_ns", BigInteger, nullable=False, index=True),
    Column("finished_ns", BigInteger),
    Column("request", _json, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

errands = Table(
    "errands",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("agent", String(253), nullable=False),
    Column("run", String(64), nullable=False),
    Column("made_ns", BigInteger, nullable=False, index=True),
    Column("epoch", BigInteger),
    Column("sequence", BigInteger),
    Column("body", LargeBinary, nullable=False),
    Index(None, "agent", "epoch", "sequence"),
    Index(None, "run"),
    sqlite_autoincrement=True,
)
"""What an agent is to do once. ``epoch`` and ``sequence`` are of the report in whose answer it was handed out."""

findings = Table(
    "findings",
    metadata,
    Column("source", String(253), primary_key=True),
    Column("target", String(253), primary_key=True),
    Column("at_ns", BigInteger, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
)
"""What experiments have found of a cell (msgpack)."""

lease = Table(
    "lease",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("token", BigInteger, nullable=False),
    Column("holder", String(253), nullable=False),
    Column("until_ns", BigInteger, nullable=False),
)
"""Who keeps what follows from the reports. ``token`` grows with each new holder; the clock is the database's."""

fleet = Table(
    "fleet",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
"""Secrets the agents share: ``current`` and ``previous`` (16 bytes each), ``rotated_at`` and ``counted_until`` (ASCII
nanoseconds); and one that no agent ever sees: ``relay`` (32 bytes)."""

COUNTED = "counted_until"
"""The key of the place in the log up to which reports are in the objectives' minutes."""

slack_seen = Table(
    "slack_seen",
    metadata,
    Column("signature", String(128), primary_key=True),
    Column("at_ns", BigInteger, nullable=False, index=True),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("who", String(253), nullable=False),
    Column("what", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)
