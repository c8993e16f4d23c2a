# SPDX-License-Identifier: GPL-3.0-or-later
"""Write and erase rows of the index proper, many in one statement.

On SQLite an index is a virtual table of FTS5 that keeps no texts; on PostgreSQL a table (id, tokens tsvector) with a GIN index.
"""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT
from sqlalchemy.types import Text


class IndexName(StrEnum):
    """The indexes; a row's id is that of the message, or of the `search_record`."""

    MAIL = "message_index"
    RECORDS = "record_index"


_INSERT_ROWS = {
    name: text(
        f"INSERT INTO {name} (id, tokens) "
        "SELECT id, CAST(row AS tsvector) FROM unnest(:ids, :rows) AS given (id, row) ON CONFLICT (id) "
        "DO UPDATE SET tokens = excluded.tokens"
    ).bindparams(bindparam("ids", type_=ARRAY(BIGINT())), bindparam("rows", type_=ARRAY(Text())))
    for name in IndexName
}
_DELETE_ROWS = {
    name: text(f"DELETE FROM {name} WHERE id = ANY (:ids)").bindparams(bindparam("ids", type_=ARRAY(BIGINT())))
    for name in IndexName
}


def insert_index_rows(connection: Connection, index: IndexName, rows: Mapping[int, str]) -> None:
    """Write rows of tokens by their id; none of them stands in the index."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        vectors = [_as_tsvector(row.split(" ")) for row in rows.values()]
        connection.execute(_INSERT_ROWS[index], {"ids": list(rows), "rows": vectors})
    else:
        connection.exec_driver_sql(f"INSERT INTO {index} (rowid, tokens) VALUES (?, ?)", list(rows.items()))


def replace_index_rows(connection: Connection, index: IndexName, rows: Mapping[int, str]) -> None:
    """Write rows of tokens by their id, whether they stand in the index or not."""
    if connection.dialect.name != "postgresql":
        delete_index_rows(connection, index, rows)
    insert_index_rows(connection, index, rows)


def delete_index_rows(connection: Connection, index: IndexName, ids: Collection[int]) -> None:
    """Erase rows; one that is not there is none."""
    if not ids:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(_DELETE_ROWS[index], {"ids": list(ids)})
    else:
        connection.exec_driver_sql(f"DELETE FROM {index} WHERE rowid = ?", [(one,) for one in ids])


def clear_index(connection: Connection, index: IndexName) -> None:
    """Erase every row."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"DELETE FROM {index}")
    else:
        connection.exec_driver_sql(f"INSERT INTO {index} ({index}) VALUES ('delete-all')")


def _as_tsvector(tokens: Sequence[str]) -> str:
    places: dict[str, list[str]] = {}
    for place, token in enumerate(tokens, 1):
        if token in places:
            places[token].append(str(place))
        else:
            places[token] = [str(place)]
    return " ".join(f"'{token}':{','.join(where)}" for token, where in places.items())
