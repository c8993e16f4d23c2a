# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of the public pool: what lies in it, newest first, and what will fall into it, soonest first.  Pages by key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, or_, select
from sqlalchemy.orm import Session

from crm_sync.models.customers import Customer, Scope
from crm_sync.models.people import Person, Pool
from crm_sync.models.public_pool import CustomerTenure
from crm_sync.rights import Action, Entity, Viewer, may
from tradepost.errors import Refusal

MOST_COUNTED = 1000
_MOST_ROWS = 500


class PageError(Refusal, ValueError):
    """The page can't be shown: its key is none of ours."""


@dataclass(frozen=True, slots=True)
class PoolRow:
    """An unowned customer.  `since`: when it came into the pool; `reason`: why its last owner released it."""

    id: str
    name: str
    kind: str
    country: str | None
    grade: str | None
    pool: str | None
    since: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class PoolPage:
    """`next` leads to the following page; None: this is the last.  `count` goes no further than MOST_COUNTED."""

    rows: tuple[PoolRow, ...]
    next: str | None
    count: int

    @property
    def counted(self) -> str:
        """How many there are, in words."""
        return f"{self.count:,}" if self.count < MOST_COUNTED else f"{MOST_COUNTED:,}+"


@dataclass(frozen=True, slots=True)
class FallingRow:
    """An owned customer that falls into the pool at `reclaim_at` unless somebody speaks with it; `days` from now, 0: due."""

    id: str
    name: str
    owner: str
    reclaim_at: datetime
    days: int

    @property
    def words(self) -> str:
        """What a list says of it."""
        return reclaim_words(self.days)


@dataclass(frozen=True, slots=True)
class FallingPage:
    """`next` leads to the following page; None: this is the last."""

    rows: tuple[FallingRow, ...]
    next: str | None


def fetch_pool_customers(
    session: Session, viewer: Viewer, *, pool: str | None = None, before: str | None = None, limit: int = 50
) -> PoolPage:
    """Return the unowned customers the viewer may see, newest in the pool first.  `before`: `next` of a page.

    Raises PageError.
    """
    since = func.coalesce(Customer.owner_since, Customer.created_at)
    limit = max(1, min(limit, _MOST_ROWS))
    unowned = (
        select(Customer.id)
        .join(Scope, Scope.id == Customer.scope_id)
        .where(
            Scope.owner_id.is_(None),
            Customer.merged_into.is_(None),
            may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id),
        )
    )
    if pool is not None:
        named = (
            select(Pool.id).where(Pool.name == pool) if pool.isprintable() else select(Pool.id).where(literal(False))
        )
        unowned = unowned.where(Scope.pool_id.in_(named))
    count = session.scalar(select(func.count()).select_from(unowned.limit(MOST_COUNTED).subquery())) or 0
    last = (
        select(CustomerTenure.reason)
        .where(CustomerTenure.customer_id == Customer.id)
        .order_by(CustomerTenure.id.desc())
        .limit(1)
        .correlate(Customer)
        .scalar_subquery()
    )
    page = (
        unowned.with_only_columns(
            Customer.id,
            Customer.public_id,
            Customer.name,
            Customer.kind,
            Customer.country,
            Customer.grade,
            Pool.name.label("pool"),
            since.label("since"),
            last.label("reason"),
        )
        .outerjoin(Pool, Pool.id == Scope.pool_id)
        .order_by(since.desc(), Customer.id.desc())
        .limit(limit + 1)
    )
    if before is not None:
        at, key = _read_key(before)
        page = page.where(or_(since < at, and_(since == at, Customer.id < key)))
    rows = session.execute(page).all()
    shown = tuple(
        PoolRow(
            row.public_id,
            _shown(viewer, "name", row.name, ""),
            _shown(viewer, "kind", row.kind, ""),
            _shown(viewer, "country", row.country, None),
            _shown(viewer, "grade", row.grade, None),
            row.pool,
            row.since,
            row.reason,
        )
        for row in rows[:limit]
    )
    return PoolPage(shown, _next(rows, limit, "since"), count)


def fetch_falling_customers(
    session: Session,
    viewer: Viewer,
    now: datetime,
    *,
    within_days: int | None = None,
    after: str | None = None,
    limit: int = 50,
) -> FallingPage:
    """Return the owned customers the viewer may see that have a date on which they fall into the pool, soonest first.

    Raises PageError.
    """
    limit = max(1, min(limit, _MOST_ROWS))
    conditions: list[ColumnElement[bool]] = [
        Customer.reclaim_at.is_not(None),
        Customer.merged_into.is_(None),
        may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id),
    ]
    if within_days is not None:
        conditions.append(Customer.reclaim_at <= now + timedelta(days=within_days))
    if after is not None:
        at, key = _read_key(after)
        conditions.append(or_(Customer.reclaim_at > at, and_(Customer.reclaim_at == at, Customer.id > key)))
    rows = session.execute(
        select(Customer.id, Customer.public_id, Customer.name, Person.email, Customer.reclaim_at)
        .join(Scope, Scope.id == Customer.scope_id)
        .join(Person, Person.id == Scope.owner_id)
        .where(*conditions)
        .order_by(Customer.reclaim_at, Customer.id)
        .limit(limit + 1)
    ).all()
    shown = tuple(
        FallingRow(
            row.public_id,
            _shown(viewer, "name", row.name, ""),
            row.email,
            row.reclaim_at,
            days_left(row.reclaim_at, now),
        )
        for row in rows[:limit]
    )
    return FallingPage(shown, _next(rows, limit, "reclaim_at"))


def days_left(reclaim_at: datetime, now: datetime) -> int:
    """Return in how many days, begun ones counted whole; 0: the day has come."""
    return max(0, -((now - reclaim_at) // timedelta(days=1)))


def reclaim_words(days: int) -> str:
    """Say in how many days a customer falls into the pool."""
    if days == 0:
        return "falls into the pool now"
    return f"falls into the pool in {days} day{'s' * (days != 1)}"


def _shown(viewer: Viewer, name: str, value: Any, instead: Any) -> Any:
    return instead if viewer.hides(Entity.CUSTOMER, name) else value


def _next(rows: Sequence[Any], limit: int, name: str) -> str | None:
    if len(rows) <= limit:
        return None
    at: datetime = getattr(rows[limit - 1], name)
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S.%f}-{rows[limit - 1].id}"


def _read_key(said: str) -> tuple[datetime, int]:
    at, _, key = said.partition("-")
    try:
        if not (key.isascii() and key.isdigit() and len(key) < 19):
            raise ValueError(said)
        return datetime.strptime(at, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC), int(key)
    except ValueError:
        raise PageError(f"page {said[:60]!r}: is no key of a page; take the one that the page before gave") from None
