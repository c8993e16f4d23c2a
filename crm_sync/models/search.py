# SPDX-License-Identifier: GPL-3.0-or-later
"""What the search index holds beside mail.

The index proper is no table of SQLAlchemy's: `message_index` and `record_index` are virtual tables of FTS5 on SQLite, with
tables of their own behind them, and tables with a tsvector on PostgreSQL (crm_sync.search.index_rows).
"""

from datetime import datetime

from sqlalchemy import JSON, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base

INDEXES = ("message_index", "record_index")


class SearchRecord(Base):
    """A customer, note, task or touch that can be found; its id is that of its row in `record_index`.

    `fields` are its texts by the name of their mark (crm_sync.search.documents.MARKS), to show what was found.  Who may see it
    is asked of the record itself.
    """

    __tablename__ = "search_record"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))  # customer | note | task | touch
    record_id: Mapped[int]
    at: Mapped[datetime]
    fields: Mapped[dict[str, str]] = mapped_column(JSON)
    __table_args__ = (UniqueConstraint("kind", "record_id"),)


def is_modelled(name: str | None, kind: str, _: object) -> bool:
    """Does SQLAlchemy know the table of that name?  For Alembic's `include_name`: all but the index proper."""
    return kind != "table" or not (name or "").startswith(INDEXES)
