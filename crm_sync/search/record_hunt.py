# SPDX-License-Identifier: GPL-3.0-or-later
"""Find customers, notes, tasks and touches that answer, among those the viewer may see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm_sync.key_lists import among_keys
from crm_sync.models.customers import Customer
from crm_sync.models.followups import Note, Task, Touch
from crm_sync.models.search import SearchRecord
from crm_sync.rights import Action, Entity, Reach, Viewer, may
from crm_sync.search.documents import EVERYTHING
from crm_sync.search.expressions import Expression, Row
from crm_sync.search.index_questions import answering
from crm_sync.search.index_rows import IndexName
from crm_sync.search.mail_hunt import COUNTED, Wanted

# Of a word that stands in more records than that, the latest made are looked through.
_MOST_ANSWERS = 30_000
_GLANCED_AT = 1_000


@dataclass(frozen=True, slots=True)
class Source:
    """Where a kind of record stands, and whose rights govern it."""

    entity: Entity
    key: InstrumentedAttribute[int]
    public_id: InstrumentedAttribute[str]
    scope_id: InstrumentedAttribute[int]
    customer_id: InstrumentedAttribute[int] | InstrumentedAttribute[int | None]
    is_there: ColumnElement[bool] | None = None


SOURCES: Mapping[str, Source] = {
    "customer": Source(
        Entity.CUSTOMER, Customer.id, Customer.public_id, Customer.scope_id, Customer.id, Customer.merged_into.is_(None)
    ),
    "note": Source(Entity.NOTE, Note.id, Note.public_id, Note.scope_id, Note.customer_id, Note.deleted_at.is_(None)),
    "task": Source(Entity.NOTE, Task.id, Task.public_id, Task.scope_id, Task.customer_id),
    "touch": Source(
        Entity.NOTE, Touch.id, Touch.public_id, Touch.scope_id, Touch.customer_id, Touch.deleted_at.is_(None)
    ),
}


@dataclass(frozen=True, slots=True)
class RecordCatch:
    """Rows (search_record, public id, customer's key) newest first; `total` is counted up to 1,000."""

    rows: tuple[Any, ...] = ()
    total: int = 0
    is_more: bool = False


class RecordAnswers:
    """The rows of the index that answer an expression, asked once for all kinds of records that it is asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._found: dict[tuple[Expression, int], list[int]] = {}

    def rows(self, expression: Expression | None, most: int) -> list[int]:
        """Return the latest rows that answer, at most so many; None: all."""
        wanted = expression or Row((EVERYTHING,))
        if (wanted, most) not in self._found:
            self._found[wanted, most] = answering(self._session, IndexName.RECORDS, wanted, most, newest=True)
        return self._found[wanted, most]


def find_records(
    session: Session,
    viewer: Viewer,
    kind: str,
    wanted: Wanted,
    limit: int,
    *,
    customers: Sequence[int] | None = None,
    answers: RecordAnswers | None = None,
    is_glance: bool = False,
) -> RecordCatch:
    """Return the newest records of a kind that answer; `customers`: only theirs.  `wanted.conditions` are mail's.

    `is_glance`: a few are wanted; whoever sees all gets them from the latest that answer.
    """
    source = SOURCES[kind]
    if viewer.reach(source.entity, Action.SEE) is Reach.NONE:
        return RecordCatch()
    most = _GLANCED_AT if is_glance and viewer.reach(source.entity, Action.SEE) is Reach.ALL else _MOST_ANSWERS
    ids = (answers or RecordAnswers(session)).rows(wanted.expression, most)
    if not ids:
        return RecordCatch()
    rows = (
        select(SearchRecord.id, SearchRecord.at)
        .join(source.key.class_, source.key == SearchRecord.record_id)
        .where(
            among_keys(SearchRecord.id),
            SearchRecord.kind == kind,
            may(viewer, source.entity, Action.SEE, source.scope_id),
        )
        .order_by(SearchRecord.at.desc(), SearchRecord.id.desc())
        .limit(COUNTED + 1)
    )
    if source.is_there is not None:
        rows = rows.where(source.is_there)
    if customers is not None:
        rows = rows.where(source.customer_id.in_(customers))
    if wanted.since is not None:
        rows = rows.where(SearchRecord.at >= wanted.since)
    if wanted.until is not None:
        rows = rows.where(SearchRecord.at < wanted.until)
    if wanted.before is not None:
        place = tuple_(literal(wanted.before.at, SearchRecord.at.type), literal(wanted.before.id, SearchRecord.id.type))
        rows = rows.where(tuple_(SearchRecord.at, SearchRecord.id) < place)
    found = session.connection().execute(rows, {"keys": ids}).all()
    if not found:
        return RecordCatch()
    shown = (
        select(SearchRecord, source.public_id, source.customer_id)
        .join(source.key.class_, source.key == SearchRecord.record_id)
        .where(SearchRecord.id.in_([row.id for row in found[:limit]]))
        .order_by(SearchRecord.at.desc(), SearchRecord.id.desc())
    )
    is_more = len(found) > COUNTED or len(ids) == most
    return RecordCatch(tuple(session.execute(shown).all()), min(len(found), COUNTED), is_more)
