# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mail log said about queue ids, kept until the arrival is recorded too: either may come first."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base


class MaillogEvidence(Base):
    """One thing that speaks for or against a queue id.

    `kind` is a tradepost.acceptance.Evidence, or `origin`: the mail came out of the one with the queue id `origin`
    (requeued, or through a content filter).
    """

    __tablename__ = "maillog_evidence"
    instance: Mapped[str] = mapped_column(String(255), primary_key=True)
    queue_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    origin: Mapped[str] = mapped_column(String(40), default="")
    __table_args__ = (Index(None, "at"),)
