# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring customers, notes, tasks and touches into the index, from the records as they stand.

Whoever changes one calls `index_records` in the same transaction; what says the same as before is not written.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.customers import Contact, ContactAddress, ContactPhone, Customer, CustomerDomain
from crm_sync.models.followups import Note, Task, Touch
from crm_sync.models.search import SearchRecord
from crm_sync.search.documents import record_row
from crm_sync.search.index_rows import IndexName, delete_index_rows, replace_index_rows

_PAGE = 2000
# A customer with more contacts than that is found by the first ones.
_MOST_NAMES = 500
_RECORD = table(SearchRecord)


@dataclass(frozen=True, slots=True)
class Indexed:
    """A record as it is indexed: when it came to be, and its texts by field."""

    at: datetime
    fields: Mapping[str, str]


def _read_customers(connection: Connection, ids: Collection[int]) -> dict[int, Indexed]:
    keys = {"keys": list(ids)}
    names: defaultdict[int, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for field, question in _OF_CUSTOMERS.items():
        for customer_id, name in connection.execute(question, keys):
            if name and len(names[customer_id][field]) < _MOST_NAMES:
                names[customer_id][field].append(name)
    return {
        row.id: Indexed(
            row.created_at, {"name": row.name} | {field: "\n".join(found) for field, found in names[row.id].items()}
        )
        for row in connection.execute(_CUSTOMERS, keys)
    }


def _read_notes(connection: Connection, ids: Collection[int]) -> dict[int, Indexed]:
    rows = connection.execute(_NOTES, {"keys": list(ids)})
    return {row.id: Indexed(row.created_at, {"text": row.text}) for row in rows}


def _read_tasks(connection: Connection, ids: Collection[int]) -> dict[int, Indexed]:
    rows = connection.execute(_TASKS, {"keys": list(ids)})
    return {
        row.id: Indexed(row.created_at, {"name": row.title, "text": f"{row.details}\n{row.result}".strip()})
        for row in rows
    }


def _read_touches(connection: Connection, ids: Collection[int]) -> dict[int, Indexed]:
    rows = connection.execute(_TOUCHES, {"keys": list(ids)})
    return {
        row.id: Indexed(row.at, {"name": row.channel, "text": f"{row.summary}\n{row.next_plan}".strip()})
        for row in rows
    }


_CUSTOMERS = select(Customer.id, Customer.name, Customer.created_at).where(
    among_keys(Customer.id), Customer.merged_into.is_(None)
)
_OF_CUSTOMERS: dict[str, Select[*tuple[Any, ...]]] = {
    "domain": select(CustomerDomain.customer_id, CustomerDomain.domain)
    .where(among_keys(CustomerDomain.customer_id))
    .order_by(CustomerDomain.domain),
    "contact": select(Contact.customer_id, Contact.name).where(among_keys(Contact.customer_id)).order_by(Contact.id),
    "address": select(Contact.customer_id, ContactAddress.address_key)
    .join(ContactAddress, ContactAddress.contact_id == Contact.id)
    .where(among_keys(Contact.customer_id))
    .order_by(ContactAddress.address_key),
    "phone": select(Contact.customer_id, ContactPhone.e164)
    .join(ContactPhone, ContactPhone.contact_id == Contact.id)
    .where(among_keys(Contact.customer_id))
    .order_by(ContactPhone.contact_id, ContactPhone.e164),
}
_NOTES = select(Note.id, Note.created_at, Note.text).where(among_keys(Note.id), Note.deleted_at.is_(None))
_TASKS = select(Task.id, Task.created_at, Task.title, Task.details, Task.result).where(among_keys(Task.id))
_TOUCHES = select(Touch.id, Touch.at, Touch.channel, Touch.summary, Touch.next_plan).where(
    among_keys(Touch.id), Touch.deleted_at.is_(None)
)
_READERS: dict[str, Callable[[Connection, Collection[int]], dict[int, Indexed]]] = {
    "customer": _read_customers,
    "note": _read_notes,
    "task": _read_tasks,
    "touch": _read_touches,
}
RECORD_KINDS = tuple(_READERS)

_STANDING = select(SearchRecord.record_id, SearchRecord.id, SearchRecord.at, SearchRecord.fields).where(
    SearchRecord.kind == bindparam("kind"), among_keys(SearchRecord.record_id)
)
_CHANGE = (
    update(_RECORD)
    .where(_RECORD.c.id == bindparam("key"))
    .values(at=bindparam("new_at"), fields=bindparam("new_fields"))
)


def index_records(connection: Connection, kind: str, record_ids: Collection[int]) -> int:
    """Bring these records of a kind (`RECORD_KINDS`) into the index, or out of it when they are gone.  Returns how many changed."""
    ids = sorted(record_ids)
    return sum(_index_page(connection, kind, ids[start : start + _PAGE]) for start in range(0, len(ids), _PAGE))


def index_customers(connection: Connection, customer_ids: Collection[int]) -> int:
    """Index customers anew whose names, domains, contacts, addresses or phones changed.  Rights need it not."""
    return index_records(connection, "customer", customer_ids)


def _index_page(connection: Connection, kind: str, ids: list[int]) -> int:
    if not ids:
        return 0
    wanted = _READERS[kind](connection, ids)
    standing = {row.record_id: row for row in connection.execute(_STANDING, {"kind": kind, "keys": ids})}
    rows: dict[int, str] = {}
    changed = []
    for record_id, row in standing.items():
        now = wanted.pop(record_id, None)
        if now is not None and (now.at, dict(now.fields)) != (row.at, row.fields):
            changed.append({"key": row.id, "new_at": now.at, "new_fields": dict(now.fields)})
            rows[row.id] = record_row(kind, now.fields)
        elif now is None and row.fields:
            changed.append({"key": row.id, "new_at": row.at, "new_fields": {}})
            rows[row.id] = ""
    if changed:
        connection.execute(_CHANGE, changed)
    rows |= _insert(connection, kind, wanted)
    delete_index_rows(connection, IndexName.RECORDS, [key for key, row in rows.items() if not row])
    replace_index_rows(connection, IndexName.RECORDS, {key: row for key, row in rows.items() if row})
    return len(rows)


def _insert(connection: Connection, kind: str, wanted: Mapping[int, Indexed]) -> dict[int, str]:
    if not wanted:
        return {}
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    given = [
        {"kind": kind, "record_id": record_id, "at": one.at, "fields": dict(one.fields)}
        for record_id, one in wanted.items()
    ]
    statement = dialect.insert(_RECORD)
    # Somebody else may index the same record at this moment: who comes last knows more.
    statement = statement.on_conflict_do_update(
        index_elements=["kind", "record_id"], set_={"at": statement.excluded.at, "fields": statement.excluded.fields}
    )
    written = connection.execute(statement.returning(_RECORD.c.id, _RECORD.c.record_id), given)
    return {key: record_row(kind, wanted[record_id].fields) for key, record_id in written}
