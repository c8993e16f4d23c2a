# SPDX-License-Identifier: GPL-3.0-or-later
"""Mark whose keys may have changed: one appended row each, which waits for nobody and costs no question.

What a recording batch writes is marked by its rows (`marks_of`).  Whoever changes names, domains, addresses, phones or
websites of known records in another way calls `mark_changed` in the same transaction.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import Session

from crm_sync.bulk_rows import insert_rows
from crm_sync.models.base import table
from crm_sync.models.customers import Contact, ContactAddress, ContactPhone, Customer, CustomerDomain, CustomerName
from crm_sync.models.duplicates import ChangedRecord
from crm_sync.pipeline.score_due import make_due

CUSTOMER, CONTACT = "customer", "contact"
# New rows of these tables change the keys of the record that a column names.  A contact's change is its customer's too.
_NAMED_BY: tuple[tuple[Table, str, str], ...] = (
    (table(Customer), CUSTOMER, "id"),
    (table(CustomerDomain), CUSTOMER, "customer_id"),
    (table(CustomerName), CUSTOMER, "customer_id"),
    (table(Contact), CONTACT, "id"),
    (table(ContactAddress), CONTACT, "contact_id"),
    (table(ContactPhone), CONTACT, "contact_id"),
)


def mark_changed(session: Session, *, customers: Iterable[int] = (), contacts: Iterable[int] = ()) -> None:
    """Let these records be looked at again, and be weighed: what is known of them changed."""
    of_customers, of_contacts = set(customers), set(contacts)
    marks = [*_marks(CUSTOMER, of_customers), *_marks(CONTACT, of_contacts)]
    insert_rows(session.connection(), table(ChangedRecord), marks)
    make_due(session, of_customers, of_contacts)


def marks_of(rows: Mapping[Table, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return a mark for every record that these new rows belong to."""
    found: dict[str, set[int]] = {CUSTOMER: set(), CONTACT: set()}
    for name, record, column in _NAMED_BY:
        found[record].update(row[column] for row in rows.get(name, ()))
    return [*_marks(CUSTOMER, found[CUSTOMER]), *_marks(CONTACT, found[CONTACT])]


def _marks(record: str, keys: Collection[int]) -> list[dict[str, Any]]:
    return [{"record": record, "record_id": key} for key in sorted(keys)]
