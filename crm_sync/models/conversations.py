# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs together: conversations, the ids that lead to them, who takes part, and what happened when."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base

_WAITS = text("unanswered_since IS NOT NULL")
_ALIKE = text("likeness_key <> ''")


class Conversation(Base):
    """A thread of mail with one party.  `assignee_id` is who does the work; the customer's owner is another field.

    `merged_into` is set when mail, or a person, showed later that two were one; the older one stays.  A person's load is
    what is open and his.
    """

    __tablename__ = "conversation"
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(26), unique=True)
    scope_id: Mapped[int] = mapped_column(ForeignKey("scope.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    status: Mapped[str] = mapped_column(String(10), default="open")  # open | waiting (for them) | solved | closed
    subject: Mapped[str] = mapped_column(Text, default="")
    opened_at: Mapped[datetime]
    last_in_at: Mapped[datetime | None]
    last_out_at: Mapped[datetime | None]
    unanswered_since: Mapped[datetime | None]  # the first mail of theirs that nobody answered yet
    snoozed_until: Mapped[datetime | None]
    # Of subject and sender's company (crm_sync.conversations.likeness); "": like none.
    likeness_key: Mapped[str] = mapped_column(String(32), default="", server_default="")
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("conversation.id"))
    version: Mapped[int] = mapped_column(default=1)
    __table_args__ = (
        Index(None, "assignee_id", "status"),
        Index(None, "status", "last_in_at"),
        Index("ix_conversation_unanswered", "unanswered_since", "id", sqlite_where=_WAITS, postgresql_where=_WAITS),
        Index("ix_conversation_alike", "likeness_key", "id", sqlite_where=_ALIKE, postgresql_where=_ALIKE),
    )


class ConversationPool(Base):
    """A pool that a conversation belongs to; mail to two pools makes one conversation in both."""

    __tablename__ = "conversation_pool"
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"), primary_key=True)
    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id"), primary_key=True, index=True)


class ConversationParticipant(Base):
    """An outside address that took part: only from such a one (or his company) does a reference bind.

    `is_named_only`: he never wrote and we never wrote to him; somebody outside named him, as a forger could.
    """

    __tablename__ = "conversation_participant"
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"), primary_key=True)
    address_key: Mapped[str] = mapped_column(String(320), primary_key=True)
    is_named_only: Mapped[bool] = mapped_column(default=False, server_default=false())


class ConversationApart(Base):
    """Two conversations that a person split: no mail makes them one again.  The lower key comes first."""

    __tablename__ = "conversation_apart"
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"), primary_key=True)
    other_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"), primary_key=True, index=True)


class ConversationSuggestion(Base):
    """Two conversations that may be one; the lower key comes first.  What was declined stays, so that it never comes back."""

    __tablename__ = "conversation_suggestion"
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    other_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"), index=True)
    reason: Mapped[str] = mapped_column(String(40))  # kebab-case: same-subject
    state: Mapped[str] = mapped_column(String(10), default="open")  # open | accepted | declined
    at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    __table_args__ = (
        UniqueConstraint("conversation_id", "other_id"),
        Index(None, "state", "id"),
    )


class MessageAnchor(Base):
    """An id that leads to a conversation: one row for a message's own id and one for each id it refers to.

    An id may lead to several conversations: a forger or a careless device can use somebody else's.  Who is asking
    decides then, by the participants.
    """

    __tablename__ = "message_anchor"
    id_digest: Mapped[str] = mapped_column(String(32), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"), primary_key=True, index=True)


class Event(Base):
    """Append-only: what happened to a conversation or a customer, and why.

    `cause_id` is an entry id or the id of a request; one request may do the same step to many records, which `subject` tells
    apart (`customer:12`).
    """

    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    cause_id: Mapped[str] = mapped_column(String(40))
    step: Mapped[str] = mapped_column(String(40))  # kebab-case kind: opened, assigned, merged, owner-differs ...
    subject: Mapped[str] = mapped_column(String(60), default="", server_default="")
    at: Mapped[datetime]
    conversation_id: Mapped[int | None] = mapped_column(ForeignKey("conversation.id"))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))  # who did it; None: the program, or root
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    __table_args__ = (
        UniqueConstraint("cause_id", "step", "subject"),
        Index(None, "conversation_id", "id"),
        Index(None, "customer_id", "id"),
    )


class Activity(Base):
    """One narrow row per item of a customer's timeline."""

    __tablename__ = "activity"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(20))  # mail-in | mail-out | mail-internal | note | touch | task
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"), index=True)
    conversation_id: Mapped[int | None] = mapped_column(ForeignKey("conversation.id"))
    note_id: Mapped[int | None] = mapped_column(ForeignKey("note.id"))
    touch_id: Mapped[int | None] = mapped_column(ForeignKey("touch.id"))
    task_id: Mapped[int | None] = mapped_column(ForeignKey("task.id"))
    __table_args__ = (Index(None, "customer_id", "at", "id"),)
