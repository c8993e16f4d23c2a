# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges that are in force, as people look them up who want to take one apart."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import SQLColumnExpression, select
from sqlalchemy.orm import Session

from crm_sync.duplicates.changed_records import CUSTOMER
from crm_sync.duplicates.merging import MERGE_CONTACTS, MERGE_CUSTOMERS
from crm_sync.models.customers import Contact, Customer
from crm_sync.models.operations import Operation
from crm_sync.models.people import Person
from crm_sync.rights import Action, Entity, Viewer, may

MOST_MERGES = 500


@dataclass(frozen=True, slots=True)
class Part:
    """One of two that became one: a customer's public id or a contact's number, and the name it bears now."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class PastMerge:
    """`id` is what undoes it, and the next page begins before it.  `person`: an address, None: somebody on the host.

    `moved`: how many rows went to the survivor.
    """

    id: str
    at: datetime
    person: str | None
    survivor: Part
    loser: Part
    moved: int


def list_merges(
    session: Session, viewer: Viewer, record: str = CUSTOMER, *, before: str | None = None, limit: int = 50
) -> tuple[PastMerge, ...]:
    """Return merges of customers, or of contacts, that nobody undid, newest first: those of survivors in the viewer's sight."""
    wanted = (
        select(Operation.public_id, Operation.at, Person.email, Operation.summary)
        .outerjoin(Person, Person.id == Operation.person_id)
        .where(
            Operation.kind == (MERGE_CUSTOMERS if record == CUSTOMER else MERGE_CONTACTS),
            Operation.undone_at.is_(None),
            may(viewer, Entity.CUSTOMER, Action.SEE, cast(SQLColumnExpression[int], Operation.scope_id)),
        )
        .order_by(Operation.public_id.desc())
        .limit(max(1, min(limit, MOST_MERGES)))
    )
    if before is not None:
        wanted = wanted.where(Operation.public_id < (before[:26] if before.isalnum() else ""))  # ids tell the time
    found = session.execute(wanted).all()
    # A loser is part of the survivor as long as the merge is in force: who sees the one may read the other's name.
    ids = {row.summary[part] for row in found for part in ("survivor", "loser")}
    names = _customers(session, ids) if record == CUSTOMER else _contacts(session, ids)
    return tuple(
        PastMerge(
            row.public_id,
            row.at,
            row.email,
            _part(row.summary["survivor"], names),
            _part(row.summary["loser"], names),
            sum(row.summary["moved"].values()),
        )
        for row in found
    )


def _part(key: str, names: Mapping[str, str]) -> Part:
    return Part(key, names.get(key, ""))


def _customers(session: Session, ids: Collection[str]) -> dict[str, str]:
    return dict(session.execute(select(Customer.public_id, Customer.name).where(Customer.public_id.in_(ids))).all())


def _contacts(session: Session, ids: Collection[str]) -> dict[str, str]:
    rows = session.execute(select(Contact.id, Contact.name).where(Contact.id.in_(map(int, ids))))
    return {str(key): name for key, name in rows}
