# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists to choose from, and what was chosen for customers and contacts."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base


class ChoiceList(Base):
    """A list.  `subject`: what it describes (customer, contact, opportunity, field); `takes_many`: several may be chosen."""

    __tablename__ = "choice_list"
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    subject: Mapped[str] = mapped_column(String(20))
    name_en: Mapped[str] = mapped_column(String(100))
    name_zh: Mapped[str] = mapped_column(String(100), default="")
    takes_many: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int] = mapped_column(default=0)


class Choice(Base):
    """One choice of a list.  A retired one stays where it was chosen and is offered to nobody."""

    __tablename__ = "choice"
    id: Mapped[int] = mapped_column(primary_key=True)
    list_key: Mapped[str] = mapped_column(ForeignKey("choice_list.key"))
    key: Mapped[str] = mapped_column(String(40))
    name_en: Mapped[str] = mapped_column(String(100))
    name_zh: Mapped[str] = mapped_column(String(100), default="")
    position: Mapped[int] = mapped_column(default=0)
    retired_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("list_key", "key"),)


class CustomerChoice(Base):
    """What was chosen for a customer."""

    __tablename__ = "customer_choice"
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    choice_id: Mapped[int] = mapped_column(ForeignKey("choice.id"), primary_key=True)
    __table_args__ = (Index(None, "choice_id", "customer_id"),)


class ContactChoice(Base):
    """What was chosen for a contact: his job level, his part in decisions."""

    __tablename__ = "contact_choice"
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    choice_id: Mapped[int] = mapped_column(ForeignKey("choice.id"), primary_key=True)
    __table_args__ = (Index(None, "choice_id", "contact_id"),)
