# SPDX-License-Identifier: GPL-3.0-or-later
"""Who had a customer from when to when, and why it came and went."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.admission import find_customer
from crm_sync.models.customers import Scope
from crm_sync.models.people import Person, Pool
from crm_sync.models.public_pool import CustomerTenure
from crm_sync.rights import Viewer

_MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """One person's time with it.  `until` None: it lasts.  `came_by`, `ended_by`: claimed, given, released, handed-over …

    `came_by` is `before` for who had it before anybody counted.
    """

    person: str
    since: datetime
    until: datetime | None
    came_by: str
    ended_by: str | None
    pool: str | None  # where it was claimed
    reason: str | None
    note: str


def fetch_owners(session: Session, viewer: Viewer, customer_id: str) -> tuple[OwnerRow, ...]:
    """Return who had a customer (its public id), the last one first.  Raises NotFound."""
    customer = find_customer(session, viewer, customer_id)
    rows = session.execute(
        select(CustomerTenure, Person.email, Pool.name)
        .join(Person, Person.id == CustomerTenure.person_id)
        .outerjoin(Pool, Pool.id == CustomerTenure.pool_id)
        .where(CustomerTenure.customer_id == customer.id)
        .order_by(CustomerTenure.id.desc())
        .limit(_MOST_ROWS)
    ).all()
    found = [
        OwnerRow(email, one.since, one.until, one.came_by, one.ended_by, pool, one.reason, one.note)
        for one, email, pool in rows
    ]
    if not found or found[0].until is not None:
        # It never changed hands by any of these ways since.
        owner = session.scalars(
            select(Person.email).join(Scope, Scope.owner_id == Person.id).where(Scope.id == customer.scope_id)
        ).one_or_none()
        if owner is not None:
            since = customer.owner_since or customer.created_at
            found.insert(0, OwnerRow(owner, since, None, "before", None, None, None, ""))
    return tuple(found)
