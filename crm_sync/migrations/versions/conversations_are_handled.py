# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with a conversation: status, snooze, split, merge, suggestions; which ids each letter names."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WAITS = sa.text("unanswered_since IS NOT NULL")
_ALIKE = sa.text("likeness_key <> ''")


def upgrade() -> None:
    op.add_column("message", sa.Column("named_digests", sa.JSON(), nullable=True))
    op.add_column(
        "conversation_participant",
        sa.Column("is_named_only", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("conversation", sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("conversation", sa.Column("unanswered_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("conversation", sa.Column("likeness_key", sa.String(length=32), nullable=False, server_default=""))
    op.create_index(
        "ix_conversation_unanswered",
        "conversation",
        ["unanswered_since", "id"],
        sqlite_where=_WAITS,
        postgresql_where=_WAITS,
    )
    op.create_index(
        "ix_conversation_alike", "conversation", ["likeness_key", "id"], sqlite_where=_ALIKE, postgresql_where=_ALIKE
    )
    op.create_index(op.f("ix_activity_message_id"), "activity", ["message_id"], unique=False)
    op.create_index(op.f("ix_scope_share_cause"), "scope_share", ["cause"], unique=False)
    op.create_table(
        "conversation_apart",
        sa.Column("conversation_id", _BIG, nullable=False),
        sa.Column("other_id", _BIG, nullable=False),
        *_pair("conversation_apart"),
        sa.PrimaryKeyConstraint("conversation_id", "other_id", name=op.f("pk_conversation_apart")),
    )
    op.create_index(op.f("ix_conversation_apart_other_id"), "conversation_apart", ["other_id"], unique=False)
    op.create_table(
        "conversation_suggestion",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("conversation_id", _BIG, nullable=False),
        sa.Column("other_id", _BIG, nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", _BIG, nullable=True),
        *_pair("conversation_suggestion"),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_conversation_suggestion_decided_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation_suggestion")),
        sa.UniqueConstraint(
            "conversation_id", "other_id", name=op.f("uq_conversation_suggestion_conversation_id_other_id")
        ),
    )
    op.create_index(op.f("ix_conversation_suggestion_other_id"), "conversation_suggestion", ["other_id"], unique=False)
    op.create_index(
        op.f("ix_conversation_suggestion_state_id"), "conversation_suggestion", ["state", "id"], unique=False
    )
    op.execute(
        "UPDATE conversation SET unanswered_since = last_in_at WHERE status = 'open' AND last_in_at IS NOT NULL"
        " AND (last_out_at IS NULL OR last_out_at < last_in_at)"
    )


def downgrade() -> None:
    # What an older program does not know counts as open there, and a person's load is the number of what is open.
    op.execute("UPDATE conversation SET status = 'open' WHERE status = 'waiting'")
    op.execute("UPDATE conversation SET status = 'closed' WHERE status = 'solved'")
    op.execute(
        "UPDATE person SET open_conversations ="
        " (SELECT count(*) FROM conversation WHERE assignee_id = person.id AND status = 'open')"
    )
    op.drop_table("conversation_suggestion")
    op.drop_table("conversation_apart")
    op.drop_index(op.f("ix_activity_message_id"), table_name="activity")
    op.drop_index(op.f("ix_scope_share_cause"), table_name="scope_share")
    op.drop_index("ix_conversation_alike", table_name="conversation")
    op.drop_index("ix_conversation_unanswered", table_name="conversation")
    for name in ("likeness_key", "unanswered_since", "snoozed_until"):
        op.drop_column("conversation", name)
    op.drop_column("conversation_participant", "is_named_only")
    op.drop_column("message", "named_digests")


def _pair(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.ForeignKeyConstraint([column], ["conversation.id"], name=op.f(f"fk_{table}_{column}_conversation"))
        for column in ("conversation_id", "other_id")
    ]
