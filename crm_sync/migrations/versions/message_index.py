# SPDX-License-Identifier: GPL-3.0-or-later
"""The search index.  It is empty at first: `tradepost search rebuild` fills it with what was recorded before."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INDEXES = ("message_index", "record_index")


def upgrade() -> None:
    op.create_table(
        "search_record",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("record_id", _BIG, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_record")),
        sa.UniqueConstraint("kind", "record_id", name=op.f("uq_search_record_kind_record_id")),
    )
    for name in _INDEXES:
        if op.get_bind().dialect.name == "postgresql":
            # Rows stay where they are, compressed: asking a letter for a word must not cost a second look.
            op.execute(f"CREATE TABLE {name} (id bigint CONSTRAINT pk_{name} PRIMARY KEY, tokens tsvector NOT NULL)")
            op.execute(f"ALTER TABLE {name} ALTER COLUMN tokens SET STORAGE MAIN")
            # New rows wait in a list that every search reads whole: 1 MB at most.
            op.execute(
                f"CREATE INDEX ix_{name}_tokens ON {name} USING gin (tokens) WITH (gin_pending_list_limit = 1024)"
            )
        else:
            # The tokens are made by us: nothing is left to divide but spaces, `ascii` leaves all other signs alone.
            op.execute(
                f"CREATE VIRTUAL TABLE {name} USING fts5(tokens, content='', contentless_delete=1, tokenize='ascii')"
            )


def downgrade() -> None:
    for name in _INDEXES:
        op.execute(f"DROP TABLE {name}")
    op.drop_table("search_record")
