# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the index with the records, and bring it in step: what is missing is added, what is too much is taken out.

In pieces of a few hundred, each committed: recording goes on between them, and what was cut short goes on where it stood.
"""

from collections.abc import Generator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, select, table, text, true
from sqlalchemy import column as sql_column
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm_sync.database import Database
from crm_sync.models.mail import Message
from crm_sync.models.search import SearchRecord
from crm_sync.search.index_rows import IndexName, clear_index, delete_index_rows
from crm_sync.search.mail_rows import index_messages
from crm_sync.search.record_hunt import SOURCES, Source
from crm_sync.search.record_rows import index_records

_PIECE = 500


@dataclass(frozen=True, slots=True)
class IndexState:
    """How the index stands to the records: how many can be found, how many lack, how many rows stand for nothing."""

    letters: int
    records: int
    missing: int
    superfluous: int

    @property
    def is_complete(self) -> bool:
        """Is everything in it, and nothing else?"""
        return not self.missing and not self.superfluous


def check_index(session: Session) -> IndexState:
    """Compare the index with the records."""
    connection = session.connection()

    def count(column: InstrumentedAttribute[int], condition: ColumnElement[bool]) -> int:
        return connection.scalar(select(func.count()).select_from(column.class_).where(condition)) or 0

    letters = count(Message.id, true())
    records = sum(count(source.key, _is_there(source)) for source in SOURCES.values())
    missing = count(Message.id, ~_stands(connection, IndexName.MAIL, Message.id))
    missing += sum(count(source.key, _lacks(connection, kind, source)) for kind, source in SOURCES.items())
    superfluous = sum(
        connection.scalar(text(f"SELECT count(*) FROM ({_superfluous(connection, index)}) AS rows")) or 0
        for index in IndexName
    )
    return IndexState(letters, records, missing, superfluous)


def rebuild_index(database: Database, *, anew: bool = False) -> Generator[int]:
    """Bring the index in step with the records; yield after every piece how many rows it held.

    `anew`: empty it first; until it is full again, not everything is found.  Raises DatabaseError.
    """
    if anew:
        with database.writing() as session:
            for index in IndexName:
                clear_index(session.connection(), index)
            session.execute(delete(SearchRecord))
    for index in IndexName:
        yield from _take_out(database, index)
    yield from _add_letters(database)
    for kind in SOURCES:
        yield from _add_records(database, kind)


def _take_out(database: Database, index: IndexName) -> Generator[int]:
    while True:
        with database.writing() as session:
            connection = session.connection()
            ids = list(connection.scalars(text(f"{_superfluous(connection, index)} LIMIT {_PIECE}")))
            delete_index_rows(connection, index, ids)
        if not ids:
            return
        yield len(ids)


def _add_letters(database: Database) -> Generator[int]:
    """Newest first: those are looked for most."""
    below: int | None = None
    while True:
        with database.writing() as session:
            connection = session.connection()
            ids = _next(connection, Message.id, ~_stands(connection, IndexName.MAIL, Message.id), below)
            index_messages(connection, ids)
        if not ids:
            return
        below = ids[-1]
        yield len(ids)


def _add_records(database: Database, kind: str) -> Generator[int]:
    source, below = SOURCES[kind], None
    while True:
        with database.writing() as session:
            connection = session.connection()
            ids = _next(connection, source.key, _lacks(connection, kind, source), below)
            if ids:
                # A row that lost its index is written whole again.
                session.execute(delete(SearchRecord).where(SearchRecord.kind == kind, SearchRecord.record_id.in_(ids)))
            index_records(connection, kind, ids)
        if not ids:
            return
        below = ids[-1]
        yield len(ids)


def _next(
    connection: Connection, column: InstrumentedAttribute[int], lacks: ColumnElement[bool], below: int | None
) -> list[int]:
    wanted = select(column).where(lacks).order_by(column.desc()).limit(_PIECE)
    return list(connection.scalars(wanted if below is None else wanted.where(column < below)))


def _is_there(source: Source) -> ColumnElement[bool]:
    return true() if source.is_there is None else source.is_there


def _stands(connection: Connection, index: IndexName, key: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    rows = table(_rows_of(connection, index), sql_column("id"))
    return select(rows.c.id).where(rows.c.id == key).exists()


def _lacks(connection: Connection, kind: str, source: Source) -> ColumnElement[bool]:
    entry = select(SearchRecord.id).where(
        SearchRecord.kind == kind,
        SearchRecord.record_id == source.key,
        _stands(connection, IndexName.RECORDS, SearchRecord.id),
    )
    return _is_there(source) & ~entry.exists()


def _rows_of(connection: Connection, index: IndexName) -> str:
    """Return the table that names an index's rows.  FTS5 keeps the length of each in one of its own."""
    return index if connection.dialect.name == "postgresql" else f"{index}_docsize"


def _superfluous(connection: Connection, index: IndexName) -> str:
    records = "message" if index is IndexName.MAIL else "search_record"
    rows = _rows_of(connection, index)
    return f"SELECT id FROM {rows} WHERE NOT EXISTS (SELECT 1 FROM {records} WHERE {records}.id = {rows}.id)"
