# SPDX-License-Identifier: GPL-3.0-or-later
"""Records that may be the same: what they are found by, what was found, and who asked whether a customer exists."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base


class ChangedRecord(Base):
    """A customer or contact whose keys may have changed.  Rows are only added and taken away: who marks waits for nobody."""

    __tablename__ = "changed_record"
    id: Mapped[int] = mapped_column(primary_key=True)
    record: Mapped[str] = mapped_column(String(10))  # customer | contact
    record_id: Mapped[int]


class RecordKey(Base):
    """A key that a record is found by: two records with a key in common may be one.  Merged records have none."""

    __tablename__ = "record_key"
    # What tells most stands first: by `record` alone SQLite, which knows no numbers of rows, would read half the table.
    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)  # crm_sync.duplicates.block_keys
    record: Mapped[str] = mapped_column(String(10), primary_key=True)
    record_id: Mapped[int] = mapped_column(primary_key=True)
    __table_args__ = (Index(None, "record_id", "record"),)


class LikelyDuplicate(Base):
    """Two records that may be one; `first_id` is the lower.  `state`: open, declined by a person (it stays so)."""

    __tablename__ = "likely_duplicate"
    id: Mapped[int] = mapped_column(primary_key=True)
    record: Mapped[str] = mapped_column(String(10))
    first_id: Mapped[int]
    second_id: Mapped[int]
    score: Mapped[int]  # 0 to 100
    reasons: Mapped[list[str]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(10), default="open")
    found_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    __table_args__ = (
        UniqueConstraint("record", "first_id", "second_id"),
        Index(None, "record", "second_id"),
        Index(None, "record", "state", "score", "id"),
    )


class DuplicateCheck(Base):
    """Somebody asked whether a customer exists.  Of the answer only its kind and a digest stay."""

    __tablename__ = "duplicate_check"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))  # None: root
    kind: Mapped[str] = mapped_column(String(10))  # name | domain | address | phone
    asked: Mapped[str] = mapped_column(String(300))
    outcome: Mapped[str] = mapped_column(String(10))  # owned | pool | unowned | likely | common | nothing
    answer_digest: Mapped[str] = mapped_column(String(64))
    __table_args__ = (Index(None, "person_id", "at"), Index(None, "at"))
