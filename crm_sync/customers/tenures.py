# SPDX-License-Identifier: GPL-3.0-or-later
"""Who had a customer from when to when, and why: kept whenever one changes hands, with an event for its history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm_sync.bulk_rows import insert_rows
from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.conversations import Event
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
    """End the former owners' time with these customers and begin the new owners'."""
    connection = session.connection()
    keys = [held.id for held, _ in moves]
    counted = set(connection.scalars(_WITH_OPEN_TENURE, {"keys": keys}))
    connection.execute(
        update(CustomerTenure)
        .where(among_keys(CustomerTenure.customer_id), CustomerTenure.until.is_(None))
        .values(until=why.at, ended_by=why.step, reason=why.reason, note=why.note),
        {"keys": keys},
    )
    ended = {"until": why.at, "ended_by": why.step, "reason": why.reason, "note": why.note}
    begun = {"until": None, "ended_by": None, "reason": None, "note": ""}
    rows: list[dict[str, Any]] = [
        _tenure(held, held.owner_id, held.since, "before", None) | ended
        for held, _ in moves
        if held.owner_id is not None and held.id not in counted
    ]
    rows += [
        _tenure(held, to.owner_id, why.at, why.step, held.pool_id) | begun
        for held, to in moves
        if to.owner_id is not None
    ]
    insert_rows(connection, table(CustomerTenure), rows)


def _tenure(held: Held, person_id: int, since: datetime, came_by: str, pool_id: int | None) -> dict[str, Any]:
    return {
        "customer_id": held.id,
        "person_id": person_id,
        "pool_id": pool_id,
        "since": since,
        "came_by": came_by,
    }


def note_moves(session: Session, moves: Sequence[tuple[Held, Holder]], why: Why) -> None:
    """Write an event a customer."""
    said = {"reason": why.reason, "note": why.note}
    rows = [
        event_row(
            why,
            f"customer:{held.id}",
            {"from": held.owner_id, "from_pool": held.pool_id, "to": to.owner_id, "to_pool": to.pool_id}
            | {name: words for name, words in said.items() if words},
            customer_id=held.id,
        )
        for held, to in moves
    ]
    insert_rows(session.connection(), table(Event), rows)


def event_row(
    why: Why,
    subject: str,
    details: dict[str, Any],
    *,
    conversation_id: int | None = None,
    customer_id: int | None = None,
) -> dict[str, Any]:
    """Return the event of one record that was moved."""
    return {
        "cause_id": why.cause_id,
        "step": why.step,
        "subject": subject,
        "at": why.at,
        "conversation_id": conversation_id,
        "customer_id": customer_id,
        "person_id": why.actor_id,
        "details": details,
    }
