# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of rows that are not written yet: rows can then refer to one another before any of them goes out."""

from collections.abc import Iterator, Sequence
from itertools import count

from sqlalchemy import Connection, Table, text

from crm_sync.models.base import Base, table
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Contact, Customer, Scope
from crm_sync.models.mail import Message
from crm_sync.models.pipeline import Opportunity

_TABLES: tuple[Table, ...] = tuple(
    table(model) for model in (Scope, Customer, Contact, Conversation, Message, Opportunity)
)
# A sequence is outside transactions: nobody is given the same number, and those that are left over are lost.
_SEQUENCES = ", ".join(f"nextval('{one.name}_id_seq')" for one in _TABLES)
_NEXT = text(f"SELECT {_SEQUENCES} FROM generate_series(1, :wanted)")
_NEWEST = text(f"SELECT {', '.join(f'(SELECT max(id) FROM {one.name})' for one in _TABLES)}")


class NewKeys:
    """Keys for one transaction, drawn when the first is asked for: as many of each table as there are letters."""

    def __init__(self, connection: Connection, letters: int) -> None:
        self._connection = connection
        self._letters = letters
        self._drawn: dict[Table, Iterator[int]] = dict.fromkeys(_TABLES, iter(()))

    def take(self, model: type[Base]) -> int:
        """Return a key that no row of that table has.  On SQLite the transaction must be a writing one."""
        key = next(self._drawn[table(model)], None)
        if key is None:
            self._draw()
            key = next(self._drawn[table(model)])
        return key

    def _draw(self) -> None:
        if self._connection.dialect.name == "postgresql":
            numbers = self._connection.execute(_NEXT, {"wanted": self._letters}).all()
            self._drawn = {one: iter(keys) for one, keys in zip(_TABLES, zip(*numbers, strict=True), strict=True)}
        else:
            # Nobody else writes until this transaction ends.
            newest: Sequence[int | None] = self._connection.execute(_NEWEST).one()
            self._drawn = {one: count((key or 0) + 1) for one, key in zip(_TABLES, newest, strict=True)}
