# SPDX-License-Identifier: GPL-3.0-or-later
"""What hangs on a customer, a contact or a scope, and what becomes of it when two are merged.

The columns are read from the tables themselves.  A test fails for one that is not listed here: somebody must think about it.
Until he has, it moves.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from sqlalchemy import Column, ColumnElement, Table, UniqueConstraint, exists, select

from crm_sync.models.base import table
from crm_sync.models.choices import Choice, ChoiceList, ContactChoice, CustomerChoice
from crm_sync.models.customers import Contact, Customer, PartySuggestion, Scope
from crm_sync.models.schema import metadata


class Fate(StrEnum):
    """What becomes of a reference to the record that is merged into another."""

    MOVE = "move"  # it names the other from now on; a row that the other has already is set aside
    STAY = "stay"  # it speaks of the record itself


_MOVE, _STAY = Fate.MOVE, Fate.STAY
FATES: Mapping[str, Fate] = {
    # of a customer
    "activity.customer_id": _MOVE,
    "contact.customer_id": _MOVE,
    "conversation.customer_id": _MOVE,
    "customer.merged_into": _STAY,  # a chain: undone in the order it was made
    "customer_choice.customer_id": _MOVE,
    "customer_domain.customer_id": _MOVE,
    "customer_name.customer_id": _MOVE,
    "customer_tenure.customer_id": _STAY,  # who had that one, and when
    "event.customer_id": _MOVE,
    "message_link.customer_id": _MOVE,
    "note.customer_id": _MOVE,
    "opportunity.customer_id": _MOVE,
    "party_suggestion.customer_id": _MOVE,
    "score_due.customer_id": _MOVE,
    "shared_domain_customer.customer_id": _MOVE,
    "stage_move.customer_id": _MOVE,
    "task.customer_id": _MOVE,
    "touch.customer_id": _MOVE,
    # of a contact
    "contact.merged_into": _STAY,
    "contact_address.contact_id": _MOVE,
    "contact_choice.contact_id": _MOVE,
    "contact_phone.contact_id": _MOVE,
    "message.contact_id": _MOVE,
    "party_suggestion.contact_id": _MOVE,
    "party_suggestion.other_contact_id": _MOVE,
    "touch.contact_id": _MOVE,
    # of a customer's scope
    "conversation.scope_id": _MOVE,
    "customer.scope_id": _STAY,  # a customer has a scope of its own, always
    "message.scope_id": _MOVE,
    "note.scope_id": _MOVE,
    "operation.scope_id": _MOVE,  # who may undo what was done to it
    "opportunity.scope_id": _MOVE,
    "scope_share.scope_id": _MOVE,  # with whom one of both was shared, sees the one that is left
    "task.scope_id": _MOVE,
    "touch.scope_id": _MOVE,
}

# Tables that name a record by its kind and number, without a key of the database: what sees to them.
NAMED_BY_KIND: Mapping[str, str] = {
    "changed_record": "the finder looks at both again",
    "custom_values": "crm_sync.fields.values",
    "field_value": "crm_sync.fields.values",
    "record_key": "the finder takes the loser's keys away",
    "search_record": "crm_sync.directory_rows indexes both anew",
}


def references_to(model: type[Customer | Contact | Scope]) -> Iterator[Column[object]]:
    """Yield every column that refers to that table's id, in an order that never changes."""
    target = table(model)
    for one in metadata.sorted_tables:
        for column in one.columns:
            if any(key.column.table is target for key in column.foreign_keys):
                yield column


def moved_references(model: type[Customer | Contact | Scope]) -> Iterator[Column[object]]:
    """Yield the references that follow a merge."""
    for column in references_to(model):
        if FATES.get(f"{column.table.name}.{column.name}", Fate.MOVE) is Fate.MOVE:
            yield column


def clash(column: Column[object], survivor: int) -> ColumnElement[bool] | None:
    """Return the condition that a row of that table can't be given to the survivor: he has such a one; None: any can."""
    rows = column.table
    clashes = [_has_equal(rows, column, others, survivor) for others in _unique_with(column)]
    if rows in _CHOSEN:
        clashes.append(_has_chosen(rows, column, survivor))
    if rows is table(PartySuggestion) and column.name in _TWO_CONTACTS:
        # That two people may be one is no more to be said of one.
        [other] = _TWO_CONTACTS - {column.name}
        clashes.append(rows.c[other] == survivor)
    if not clashes:
        return None
    found = clashes[0]
    for one in clashes[1:]:
        found |= one
    return found


_TWO_CONTACTS = {"contact_id", "other_contact_id"}
_CHOSEN = (table(CustomerChoice), table(ContactChoice))


def _unique_with(column: Column[object]) -> Iterator[list[str]]:
    rows = column.table
    keys = [list(rows.primary_key.columns)]
    keys += [list(one.columns) for one in rows.constraints if isinstance(one, UniqueConstraint)]
    keys += [list(index.columns) for index in rows.indexes if index.unique]
    for columns in keys:
        if column in columns:
            yield [one.name for one in columns if one is not column]


def _has_equal(rows: Table, column: Column[object], others: list[str], survivor: int) -> ColumnElement[bool]:
    his = rows.alias()
    return exists(
        select(his.c[column.name]).where(
            his.c[column.name] == survivor, *(his.c[other] == rows.c[other] for other in others)
        )
    )


def _has_chosen(rows: Table, column: Column[object], survivor: int) -> ColumnElement[bool]:
    """Of a list that takes one choice, the survivor's stands."""
    his, its, mine = rows.alias(), table(Choice).alias(), table(Choice).alias()
    lists = table(ChoiceList)
    return exists(
        select(his.c.choice_id)
        .join(its, its.c.id == his.c.choice_id)
        .join(mine, mine.c.list_key == its.c.list_key)
        .join(lists, lists.c.key == its.c.list_key)
        .where(
            his.c[column.name] == survivor,
            mine.c.id == rows.c.choice_id,
            lists.c.takes_many.is_(False),
        )
    )
