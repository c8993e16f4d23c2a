# SPDX-License-Identifier: GPL-3.0-or-later
"""Many rows of one table in one statement.

SQLite's driver runs a prepared statement row by row at little cost.  PostgreSQL's pays for every row on both sides of the
connection: there all rows travel as one JSON document, which the server takes apart (`json_to_recordset`).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Insert,
    LargeBinary,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeDecorator

from crm_sync.database_base import to_json

Row = Mapping[str, Any]

_NUL = r"\u0000"


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row], *, missing: bool = False) -> None:
    """Write rows in their order; all name the same columns.  `missing`: those whose keys are taken stay as they are.

    Raises IntegrityError, DataError; ValueError for a time without a zone.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        names = tuple(rows[0])
        document = to_json([_as_stored(table, names, row, connection.dialect) for row in rows])
        # JSON columns take a NUL, but no document is taken apart that has one.
        if _NUL not in document:
            connection.execute(_statement_of_document(table, names, missing), {"document": document})
            return
    connection.execute(_statement(table, connection.dialect.name, missing), rows)


def _as_stored(table: Table, names: tuple[str, ...], row: Row, dialect: Dialect) -> Row:
    own = _own_types(table, names)
    return {**row, **{name: kind.process_bind_param(row[name], dialect) for name, kind in own}} if own else row


@cache
def _statement(table: Table, dialect: str, missing: bool) -> Insert:
    """Return one statement a table: its key in the compiled cache is then computed once."""
    known = postgresql if dialect == "postgresql" else sqlite
    return known.insert(table).on_conflict_do_nothing() if missing else insert(table)


@cache
def _statement_of_document(table: Table, names: tuple[str, ...], missing: bool) -> Insert:
    columns = [table.c[name] for name in names]
    document = cast(bindparam("document", type_=Text), JSON)
    sent = [column(one.name, Text() if isinstance(one.type, LargeBinary) else one.type) for one in columns]
    rows = func.json_to_recordset(document).table_valued(*sent).render_derived(with_types=True)
    statement = postgresql.insert(table).from_select(
        names, select(*(_received(one, rows.c[one.name]) for one in columns))
    )
    return statement.on_conflict_do_nothing() if missing else statement


def _received(wanted: Column[Any], sent: ColumnElement[Any]) -> ColumnElement[Any]:
    # JSON knows no bytes: msgspec writes them in base64.
    return func.decode(sent, "base64") if isinstance(wanted.type, LargeBinary) else sent


@cache
def _own_types(table: Table, names: tuple[str, ...]) -> list[tuple[str, TypeDecorator[Any]]]:
    """Return the columns whose values are stored otherwise than they are used: times, amounts."""
    return [(name, kind) for name in names if isinstance(kind := table.c[name].type, TypeDecorator)]
