# SPDX-License-Identifier: GPL-3.0-or-later
"""What business people decide by hand: rules and corrections."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base


class RuleRow(Base):
    """A rule as it was written.  `position` is policy: the first rule that sets a thing wins."""

    __tablename__ = "rule"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    condition: Mapped[dict[str, Any]] = mapped_column(JSON)  # tradepost.rules.Group
    effects: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # of tradepost.rules.Effect
    version: Mapped[int] = mapped_column(default=1)


class Correction(Base):
    """A person said that a label was wrong; it teaches the classifier.  Append-only: the newest of a field is in force.

    `field`: category, priority, language, owner (an address).  `cause_id` is that of the event which tells the conversation.
    """

    __tablename__ = "correction"
    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    at: Mapped[datetime] = mapped_column(index=True)
    field: Mapped[str] = mapped_column(String(20))
    old: Mapped[str | None] = mapped_column(String(320))
    new: Mapped[str | None] = mapped_column(String(320))
    cause_id: Mapped[str] = mapped_column(String(40), server_default="")
