# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge two customers into one: everything of the loser moves, and can be taken apart again (`unmerging`).

Nothing is deleted: a merged customer keeps its row and its public id, which leads to the survivor from then on.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from crm_sync.admission import NotFound, find_customer
from crm_sync.advisory_locks import RECORDING, hold_for_transaction
from crm_sync.bulk_rows import insert_rows
from crm_sync.directory_rows import DirtyKeys, changed_customers
from crm_sync.duplicates.changed_records import CUSTOMER, mark_changed
from crm_sync.duplicates.merged_fields import (
    CUSTOMER_FIELDS,
    chosen_values,
    merged_origins,
)
from crm_sync.duplicates.references import moved_references
from crm_sync.duplicates.row_moves import Moves, keys_moved, move_rows
from crm_sync.fields.values import merge_values
from crm_sync.models.base import table
from crm_sync.models.conversations import Event
from crm_sync.models.customers import ContactAddress, Customer, Scope
from crm_sync.models.operations import Operation
from crm_sync.models.pipeline import ScoreDue
from crm_sync.rights import Action, Entity, Viewer, may
from tradepost.errors import Refusal

MERGE_CUSTOMERS, MERGE_CONTACTS = "merge-customers", "merge-contacts"
# What a merged customer must not go on doing by itself; its scope is nobody's, so that it shows in no list.
SCOPE_FIELDS = ("owner_id", "team_id", "pool_id")
_STILLED = ("reclaim_at",)


class MergeError(Refusal, ValueError):
    """The records can't be merged, or not be taken apart; nothing was changed.  One line: what, why, the way out."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge, or its undoing, did.  `operation` is what undoes it; `moved` counts rows by table."""

    operation: str
    survivor: str  # public id of a customer, number of a contact
    loser: str
    fields: tuple[str, ...]  # that the survivor took from the loser
    moved: Mapping[str, int]


def merge_customers(
    session: Session,
    viewer: Viewer,
    survivor: str,
    loser: str,
    cause_id: str,
    now: datetime,
    *,
    take: Collection[str] = (),
) -> Merged:
    """Merge the customer `loser` into `survivor` (public ids).  `take`: fields of which the loser's value wins.

    Needs the right to edit both; where they do not belong to the same people, also to assign both.  `cause_id` (ULID)
    names the operation.  Raises MergeError.
    """
    alone(session)
    kept, gone = _lock_customers(session, viewer, survivor, loser)
    kept_scope, gone_scope = session.get_one(Scope, kept.scope_id), session.get_one(Scope, gone.scope_id)
    is_across = any(getattr(kept_scope, name) != getattr(gone_scope, name) for name in SCOPE_FIELDS)
    if is_across:
        demand_assign(session, may(viewer, Entity.CUSTOMER, Action.ASSIGN, Scope.id), (kept_scope.id, gone_scope.id))
    check_fields(take, CUSTOMER_FIELDS)
    values = chosen_values(kept, gone, CUSTOMER_FIELDS, take)
    connection = session.connection()
    moves = move_rows(connection, moved_references(Customer), gone.id, kept.id)
    moves |= move_rows(connection, moved_references(Scope), gone_scope.id, kept_scope.id)
    undo = {
        "survivor": kept.id,
        "loser": gone.id,
        "is_across": is_across,
        "moves": moves,
        "before": as_data(kept, values),
        "after": as_plain(values),
        "origins": kept.origins,
        "scope": as_data(gone_scope, SCOPE_FIELDS),
        "stilled": as_data(gone, _STILLED),
        "values": merge_values(session, CUSTOMER, kept.id, gone.id),
    }
    give(kept, values)
    kept.origins = merged_origins(kept.origins, gone.origins, values)
    for name in SCOPE_FIELDS:
        setattr(gone_scope, name, None)
    for name in _STILLED:
        setattr(gone, name, None)
    gone.merged_into = kept.id
    kept.version += 1
    gone.version += 1
    done = Merged(cause_id, kept.public_id, gone.public_id, tuple(values), counted(moves))
    record(session, viewer.actor_id, MERGE_CUSTOMERS, kept_scope.id, done, undo, now)
    for one, step in ((kept, "merged"), (gone, "merged-into")):
        note(
            session,
            viewer.actor_id,
            cause_id,
            step,
            f"customer:{one.id}",
            kept.id,
            now,
            {"survivor": kept.public_id, "loser": gone.public_id},
        )
    session.flush()
    tell(session, [kept.id, gone.id], keys_moved(moves, "contact.customer_id"))
    return done


def alone(session: Session) -> None:
    """Wait until no batch is being recorded, and let none begin: it could write to a record while it is merged.

    On SQLite a writing transaction is alone anyway.  Call it first.
    """
    hold_for_transaction(session.connection(), RECORDING)


def tell(session: Session, customers: Collection[int], contacts: Collection[int]) -> None:
    """Tell the directory, and by it the search, the finder of duplicates, and who weighs.  Call it last."""
    mark_changed(session, customers=customers, contacts=contacts)
    insert_rows(session.connection(), table(ScoreDue), [{"customer_id": key} for key in sorted(customers)])
    dirty = DirtyKeys(customers=set(customers))
    changed_customers(session, dirty, customers)
    of_contacts = select(ContactAddress.address_key).where(ContactAddress.contact_id.in_(contacts))
    dirty.addresses.update(session.scalars(of_contacts))
    dirty.write(session)


def counted(moves: Moves) -> dict[str, int]:
    """Return how many rows of each table moved, by which column."""
    return {name: len(moved["moved"]) for name, moved in moves.items() if moved["moved"]}


def _lock_customers(session: Session, viewer: Viewer, survivor: str, loser: str) -> tuple[Customer, Customer]:
    if survivor == loser:
        raise MergeError(f"customer {survivor}: can't be merged with itself")
    found = {
        one.public_id: one
        for one in session.scalars(
            select(Customer)
            .where(
                Customer.public_id.in_([key for key in (survivor, loser) if key.isprintable()]),
                may(viewer, Entity.CUSTOMER, Action.EDIT, Customer.scope_id),
            )
            .order_by(Customer.id)
            .with_for_update()
        )
    }
    for key in (survivor, loser):
        if key in found and found[key].merged_into is None:
            continue
        absent = MergeError(f"customer {key[:40]!r}: there is none that {viewer.actor} may edit")
        try:
            into = find_customer(session, viewer, key).public_id
        except NotFound:
            raise absent from None
        raise MergeError(f"customer {key}: was merged into {into} already; merge that one") if into != key else absent
    return found[survivor], found[loser]


def demand_assign(session: Session, allowed: ColumnElement[bool], scopes: Collection[int]) -> None:
    """Refuse unless all these scopes are `allowed`: those that he may assign.  Raises MergeError."""
    if set(session.scalars(select(Scope.id).where(Scope.id.in_(scopes), allowed))) != set(scopes):
        raise MergeError(
            "they do not belong to the same person: who merges them gives one away, which is for somebody who may assign"
            " customers, a manager"
        )


def check_fields(take: Collection[str], fields: Collection[tuple[str, ...]]) -> None:
    """Refuse a field that can't be taken.  Raises MergeError."""
    known = [group[0] for group in fields]
    for name in take:
        if name not in known:
            raise MergeError(f"field {name[:40]!r}: can't be taken from the other; {', '.join(known)} can")


def give(record: object, values: Mapping[str, Any]) -> None:
    """Set these fields."""
    for name, value in values.items():
        setattr(record, name, value)


def as_data(record: object, names: Collection[str]) -> dict[str, Any]:
    """Return these fields of a record, fit for JSON."""
    return as_plain({name: getattr(record, name) for name in names})


def as_plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values fit for JSON."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def record(
    session: Session,
    person_id: int | None,
    kind: str,
    scope_id: int | None,
    done: Merged,
    undo: dict[str, Any],
    now: datetime,
) -> None:
    """Keep what was done, and what takes it back."""
    summary = {"survivor": done.survivor, "loser": done.loser, "fields": list(done.fields), "moved": dict(done.moved)}
    session.add(
        Operation(
            public_id=done.operation,
            kind=kind,
            at=now,
            person_id=person_id,
            scope_id=scope_id,
            summary=summary,
            undo=undo,
        )
    )


def note(
    session: Session,
    person_id: int | None,
    cause_id: str,
    step: str,
    subject: str,
    customer_id: int | None,
    now: datetime,
    details: dict[str, Any],
) -> None:
    """Write one event of it."""
    session.add(
        Event(
            cause_id=cause_id,
            step=step,
            subject=subject,
            at=now,
            customer_id=customer_id,
            person_id=person_id,
            details=details,
        )
    )
