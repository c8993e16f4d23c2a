# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversations for people: listed, the unanswered ones by how long they wait, and one whole."""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from crm_sync.admission import InvalidValue
from crm_sync.conversations.access import find_conversation
from crm_sync.conversations.binding import OPEN, STATUSES
from crm_sync.conversations.snapshot import MERGE, SPLIT
from crm_sync.conversations.views import (
    ConversationEvent,
    ConversationMail,
    ConversationRow,
    ConversationView,
    Done,
    Participant,
    Suggested,
)
from crm_sync.mail_views import CustomerRef, PersonRef
from crm_sync.models.conversations import (
    Conversation,
    ConversationParticipant,
    ConversationPool,
    ConversationSuggestion,
    Event,
)
from crm_sync.models.customers import Customer
from crm_sync.models.mail import Arrival, Message
from crm_sync.models.operations import Operation
from crm_sync.models.people import Person, Pool
from crm_sync.rights import Action, Entity, Viewer, may
from tradepost.addresses import address_key

MAILS_SHOWN = 100
_EVENTS_SHOWN = 200
_PEOPLE_SHOWN = 200
_FEW = 20
LONGEST_PAGE = 200
NOBODY = "none"
_PLACE = re.compile(r"(-|\d{1,17})\.(\d{1,18})")
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_Assignee = aliased(Person, name="assignee")


@dataclass(frozen=True, slots=True)
class ListWish:
    """Which conversations: empty says all.  `assignee` is an address or NOBODY; `after` is where the last page ended."""

    statuses: Collection[str] = (OPEN,)
    assignee: str = ""
    pool: str = ""
    customer: str = ""  # public id
    after: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a list; `next` is what to ask for the following ones with, "" when there are none."""

    rows: tuple[ConversationRow, ...]
    next: str


def list_conversations(session: Session, viewer: Viewer, wish: ListWish) -> Page:
    """Return conversations, those first whose customer wrote last; those nobody wrote to us in come at the end.

    Raises InvalidValue.
    """
    for status in wish.statuses:
        if status not in STATUSES:
            raise InvalidValue(f"status {status[:40]!r}: there is none; there are {', '.join(STATUSES)}")
    at, key = _read_place(wish.after)
    limit = max(1, min(wish.limit, LONGEST_PAGE))
    wanted = _filtered(viewer, wish)
    found: list[Any] = []
    if at is not None or not wish.after:
        # One look a status: each then runs along its index, newest first.
        for status in wish.statuses or STATUSES:
            some = wanted.where(Conversation.status == status, Conversation.last_in_at.is_not(None))
            if at is not None:
                earlier = and_(Conversation.last_in_at == at, Conversation.id < key)
                some = some.where(Conversation.last_in_at <= at, or_(Conversation.last_in_at < at, earlier))
            some = some.order_by(Conversation.last_in_at.desc(), Conversation.id.desc())
            found += session.execute(some.limit(limit + 1)).all()
        found.sort(key=lambda row: (row.Conversation.last_in_at, row.Conversation.id), reverse=True)
    if len(found) <= limit:
        unread = wanted.where(
            Conversation.status.in_(list(wish.statuses or STATUSES)), Conversation.last_in_at.is_(None)
        )
        if at is None and wish.after:
            unread = unread.where(Conversation.id < key)
        found += session.execute(unread.order_by(Conversation.id.desc()).limit(limit + 1 - len(found))).all()
    rows = _as_rows(session, viewer, found[:limit])
    last = found[limit - 1].Conversation if len(found) > limit else None
    return Page(rows, _place(last.last_in_at, last.id) if last is not None else "")


def list_unanswered(session: Session, viewer: Viewer, wish: ListWish) -> Page:
    """Return open conversations with mail of theirs that nobody answered, longest waiting first.  Raises InvalidValue."""
    at, key = _read_place(wish.after)
    limit = max(1, min(wish.limit, LONGEST_PAGE))
    wanted = _filtered(viewer, wish).where(
        Conversation.unanswered_since.is_not(None), Conversation.status == OPEN, Conversation.snoozed_until.is_(None)
    )
    if at is not None:
        later = and_(Conversation.unanswered_since == at, Conversation.id > key)
        wanted = wanted.where(Conversation.unanswered_since >= at, or_(Conversation.unanswered_since > at, later))
    wanted = wanted.order_by(Conversation.unanswered_since, Conversation.id).limit(limit + 1)
    found = session.execute(wanted).all()
    last = found[limit - 1].Conversation if len(found) > limit else None
    return Page(
        _as_rows(session, viewer, found[:limit]), _place(last.unanswered_since, last.id) if last is not None else ""
    )


def fetch_conversation(session: Session, viewer: Viewer, public_id: str) -> ConversationView:
    """Return one conversation whole.  Raises NotFound."""
    key = find_conversation(session, viewer, public_id).id
    [row] = _fetch_rows(session, viewer, [key])
    mails = _mails(session, viewer, key)
    people = session.execute(
        select(ConversationParticipant.address_key, ConversationParticipant.is_named_only)
        .where(ConversationParticipant.conversation_id == key)
        .order_by(ConversationParticipant.is_named_only, ConversationParticipant.address_key)
        .limit(_PEOPLE_SHOWN)
    )
    return ConversationView(
        row=row,
        mails=mails[-MAILS_SHOWN:],
        has_more=len(mails) > MAILS_SHOWN,
        events=_events(session, key),
        participants=tuple(Participant(address, is_named_only) for address, is_named_only in people),
        suggestions=_suggested(session, viewer, key),
        operations=_operations(session, viewer, key),
    )


def list_suggestions(
    session: Session, viewer: Viewer, *, before: int | None = None, limit: int = 50
) -> tuple[Suggested, ...]:
    """Return what waits for a yes or no, newest first, older than the one with the key `before`."""
    wanted = _open_suggestions(viewer)
    if before is not None:
        wanted = wanted.where(ConversationSuggestion.id < before)
    wanted = wanted.order_by(ConversationSuggestion.id.desc()).limit(max(1, min(limit, LONGEST_PAGE)))
    return _as_suggested(session, viewer, session.scalars(wanted).all())


def _fetch_rows(session: Session, viewer: Viewer, keys: Sequence[int]) -> tuple[ConversationRow, ...]:
    """Return these conversations as far as the viewer may see them, in the order of the keys."""
    found = session.execute(_filtered(viewer, ListWish()).where(Conversation.id.in_(keys))).all()
    rows = dict(zip((row.Conversation.id for row in found), _as_rows(session, viewer, found), strict=True))
    return tuple(rows[key] for key in keys if key in rows)


def _filtered(viewer: Viewer, wish: ListWish) -> Select[*tuple[Any, ...]]:
    seen = may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id)
    wanted = (
        select(Conversation, Customer, _Assignee.email, _Assignee.name)
        .select_from(Conversation)
        .outerjoin(Customer, and_(Customer.id == Conversation.customer_id, seen))
        .outerjoin(_Assignee, _Assignee.id == Conversation.assignee_id)
        .where(Conversation.merged_into.is_(None), may(viewer, Entity.MESSAGE, Action.SEE, Conversation.scope_id))
    )
    conditions: list[ColumnElement[bool]] = []
    if wish.assignee == NOBODY:
        conditions.append(Conversation.assignee_id.is_(None))
    elif wish.assignee:
        person = select(Person.id).where(Person.email == _key(wish.assignee))
        conditions.append(Conversation.assignee_id == person.scalar_subquery())
    if wish.pool:
        inside = (
            select(ConversationPool.conversation_id)
            .join(Pool, Pool.id == ConversationPool.pool_id)
            .where(Pool.name == (wish.pool if wish.pool.isprintable() else ""))
        )
        conditions.append(Conversation.id.in_(inside))
    if wish.customer:
        conditions.append(Customer.public_id == (wish.customer if wish.customer.isalnum() else ""))
    return wanted.where(*conditions)


def _key(address: str) -> str:
    # Bytes that are no text, and NUL, are more than a database can be asked about.
    return address_key(address) if address.isprintable() else ""


def _as_rows(session: Session, viewer: Viewer, found: Sequence[Any]) -> tuple[ConversationRow, ...]:
    pools = defaultdict(list)
    keys = [row.Conversation.id for row in found]
    named = (
        select(ConversationPool.conversation_id, Pool.name)
        .join(Pool, Pool.id == ConversationPool.pool_id)
        .where(ConversationPool.conversation_id.in_(keys))
        .order_by(Pool.position, Pool.id)
    )
    for key, name in session.execute(named) if keys else ():
        pools[key].append(name)
    return tuple(_as_row(viewer, row, pools[row.Conversation.id]) for row in found)


def _as_row(viewer: Viewer, found: Any, pools: Sequence[str]) -> ConversationRow:
    conversation, customer = found.Conversation, found.Customer
    grade = customer.grade if customer is not None and not viewer.hides(Entity.CUSTOMER, "grade") else None
    return ConversationRow(
        id=conversation.public_id,
        subject=conversation.subject,
        status=conversation.status,
        assignee=PersonRef(found.email, found.name) if found.email else None,
        customer=CustomerRef(customer.public_id, customer.name, customer.kind, grade) if customer else None,
        pools=tuple(pools),
        opened_at=conversation.opened_at,
        last_in_at=conversation.last_in_at,
        last_out_at=conversation.last_out_at,
        unanswered_since=conversation.unanswered_since,
        snoozed_until=conversation.snoozed_until,
        version=conversation.version,
    )


def _mails(session: Session, viewer: Viewer, key: int) -> tuple[ConversationMail, ...]:
    first = select(func.min(Arrival.entry_id)).where(Arrival.message_id == Message.id, Arrival.acceptance != "refused")
    rows = session.execute(
        select(
            first.scalar_subquery().label("entry_id"),
            Message.at,
            Message.direction,
            Message.from_address,
            Message.from_name,
            Message.subject,
            Message.category,
            Message.is_automatic,
        )
        .where(Message.conversation_id == key, may(viewer, Entity.MESSAGE, Action.SEE, Message.scope_id))
        .order_by(Message.at.desc(), Message.id.desc())
        .limit(MAILS_SHOWN + 1)
    )
    return tuple(ConversationMail(*row) for row in reversed(rows.all()) if row.entry_id is not None)


def _events(session: Session, key: int) -> tuple[ConversationEvent, ...]:
    rows = session.execute(
        select(Event.at, Event.step, Person.email, Person.name, Event.details, Event.cause_id)
        .outerjoin(Person, Person.id == Event.person_id)
        .where(Event.conversation_id == key)
        .order_by(Event.id.desc())
        .limit(_EVENTS_SHOWN)
    ).all()
    return tuple(
        ConversationEvent(at, step, PersonRef(email, name) if email else None, details, cause)
        for at, step, email, name, details, cause in reversed(rows)
    )


def _suggested(session: Session, viewer: Viewer, key: int) -> tuple[Suggested, ...]:
    mine = or_(ConversationSuggestion.conversation_id == key, ConversationSuggestion.other_id == key)
    wanted = _open_suggestions(viewer).where(mine).order_by(ConversationSuggestion.id.desc()).limit(_FEW)
    return _as_suggested(session, viewer, session.scalars(wanted).all())


def _open_suggestions(viewer: Viewer) -> Select[ConversationSuggestion]:
    one, other = aliased(Conversation), aliased(Conversation)
    return (
        select(ConversationSuggestion)
        .join(one, one.id == ConversationSuggestion.conversation_id)
        .join(other, other.id == ConversationSuggestion.other_id)
        .where(
            ConversationSuggestion.state == "open",
            one.merged_into.is_(None),
            other.merged_into.is_(None),
            may(viewer, Entity.MESSAGE, Action.SEE, one.scope_id),
            may(viewer, Entity.MESSAGE, Action.SEE, other.scope_id),
        )
    )


def _as_suggested(session: Session, viewer: Viewer, found: Sequence[ConversationSuggestion]) -> tuple[Suggested, ...]:
    keys = sorted({key for one in found for key in (one.conversation_id, one.other_id)})
    rows = dict(zip(keys, _fetch_rows(session, viewer, keys), strict=True)) if keys else {}
    return tuple(Suggested(one.id, one.reason, one.at, rows[one.conversation_id], rows[one.other_id]) for one in found)


def _operations(session: Session, viewer: Viewer, key: int) -> tuple[Done, ...]:
    concerned = select(Event.cause_id).where(Event.conversation_id == key, Event.step.in_(("merged", "split")))
    rows = session.execute(
        select(Operation.public_id, Operation.kind, Operation.at, Person.email, Person.name, Operation.undone_at)
        .outerjoin(Person, Person.id == Operation.person_id)
        .where(
            Operation.public_id.in_(concerned),
            Operation.kind.in_((MERGE, SPLIT)),
            may(viewer, Entity.MESSAGE, Action.SEE, cast(SQLColumnExpression[int], Operation.scope_id)),
        )
        .order_by(Operation.id.desc())
        .limit(_FEW)
    )
    return tuple(
        Done(public_id, kind, at, PersonRef(email, name) if email else None, undone_at)
        for public_id, kind, at, email, name, undone_at in rows
    )


def _place(at: datetime | None, key: int) -> str:
    return f"{'-' if at is None else (at - _EPOCH) // _MICROSECOND}.{key}"


def _read_place(place: str) -> tuple[datetime | None, int]:
    """Return (time or None, key) of where a page ended.  Raises InvalidValue."""
    if not place:
        return None, 0
    found = _PLACE.fullmatch(place)
    try:
        if found is None:
            raise ValueError
        at = None if found[1] == "-" else _EPOCH + int(found[1]) * _MICROSECOND
    except (ValueError, OverflowError):
        raise InvalidValue(f"{place[:40]!r}: names no place in a list; take the one that the last page gave") from None
    return at, int(found[2])
