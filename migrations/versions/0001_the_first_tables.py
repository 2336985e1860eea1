"""the first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agents",
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("zone", sa.String(length=253), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_agents")),
        sa.UniqueConstraint("number", name=op.f("uq_agents_number")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=253), nullable=False),
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "fleet",
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_fleet")),
    )
    op.create_table(
        "flips",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=253), nullable=False),
        sa.Column("target", sa.String(length=253), nullable=False),
        sa.Column("before", sa.String(length=32), nullable=True),
        sa.Column("after", sa.String(length=32), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flips")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "minutes",
        sa.Column("source", sa.String(length=253), nullable=False),
        sa.Column("target", sa.String(length=253), nullable=False),
        sa.Column("minute", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("answered", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("rtt_sum_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "target", "minute", name=op.f("pk_minutes")),
    )
    op.create_table(
        "objective_minutes",
        sa.Column("objective", sa.String(length=253), nullable=False),
        sa.Column("minute", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("good", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("objective", "minute", name=op.f("pk_objective_minutes")),
    )
    op.create_table(
        "reports",
        sa.Column("agent", sa.String(length=253), nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("received_ns", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "epoch", "sequence", name=op.f("pk_reports")),
    )
    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reports_received_ns"), ["received_ns"], unique=False)

    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked_by", sa.String(length=253), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("finished_ns", sa.BigInteger(), nullable=True),
        sa.Column("request", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_runs_created_ns"), ["created_ns"], unique=False)

    op.create_table(
        "slack_seen",
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("signature", name=op.f("pk_slack_seen")),
    )
    with op.batch_alter_table("slack_seen", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_slack_seen_at_ns"), ["at_ns"], unique=False)

    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("agent", sa.String(length=253), nullable=True),
        sa.Column("zone", sa.String(length=253), nullable=True),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_tokens_hash")),
    )
    op.create_table(
        "verdicts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("source", sa.String(length=253), nullable=False),
        sa.Column("target", sa.String(length=253), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=True),
        sa.Column("probe", sa.BigInteger(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.String(length=32), nullable=False),
        sa.Column("cause", sa.String(length=8), nullable=True),
        sa.Column("confidence", sa.String(length=16), nullable=False),
        sa.Column("culprit", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("next_step", sa.Text(), nullable=False),
        sa.Column("missing", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("evidence", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("verdicts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_verdicts_at_ns"), ["at_ns"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_verdicts_probe_source_target_run_id"),
            ["probe", "source", "target", "run", "id"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_verdicts_run"), ["run"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_verdicts_source_target_run_id"), ["source", "target", "run", "id"], unique=False
        )

    op.create_table(
        "watermarks",
        sa.Column("agent", sa.String(length=253), nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "epoch", name=op.f("pk_watermarks")),
    )


def downgrade() -> None:
    op.drop_table("watermarks")
    with op.batch_alter_table("verdicts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_verdicts_source_target_run_id"))
        batch_op.drop_index(batch_op.f("ix_verdicts_run"))
        batch_op.drop_index(batch_op.f("ix_verdicts_probe_source_target_run_id"))
        batch_op.drop_index(batch_op.f("ix_verdicts_at_ns"))

    op.drop_table("verdicts")
    op.drop_table("tokens")
    with op.batch_alter_table("slack_seen", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_slack_seen_at_ns"))

    op.drop_table("slack_seen")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_runs_created_ns"))

    op.drop_table("runs")
    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reports_received_ns"))

    op.drop_table("reports")
    op.drop_table("objective_minutes")
    op.drop_table("minutes")
    op.drop_table("flips")
    op.drop_table("fleet")
    op.drop_table("audit")
    op.drop_table("agents")
