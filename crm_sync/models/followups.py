# SPDX-License-Identifier: GPL-3.0-or-later
"""What people write and plan beside mail: notes, tasks, touches.  All of it is internal: no customer ever sees any."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base


class Note(Base):
    """Something a colleague should know, on a customer, a conversation or one mail.  Deleted ones stay, unseen."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(26), unique=True)
    scope_id: Mapped[int] = mapped_column(ForeignKey("scope.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    conversation_id: Mapped[int | None] = mapped_column(ForeignKey("conversation.id"), index=True)
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"), index=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))  # None: root
    text: Mapped[str] = mapped_column(Text)
    is_pinned: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class NoteMention(Base):
    """A colleague named in a note with @; `seen_at` is when he said that he has read it."""

    __tablename__ = "note_mention"
    note_id: Mapped[int] = mapped_column(ForeignKey("note.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    seen_at: Mapped[datetime | None]
    __table_args__ = (Index(None, "person_id", "note_id"),)


class Task(Base):
    """Something to be done by somebody.  Without a customer or conversation its scope is its own, the assignee's."""

    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(26), unique=True)
    scope_id: Mapped[int] = mapped_column(ForeignKey("scope.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    conversation_id: Mapped[int | None] = mapped_column(ForeignKey("conversation.id"), index=True)
    title: Mapped[str] = mapped_column(String(300))
    details: Mapped[str] = mapped_column(Text, default="")
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    creator_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))  # None: root
    due_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(10), default="open")  # open | done | dropped
    result: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    version: Mapped[int] = mapped_column(default=1)
    __table_args__ = (Index(None, "assignee_id", "state", "due_at"),)


class Touch(Base):
    """A call, a meeting, a chat: contact with a customer that no mail tells of."""

    __tablename__ = "touch"
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(26), unique=True)
    scope_id: Mapped[int] = mapped_column(ForeignKey("scope.id"), index=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))  # None: root
    kind: Mapped[str] = mapped_column(String(20))  # crm_sync.followups.touches.KINDS
    direction: Mapped[str] = mapped_column(String(10), default="")  # in | out | "" for both, as a meeting
    channel: Mapped[str] = mapped_column(String(60), default="")  # whatsapp, linkedin, Canton Fair
    at: Mapped[datetime]
    minutes: Mapped[int | None]
    summary: Mapped[str] = mapped_column(Text)
    next_plan: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
