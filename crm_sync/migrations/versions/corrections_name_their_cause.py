# SPDX-License-Identifier: GPL-3.0-or-later
"""A correction names its cause and may hold an address; every role may correct what it may read."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_RIGHTS = (
    ("rep", "message", "correct", "own"),
    ("manager", "message", "correct", "all"),
    ("administrator", "message", "correct", "all"),
)
_role_right = sa.table("role_right", *(sa.column(name) for name in ("role", "entity", "action", "reach")))


def upgrade() -> None:
    with op.batch_alter_table("correction") as batch:
        batch.add_column(sa.Column("cause_id", sa.String(length=40), nullable=False, server_default=""))
        batch.alter_column("old", existing_type=sa.String(length=40), type_=sa.String(length=320))
        batch.alter_column("new", existing_type=sa.String(length=40), type_=sa.String(length=320))
    op.create_index(op.f("ix_correction_at"), "correction", ["at"], unique=False)
    op.bulk_insert(
        _role_right, [dict(zip(("role", "entity", "action", "reach"), right, strict=True)) for right in _RIGHTS]
    )


def downgrade() -> None:
    op.execute(_role_right.delete().where(_role_right.c.action == "correct"))
    op.drop_index(op.f("ix_correction_at"), table_name="correction")
    # An address that the narrower columns can't hold goes: only corrections of an owner have one.
    correction = sa.table("correction", sa.column("field"))
    op.execute(correction.delete().where(correction.c.field == "owner"))
    with op.batch_alter_table("correction") as batch:
        batch.alter_column("new", existing_type=sa.String(length=320), type_=sa.String(length=40))
        batch.alter_column("old", existing_type=sa.String(length=320), type_=sa.String(length=40))
        batch.drop_column("cause_id")
