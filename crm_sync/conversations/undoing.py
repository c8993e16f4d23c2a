# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a merge or a split by a person back: all is as it was, and mail that came since goes where it answers to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
from sqlalchemy import SQLColumnExpression, delete, select, update
from sqlalchemy.orm import Session

from crm_sync.admission import NotAllowed, NotFound
from crm_sync.advisory_locks import RECORDING, hold_for_transaction
from crm_sync.conversations.access import check_may, lock_by_key
from crm_sync.conversations.binding import CLOSED, OPEN, WAITING
from crm_sync.conversations.letters_of import LetterOf, last_at, people_of, read_letters_of
from crm_sync.conversations.merging import joined_clocks, move_apart
from crm_sync.conversations.request import Request, load_of
from crm_sync.conversations.restoring import (
    move_letters,
    put_anchors,
    put_attached,
    put_links,
    put_participants,
    put_pools,
    put_timelines,
)
from crm_sync.conversations.snapshot import MERGE, SPLIT, Fields, Snapshot, fields_of, take_snapshot
from crm_sync.models.conversations import Conversation, ConversationApart, ConversationSuggestion
from crm_sync.models.customers import Customer
from crm_sync.models.followups import Note, Task
from crm_sync.models.operations import Operation
from crm_sync.policy_store import fetch_policy
from crm_sync.rights import Action, Entity, Viewer, may
from tradepost.verdict import Direction

_LONGEST_ID = 26


class CannotUndo(NotAllowed):
    """What came since stands in the way.  One line: what, and what to take back first."""


class _Undo(msgspec.Struct, frozen=True):
    """What an operation keeps: `before` as it was, `after` the columns of what stayed; of a split, what it made."""

    before: tuple[Snapshot, ...]
    after: Fields
    new: int | None = None
    split: tuple[int, ...] = ()


def undo_operation(session: Session, viewer: Viewer, operation_id: str, now: datetime) -> None:
    """Take a merge or split back.  Raises NotFound, NotAllowed, CannotUndo."""
    hold_for_transaction(session.connection(), RECORDING)
    operation = _find(session, viewer, operation_id)
    if operation.undone_at is not None:
        raise CannotUndo(f"{operation_id}: was taken back already")
    undo = msgspec.convert(operation.undo, _Undo)
    request = Request(session, now, viewer.actor_id)
    if operation.kind == MERGE:
        touched = _undo_merge(session, viewer, undo, request)
    else:
        touched = _undo_split(session, viewer, undo, request)
    operation.undone_at, operation.undone_by = now, viewer.actor_id
    for conversation in touched:
        conversation.version += 1
        request.recount(None, load_of(conversation))
        request.note("undone", conversation, operation=operation.public_id, kind=operation.kind)
    request.finish(touched)


def _find(session: Session, viewer: Viewer, operation_id: str) -> Operation:
    is_id = operation_id.isalnum() and operation_id.isascii() and len(operation_id) <= _LONGEST_ID
    wanted = select(Operation).where(
        Operation.public_id == (operation_id if is_id else ""),
        Operation.kind.in_((MERGE, SPLIT)),
        may(viewer, Entity.MESSAGE, Action.SEE, cast(SQLColumnExpression[int], Operation.scope_id)),
    )
    found = session.scalars(wanted.with_for_update()).one_or_none()
    if found is None:
        raise NotFound(f"operation {operation_id[:60]!r}: there is none that {viewer.actor} may see")
    return found


def _undo_merge(session: Session, viewer: Viewer, undo: _Undo, request: Request) -> list[Conversation]:
    old_kept, old_gone = undo.before
    kept, gone = lock_by_key(session, old_kept.id), lock_by_key(session, old_gone.id)
    check_may(session, viewer, kept, Action.EDIT)
    _check_stands(session, kept)
    if gone.merged_into != kept.id:
        raise CannotUndo(f"{gone.public_id}: is part of {kept.public_id} no more")
    _check_customers(session, undo)
    now = take_snapshot(session, kept)
    _check_complete(kept, {*old_kept.messages, *old_gone.messages}, now.messages)
    request.recount(load_of(kept), None)
    newer = sorted(set(now.messages) - {*old_kept.messages, *old_gone.messages})
    sides, is_bridged = _sides(session, old_kept, old_gone, newer)
    joined_since = set(now.pools) - {*old_kept.pools, *old_gone.pools}
    gone_fields = old_gone.fields
    for one, letters, pools in ((old_gone, sides[1], set[int]()), (old_kept, sides[0], joined_since)):
        move_letters(session, [*one.messages, *(letter.id for letter in letters)], one.id, one.fields.scope_id)
        _put_rows(session, one, letters, pools | set(one.pools), undo.after)
    gone_fields.put(gone)
    _put_fields(kept, old_kept.fields, undo.after)
    if newer:
        kept.last_in_at, kept.last_out_at = old_kept.fields.last_in_at, old_kept.fields.last_out_at
        kept.unanswered_since = old_kept.fields.unanswered_since
        _move_clocks(kept, sides[0])
        _move_clocks(gone, sides[1])
    _hang_newer(session, kept)
    _put_apart(session, undo.before, now, is_bridged)
    _decline(session, kept.id, gone.id, request)
    return [kept, gone]


def _undo_split(session: Session, viewer: Viewer, undo: _Undo, request: Request) -> list[Conversation]:
    [old] = undo.before
    assert undo.new is not None
    first, second = (lock_by_key(session, key) for key in sorted((old.id, undo.new)))
    kept, new = (first, second) if first.id == old.id else (second, first)
    for conversation in (kept, new):
        check_may(session, viewer, conversation, Action.EDIT)
        _check_stands(session, conversation)
    _check_customers(session, undo)
    now, other = take_snapshot(session, kept), take_snapshot(session, new)
    _check_complete(new, set(undo.split), other.messages)
    _check_complete(kept, set(old.messages) - set(undo.split), now.messages)
    for conversation in (kept, new):
        request.recount(load_of(conversation), None)
    newer = sorted({*now.messages, *other.messages} - set(old.messages))
    letters = read_letters(session, newer)
    since = ({*now.pools, *other.pools} - set(old.pools)) if newer else set()
    put_anchors(session, new.id, ())
    put_participants(session, new.id, {})
    put_pools(session, new.id, ())
    move_letters(session, [*old.messages, *newer], old.id, old.fields.scope_id)
    undone = undo.after
    _put_rows(session, old, letters, since | set(old.pools), fields_of(new) if new.customer_id else undone)
    for model in (Note, Task):
        session.execute(
            update(model)
            .where(model.conversation_id == new.id)
            .values(conversation_id=old.id, scope_id=old.fields.scope_id, customer_id=old.fields.customer_id)
        )
    clocks = joined_clocks(kept, new)
    _put_fields(kept, old.fields, undone)
    if newer:
        kept.last_in_at, kept.last_out_at, kept.unanswered_since = clocks
    pair = (min(old.id, new.id), max(old.id, new.id))
    session.execute(
        delete(ConversationApart).where(
            ConversationApart.conversation_id == pair[0], ConversationApart.other_id == pair[1]
        )
    )
    move_apart(session, kept.id, new.id)
    new.merged_into, new.status, new.assignee_id = kept.id, CLOSED, None
    new.snoozed_until = new.unanswered_since = None
    return [kept, new]


def read_letters(session: Session, message_ids: Sequence[int]) -> list[LetterOf]:
    """Return letters with the people in them, oldest first."""
    return read_letters_of(session, fetch_policy(session).policy, message_ids) if message_ids else []


def _check_stands(session: Session, conversation: Conversation) -> None:
    if conversation.merged_into is not None:
        into = session.get_one(Conversation, conversation.merged_into).public_id
        raise CannotUndo(f"{conversation.public_id}: was merged into {into} since; take that back first")


def _check_complete(conversation: Conversation, wanted: set[int], found: Sequence[int]) -> None:
    if wanted - set(found):
        raise CannotUndo(f"{conversation.public_id}: mails of it were split off since; take that back first")


def _check_customers(session: Session, undo: _Undo) -> None:
    keys = {one.fields.customer_id for one in undo.before} - {None}
    gone = session.scalars(
        select(Customer.name).where(Customer.id.in_(keys), Customer.merged_into.is_not(None))
    ).first()
    if gone is not None:
        raise CannotUndo("a customer of these conversations was merged into another since; take that back first")


def _sides(
    session: Session, kept: Snapshot, gone: Snapshot, newer: Sequence[int]
) -> tuple[tuple[list[LetterOf], list[LetterOf]], bool]:
    """Deal newer letters out: (to the one that stayed, to the one that comes back), and does one name ids of both?

    The newest id that one names decides, else it stays.
    """
    if not newer:
        return ([], []), False
    carried = [
        {letter.own for letter in read_letters(session, one.messages)} - {""} | (set(one.anchors) - set(two.anchors))
        for one, two in ((kept, gone), (gone, kept))
    ]
    sides: tuple[list[LetterOf], list[LetterOf]] = ([], [])
    is_bridged = False
    for letter in read_letters(session, newer):
        named = [digest for digest in (*(letter.named or ()), letter.own) if digest]
        hits = [number for digest in named for number in (0, 1) if digest in carried[number]]
        side = hits[0] if hits else 0
        is_bridged = is_bridged or len(set(hits)) == 2
        sides[side].append(letter)
        carried[side] |= letter.digests - carried[1 - side]
    return sides, is_bridged


def _put_rows(session: Session, before: Snapshot, newer: Sequence[LetterOf], pools: set[int], undone: Fields) -> None:
    digests = set(before.anchors).union(*(letter.digests for letter in newer))
    people = dict(before.participants)
    for address, is_named_only in people_of(newer).items():
        people[address] = people.get(address, True) and is_named_only
    put_anchors(session, before.id, digests)
    put_participants(session, before.id, people)
    put_pools(session, before.id, pools)
    put_timelines(session, before, undone, [letter.id for letter in newer])
    put_links(session, before, undone, [letter.id for letter in newer])
    put_attached(session, before)


def _put_fields(conversation: Conversation, before: Fields, after: Fields) -> None:
    """Let each column be what it was, unless somebody changed it since."""
    for name in Fields.__struct_fields__:
        if getattr(conversation, name) == getattr(after, name):
            setattr(conversation, name, getattr(before, name))


def _move_clocks(conversation: Conversation, newer: Sequence[LetterOf]) -> None:
    """Let letters that came since tell what they would have told."""
    theirs, ours = last_at(newer, Direction.INBOUND), last_at(newer, Direction.OUTBOUND)
    conversation.last_in_at = max(filter(None, (conversation.last_in_at, theirs)), default=None)
    conversation.last_out_at = max(filter(None, (conversation.last_out_at, ours)), default=None)
    last_in_at, last_out_at = conversation.last_in_at, conversation.last_out_at
    if theirs is not None and theirs == last_in_at and (last_out_at is None or last_out_at < theirs):
        conversation.unanswered_since = conversation.unanswered_since or theirs
        conversation.status, conversation.snoozed_until = OPEN, None
    elif ours is not None and ours == last_out_at:
        conversation.unanswered_since = None
        conversation.status = WAITING if conversation.status == OPEN else conversation.status


def _hang_newer(session: Session, kept: Conversation) -> None:
    """What was noted on the one that stayed hangs on its scope."""
    for model in (Note, Task):
        session.execute(
            update(model)
            .where(model.conversation_id == kept.id)
            .values(scope_id=kept.scope_id, customer_id=kept.customer_id)
        )


def _put_apart(session: Session, before: Sequence[Snapshot], now: Snapshot, is_bridged: bool) -> None:
    """What was split stays split: from whom each had been, and from one another where mail since would join them."""
    kept, gone = before
    wanted = {(min(one.id, other), max(one.id, other)) for one in before for other in one.apart}
    since = set(now.apart) - {*kept.apart, *gone.apart}
    wanted |= {(min(kept.id, other), max(kept.id, other)) for other in since}
    if is_bridged:
        wanted.add((min(kept.id, gone.id), max(kept.id, gone.id)))
    model = ConversationApart
    for key in (kept.id, gone.id):
        session.execute(delete(model).where((model.conversation_id == key) | (model.other_id == key)))
    session.add_all(model(conversation_id=low, other_id=high) for low, high in sorted(wanted))
    session.flush()


def _decline(session: Session, low: int, high: int, request: Request) -> None:
    """Whoever takes a merge back says that they are not one: it is not suggested again."""
    suggestion = ConversationSuggestion
    values: dict[str, Any] = {"state": "declined", "decided_at": request.now, "decided_by": request.actor_id}
    session.execute(
        update(suggestion).where(suggestion.conversation_id == low, suggestion.other_id == high).values(values)
    )
