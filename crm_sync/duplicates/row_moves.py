# SPDX-License-Identifier: GPL-3.0-or-later
"""Let everything that refers to one record refer to another, so that it can be taken back: what moved, what was set aside.

What is returned is plain data, fit for JSON: {"table.column": {"moved": [keys], "set_aside": [rows]}}.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Connection, Date, Table, and_, bindparam, delete, select, update

from crm_sync.bulk_rows import insert_rows
from crm_sync.duplicates.references import clash
from crm_sync.key_lists import among_keys
from crm_sync.models.base import FixedPoint, UtcDateTime
from crm_sync.models.schema import metadata

Moves = dict[str, dict[str, list[Any]]]


def move_rows(connection: Connection, columns: Iterable[Column[object]], loser: int, survivor: int) -> Moves:
    """Give what names the loser to the survivor."""
    moves: Moves = {}
    for column in columns:
        rows = column.table
        mine = column == loser
        aside = _set_aside(connection, column, loser, survivor)
        keys = [list(row) for row in connection.execute(select(*rows.primary_key.columns).where(mine))]
        if keys:
            connection.execute(update(rows).where(mine).values({column: survivor}))
        if keys or aside:
            moves[f"{rows.name}.{column.name}"] = {"moved": _plain(keys), "set_aside": aside}
    return moves


def return_rows(
    connection: Connection, moves: Mapping[str, Mapping[str, Sequence[Any]]], loser: int, survivor: int
) -> None:
    """Give back what `move_rows` moved and is still the survivor's, and what it set aside."""
    for name, moved in moves.items():
        table_name, _, column_name = name.partition(".")
        rows = metadata.tables[table_name]
        column = rows.c[column_name]
        _return(connection, column, moved["moved"], loser, survivor)
        for row in moved["set_aside"]:
            insert_rows(connection, rows, [_unpacked(rows, row)], missing=True)


def keys_moved(moves: Mapping[str, Mapping[str, Sequence[Any]]], name: str) -> list[int]:
    """Return the keys of the rows of "table.column" that moved; its table has one key column."""
    return list(moves.get(name, {}).get("moved", ()))


def _set_aside(connection: Connection, column: Column[object], loser: int, survivor: int) -> list[dict[str, Any]]:
    rows = column.table
    clashing = clash(column, survivor)
    if clashing is None:
        return []
    found = connection.execute(select(rows).where(column == loser, clashing)).all()
    for row in found:
        connection.execute(delete(rows).where(and_(*(key == row._mapping[key] for key in rows.primary_key.columns))))
    return [{name: _packed(value) for name, value in row._asdict().items()} for row in found]


def _return(connection: Connection, column: Column[Any], keys: Sequence[Any], loser: int, survivor: int) -> None:
    rows = column.table
    key_columns = list(rows.primary_key.columns)
    if not keys:
        return
    if len(key_columns) == 1:
        mine = among_keys(key_columns[0])
        connection.execute(update(rows).where(mine, column == survivor).values({column: loser}), {"keys": list(keys)})
        return
    # The key names the record itself where the column is a part of it: there it is the survivor's by now.
    others = [(place, one) for place, one in enumerate(key_columns) if one is not column]
    statement = (
        update(rows)
        .where(column == bindparam("was"), *(one == bindparam(f"of_{one.name}") for _, one in others))
        .values({column: bindparam("now")})
    )
    connection.execute(
        statement,
        [{"was": survivor, "now": loser} | {f"of_{one.name}": key[place] for place, one in others} for key in keys],
    )


def _plain(keys: list[list[Any]]) -> list[Any]:
    return [key[0] if len(key) == 1 else key for key in keys]


def _packed(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _unpacked(rows: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        kind = rows.c[name].type
        if value is not None and isinstance(kind, UtcDateTime):
            value = datetime.fromisoformat(value)
        elif value is not None and isinstance(kind, Date):
            value = date.fromisoformat(value)
        elif value is not None and isinstance(kind, FixedPoint):
            value = Decimal(value)
        found[name] = value
    return found
