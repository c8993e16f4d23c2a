# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose completeness and grade must be weighed anew: one appended row a customer, which waits for nobody."""

from collections.abc import Collection

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from crm_sync.bulk_rows import insert_rows
from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.customers import Contact
from crm_sync.models.pipeline import ScoreDue

_OF_CONTACTS = insert(table(ScoreDue)).from_select(
    ["customer_id"],
    select(Contact.customer_id)
    .where(among_keys(Contact.id), Contact.customer_id.is_not(None))
    .distinct()
    .order_by(Contact.customer_id),
)


def make_due(session: Session, customers: Collection[int] = (), contacts: Collection[int] = ()) -> None:
    """Let these customers, and those of these contacts, be weighed."""
    connection = session.connection()
    insert_rows(connection, table(ScoreDue), [{"customer_id": key} for key in sorted(set(customers))])
    if contacts:
        connection.execute(_OF_CONTACTS, {"keys": list(contacts)})
