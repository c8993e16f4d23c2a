# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that nobody needs back before the commit: collected, then written table by table, one statement each."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from crm_sync.models.base import Base, table
from crm_sync.models.conversations import Activity, ConversationParticipant, ConversationPool, Event, MessageAnchor
from crm_sync.models.customers import ContactAddress, CustomerDomain
from crm_sync.models.mail import Arrival, MessagePart, MessageRecipient, MessageText

# What is referred to comes before what refers to it.
_ORDER: tuple[Table, ...] = tuple(
    table(model)
    for model in (
        CustomerDomain,
        ContactAddress,
        Arrival,
        MessageRecipient,
        MessageText,
        MessagePart,
        MessageAnchor,
        ConversationParticipant,
        ConversationPool,
        Event,
        Activity,
    )
)
_INSERTS = {name: insert(name) for name in _ORDER}


def insert_missing(connection: Connection, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows whose keys nobody has; the others stay as they are.  Sorted rows make no deadlock."""
    if rows:
        known = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(known.insert(table(model)).on_conflict_do_nothing(), rows)


class RowBuffer:
    """New rows of one transaction.  A batch of 50 mails costs ten statements instead of five hundred."""

    def __init__(self) -> None:
        self._rows: dict[Table, list[Mapping[str, Any]]] = {name: [] for name in _ORDER}

    def add(self, model: type[Base], **row: Any) -> None:
        """Remember one row; every call for a model names the same columns."""
        self._rows[table(model)].append(row)

    def flush(self, session: Session) -> None:
        """Write all rows.  Raises IntegrityError."""
        connection = session.connection()
        for name, rows in self._rows.items():
            if rows:
                connection.execute(_INSERTS[name], rows)
                rows.clear()
