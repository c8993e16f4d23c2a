# SPDX-License-Identifier: GPL-3.0-or-later
"""Who does the work of a conversation, and what state it is in: assign, claim, release, status, snooze."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotAllowed
from crm_sync.conversations.access import lock_conversation, may_do
from crm_sync.conversations.binding import OPEN, STATUSES, WAITING
from crm_sync.conversations.request import Request, load_of
from crm_sync.models.conversations import Conversation, ConversationPool
from crm_sync.models.customers import Scope
from crm_sync.models.people import Person, PoolMember
from crm_sync.rights import Action, Entity, Reach, Viewer, role_rights
from crm_sync.timers import claim_due, database_now, finish, schedule
from tradepost.addresses import address_key

WAKE = "wake-conversation"
_LONGEST_SNOOZE = timedelta(days=366)
_LONGEST_REASON = 300
_WOKEN_AT_ONCE = 50


def assign_conversation(
    session: Session, viewer: Viewer, public_id: str, email: str, now: datetime, *, version: int | None = None
) -> None:
    """Let a colleague do the work.  Raises NotFound, NotAllowed, Outdated, InvalidValue."""
    conversation = lock_conversation(session, viewer, public_id, Action.ASSIGN, version=version)
    person = _worker(session, email)
    _give(session, viewer, conversation, person.id, "assigned", now)


def claim_conversation(session: Session, viewer: Viewer, public_id: str, now: datetime) -> None:
    """Take up the work that nobody has: as a member of its pool, or who may edit it.  The first one gets it.

    Raises NotFound; NotAllowed, naming the one who has it.
    """
    conversation = lock_conversation(session, viewer, public_id, Action.SEE)
    if conversation.assignee_id is not None:
        if conversation.assignee_id == viewer.person_id:
            return
        taken = session.scalars(select(Person).where(Person.id == conversation.assignee_id)).one()
        raise NotAllowed(f"conversation {conversation.public_id}: {taken.name or taken.email} works on it already")
    if not viewer.person_id:
        raise NotAllowed(f"{viewer.actor} does no work on conversations; say for whom with --as, or assign it")
    if not _may_claim(session, viewer, conversation):
        raise NotAllowed(f"conversation {conversation.public_id}: {viewer.actor} is in none of its pools")
    _give(session, viewer, conversation, viewer.person_id, "claimed", now)


def release_conversation(
    session: Session, viewer: Viewer, public_id: str, now: datetime, *, version: int | None = None
) -> None:
    """Give the work back: whose it is, or who may assign.  Raises NotFound, NotAllowed, Outdated."""
    conversation = lock_conversation(session, viewer, public_id, Action.SEE, version=version)
    is_his = conversation.assignee_id is not None and conversation.assignee_id == viewer.person_id
    if not is_his and not may_do(session, viewer, conversation, Action.ASSIGN):
        raise NotAllowed(
            f"conversation {conversation.public_id}: {viewer.actor} does not work on it and may not assign it"
        )
    _give(session, viewer, conversation, None, "released", now)


def set_conversation_status(
    session: Session,
    viewer: Viewer,
    public_id: str,
    status: str,
    now: datetime,
    *,
    reason: str = "",
    version: int | None = None,
) -> None:
    """Say what state it is in: open, waiting, solved, closed.  Raises NotFound, NotAllowed, Outdated, InvalidValue."""
    if status not in STATUSES:
        raise InvalidValue(f"status {status[:40]!r}: there is none; there are {', '.join(STATUSES)}")
    conversation = lock_conversation(session, viewer, public_id, Action.EDIT, version=version)
    said = _checked_reason(reason)
    before = conversation.status
    if before == status and conversation.snoozed_until is None:
        return
    with _changing(session, viewer.actor_id, conversation, now) as request:
        _put(conversation, status)
        request.note("status-changed", conversation, before=before, status=status, **({"reason": said} if said else {}))


def snooze_conversation(
    session: Session, viewer: Viewer, public_id: str, until: datetime, now: datetime, *, version: int | None = None
) -> None:
    """Put it aside until a time, or until the customer writes.  Raises NotFound, NotAllowed, Outdated, InvalidValue."""
    if not now < until <= now + _LONGEST_SNOOZE:
        raise InvalidValue("a conversation is snoozed until a time to come, within a year")
    conversation = lock_conversation(session, viewer, public_id, Action.EDIT, version=version)
    with _changing(session, viewer.actor_id, conversation, now) as request:
        before = conversation.status
        _put(conversation, WAITING)
        conversation.snoozed_until = until
        schedule(session, WAKE, str(conversation.id), until)
        request.note("snoozed", conversation, before=before, until=until.isoformat())


def wake_conversations(session: Session, now: datetime) -> int:
    """Open again what was put aside until now; return how many."""
    timers = claim_due(session, (WAKE,), _WOKEN_AT_ONCE)
    time = database_now(session)
    # Whoever snoozes holds the conversation and waits for the timer: one that somebody holds is left for the next look.
    free = (
        select(Conversation)
        .where(Conversation.id.in_([int(timer.ref) for timer in timers]))
        .order_by(Conversation.id)
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    found = session.scalars(free).all()
    # The customer may have written first, or it was merged; then there is nothing left to do.
    due = [one for one in found if one.snoozed_until is not None and one.snoozed_until <= time]
    held = {str(one.id) for one in found}
    request = Request(session, now, None)
    for conversation in due:
        load, before = load_of(conversation), conversation.status
        _put(conversation, OPEN)
        conversation.version += 1
        request.recount(load, load_of(conversation))
        request.note("woken", conversation, before=before)
    for timer in timers:
        if timer.ref in held:
            finish(session, timer)
    if due:
        request.finish(due)
    return len(due)


@contextmanager
def _changing(session: Session, actor_id: int | None, conversation: Conversation, now: datetime) -> Iterator[Request]:
    """Change one locked conversation: its version, load, share and directory keys follow."""
    request = Request(session, now, actor_id)
    before = load_of(conversation)
    yield request
    conversation.version += 1
    request.recount(before, load_of(conversation))
    request.finish([conversation])


def _put(conversation: Conversation, status: str) -> None:
    conversation.status = status
    conversation.snoozed_until = None
    if status != OPEN:
        conversation.unanswered_since = None
    elif conversation.unanswered_since is None and conversation.last_in_at is not None:
        is_news = conversation.last_out_at is None or conversation.last_out_at < conversation.last_in_at
        conversation.unanswered_since = conversation.last_in_at if is_news else None


def _give(
    session: Session, viewer: Viewer, conversation: Conversation, person_id: int | None, step: str, now: datetime
) -> None:
    before = conversation.assignee_id
    if before == person_id:
        return
    keys = [key for key in (before, person_id) if key is not None]
    emails = {key: email for key, email in session.execute(select(Person.id, Person.email).where(Person.id.in_(keys)))}
    with _changing(session, viewer.actor_id, conversation, now) as request:
        conversation.assignee_id = person_id
        request.note(
            step,
            conversation,
            before=None if before is None else emails[before],
            person=None if person_id is None else emails[person_id],
        )


def _worker(session: Session, email: str) -> Person:
    key = address_key(email) if email.isprintable() else ""
    person = session.scalars(select(Person).where(Person.email == key, Person.left_at.is_(None))).one_or_none()
    if person is None:
        raise InvalidValue(f"{email[:60]!r}: is no registered person; 'tradepost person list' names them")
    if role_rights(session, person.role).get((Entity.MESSAGE, Action.EDIT), Reach.NONE) is Reach.NONE:
        raise InvalidValue(f"{person.email}: as {person.role} may do nothing with mail; assign it to somebody who may")
    return person


def _may_claim(session: Session, viewer: Viewer, conversation: Conversation) -> bool:
    if viewer.reach(Entity.MESSAGE, Action.EDIT) is Reach.NONE:
        return False
    mine = select(PoolMember.pool_id).where(PoolMember.person_id == viewer.person_id)
    in_pool = select(ConversationPool.pool_id).where(
        ConversationPool.conversation_id == conversation.id, ConversationPool.pool_id.in_(mine)
    )
    of_scope = select(Scope.pool_id).where(Scope.id == conversation.scope_id, Scope.pool_id.in_(mine))
    if session.scalars(in_pool.union(of_scope)).first() is not None:
        return True
    return may_do(session, viewer, conversation, Action.EDIT)


def _checked_reason(reason: str) -> str:
    said = " ".join(reason.split())
    if not said.isprintable() or len(said) > _LONGEST_REASON:
        raise InvalidValue(f"reason: at most {_LONGEST_REASON} printable characters")
    return said
