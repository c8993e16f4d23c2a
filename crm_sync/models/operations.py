# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person did to many records at once, and what takes it back."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base


class Operation(Base):
    """One merge, split or hand-over.  `public_id` is the `cause_id` of its events; `undo` holds what was before."""

    __tablename__ = "operation"
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(26), unique=True)
    kind: Mapped[str] = mapped_column(String(40))  # kebab-case: hand-over, merge-customers, split-conversation ...
    at: Mapped[datetime]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))  # None: root
    scope_id: Mapped[int | None] = mapped_column(ForeignKey("scope.id"))  # whose rights govern who may see and undo it
    summary: Mapped[dict[str, Any]] = mapped_column(JSON)  # what people are told of it: numbers and names
    undo: Mapped[dict[str, Any]] = mapped_column(JSON)
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    __table_args__ = (Index(None, "kind", "at"),)
