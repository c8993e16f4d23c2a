# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done later stands in a table, so that several workers do it once."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "timer",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("ref", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timer")),
        sa.UniqueConstraint("kind", "ref", name=op.f("uq_timer_kind_ref")),
    )
    op.create_index(op.f("ix_timer_state_due_at"), "timer", ["state", "due_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_timer_state_due_at"), table_name="timer")
    op.drop_table("timer")
