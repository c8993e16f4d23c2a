# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that nobody asks for before the commit: collected, then written table by table, one statement each."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table

from crm_sync.bulk_rows import insert_rows
from crm_sync.duplicates.changed_records import marks_of
from crm_sync.models.base import Base, table
from crm_sync.models.conversations import (
    Activity,
    Conversation,
    ConversationParticipant,
    ConversationPool,
    Event,
    MessageAnchor,
)
from crm_sync.models.customers import Contact, ContactAddress, Customer, CustomerDomain, Scope
from crm_sync.models.duplicates import ChangedRecord
from crm_sync.models.mail import Arrival, Message, MessageLink, MessagePart, MessageRecipient, MessageText
from crm_sync.search.mail_rows import index_recorded

# What is referred to comes before what refers to it.
_ORDER: tuple[Table, ...] = tuple(
    table(model)
    for model in (
        Scope,
        Customer,
        CustomerDomain,
        Contact,
        ContactAddress,
        Conversation,
        Message,
        Arrival,
        MessageRecipient,
        MessageText,
        MessagePart,
        MessageLink,
        MessageAnchor,
        ConversationParticipant,
        ConversationPool,
        Event,
        Activity,
    )
)


def insert_missing(connection: Connection, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows whose keys nobody has; the others stay as they are.  Sorted rows make no deadlock."""
    insert_rows(connection, table(model), rows, missing=True)


class RowBuffer:
    """New rows of one transaction.  A batch of 50 mails costs a statement a table instead of one a row."""

    def __init__(self) -> None:
        self._rows: dict[Table, list[dict[str, Any]]] = {name: [] for name in _ORDER}

    def add(self, model: type[Base], **row: Any) -> dict[str, Any]:
        """Remember one row and return it: until it is written it may be changed.  Every call names the same columns."""
        self._rows[table(model)].append(row)
        return row

    def flush(self, connection: Connection) -> None:
        """Write all rows, mark whose keys they change, and index the letters.  Raises IntegrityError."""
        insert_rows(connection, table(ChangedRecord), marks_of(self._rows))
        for name, rows in self._rows.items():
            insert_rows(connection, name, rows)
        letters = (self._rows[table(model)] for model in (Message, MessageRecipient, MessageText, MessagePart))
        index_recorded(connection, *letters)
        for rows in self._rows.values():
            rows.clear()
