# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest mails are found by time, of one direction or of all, without reading the older ones."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f("ix_arrival_acceptance_direction"), table_name="arrival")
    op.create_index(op.f("ix_arrival_direction_entry_id"), "arrival", ["direction", "entry_id"], unique=False)
    op.create_index(op.f("ix_message_at_id"), "message", ["at", "id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_message_at_id"), table_name="message")
    op.drop_index(op.f("ix_arrival_direction_entry_id"), table_name="arrival")
    op.create_index(op.f("ix_arrival_acceptance_direction"), "arrival", ["acceptance", "direction"], unique=False)
