# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mails are the newest a viewer may see: each letter once, by its first arrival that Postfix did not refuse.

Measured at 1 M letters the question decides the way.  Who sees all is answered along the ledger.  Of whoever sees part, the
letters are read in order of time when they are many, and gathered from his scopes when they are few: the other way round
either one reads the whole table.  SQLite's planner can't know this, so it is told which columns are no way in.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, func, or_, select
from sqlalchemy.orm import Session, aliased
from ulid import ULID

from crm_sync.models.mail import Arrival, Message
from crm_sync.no_way_in import NoWayIn
from crm_sync.rights import Action, Entity, Viewer, may

# With more letters than this in sight, the newest are found sooner by time than by scope.
MANY = 20_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for.  None: everything; `before` is an entry id."""

    before: str | None = None
    limit: int = 50
    direction: str | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the order of time a page ends."""

    at: datetime
    message_id: int


def fetch_newest_entries(session: Session, viewer: Viewer, wanted: Wanted) -> list[str]:
    """Return entry ids, newest first."""
    if viewer.sees_all and wanted.category is None:
        return _along_the_ledger(session, wanted)
    return _by_letters(session, viewer, wanted)


def _along_the_ledger(session: Session, wanted: Wanted) -> list[str]:
    earlier = aliased(Arrival)
    is_later_copy = (
        select(earlier.entry_id)
        .where(
            earlier.message_id == Arrival.message_id,
            earlier.entry_id < Arrival.entry_id,
            earlier.acceptance != "refused",
        )
        .exists()
    )
    entries = (
        select(Arrival.entry_id)
        .where(Arrival.acceptance != "refused", ~is_later_copy)
        .order_by(Arrival.entry_id.desc())
        .limit(wanted.limit)
    )
    if wanted.before is not None:
        entries = entries.where(Arrival.entry_id < wanted.before)
    if wanted.direction is not None:
        entries = entries.where(Arrival.direction == wanted.direction)
    return list(session.execute(entries).scalars())


def _by_letters(session: Session, viewer: Viewer, wanted: Wanted) -> list[str]:
    columns = _by_scope() if _is_few(session, viewer, wanted) else _by_time()
    letters = _letters(viewer, wanted, columns)
    place = None if wanted.before is None else _place_of(session, wanted.before)
    found: list[str] = []
    while len(found) < wanted.limit:
        page = letters if place is None else letters.where(_is_before(columns, place))
        rows = session.execute(page).all()
        first = _first_arrivals(session, [row.id for row in rows])
        # A letter of which Postfix refused every arrival is none; its place is taken by the next one.
        found += [first[row.id] for row in rows if row.id in first]
        if len(rows) < wanted.limit:
            break
        place = _Place(rows[-1].at, rows[-1].id)
    return found[: wanted.limit]


@dataclass(frozen=True, slots=True)
class _Columns:
    """How a letter's columns are asked about."""

    scope_id: SQLColumnExpression[int]
    at: SQLColumnExpression[datetime]
    category: SQLColumnExpression[str | None]
    direction: SQLColumnExpression[str]


def _by_scope() -> _Columns:
    return _Columns(Message.scope_id, NoWayIn(Message.at), NoWayIn(Message.category), NoWayIn(Message.direction))


def _by_time() -> _Columns:
    return _Columns(NoWayIn(Message.scope_id), Message.at, Message.category, Message.direction)


def _is_few(session: Session, viewer: Viewer, wanted: Wanted) -> bool:
    """Is it sooner to gather the letters from the scopes?"""
    if viewer.sees_all:
        return False
    # Letters of one direction may be rare: by time all the others would be passed by.
    if wanted.direction is not None and wanted.category is None:
        return True
    some = (
        select(Message.id).where(may(viewer, Entity.MESSAGE, Action.SEE, Message.scope_id)).limit(MANY + 1).subquery()
    )
    return session.execute(select(func.count()).select_from(some)).scalar_one() <= MANY


def _letters(viewer: Viewer, wanted: Wanted, columns: _Columns) -> Select[int, datetime]:
    letters = (
        select(Message.id, Message.at)
        .where(may(viewer, Entity.MESSAGE, Action.SEE, columns.scope_id))
        .order_by(columns.at.desc(), Message.id.desc())
        .limit(wanted.limit)
    )
    if wanted.direction is not None:
        letters = letters.where(columns.direction == wanted.direction)
    if wanted.category is not None:
        letters = letters.where(columns.category == wanted.category)
    return letters


def _place_of(session: Session, entry_id: str) -> _Place:
    row = session.execute(
        select(Message.at, Message.id)
        .join(Arrival, Arrival.message_id == Message.id)
        .where(Arrival.entry_id == entry_id)
    ).one_or_none()
    # Of an arrival without a letter, or none at all, its id still tells the time.
    return _Place(row.at, row.id) if row is not None else _Place(ULID.from_str(entry_id).datetime, 0)


def _is_before(columns: _Columns, place: _Place) -> ColumnElement[bool]:
    return or_(columns.at < place.at, and_(columns.at == place.at, Message.id < place.message_id))


def _first_arrivals(session: Session, message_ids: list[int]) -> dict[int, str]:
    rows = session.execute(
        select(Arrival.message_id, func.min(Arrival.entry_id))
        .where(Arrival.message_id.in_(message_ids), Arrival.acceptance != "refused")
        .group_by(Arrival.message_id)
    )
    return {message_id: entry_id for message_id, entry_id in rows if message_id is not None}
