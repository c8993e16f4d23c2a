# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains, addresses, names and phones of the other side, its fields and where they come from, and why each mail was linked."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=False, server_default="")


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    key = "domain" if target == "shared_domain" else "id"
    return sa.ForeignKeyConstraint([column], [f"{target}.{key}"], name=op.f(f"fk_{table}_{column}_{target}"))


def upgrade() -> None:
    customer_columns: tuple[sa.Column[Any], ...] = (
        _text("kind_reason", 60),
        _text("industry", 100),
        _text("size", 40),
        _text("website", 300),
        _text("address", 500),
        _text("phone", 40),
        sa.Column("profile", sa.Text(), nullable=False, server_default=""),
        sa.Column("star", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("origins", sa.JSON(), nullable=False, server_default="{}"),
    )
    for column in customer_columns:
        op.add_column("customer", column)
    contact_columns: tuple[sa.Column[Any], ...] = (
        _text("name_key", 120),
        _text("title", 200),
        _text("decision_role", 20),
        sa.Column("social", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("origins", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("version", _BIG, nullable=False, server_default="1"),
    )
    for column in contact_columns:
        op.add_column("contact", column)
    op.create_index(op.f("ix_contact_name_key"), "contact", ["name_key"], unique=False)
    for table in ("customer_domain", "contact_address"):
        op.add_column(table, sa.Column("reason", sa.String(length=40), nullable=False, server_default="first-mail"))
    with op.batch_alter_table("message") as batch:
        batch.add_column(sa.Column("forwarded_by_id", _BIG, nullable=True))
        batch.create_foreign_key(op.f("fk_message_forwarded_by_id_person"), "person", ["forwarded_by_id"], ["id"])
    op.create_table(
        "message_link",
        sa.Column("message_id", _BIG, nullable=False),
        sa.Column("customer_id", _BIG, nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("decided_by_id", _BIG, nullable=True),
        _reference("message_link", "message_id", "message"),
        _reference("message_link", "customer_id", "customer"),
        _reference("message_link", "decided_by_id", "person"),
        sa.PrimaryKeyConstraint("message_id", "customer_id", name=op.f("pk_message_link")),
    )
    op.create_index(op.f("ix_message_link_customer_id"), "message_link", ["customer_id"], unique=False)
    op.create_table(
        "shared_domain",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_shared_domain")),
    )
    op.create_table(
        "shared_domain_customer",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("customer_id", _BIG, nullable=False),
        _reference("shared_domain_customer", "domain", "shared_domain"),
        _reference("shared_domain_customer", "customer_id", "customer"),
        sa.PrimaryKeyConstraint("domain", "customer_id", name=op.f("pk_shared_domain_customer")),
    )
    op.create_index(
        op.f("ix_shared_domain_customer_customer_id"), "shared_domain_customer", ["customer_id"], unique=False
    )
    op.create_table(
        "customer_name",
        sa.Column("name_key", sa.String(length=120), nullable=False),
        sa.Column("customer_id", _BIG, nullable=False),
        _reference("customer_name", "customer_id", "customer"),
        sa.PrimaryKeyConstraint("name_key", "customer_id", name=op.f("pk_customer_name")),
    )
    op.create_index(op.f("ix_customer_name_customer_id"), "customer_name", ["customer_id"], unique=False)
    op.create_table(
        "contact_phone",
        sa.Column("contact_id", _BIG, nullable=False),
        sa.Column("e164", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        _reference("contact_phone", "contact_id", "contact"),
        sa.PrimaryKeyConstraint("contact_id", "e164", name=op.f("pk_contact_phone")),
    )
    op.create_index(op.f("ix_contact_phone_e164"), "contact_phone", ["e164"], unique=False)
    op.create_table(
        "party_suggestion",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("contact_id", _BIG, nullable=False),
        sa.Column("customer_id", _BIG, nullable=True),
        sa.Column("other_contact_id", _BIG, nullable=True),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("message_id", _BIG, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        _reference("party_suggestion", "contact_id", "contact"),
        _reference("party_suggestion", "customer_id", "customer"),
        sa.ForeignKeyConstraint(
            ["other_contact_id"], ["contact.id"], name=op.f("fk_party_suggestion_other_contact_id_contact")
        ),
        _reference("party_suggestion", "message_id", "message"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_party_suggestion")),
        sa.UniqueConstraint("contact_id", "kind", "subject", name=op.f("uq_party_suggestion_contact_id_kind_subject")),
    )
    op.create_index(op.f("ix_party_suggestion_customer_id"), "party_suggestion", ["customer_id"], unique=False)


def downgrade() -> None:
    for table in (
        "party_suggestion",
        "contact_phone",
        "customer_name",
        "shared_domain_customer",
        "shared_domain",
        "message_link",
    ):
        op.drop_table(table)
    with op.batch_alter_table("message") as batch:
        batch.drop_constraint(op.f("fk_message_forwarded_by_id_person"), type_="foreignkey")
        batch.drop_column("forwarded_by_id")
    for table in ("customer_domain", "contact_address"):
        op.drop_column(table, "reason")
    op.drop_index(op.f("ix_contact_name_key"), table_name="contact")
    with op.batch_alter_table("contact") as batch:
        for name in ("version", "origins", "social", "decision_role", "title", "name_key"):
            batch.drop_column(name)
    with op.batch_alter_table("customer") as batch:
        for name in ("origins", "star", "profile", "phone", "address", "website", "size", "industry", "kind_reason"):
            batch.drop_column(name)
