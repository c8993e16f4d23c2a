# SPDX-License-Identifier: GPL-3.0-or-later
"""The public pool: what one may claim, why one releases, when a customer falls back, and who had it when."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_REASONS = (
    ("unreachable", "Can't be reached", "联系不上"),
    ("no-need", "Needs nothing now", "暂无需求"),
    ("not-our-product", "Wants what we don't make", "产品不符"),
    ("not-my-market", "Not my market or product", "不在负责区域或品类"),
    ("price", "Price does not fit", "价格不合"),
    ("competitor", "Bought elsewhere", "已选其他供应商"),
    ("no-time", "Too many customers", "精力不足"),
    ("other", "Another reason", "其他"),
)
_COLUMNS = ("code", "name", "name_zh", "position", "is_active")
_reason = sa.table("release_reason", *(sa.column(name) for name in _COLUMNS))


def upgrade() -> None:
    op.create_table(
        "public_pool",
        sa.Column("pool_id", _BIG, nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("most_customers", _BIG, nullable=True),
        sa.Column("claims_per_day", _BIG, nullable=True),
        sa.Column("cool_down_hours", _BIG, nullable=True),
        sa.Column("idle_days", _BIG, nullable=True),
        sa.Column("protected_grades", sa.JSON(), nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_public_pool_pool_id_pool")),
        sa.PrimaryKeyConstraint("pool_id", name=op.f("pk_public_pool")),
    )
    op.create_table(
        "release_reason",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_zh", sa.String(length=100), nullable=False),
        sa.Column("position", _BIG, nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_release_reason")),
    )
    op.create_table(
        "customer_tenure",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("customer_id", _BIG, nullable=False),
        sa.Column("person_id", _BIG, nullable=False),
        sa.Column("pool_id", _BIG, nullable=True),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("until", _TIME, nullable=True),
        sa.Column("came_by", sa.String(length=20), nullable=False),
        sa.Column("ended_by", sa.String(length=20), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_tenure_customer_id_customer")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_customer_tenure_person_id_person")),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_customer_tenure_pool_id_pool")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_tenure")),
    )
    op.create_index(op.f("ix_customer_tenure_customer_id_id"), "customer_tenure", ["customer_id", "id"])
    op.create_index(op.f("ix_customer_tenure_person_id_since"), "customer_tenure", ["person_id", "since"])
    with op.batch_alter_table("customer") as batch:
        batch.add_column(sa.Column("owner_since", _TIME, nullable=True))
        batch.add_column(sa.Column("home_pool_id", _BIG, nullable=True))
        batch.add_column(sa.Column("reclaim_days", _BIG, nullable=True))
        batch.add_column(sa.Column("reclaim_at", _TIME, nullable=True))
        batch.create_foreign_key(op.f("fk_customer_home_pool_id_pool"), "pool", ["home_pool_id"], ["id"])
        batch.create_index(op.f("ix_customer_reclaim_at"), ["reclaim_at"])
    op.bulk_insert(
        _reason,
        [dict(zip(_COLUMNS, (*reason, position, True), strict=True)) for position, reason in enumerate(_REASONS)],
    )


def downgrade() -> None:
    with op.batch_alter_table("customer") as batch:
        batch.drop_index(op.f("ix_customer_reclaim_at"))
        batch.drop_constraint(op.f("fk_customer_home_pool_id_pool"), type_="foreignkey")
        for name in ("reclaim_at", "reclaim_days", "home_pool_id", "owner_since"):
            batch.drop_column(name)
    op.drop_table("customer_tenure")
    op.drop_table("release_reason")
    op.drop_table("public_pool")
