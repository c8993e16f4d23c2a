# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that may be there already: collected, written once, sorted by their keys, so that no two workers wait in a circle."""

from typing import Any

from sqlalchemy import Connection

from crm_sync.models.base import Base
from crm_sync.models.customers import ContactPhone, CustomerName, PartySuggestion, SharedDomainCustomer
from crm_sync.row_buffer import insert_missing

# What tells two rows of a table apart.
_KEYS: dict[type[Base], tuple[str, ...]] = {
    CustomerName: ("name_key", "customer_id"),
    SharedDomainCustomer: ("domain", "customer_id"),
    ContactPhone: ("contact_id", "e164"),
    PartySuggestion: ("contact_id", "kind", "subject"),
}


class MissingRows:
    """Rows of which the first stays."""

    def __init__(self) -> None:
        self._rows: dict[type[Base], dict[tuple[Any, ...], dict[str, Any]]] = {model: {} for model in _KEYS}

    def add(self, model: type[Base], **row: Any) -> None:
        """Remember one row.  Every call names the same columns."""
        self._rows[model].setdefault(tuple(row[name] for name in _KEYS[model]), row)

    def write(self, connection: Connection) -> None:
        """Write those that are not there yet."""
        for model, rows in self._rows.items():
            if rows:
                insert_missing(connection, model, [rows[key] for key in sorted(rows)])
                rows.clear()
