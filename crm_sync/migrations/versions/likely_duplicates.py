# SPDX-License-Identifier: GPL-3.0-or-later
"""Likely duplicates of customers and contacts: their keys, the pairs found, merged contacts, who asked what."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_customer, _contact = (sa.table(name, sa.column("id"), sa.column("merged_into")) for name in ("customer", "contact"))
_changed = sa.table("changed_record", sa.column("record"), sa.column("record_id"))


def upgrade() -> None:
    with op.batch_alter_table("contact") as batch:
        batch.add_column(sa.Column("merged_into", _BIG, nullable=True))
        batch.create_foreign_key(op.f("fk_contact_merged_into_contact"), "contact", ["merged_into"], ["id"])
    op.create_table(
        "changed_record",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("record", sa.String(length=10), nullable=False),
        sa.Column("record_id", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changed_record")),
    )
    op.create_table(
        "record_key",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("record", sa.String(length=10), nullable=False),
        sa.Column("record_id", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("key", "kind", "record", "record_id", name=op.f("pk_record_key")),
    )
    op.create_index(op.f("ix_record_key_record_id_record"), "record_key", ["record_id", "record"], unique=False)
    op.create_table(
        "likely_duplicate",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("record", sa.String(length=10), nullable=False),
        sa.Column("first_id", _BIG, nullable=False),
        sa.Column("second_id", _BIG, nullable=False),
        sa.Column("score", _BIG, nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("found_at", _TIME, nullable=False),
        sa.Column("decided_at", _TIME, nullable=True),
        sa.Column("decided_by", _BIG, nullable=True),
        sa.ForeignKeyConstraint(["decided_by"], ["person.id"], name=op.f("fk_likely_duplicate_decided_by_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_likely_duplicate")),
        sa.UniqueConstraint(
            "record", "first_id", "second_id", name=op.f("uq_likely_duplicate_record_first_id_second_id")
        ),
    )
    for columns in (["record", "second_id"], ["record", "state", "score", "id"]):
        op.create_index(op.f(f"ix_likely_duplicate_{'_'.join(columns)}"), "likely_duplicate", columns, unique=False)
    op.create_table(
        "duplicate_check",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("person_id", _BIG, nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("asked", sa.String(length=300), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("answer_digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_duplicate_check_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate_check")),
    )
    for columns in (["person_id", "at"], ["at"]):
        op.create_index(op.f(f"ix_duplicate_check_{'_'.join(columns)}"), "duplicate_check", columns, unique=False)
    # What stands already is looked at by and by.
    for record, table in (("customer", _customer), ("contact", _contact)):
        known = sa.select(sa.literal(record), table.c.id).where(table.c.merged_into.is_(None)).order_by(table.c.id)
        op.execute(_changed.insert().from_select(["record", "record_id"], known))


def downgrade() -> None:
    for name in ("duplicate_check", "likely_duplicate", "record_key", "changed_record"):
        op.drop_table(name)
    with op.batch_alter_table("contact") as batch:
        batch.drop_constraint(op.f("fk_contact_merged_into_contact"), type_="foreignkey")
        batch.drop_column("merged_into")
