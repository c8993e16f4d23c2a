# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mail log said is kept until the arrival is recorded; open arrivals are found by when they were recorded."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PENDING = sa.text("acceptance = 'pending'")


def upgrade() -> None:
    op.create_table(
        "maillog_evidence",
        sa.Column("instance", sa.String(length=255), nullable=False),
        sa.Column("queue_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("origin", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("instance", "queue_id", "kind", "at", name=op.f("pk_maillog_evidence")),
    )
    op.create_index(op.f("ix_maillog_evidence_at"), "maillog_evidence", ["at"], unique=False)
    _index_open_arrivals_by("recorded_at")


def downgrade() -> None:
    _index_open_arrivals_by("arrived_at")
    op.drop_index(op.f("ix_maillog_evidence_at"), table_name="maillog_evidence")
    op.drop_table("maillog_evidence")


def _index_open_arrivals_by(column: str) -> None:
    op.drop_index("ix_arrival_open", table_name="arrival")
    op.create_index(
        "ix_arrival_open", "arrival", [column], unique=False, sqlite_where=_PENDING, postgresql_where=_PENDING
    )
