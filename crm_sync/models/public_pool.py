# SPDX-License-Identifier: GPL-3.0-or-later
"""The public pool: what each pool lets people claim, why customers are released, and who had a customer when."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base


class PublicPool(Base):
    """What a pool says of the customers that lie in it or were claimed from it.  None: no limit, never.

    One of them is the default: there falls what came from no pool.
    """

    __tablename__ = "public_pool"
    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id"), primary_key=True)
    is_default: Mapped[bool] = mapped_column(default=False)
    most_customers: Mapped[int | None]  # that one person may own when he claims one more
    claims_per_day: Mapped[int | None]  # of one person, in any 24 hours
    cool_down_hours: Mapped[int | None]  # until he may claim again what he released
    idle_days: Mapped[int | None]  # without a human word until a customer falls back
    protected_grades: Mapped[list[str]] = mapped_column(JSON, default=list)  # customers that never fall back
    version: Mapped[int] = mapped_column(default=1)


class ReleaseReason(Base):
    """Why a customer is given up: a list that the company edits."""

    __tablename__ = "release_reason"
    code: Mapped[str] = mapped_column(String(40), primary_key=True)  # kebab-case
    name: Mapped[str] = mapped_column(String(100))
    name_zh: Mapped[str] = mapped_column(String(100), default="")
    position: Mapped[int] = mapped_column(default=0)
    is_active: Mapped[bool] = mapped_column(default=True)


class CustomerTenure(Base):
    """One person's time with a customer; `until` is NULL while it lasts.

    `came_by`: claimed, given, handed-over, hand-over-undone, before (he had it before anybody counted).  `ended_by`: released,
    claimed, given, handed-over, hand-over-undone.
    """

    __tablename__ = "customer_tenure"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    pool_id: Mapped[int | None] = mapped_column(ForeignKey("pool.id"))  # where it was claimed
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    came_by: Mapped[str] = mapped_column(String(20))
    ended_by: Mapped[str | None] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(40))  # release_reason.code
    note: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (
        Index(None, "customer_id", "id"),
        Index(None, "person_id", "since"),
    )
