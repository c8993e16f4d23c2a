# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields without code: their definitions, what stands in them, and what filters and sorts go by."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_FOLDED = sa.String(length=200).with_variant(sa.String(length=200, collation="C"), "postgresql")
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "field_def",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("entity", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("name_en", sa.String(length=100), nullable=False),
        sa.Column("name_zh", sa.String(length=100), nullable=False),
        sa.Column("help_en", sa.Text(), nullable=False),
        sa.Column("help_zh", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("stages", sa.JSON(), nullable=False),
        sa.Column("is_required", sa.Boolean(), nullable=False),
        sa.Column("is_filterable", sa.Boolean(), nullable=False),
        sa.Column("is_unique", sa.Boolean(), nullable=False),
        sa.Column("position", _BIG, nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_field_def")),
        sa.UniqueConstraint("entity", "key", name=op.f("uq_field_def_entity_key")),
    )
    op.create_table(
        "custom_values",
        sa.Column("entity", sa.String(length=20), nullable=False),
        sa.Column("record_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("held", sa.JSON(), nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("entity", "record_id", name=op.f("pk_custom_values")),
    )
    op.create_table(
        "field_value",
        sa.Column("field_id", _BIG, nullable=False),
        sa.Column("record_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("position", _BIG, autoincrement=False, nullable=False),
        sa.Column("k", _FOLDED, nullable=True),
        sa.Column("n", sa.Float(precision=53), nullable=True),
        sa.ForeignKeyConstraint(["field_id"], ["field_def.id"], name=op.f("fk_field_value_field_id_field_def")),
        sa.PrimaryKeyConstraint("field_id", "record_id", "position", name=op.f("pk_field_value")),
    )
    op.create_index(op.f("ix_field_value_field_id_k_record_id"), "field_value", ["field_id", "k", "record_id"])
    op.create_index(op.f("ix_field_value_field_id_n_record_id"), "field_value", ["field_id", "n", "record_id"])


def downgrade() -> None:
    for table in ("field_value", "custom_values", "field_def"):
        op.drop_table(table)
