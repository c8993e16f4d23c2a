# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done later, once, whatever the number of workers."""

from datetime import datetime

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base


class TimerRow(Base):
    """One thing to do.  (kind, ref) says what: scheduling it again moves it.

    `state`: waiting until `due_at`, done afterwards.  `due_at` is compared with the database's clock, no host's.
    """

    __tablename__ = "timer"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))  # kebab-case: prune-directory-changes
    ref: Mapped[str] = mapped_column(String(80), default="")  # of what: a key of the kind's own choice
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    due_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("kind", "ref"),
        Index(None, "state", "due_at"),
    )
