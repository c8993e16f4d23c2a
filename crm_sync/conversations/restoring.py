# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a conversation's rows where they belong: letters, ids, people, timelines."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import and_, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from crm_sync.bulk_rows import insert_rows
from crm_sync.conversations.merging import add_missing_activities
from crm_sync.conversations.snapshot import ATTACHED, Fields, Link, Snapshot, Stood
from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.conversations import (
    Activity,
    ConversationParticipant,
    ConversationPool,
    MessageAnchor,
)
from crm_sync.models.followups import Note
from crm_sync.models.mail import Message, MessageLink
from crm_sync.models.pipeline import StageMove

_MOVE = update(Message).where(among_keys(Message.id))
_MOVE_ACTIVITIES = update(Activity).where(among_keys(Activity.message_id))
_ACTIVITY = table(Activity)
_LINK = MessageLink
_PUT_BACK = update(_ACTIVITY).where(_ACTIVITY.c.id == bindparam("key")).values(customer_id=bindparam("customer"))
_MOVE_NOTES = update(Note).where(among_keys(Note.message_id))
_ACTIVITIES = select(Activity.id, Activity.customer_id, Activity.conversation_id).where(among_keys(Activity.message_id))


def move_letters(session: Session, message_ids: Collection[int], conversation_id: int, scope_id: int) -> None:
    """Let letters, notes on them, and what stands on timelines because of them name that conversation."""
    keys = {"keys": list(message_ids)}
    connection = session.connection()
    connection.execute(_MOVE.values(conversation_id=conversation_id, scope_id=scope_id), keys)
    connection.execute(_MOVE_ACTIVITIES.values(conversation_id=conversation_id), keys)
    connection.execute(_MOVE_NOTES.values(conversation_id=conversation_id, scope_id=scope_id), keys)


def put_anchors(session: Session, conversation_id: int, digests: Collection[str]) -> None:
    """Let these ids, and no others, lead to the conversation."""
    connection = session.connection()
    connection.execute(delete(MessageAnchor).where(MessageAnchor.conversation_id == conversation_id))
    rows = [{"id_digest": digest, "conversation_id": conversation_id} for digest in sorted(digests)]
    insert_rows(connection, table(MessageAnchor), rows)


def put_participants(session: Session, conversation_id: int, people: Mapping[str, bool]) -> None:
    """Let these take part, and no others: address -> is he named only?"""
    connection = session.connection()
    model = ConversationParticipant
    connection.execute(delete(model).where(model.conversation_id == conversation_id))
    rows = [
        {"conversation_id": conversation_id, "address_key": address, "is_named_only": people[address]}
        for address in sorted(people)
    ]
    insert_rows(connection, table(model), rows)


def put_pools(session: Session, conversation_id: int, pools: Collection[int]) -> None:
    """Let the conversation be in these pools, and no others."""
    connection = session.connection()
    connection.execute(delete(ConversationPool).where(ConversationPool.conversation_id == conversation_id))
    rows = [{"conversation_id": conversation_id, "pool_id": pool} for pool in sorted(pools)]
    insert_rows(connection, table(ConversationPool), rows)


def put_timelines(session: Session, before: Snapshot, undone: Fields, newer: Collection[int]) -> None:
    """Let old letters stand on timelines as they stood, newer ones on the customer's, where there is one.

    `undone`: the conversation as the undone step had left it; what that step wrote goes.
    """
    connection = session.connection()
    stood = {one.id: one for one in before.activities}
    written = [
        row.id
        for row in connection.execute(_ACTIVITIES, {"keys": list(before.messages)})
        if row.id not in stood and row.customer_id == undone.customer_id
    ]
    connection.execute(delete(Activity).where(among_keys(Activity.id)), {"keys": written})
    known = set(connection.scalars(select(Activity.id).where(among_keys(Activity.id)), {"keys": list(stood)}))
    back = [{"key": one.id, "customer": one.customer_id} for one in before.activities if one.id in known]
    if back:
        connection.execute(_PUT_BACK.values(conversation_id=before.id), back)
    _write_again(session, before.id, [one for one in before.activities if one.id not in known])
    if newer:
        _move_newer(session, before, undone.customer_id, newer)


def _move_newer(session: Session, before: Snapshot, customer_id: int | None, newer: Collection[int]) -> None:
    connection = session.connection()
    wanted = before.fields.customer_id
    keys = {"keys": list(newer)}
    if wanted is None:
        connection.execute(
            delete(Activity).where(among_keys(Activity.message_id), Activity.customer_id == customer_id), keys
        )
        return
    if customer_id not in (None, wanted):
        theirs = and_(among_keys(Activity.message_id), Activity.customer_id == customer_id)
        already = select(Activity.message_id).where(Activity.customer_id == wanted, Activity.message_id.is_not(None))
        moved = update(Activity).where(theirs, Activity.message_id.not_in(already)).values(customer_id=wanted)
        connection.execute(moved, keys)
        connection.execute(delete(Activity).where(theirs), keys)
    add_missing_activities(session, before.id, wanted)


def _write_again(session: Session, conversation_id: int, rows: Sequence[Stood]) -> None:
    if rows:
        session.connection().execute(
            insert(_ACTIVITY),
            [
                {name: getattr(one, name) for name in Stood.__struct_fields__} | {"conversation_id": conversation_id}
                for one in rows
            ],
        )


def put_links(session: Session, before: Snapshot, undone: Fields, newer: Collection[int]) -> None:
    """Let old letters concern whom they concerned, newer ones the customer; what a person said since stays."""
    connection = session.connection()
    keys = {"keys": list(before.messages)}
    connection.execute(delete(_LINK).where(among_keys(_LINK.message_id), _LINK.decided_by_id.is_(None)), keys)
    said = connection.execute(select(_LINK.message_id, _LINK.customer_id).where(among_keys(_LINK.message_id)), keys)
    known = {(message, customer) for message, customer in said}
    rows = [
        {name: getattr(link, name) for name in Link.__struct_fields__}
        for link in before.links
        if (link.message_id, link.customer_id) not in known
    ]
    insert_rows(connection, table(_LINK), rows)
    wanted = before.fields.customer_id
    if undone.customer_id in (None, wanted):
        return
    theirs = and_(among_keys(_LINK.message_id), _LINK.customer_id == undone.customer_id)
    if wanted is not None:
        already = select(_LINK.message_id).where(_LINK.customer_id == wanted)
        moved = update(_LINK).where(theirs, _LINK.message_id.not_in(already)).values(customer_id=wanted)
        connection.execute(moved, {"keys": list(newer)})
    connection.execute(delete(_LINK).where(theirs), {"keys": list(newer)})


def put_attached(session: Session, before: Snapshot) -> None:
    """Let notes, tasks and opportunities hang where they hung."""
    connection = session.connection()
    for attached in before.attached:
        model = ATTACHED[attached.kind]
        for key, scope_id, customer_id in attached.rows:
            values = {"conversation_id": before.id, "scope_id": scope_id, "customer_id": customer_id}
            connection.execute(update(model).where(model.id == key).values(values))
            if attached.kind == "opportunity":
                moves = update(StageMove).where(StageMove.opportunity_id == key)
                connection.execute(moves.values(customer_id=customer_id))
