# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the newest letters that answer a question, among those the viewer may see.

Which way is short depends on how many letters he sees and how many answer, and neither database knows both.  SQLite lists
the first answers of any word at once: are there few, those he sees of them are the answer.  Else, and on PostgreSQL, the
newest few hundred he sees are asked first: whoever sees a part only is looked for among the newest letters of all, and when
hardly one of these is his, all of his are gathered.  A common word has filled the page then.  A rare one has not: then all
that answer are taken from the index, and those he does not see are left out.  Where both are many and rarely meet, the walk
goes on in longer steps, up to a limit that is told.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, func, literal, select, tuple_, type_coerce
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

from crm_sync.key_lists import among_keys
from crm_sync.models.mail import Message
from crm_sync.no_way_in import NoWayIn
from crm_sync.rights import Action, Entity, Reach, Viewer, may
from crm_sync.search.expressions import Expression
from crm_sync.search.index_questions import answering, answering_among, is_cheap_to_list
from crm_sync.search.index_rows import IndexName

COUNTED = 1000
# Letters in sight up to this number are gathered at once, more are read by time.
_FEW = 20_000
# So many of the newest letters tell how many of all are in sight.
_LOOKED_AT = 5_000
_FIRST_STEP, _LONGEST_STEP = 400, 50_000
# With more letters than this still to be asked, it is sooner to take all that answer, if they are no more than that.
_LONG_WALK, _MOST_ANSWERS = 8_000, 20_000
_FEW_ANSWERS = 2_000
# Read beyond a full page, only to count.
_COUNTING = 2_000
_MOST_ASKED = 400_000


@dataclass(frozen=True, slots=True)
class Columns:
    """How a letter's columns are asked about: as ways in, or not."""

    scope_id: SQLColumnExpression[int]
    conversation_id: SQLColumnExpression[int]
    at: SQLColumnExpression[datetime]
    id: SQLColumnExpression[int]


_BY_RECORD = Columns(Message.scope_id, Message.conversation_id, NoWayIn(Message.at), Message.id)
_BY_TIME = Columns(NoWayIn(Message.scope_id), NoWayIn(Message.conversation_id), Message.at, Message.id)
_BY_KEY = Columns(NoWayIn(Message.scope_id), NoWayIn(Message.conversation_id), NoWayIn(Message.at), Message.id)
# A condition on letters that the index knows nothing of: whose customer, whose conversation.
Condition = Callable[[Columns], ColumnElement[bool]]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a letter stands in the order of time."""

    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for.  `expression` None: every letter; `before`: only what is older than that place."""

    expression: Expression | None = None
    conditions: tuple[Condition, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    before: Place | None = None


@dataclass(frozen=True, slots=True)
class Catch:
    """Letters newest first.  `total`: how many were counted, `is_more`: there may be more than that.

    `resume`: where to look on; None: there is no more.  It is set beside an empty page when looking took too long.
    """

    places: tuple[Place, ...] = ()
    total: int = 0
    is_more: bool = False
    resume: Place | None = None


def find_letters(session: Session, viewer: Viewer, wanted: Wanted, limit: int) -> Catch:
    """Return the newest letters that answer."""
    if viewer.reach(Entity.MESSAGE, Action.SEE) is Reach.NONE:
        return Catch()
    if wanted.expression is not None and is_cheap_to_list(session):
        rows = _among_all_that_answer(session, viewer, wanted, _FEW_ANSWERS)
        if rows is not None:
            return _catch(session, rows, limit, is_more=False)
    found: list[Any] = []
    asked = read = 0
    are_few = True
    for step in _steps(session, viewer, wanted):
        found += _answering(session, wanted.expression, step.rows)
        asked += len(step.rows)
        read += step.read
        if step.is_last:
            return _catch(session, found, limit, is_more=False)
        if len(found) > COUNTED or (len(found) > limit and read >= _COUNTING):
            return _catch(session, found, limit, is_more=True)
        if len(found) <= limit and wanted.expression is not None:
            if are_few and (limit - len(found)) * asked > _LONG_WALK * max(len(found), 1):
                rows = _among_all_that_answer(session, viewer, wanted, _MOST_ANSWERS)
                if rows is not None:
                    return _catch(session, rows, limit, is_more=False)
                are_few = False
            if asked > _MOST_ASKED:
                caught = _catch(session, found, limit, is_more=True)
                return Catch(caught.places, caught.total, True, _place(session, step.rows[-1][1]))
    return _catch(session, found, limit, is_more=False)


def _catch(session: Session, found: Sequence[Any], limit: int, *, is_more: bool) -> Catch:
    """Return a page of rows (time, id), newest first."""
    ids = [row[1] for row in found[:limit]]
    rows = session.connection().execute(_PLACES, {"keys": ids})
    places = tuple(sorted((Place(row.at, row.id) for row in rows), reverse=True))
    resume = places[-1] if len(found) > limit or (is_more and places) else None
    return Catch(places, min(len(found), COUNTED), is_more or len(found) > COUNTED, resume)


def _place(session: Session, message_id: int) -> Place:
    row = session.connection().execute(_PLACES, {"keys": [message_id]}).one()
    return Place(row.at, row.id)


_PLACES = select(Message.id, Message.at).where(among_keys(Message.id))


def _answering(session: Session, expression: Expression | None, rows: Sequence[Any]) -> Sequence[Any]:
    if expression is None:
        return rows
    answer = answering_among(session, IndexName.MAIL, expression, [row[1] for row in rows])
    return [row for row in rows if row[1] in answer]


@dataclass(frozen=True, slots=True)
class _Step:
    """Rows (time, id) of the next letters in sight, newest first; for them `read` letters were looked at, at least."""

    rows: Sequence[Any]
    read: int
    is_last: bool


def _steps(session: Session, viewer: Viewer, wanted: Wanted) -> Iterator[_Step]:
    """Yield the letters in sight, more with every step."""
    before = wanted.before
    if wanted.conditions:
        few = _gather(session, viewer, wanted)
    elif viewer.sees_all:
        few = None
    else:
        edge, rows = _newest_in_sight(session, viewer, wanted)
        if edge is None:
            yield _Step(rows, len(rows), is_last=True)
            return
        everything = session.scalar(select(func.max(Message.id))) or 0
        few = _gather(session, viewer, wanted) if len(rows) * everything <= _FEW * _LOOKED_AT else None
        if few is None and rows:
            yield _Step(rows, _LOOKED_AT, is_last=False)
        before = edge
    size = _FIRST_STEP
    if few is not None:
        start = 0
        while start < len(few):
            rows = few[start : start + size]
            yield _Step(rows, len(rows), is_last=start + size >= len(few))
            start, size = start + size, min(size * 4, _LONGEST_STEP)
        return
    while True:
        letters = _letters(viewer, wanted, _BY_TIME, before)
        letters = letters.order_by(Message.at.desc(), Message.id.desc()).limit(size)
        rows = session.connection().execute(letters).all()
        if rows:
            before = Place(*rows[-1])
            yield _Step(rows, len(rows), is_last=len(rows) < size)
        if len(rows) < size:
            return
        size = min(size * 4, _LONGEST_STEP)


def _newest_in_sight(session: Session, viewer: Viewer, wanted: Wanted) -> tuple[Place | None, Sequence[Any]]:
    """Return (the end of the newest letters of all, those of them in sight); None: there are no more than these."""
    letters = select(Message.at, Message.id).where(*_within_time(wanted, _BY_TIME, wanted.before))
    last = letters.order_by(Message.at.desc(), Message.id.desc()).offset(_LOOKED_AT - 1).limit(1)
    row = session.connection().execute(last).one_or_none()
    mine = _letters(viewer, wanted, _BY_TIME, wanted.before).order_by(Message.at.desc(), Message.id.desc())
    if row is None:
        return None, session.connection().execute(mine).all()
    edge = Place(*row)
    return edge, session.connection().execute(mine.where(~_is_before(_BY_TIME, edge))).all()


def _gather(session: Session, viewer: Viewer, wanted: Wanted) -> Sequence[Any] | None:
    """Return all letters in sight when they are few; None: they are read by time."""
    # The time is compared only with its like: as the driver gives it.
    letters = _letters(viewer, wanted, _BY_RECORD, wanted.before).with_only_columns(
        type_coerce(Message.at, NullType()), Message.id
    )
    rows = session.connection().execute(letters.limit(_FEW + 1)).all()
    return None if len(rows) > _FEW else sorted(map(tuple, rows), reverse=True)


def _among_all_that_answer(session: Session, viewer: Viewer, wanted: Wanted, most: int) -> Sequence[Any] | None:
    """Return those in sight of all letters that answer, newest first; None: more than so many answer."""
    assert wanted.expression is not None
    ids = answering(session, IndexName.MAIL, wanted.expression, most + 1)
    if len(ids) > most:
        return None
    letters = _letters(viewer, wanted, _BY_KEY, wanted.before).where(among_keys(Message.id))
    newest = letters.order_by(Message.at.desc(), Message.id.desc()).limit(COUNTED + 1)
    return session.connection().execute(newest, {"keys": ids}).all()


def _letters(viewer: Viewer, wanted: Wanted, columns: Columns, before: Place | None) -> Select[datetime, int]:
    letters = select(Message.at, Message.id).where(may(viewer, Entity.MESSAGE, Action.SEE, columns.scope_id))
    letters = letters.where(*(condition(columns) for condition in wanted.conditions))
    return letters.where(*_within_time(wanted, columns, before))


def _within_time(wanted: Wanted, columns: Columns, before: Place | None) -> Iterator[ColumnElement[bool]]:
    if wanted.since is not None:
        yield columns.at >= wanted.since
    if wanted.until is not None:
        yield columns.at < wanted.until
    if before is not None:
        yield _is_before(columns, before)


def _is_before(columns: Columns, place: Place) -> ColumnElement[bool]:
    # As a pair, so that an index leads there.
    return tuple_(columns.at, columns.id) < tuple_(
        literal(place.at, Message.at.type), literal(place.id, Message.id.type)
    )
