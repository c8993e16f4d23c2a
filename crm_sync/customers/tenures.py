# SPDX-License-Identifier: GPL-3.0-or-later
"""Who had a customer from when to when, and why: kept whenever one changes hands, with an event for its history."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import SQLColumnExpression, String, cast, func, insert, literal, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm_sync.key_lists import among_keys
from crm_sync.models.base import Base, table
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Customer
from crm_sync.models.public_pool import CustomerTenure

_WITH_OPEN_TENURE = select(CustomerTenure.customer_id).where(
    among_keys(CustomerTenure.customer_id), CustomerTenure.until.is_(None)
)


@dataclass(frozen=True, slots=True)
class Held:
    """A customer and who holds it: its owner, or the pool it lies in.  `since` is when that began."""

    id: int
    public_id: str
    name: str
    kind: str
    grade: str | None
    created_at: datetime
    owner_since: datetime | None
    home_pool_id: int | None
    reclaim_days: int | None
    reclaim_at: datetime | None
    scope_id: int
    owner_id: int | None
    team_id: int | None
    pool_id: int | None

    @property
    def since(self) -> datetime:
        """Since when it is where it is."""
        return self.owner_since or self.created_at


@dataclass(frozen=True, slots=True)
class Holder:
    """Who gets it: a person, else a pool."""

    owner_id: int | None = None
    pool_id: int | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """What was done, by which request, when, by whom, and the words given for it.

    `step` names event and tenure: claimed, released, given, handed-over, hand-over-undone.
    """

    step: str
    cause_id: str
    at: datetime
    actor_id: int | None
    reason: str | None = None
    note: str = ""


def keep_tenures(session: Session, moves: Sequence[tuple[Held, Holder]], why: Why) -> None:
    """End the former owners' time with these customers and begin the new owners'.  Call it before their dates change."""
    connection = session.connection()
    keys = [held.id for held, _ in moves]
    counted = set(connection.scalars(_WITH_OPEN_TENURE, {"keys": keys}))
    connection.execute(
        update(CustomerTenure)
        .where(among_keys(CustomerTenure.customer_id), CustomerTenure.until.is_(None))
        .values(until=why.at, ended_by=why.step, reason=why.reason, note=why.note),
        {"keys": keys},
    )
    before: defaultdict[int, list[int]] = defaultdict(list)
    begun: defaultdict[tuple[int, int | None], list[int]] = defaultdict(list)
    for held, to in moves:
        if held.owner_id is not None and held.id not in counted:
            before[held.owner_id].append(held.id)
        if to.owner_id is not None:
            begun[to.owner_id, held.pool_id].append(held.id)
    for owner, ids in before.items():
        row = {"person_id": owner, "came_by": "before", "until": why.at, "ended_by": why.step}
        row |= {"reason": why.reason, "note": why.note}
        since = func.coalesce(Customer.owner_since, Customer.created_at)
        _insert(session, CustomerTenure, row, {"customer_id": Customer.id, "since": since}, Customer.id, ids)
    for (owner, pool), ids in begun.items():
        row = {"person_id": owner, "pool_id": pool, "since": why.at, "came_by": why.step, "note": ""}
        _insert(session, CustomerTenure, row, {"customer_id": Customer.id}, Customer.id, ids)


def note_moves(session: Session, moves: Sequence[tuple[Held, Holder]], why: Why) -> None:
    """Write an event a customer."""
    groups: defaultdict[tuple[int | None, int | None, int | None, int | None], list[int]] = defaultdict(list)
    for held, to in moves:
        groups[held.owner_id, held.pool_id, to.owner_id, to.pool_id].append(held.id)
    said = {name: words for name, words in (("reason", why.reason), ("note", why.note)) if words}
    for (owner, pool, new_owner, new_pool), keys in groups.items():
        details = {"from": owner, "from_pool": pool, "to": new_owner, "to_pool": new_pool, **said}
        note_all(session, why, Customer.id, "customer", keys, details)


def note_all(
    session: Session, why: Why, key: InstrumentedAttribute[int], noun: str, keys: Sequence[int], details: dict[str, Any]
) -> None:
    """Write the same event for each of many records: `noun` is customer or conversation."""
    row = {"cause_id": why.cause_id, "step": why.step, "at": why.at, "person_id": why.actor_id, "details": details}
    of_each: dict[str, SQLColumnExpression[Any]] = {
        "subject": literal(f"{noun}:").concat(cast(key, String)),
        f"{noun}_id": key,
    }
    _insert(session, Event, row, of_each, key, keys)


def _insert(
    session: Session,
    model: type[Base],
    row: dict[str, Any],
    of_each: Mapping[str, SQLColumnExpression[Any]],
    key: InstrumentedAttribute[int],
    keys: Sequence[int],
) -> None:
    """Write a row for each of these records, the same but for what is read of the record.  One statement for thousands."""
    columns = table(model).c
    constants = {name: literal(value, columns[name].type) for name, value in row.items()}
    values = {**constants, **of_each}
    chosen = select(*values.values()).where(among_keys(key)).order_by(key)
    session.connection().execute(insert(table(model)).from_select(list(values), chosen), {"keys": list(keys)})
