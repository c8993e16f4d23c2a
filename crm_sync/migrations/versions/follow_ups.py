# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes, tasks, calls and meetings; all of them on the timeline."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "note",
        *_keys("note"),
        sa.Column("customer_id", _BIG, nullable=True),
        sa.Column("conversation_id", _BIG, nullable=True),
        sa.Column("message_id", _BIG, nullable=True),
        sa.Column("author_id", _BIG, nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("is_pinned", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("edited_at", _TIME, nullable=True),
        sa.Column("deleted_at", _TIME, nullable=True),
        sa.Column("version", _BIG, nullable=False),
        *_references("note", customer_id="customer", conversation_id="conversation", message_id="message"),
        *_references("note", author_id="person"),
    )
    op.create_table(
        "note_mention",
        sa.Column("note_id", _BIG, nullable=False),
        sa.Column("person_id", _BIG, nullable=False),
        sa.Column("seen_at", _TIME, nullable=True),
        *_references("note_mention", note_id="note", person_id="person"),
        sa.PrimaryKeyConstraint("note_id", "person_id", name=op.f("pk_note_mention")),
    )
    op.create_table(
        "task",
        *_keys("task"),
        sa.Column("customer_id", _BIG, nullable=True),
        sa.Column("conversation_id", _BIG, nullable=True),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("assignee_id", _BIG, nullable=True),
        sa.Column("creator_id", _BIG, nullable=True),
        sa.Column("due_at", _TIME, nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("closed_at", _TIME, nullable=True),
        sa.Column("closed_by", _BIG, nullable=True),
        sa.Column("version", _BIG, nullable=False),
        *_references("task", customer_id="customer", conversation_id="conversation"),
        *_references("task", assignee_id="person", creator_id="person", closed_by="person"),
    )
    op.create_table(
        "touch",
        *_keys("touch"),
        sa.Column("customer_id", _BIG, nullable=False),
        sa.Column("contact_id", _BIG, nullable=True),
        sa.Column("author_id", _BIG, nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("direction", sa.String(length=10), nullable=False),
        sa.Column("channel", sa.String(length=60), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("minutes", _BIG, nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("next_plan", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("edited_at", _TIME, nullable=True),
        sa.Column("deleted_at", _TIME, nullable=True),
        sa.Column("version", _BIG, nullable=False),
        *_references("touch", customer_id="customer", contact_id="contact", author_id="person"),
    )
    for table, columns in _INDEXES:
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns, unique=False)
    with op.batch_alter_table("activity") as batch:
        for name in ("note", "touch", "task"):
            batch.add_column(sa.Column(f"{name}_id", _BIG, nullable=True))
            batch.create_foreign_key(op.f(f"fk_activity_{name}_id_{name}"), name, [f"{name}_id"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("activity") as batch:
        for name in ("note", "touch", "task"):
            batch.drop_constraint(op.f(f"fk_activity_{name}_id_{name}"), type_="foreignkey")
            batch.drop_column(f"{name}_id")
    op.execute("DELETE FROM activity WHERE kind IN ('note', 'touch', 'task')")
    for table in ("touch", "task", "note_mention", "note"):
        op.drop_table(table)


_INDEXES = (
    ("note", ["scope_id"]),
    ("note", ["customer_id"]),
    ("note", ["conversation_id"]),
    ("note", ["message_id"]),
    ("note_mention", ["person_id", "note_id"]),
    ("task", ["scope_id"]),
    ("task", ["customer_id"]),
    ("task", ["conversation_id"]),
    ("task", ["assignee_id", "state", "due_at"]),
    ("touch", ["scope_id"]),
    ("touch", ["customer_id"]),
    ("touch", ["contact_id"]),
)


def _keys(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", _BIG, nullable=False),
        sa.Column("public_id", sa.String(length=26), nullable=False),
        sa.Column("scope_id", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("public_id", name=op.f(f"uq_{table}_public_id")),
        *_references(table, scope_id="scope"),
    ]


def _references(table: str, **targets: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}_{target}"))
        for column, target in targets.items()
    ]
