# SPDX-License-Identifier: GPL-3.0-or-later
"""Which conversation a mail belongs to.  A reference binds only for those who took part; several hits become one."""

from collections.abc import Sequence

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from crm_sync.lookups import ConversationState, Lookups
from crm_sync.matching import is_known_participant
from crm_sync.models.base import table
from crm_sync.models.conversations import (
    Activity,
    Conversation,
    ConversationParticipant,
    ConversationPool,
    MessageAnchor,
)
from crm_sync.models.mail import Message

OPEN, CLOSED = "open", "closed"


def bound_conversations(
    found: Lookups, own: str, references: Sequence[str], parties: Sequence[str], *, is_internal: bool
) -> list[ConversationState]:
    """Return the conversations that a new letter with these id digests really belongs to, oldest first.

    A stranger who learned or guessed an id gets a conversation of his own (traps 9 and 10).  Among ourselves everybody
    is a participant.
    """
    bound: dict[int, ConversationState] = {}
    for digest in (own, *references):
        states = [
            state
            for state in found.conversations_of(digest)
            if is_internal or is_known_participant(parties, state.participants)
        ]
        carriers = found.carriers.get(digest, set())
        if digest == own:
            # Another letter carries this id already (trap 47): where it lies says nothing about this one.
            states = [state for state in states if state.id not in carriers]
        elif digest in found.ids_repeated:
            # An answer to one of several letters of the same id: most likely the newest is meant.
            newest = max((state.id for state in states if state.id in carriers), default=None)
            states = [state for state in states if state.id == newest or state.id not in carriers]
        bound.update((state.id, state) for state in states)
    return [bound[key] for key in sorted(bound)]


def merge_conversations(session: Session, found: Lookups, states: Sequence[ConversationState]) -> ConversationState:
    """Make one of several, the oldest stays; every row that hung on the others hangs on it then.

    All rows of this transaction must be written before.  Returns the one that stays.
    """
    kept, *gone = states
    for state in gone:
        _move_rows(session, found, kept, state)
        kept.participants |= state.participants
        kept.pools |= state.pools
        kept.assignee_id = kept.assignee_id or state.assignee_id
        if kept.customer_id is None and state.customer_id is not None:
            give_customer(session, kept, state.customer_id, state.scope_id)
        kept.last_in_at = max(filter(None, (kept.last_in_at, state.last_in_at)), default=None)
        kept.last_out_at = max(filter(None, (kept.last_out_at, state.last_out_at)), default=None)
        if state.status == OPEN:
            kept.status = OPEN
        kept.is_changed = True
    return kept


def give_customer(session: Session, state: ConversationState, customer_id: int, scope_id: int) -> None:
    """The other side became a customer: what was said before belongs to him and is seen by whom he belongs to."""
    state.customer_id, state.scope_id, state.is_changed = customer_id, scope_id, True
    session.connection().execute(update(Message).where(Message.conversation_id == state.id).values(scope_id=scope_id))


def _move_rows(session: Session, found: Lookups, kept: ConversationState, gone: ConversationState) -> None:
    connection = session.connection()
    for model, column in (
        (MessageAnchor, MessageAnchor.id_digest),
        (ConversationParticipant, ConversationParticipant.address_key),
        (ConversationPool, ConversationPool.pool_id),
    ):
        keys = select(column).where(model.conversation_id == gone.id)
        already = select(column).where(model.conversation_id == kept.id)
        missing = keys.where(column.not_in(already))
        moved = [{"conversation_id": kept.id, column.key: key} for key in session.scalars(missing)]
        connection.execute(delete(model).where(model.conversation_id == gone.id))
        if moved:
            connection.execute(insert(table(model)), moved)
    connection.execute(
        update(Message)
        .where(Message.conversation_id == gone.id)
        .values(conversation_id=kept.id, scope_id=kept.scope_id)
    )
    connection.execute(update(Activity).where(Activity.conversation_id == gone.id).values(conversation_id=kept.id))
    connection.execute(
        update(Conversation)
        .where(Conversation.id == gone.id)
        .values(merged_into=kept.id, status=CLOSED, assignee_id=None, version=Conversation.version + 1)
    )
    for hits in (*found.anchors.values(), *found.carriers.values()):
        if gone.id in hits:
            hits.discard(gone.id)
            hits.add(kept.id)
    for key, message in found.messages.items():
        if message.conversation_id == gone.id:
            found.messages[key] = type(message)(message.id, kept.id)
    del found.conversations[gone.id]
