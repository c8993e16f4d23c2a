# SPDX-License-Identifier: GPL-3.0-or-later
"""Make one conversation of several while mail is recorded: the oldest stays, every row that hung on the others moves."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from crm_sync.conversations.binding import CLOSED, OPEN, SOLVED, WAITING
from crm_sync.lookups import ConversationState, Lookups
from crm_sync.models.base import table
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
from crm_sync.models.pipeline import Opportunity, StageMove

_ACTIVITY_KINDS = {"inbound": "mail-in", "outbound": "mail-out", "internal": "mail-internal"}
_RANK = (OPEN, WAITING, SOLVED, CLOSED)  # of two, the one with more left to do


def merge_conversations(session: Session, found: Lookups, states: Sequence[ConversationState]) -> ConversationState:
    """Make one of several, given oldest first.  All rows of this transaction must be written before.

    Returns the one that stays.
    """
    kept, *gone = states
    for state in gone:
        if kept.customer_id is None and state.customer_id is not None:
            give_customer(session, kept, state.customer_id, state.scope_id)
        _move_rows(session, found, kept, state)
        kept.participants |= state.participants
        kept.active |= state.active
        kept.pools |= state.pools
        kept.assignee_id = kept.assignee_id or state.assignee_id
        kept.last_in_at, kept.last_out_at, kept.unanswered_since = joined_clocks(kept, state)
        kept.status = min(kept.status, state.status, key=_RANK.index)
        kept.snoozed_until = None if kept.status == OPEN else kept.snoozed_until
        kept.is_changed = True
    return kept


def joined_clocks(
    one: ConversationState | Conversation, other: ConversationState | Conversation
) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Return (last_in_at, last_out_at, unanswered_since) of what two conversations are together."""
    last_in_at = max(filter(None, (one.last_in_at, other.last_in_at)), default=None)
    last_out_at = max(filter(None, (one.last_out_at, other.last_out_at)), default=None)
    waiting = [since for since in (one.unanswered_since, other.unanswered_since) if since is not None]
    left = [since for since in waiting if last_out_at is None or since > last_out_at]
    if waiting and not left and last_in_at is not None and last_out_at is not None and last_in_at > last_out_at:
        left = [last_in_at]
    return last_in_at, last_out_at, min(left, default=None)


def give_customer(session: Session, state: ConversationState, customer_id: int, scope_id: int) -> None:
    """The other side became a customer: what was said before belongs to him and is seen by whom he belongs to."""
    before = state.customer_id
    state.customer_id, state.scope_id, state.is_changed = customer_id, scope_id, True
    move_to_customer(session, state.id, before, customer_id, scope_id)


def move_to_customer(
    session: Session, conversation_id: int, before: int | None, customer_id: int | None, scope_id: int
) -> None:
    """Let mail, notes, tasks and deals of a conversation hang on that scope, and stand on that customer's timeline."""
    connection = session.connection()
    connection.execute(update(Message).where(Message.conversation_id == conversation_id).values(scope_id=scope_id))
    for model in (Note, Task):
        connection.execute(
            update(model)
            .where(model.conversation_id == conversation_id)
            .values(scope_id=scope_id, customer_id=customer_id)
        )
    if customer_id is not None:
        deals = select(Opportunity.id).where(Opportunity.conversation_id == conversation_id)
        moves = update(StageMove).where(StageMove.opportunity_id.in_(deals)).values(customer_id=customer_id)
        connection.execute(moves)
        connection.execute(
            update(Opportunity)
            .where(Opportunity.conversation_id == conversation_id)
            .values(scope_id=scope_id, customer_id=customer_id)
        )
    if before is not None and before != customer_id:
        stood = timeline_of(conversation_id, before)
        if customer_id is None:
            connection.execute(delete(Activity).where(stood))
        else:
            connection.execute(update(Activity).where(stood).values(customer_id=customer_id))
        _move_links(session, conversation_id, before, customer_id)
    if customer_id is not None:
        add_missing_activities(session, conversation_id, customer_id)
        _add_missing_links(session, conversation_id, customer_id)


def timeline_of(conversation_id: int, customer_id: int) -> ColumnElement[bool]:
    """Return the condition of what stands on a customer's timeline because of a conversation."""
    letters = select(Message.id).where(Message.conversation_id == conversation_id)
    return and_(
        Activity.customer_id == customer_id,
        or_(
            Activity.message_id.in_(letters),
            and_(Activity.message_id.is_(None), Activity.conversation_id == conversation_id),
        ),
    )


def add_missing_activities(session: Session, conversation_id: int, customer_id: int) -> None:
    """Put those letters of a conversation on the customer's timeline that do not stand there."""
    known = select(Activity.id).where(Activity.message_id == Message.id, Activity.customer_id == customer_id)
    for direction, kind in _ACTIVITY_KINDS.items():
        missing = select(literal(customer_id), Message.at, literal(kind), Message.id, Message.conversation_id).where(
            Message.conversation_id == conversation_id, Message.direction == direction, ~known.exists()
        )
        session.connection().execute(
            insert(table(Activity)).from_select(
                ["customer_id", "at", "kind", "message_id", "conversation_id"], missing.order_by(Message.id)
            )
        )


def _move_links(session: Session, conversation_id: int, before: int, customer_id: int | None) -> None:
    letters = select(Message.id).where(Message.conversation_id == conversation_id)
    linked = and_(MessageLink.message_id.in_(letters), MessageLink.customer_id == before)
    already = select(MessageLink.message_id).where(MessageLink.customer_id == customer_id)
    connection = session.connection()
    if customer_id is not None:
        connection.execute(
            update(MessageLink)
            .where(linked, MessageLink.message_id.not_in(already))
            .values(customer_id=customer_id, reason="conversation")
        )
    connection.execute(delete(MessageLink).where(linked))


def _add_missing_links(session: Session, conversation_id: int, customer_id: int) -> None:
    """Link those letters of a conversation to the customer that are not linked to him."""
    known = select(MessageLink.message_id).where(
        MessageLink.message_id == Message.id, MessageLink.customer_id == customer_id
    )
    missing = select(Message.id, literal(customer_id), literal("party"), literal("conversation")).where(
        Message.conversation_id == conversation_id, ~known.exists()
    )
    session.connection().execute(
        insert(table(MessageLink)).from_select(["message_id", "customer_id", "role", "reason"], missing)
    )


def _move_rows(session: Session, found: Lookups, kept: ConversationState, gone: ConversationState) -> None:
    connection = session.connection()
    _move_participants(session, kept, gone)
    for model, column in ((MessageAnchor, MessageAnchor.id_digest), (ConversationPool, ConversationPool.pool_id)):
        already = select(column).where(model.conversation_id == kept.id)
        connection.execute(delete(model).where(model.conversation_id == gone.id, column.in_(already)))
        connection.execute(update(model).where(model.conversation_id == gone.id).values(conversation_id=kept.id))
    move_apart(session, kept.id, gone.id)
    rename_conversation(session, gone.id, kept.id, gone.customer_id)
    move_to_customer(session, kept.id, gone.customer_id, kept.customer_id, kept.scope_id)
    connection.execute(
        update(Conversation)
        .where(Conversation.id == gone.id)
        .values(
            merged_into=kept.id,
            status=CLOSED,
            assignee_id=None,
            snoozed_until=None,
            unanswered_since=None,
            likeness_key="",
            version=Conversation.version + 1,
        )
    )
    for hits in (*found.anchors.values(), *found.carriers.values()):
        if gone.id in hits:
            hits.discard(gone.id)
            hits.add(kept.id)
    for key, message in found.messages.items():
        if message.conversation_id == gone.id:
            found.messages[key] = type(message)(message.id, kept.id)
    del found.conversations[gone.id]


def rename_conversation(session: Session, gone_id: int, kept_id: int, customer_id: int | None) -> None:
    """Let letters, notes, tasks, opportunities and what stands on timelines name another conversation."""
    connection = session.connection()
    letters = select(Message.id).where(Message.conversation_id == gone_id)
    connection.execute(update(Activity).where(Activity.message_id.in_(letters)).values(conversation_id=kept_id))
    if customer_id is not None:
        connection.execute(
            update(Activity)
            .where(
                Activity.customer_id == customer_id,
                Activity.conversation_id == gone_id,
                Activity.message_id.is_(None),
            )
            .values(conversation_id=kept_id)
        )
    for model in (Message, Note, Task, Opportunity):
        connection.execute(update(model).where(model.conversation_id == gone_id).values(conversation_id=kept_id))


def _move_participants(session: Session, kept: ConversationState, gone: ConversationState) -> None:
    connection = session.connection()
    model = ConversationParticipant
    both = kept.participants & gone.participants
    acted = sorted((both & gone.active) - kept.active)
    if acted:
        connection.execute(
            update(model)
            .where(model.conversation_id == kept.id, model.address_key.in_(acted))
            .values(is_named_only=False)
        )
    connection.execute(delete(model).where(model.conversation_id == gone.id, model.address_key.in_(sorted(both))))
    connection.execute(update(model).where(model.conversation_id == gone.id).values(conversation_id=kept.id))


def move_apart(session: Session, kept_id: int, gone_id: int) -> None:
    """What a person split from the one that goes is split from the one that stays."""
    model = ConversationApart
    concerned = or_(model.conversation_id == gone_id, model.other_id == gone_id)
    pairs = session.execute(select(model.conversation_id, model.other_id).where(concerned)).all()
    if not pairs:
        return
    session.connection().execute(delete(model).where(concerned))
    others = {one if other == gone_id else other for one, other in pairs} - {kept_id}
    for pair in sorted((min(kept_id, other), max(kept_id, other)) for other in others):
        known = select(model).where(and_(model.conversation_id == pair[0], model.other_id == pair[1]))
        if session.scalars(known).first() is None:
            session.connection().execute(insert(table(model)), [{"conversation_id": pair[0], "other_id": pair[1]}])
