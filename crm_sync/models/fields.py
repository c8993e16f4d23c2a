# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that the company adds to its records, and what stands in them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base

# Ordered by code point on both databases: a range finds what begins alike.
_FOLDED = String(200).with_variant(String(200, collation="C"), "postgresql")


class FieldDef(Base):
    """A field of an `entity` (customer, contact, opportunity).  `type` and its `options`: crm_sync.fields.types.

    `stages` are the keys of the stages for which it must be filled.  Only what is filterable has rows in `field_value`.
    A retired one keeps its values and is shown nowhere.
    """

    __tablename__ = "field_def"
    id: Mapped[int] = mapped_column(primary_key=True)
    entity: Mapped[str] = mapped_column(String(20))
    key: Mapped[str] = mapped_column(String(40))
    type: Mapped[str] = mapped_column(String(20))
    name_en: Mapped[str] = mapped_column(String(100))
    name_zh: Mapped[str] = mapped_column(String(100), default="")
    help_en: Mapped[str] = mapped_column(Text, default="")
    help_zh: Mapped[str] = mapped_column(Text, default="")
    options: Mapped[dict[str, Any]] = mapped_column(JSON)  # crm_sync.fields.types.Options
    stages: Mapped[list[str]] = mapped_column(JSON)
    is_required: Mapped[bool] = mapped_column(default=False)
    is_filterable: Mapped[bool] = mapped_column(default=False)
    is_unique: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int] = mapped_column(default=0)
    retired_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    __table_args__ = (UniqueConstraint("entity", "key"),)


class CustomValues(Base):
    """What stands in a record's own fields, by field key: the truth.  `record_id` is that of the entity's table."""

    __tablename__ = "custom_values"
    entity: Mapped[str] = mapped_column(String(20), primary_key=True)
    record_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    held: Mapped[dict[str, Any]] = mapped_column(JSON)
    version: Mapped[int] = mapped_column(default=1)


class FieldValue(Base):
    """What filters and sorts go by: texts in `k`, folded; numbers in `n`.  Several rows where several values stand."""

    __tablename__ = "field_value"
    field_id: Mapped[int] = mapped_column(ForeignKey("field_def.id"), primary_key=True)
    record_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    k: Mapped[str | None] = mapped_column(_FOLDED)
    n: Mapped[float | None] = mapped_column(Float(53))
    __table_args__ = (
        Index(None, "field_id", "k", "record_id"),
        Index(None, "field_id", "n", "record_id"),
    )
