# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles see, edit, delete, export and assign; shares, hidden fields; absences; events of customers; operations with an undo."""

from itertools import product

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NEW_ROLES = ("owner", "viewer")
_COLUMNS = ("role", "entity", "action", "reach")
_RECORDS = ("customer", "message", "opportunity", "note")
_role = sa.table("role", sa.column("name"))
_role_right = sa.table("role_right", *(sa.column(name) for name in _COLUMNS))


def _rights() -> list[tuple[str, str, str, str]]:
    """Return what is new; `message` `correct` of rep, manager and administrator stands already, `read` becomes `see`."""
    rows = []
    for role in ("owner", "administrator"):
        rows += [(role, *pair, "all") for pair in product(_RECORDS, ("see", "edit", "delete", "export", "assign"))]
        rows += [(role, "company", action, "all") for action in ("see", "edit", "export")]
    rows += [("manager", *pair, "all") for pair in product(_RECORDS, ("see", "edit", "assign"))]
    rows += [("manager", entity, "export", "team") for entity in _RECORDS]
    rows += [("rep", entity, action, "own") for entity, action in product(_RECORDS, ("see", "edit"))]
    rows += [("viewer", entity, "see", "team") for entity in _RECORDS]
    rows += [(role, "company", "see", "all") for role in ("manager", "rep", "viewer")]
    rows.append(("owner", "message", "correct", "all"))
    known = {("rep", "message", "see"), ("manager", "message", "see"), ("administrator", "message", "see")}
    return [row for row in rows if row[:3] not in known]


def upgrade() -> None:
    op.create_table(
        "role_hidden_field",
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("entity", sa.String(length=40), nullable=False),
        sa.Column("field", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["role"], ["role.name"], name=op.f("fk_role_hidden_field_role_role")),
        sa.PrimaryKeyConstraint("role", "entity", "field", name=op.f("pk_role_hidden_field")),
    )
    op.create_table(
        "scope_share",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("scope_id", _BIG, nullable=False),
        sa.Column("person_id", _BIG, nullable=True),
        sa.Column("team_id", _BIG, nullable=True),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column("cause", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", _BIG, nullable=True),
        sa.ForeignKeyConstraint(["scope_id"], ["scope.id"], name=op.f("fk_scope_share_scope_id_scope")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_scope_share_person_id_person")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_scope_share_team_id_team")),
        sa.ForeignKeyConstraint(["created_by"], ["person.id"], name=op.f("fk_scope_share_created_by_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scope_share")),
    )
    op.create_index(op.f("ix_scope_share_scope_id"), "scope_share", ["scope_id"], unique=False)
    op.create_index(op.f("ix_scope_share_person_id_scope_id"), "scope_share", ["person_id", "scope_id"], unique=False)
    op.create_index(op.f("ix_scope_share_team_id_scope_id"), "scope_share", ["team_id", "scope_id"], unique=False)
    op.create_table(
        "operation",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("public_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", _BIG, nullable=True),
        sa.Column("scope_id", _BIG, nullable=True),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("undo", sa.JSON(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", _BIG, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_operation_person_id_person")),
        sa.ForeignKeyConstraint(["scope_id"], ["scope.id"], name=op.f("fk_operation_scope_id_scope")),
        sa.ForeignKeyConstraint(["undone_by"], ["person.id"], name=op.f("fk_operation_undone_by_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operation")),
        sa.UniqueConstraint("public_id", name=op.f("uq_operation_public_id")),
    )
    op.create_index(op.f("ix_operation_kind_at"), "operation", ["kind", "at"], unique=False)
    with op.batch_alter_table("event") as batch:
        batch.add_column(sa.Column("subject", sa.String(length=60), nullable=False, server_default=""))
        batch.add_column(sa.Column("customer_id", _BIG, nullable=True))
        batch.create_foreign_key(op.f("fk_event_customer_id_customer"), "customer", ["customer_id"], ["id"])
        batch.drop_constraint(op.f("uq_event_cause_id_step"), type_="unique")
        batch.create_unique_constraint(op.f("uq_event_cause_id_step_subject"), ["cause_id", "step", "subject"])
        batch.create_index(op.f("ix_event_customer_id_id"), ["customer_id", "id"])
    with op.batch_alter_table("person") as batch:
        batch.add_column(sa.Column("away_from", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("away_until", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("version", _BIG, nullable=False, server_default="1"))
    op.bulk_insert(_role, [{"name": name} for name in _NEW_ROLES])
    op.execute(
        _role_right.update()
        .where(_role_right.c.entity == "message", _role_right.c.action == "read")
        .values(action="see")
    )
    op.bulk_insert(_role_right, [dict(zip(_COLUMNS, right, strict=True)) for right in _rights()])


def downgrade() -> None:
    op.execute(_role_right.delete().where(_role_right.c.role.in_(_NEW_ROLES)))
    op.execute(
        _role_right.delete().where(
            sa.or_(_role_right.c.entity != "message", _role_right.c.action.not_in(("see", "correct")))
        )
    )
    op.execute(_role_right.update().where(_role_right.c.action == "see").values(action="read"))
    person = sa.table("person", sa.column("role"))
    op.execute(person.update().where(person.c.role.in_(_NEW_ROLES)).values(role="manager"))
    op.execute(_role.delete().where(_role.c.name.in_(_NEW_ROLES)))
    with op.batch_alter_table("event") as batch:
        batch.drop_index(op.f("ix_event_customer_id_id"))
        batch.drop_constraint(op.f("uq_event_cause_id_step_subject"), type_="unique")
        batch.create_unique_constraint(op.f("uq_event_cause_id_step"), ["cause_id", "step"])
        batch.drop_constraint(op.f("fk_event_customer_id_customer"), type_="foreignkey")
        batch.drop_column("customer_id")
        batch.drop_column("subject")
    with op.batch_alter_table("person") as batch:
        batch.drop_column("version")
        batch.drop_column("away_until")
        batch.drop_column("away_from")
    op.drop_table("operation")
    op.drop_table("scope_share")
    op.drop_table("role_hidden_field")
