# SPDX-License-Identifier: GPL-3.0-or-later
"""A customer's story, newest first: mail, notes, calls, meetings, tasks, one narrow row an item.

One keyset query finds the page by the index (customer, time, id); then one query a kind fetches what stands in it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue
from crm_sync.followups.targets import Target, find_target
from crm_sync.mail_views import PersonRef
from crm_sync.models.conversations import Activity
from crm_sync.models.customers import Scope
from crm_sync.models.followups import Note, Task, Touch
from crm_sync.models.mail import Arrival, Message, MessagePart
from crm_sync.models.people import Person
from crm_sync.rights import Action, Entity, Viewer, may

KINDS = ("mail-in", "mail-out", "mail-internal", "note", "touch", "task")
_EXCERPT = 300
LONGEST_PAGE = 200


@dataclass(frozen=True, slots=True)
class TimelinePlace:
    """Where a page ended."""

    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """One item.  `id` is the mail's entry id, or the note's, touch's or task's own; `text` is an excerpt."""

    kind: str
    at: datetime
    id: str
    title: str
    text: str
    person: PersonRef | None  # who of us wrote, or has to do it
    from_address: str = ""
    category: str | None = None
    attachments: int = 0
    state: str = ""  # of a task
    place: TimelinePlace | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    activity_id: int
    at: datetime
    kind: str
    key: int


def fetch_timeline(
    session: Session,
    viewer: Viewer,
    customer: str,
    *,
    kinds: Collection[str] = (),
    before: TimelinePlace | None = None,
    limit: int = 50,
) -> tuple[TimelineItem, ...]:
    """Return a page of a customer's timeline (`customer` is the public id), older than the place `before`.

    `kinds` empty: all.  What the viewer may not see of it is left out.  Raises NotFound, InvalidValue.
    """
    target = find_target(session, viewer, f"customer:{customer}")
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise InvalidValue(f"{', '.join(sorted(unknown))[:60]}: no kind of item; there are {', '.join(KINDS)}")
    page = _page(session, viewer, target, kinds, before, min(limit, LONGEST_PAGE))
    items: dict[int, TimelineItem] = {}
    by_kind: defaultdict[str, list[_Found]] = defaultdict(list)
    for found in page:
        by_kind[found.kind.partition("-")[0]].append(found)
    for kind, fetch in (("mail", _mails), ("note", _notes), ("touch", _touches), ("task", _tasks)):
        if by_kind[kind]:
            items.update(fetch(session, by_kind[kind]))
    return tuple(items[found.activity_id] for found in page if found.activity_id in items)


def _page(
    session: Session,
    viewer: Viewer,
    target: Target,
    kinds: Collection[str],
    before: TimelinePlace | None,
    limit: int,
) -> list[_Found]:
    key = func.coalesce(Activity.message_id, Activity.note_id, Activity.touch_id, Activity.task_id)
    wanted = (
        select(Activity.id, Activity.at, Activity.kind, key)
        .outerjoin(Message, Message.id == Activity.message_id)
        .where(Activity.customer_id == target.customer_id, _is_seen(session, viewer, target))
        .order_by(Activity.at.desc(), Activity.id.desc())
        .limit(limit)
    )
    if kinds:
        wanted = wanted.where(Activity.kind.in_(sorted(kinds)))
    if before is not None:
        wanted = wanted.where(Activity.at <= before.at, or_(Activity.at < before.at, Activity.id < before.id))
    return [_Found(*row) for row in session.execute(wanted)]


def _is_seen(session: Session, viewer: Viewer, target: Target) -> ColumnElement[bool]:
    """A mail is seen by its own scope: it may hang on another's conversation.  The rest hangs on the customer's."""
    mail = and_(Activity.message_id.is_not(None), may(viewer, Entity.MESSAGE, Action.SEE, Message.scope_id))
    notes = select(Scope.id).where(Scope.id == target.scope_id, may(viewer, Entity.NOTE, Action.SEE, Scope.id))
    return mail if session.scalar(notes) is None else or_(mail, Activity.message_id.is_(None))


def _mails(session: Session, page: Sequence[_Found]) -> Iterator[tuple[int, TimelineItem]]:
    keys = [found.key for found in page]
    first = (
        select(Arrival.message_id, func.min(Arrival.entry_id).label("entry_id"))
        .where(Arrival.message_id.in_(keys), Arrival.acceptance != "refused")
        .group_by(Arrival.message_id)
        .subquery()
    )
    parts = (
        select(MessagePart.message_id, func.count().label("number"))
        .where(MessagePart.message_id.in_(keys), MessagePart.is_inline.is_(False))
        .group_by(MessagePart.message_id)
        .subquery()
    )
    rows = session.execute(
        select(Message, first.c.entry_id, parts.c.number, Person.email, Person.name)
        .join(first, first.c.message_id == Message.id)
        .outerjoin(parts, parts.c.message_id == Message.id)
        .outerjoin(Person, Person.id == Message.operator_id)
        .where(Message.id.in_(keys))
    ).all()
    mails = {row.Message.id: row for row in rows}
    for found in page:
        if (row := mails.get(found.key)) is None:
            continue  # every arrival of it was refused: it is no mail
        message = row.Message
        yield (
            found.activity_id,
            TimelineItem(
                found.kind,
                found.at,
                row.entry_id,
                message.subject,
                "",
                PersonRef(row.email, row.name) if row.email else None,
                from_address=message.from_address,
                category=message.category,
                attachments=row.number or 0,
                place=TimelinePlace(found.at, found.activity_id),
            ),
        )


def _notes(session: Session, page: Sequence[_Found]) -> Iterator[tuple[int, TimelineItem]]:
    rows = session.execute(
        select(Note, Person.email, Person.name)
        .outerjoin(Person, Person.id == Note.author_id)
        .where(Note.id.in_([found.key for found in page]), Note.deleted_at.is_(None))
    ).all()
    notes = {row.Note.id: row for row in rows}
    for found in page:
        if row := notes.get(found.key):
            yield _item(found, row.Note.public_id, "", row.Note.text, row)


def _touches(session: Session, page: Sequence[_Found]) -> Iterator[tuple[int, TimelineItem]]:
    rows = session.execute(
        select(Touch, Person.email, Person.name)
        .outerjoin(Person, Person.id == Touch.author_id)
        .where(Touch.id.in_([found.key for found in page]), Touch.deleted_at.is_(None))
    ).all()
    touches = {row.Touch.id: row for row in rows}
    for found in page:
        if row := touches.get(found.key):
            touch = row.Touch
            title = " ".join(filter(None, (touch.kind, touch.direction, touch.channel)))
            yield _item(found, touch.public_id, title, touch.summary, row)


def _tasks(session: Session, page: Sequence[_Found]) -> Iterator[tuple[int, TimelineItem]]:
    rows = session.execute(
        select(Task, Person.email, Person.name)
        .outerjoin(Person, Person.id == Task.assignee_id)
        .where(Task.id.in_([found.key for found in page]))
    ).all()
    tasks = {row.Task.id: row for row in rows}
    for found in page:
        if row := tasks.get(found.key):
            yield _item(found, row.Task.public_id, row.Task.title, row.Task.details, row, state=row.Task.state)


def _item(
    found: _Found, public_id: str, title: str, text: str, row: object, *, state: str = ""
) -> tuple[int, TimelineItem]:
    email, name = getattr(row, "email", None), getattr(row, "name", "")
    return (
        found.activity_id,
        TimelineItem(
            found.kind,
            found.at,
            public_id,
            title,
            text[:_EXCERPT],
            PersonRef(email, name) if email else None,
            state=state,
            place=TimelinePlace(found.at, found.activity_id),
        ),
    )
