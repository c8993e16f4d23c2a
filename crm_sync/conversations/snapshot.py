# SPDX-License-Identifier: GPL-3.0-or-later
"""All that hangs on a conversation, as it was: what a merge or a split by a person is taken back with."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from crm_sync.models.conversations import (
    Activity,
    Conversation,
    ConversationApart,
    ConversationParticipant,
    ConversationPool,
    MessageAnchor,
)
from crm_sync.models.followups import Note, Task
from crm_sync.models.mail import Message, MessageLink
from crm_sync.models.pipeline import Opportunity

MERGE, SPLIT = "merge-conversations", "split-conversation"


class Fields(msgspec.Struct, frozen=True):
    """The columns of a conversation that a merge or a split changes."""

    scope_id: int
    customer_id: int | None
    assignee_id: int | None
    status: str
    last_in_at: datetime | None
    last_out_at: datetime | None
    unanswered_since: datetime | None
    snoozed_until: datetime | None
    likeness_key: str
    merged_into: int | None

    def put(self, conversation: Conversation) -> None:
        """Let the conversation have these."""
        for name in self.__struct_fields__:
            setattr(conversation, name, getattr(self, name))


class Stood(msgspec.Struct, frozen=True):
    """One row of a timeline."""

    id: int
    customer_id: int
    at: datetime
    kind: str
    message_id: int | None
    note_id: int | None
    touch_id: int | None
    task_id: int | None


class Attached(msgspec.Struct, frozen=True):
    """Notes, tasks or opportunities: (key, scope, customer)."""

    kind: str
    rows: tuple[tuple[int, int, int | None], ...]


class Link(msgspec.Struct, frozen=True):
    """Whom a letter concerns."""

    message_id: int
    customer_id: int
    role: str
    reason: str
    decided_by_id: int | None


class Snapshot(msgspec.Struct, frozen=True):
    """A conversation with all that hangs on it."""

    id: int
    fields: Fields
    anchors: tuple[str, ...]
    participants: tuple[tuple[str, bool], ...]  # (address, is named only)
    pools: tuple[int, ...]
    apart: tuple[int, ...]
    messages: tuple[int, ...]
    activities: tuple[Stood, ...]
    links: tuple[Link, ...]
    attached: tuple[Attached, ...]


ATTACHED: dict[str, type[Note] | type[Task] | type[Opportunity]] = {
    "note": Note,
    "task": Task,
    "opportunity": Opportunity,
}


def fields_of(conversation: Conversation) -> Fields:
    """Return the columns as they are."""
    return Fields(**{name: getattr(conversation, name) for name in Fields.__struct_fields__})


def take_snapshot(session: Session, conversation: Conversation) -> Snapshot:
    """Return a locked conversation as it is."""
    key = conversation.id
    people = select(ConversationParticipant.address_key, ConversationParticipant.is_named_only).where(
        ConversationParticipant.conversation_id == key
    )
    apart = select(ConversationApart.conversation_id, ConversationApart.other_id).where(
        or_(ConversationApart.conversation_id == key, ConversationApart.other_id == key)
    )
    return Snapshot(
        id=key,
        fields=fields_of(conversation),
        anchors=tuple(
            session.scalars(
                select(MessageAnchor.id_digest)
                .where(MessageAnchor.conversation_id == key)
                .order_by(MessageAnchor.id_digest)
            )
        ),
        participants=tuple((row[0], row[1]) for row in session.execute(people.order_by("address_key"))),
        pools=tuple(
            session.scalars(
                select(ConversationPool.pool_id).where(ConversationPool.conversation_id == key).order_by("pool_id")
            )
        ),
        apart=tuple(sorted(one if other == key else other for one, other in session.execute(apart))),
        messages=tuple(session.scalars(select(Message.id).where(Message.conversation_id == key).order_by(Message.id))),
        activities=_activities(session, conversation),
        links=_links(session, key),
        attached=tuple(_attached(session, key)),
    )


def _links(session: Session, key: int) -> tuple[Link, ...]:
    columns = [getattr(MessageLink, name) for name in Link.__struct_fields__]
    letters = select(Message.id).where(Message.conversation_id == key)
    wanted = select(*columns).where(MessageLink.message_id.in_(letters))
    return tuple(Link(*row) for row in session.execute(wanted.order_by("message_id", "customer_id")))


def _activities(session: Session, conversation: Conversation) -> tuple[Stood, ...]:
    columns = [getattr(Activity, name) for name in Stood.__struct_fields__]
    letters = select(Message.id).where(Message.conversation_id == conversation.id)
    rows: list[Any] = list(session.execute(select(*columns).where(Activity.message_id.in_(letters))))
    if conversation.customer_id is not None:
        rows += session.execute(
            select(*columns).where(
                Activity.customer_id == conversation.customer_id,
                Activity.conversation_id == conversation.id,
                Activity.message_id.is_(None),
            )
        )
    return tuple(Stood(*row) for row in sorted(rows, key=lambda row: int(row.id)))


def _attached(session: Session, key: int) -> Iterable[Attached]:
    for kind, model in ATTACHED.items():
        wanted = select(model.id, model.scope_id, model.customer_id).where(model.conversation_id == key)
        rows = session.execute(wanted.order_by(model.id))
        yield Attached(kind, tuple((row[0], row[1], row[2]) for row in rows))
