# SPDX-License-Identifier: GPL-3.0-or-later
"""When a customer falls back into the public pool: so many days after the last human word, or after its owner got it.

The date is stored with the customer.  Recording moves it on in steps of some hours (`ReclaimRules.moved_on`), so that most mails
change nothing; notes, calls and meetings move it by `touch_customers`.  Whoever acts on a date asks `refresh_reclaim_dates` first.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, Self

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.orm import Session

from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.conversations import Activity, Conversation
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.public_pool import PublicPool

# Suppliers, banks and our own kind are nobody's prey: they fall into no pool, and do not count for how many one has.
CLAIMABLE_KINDS = ("lead", "customer")
# A stored date lags behind the last mail by less than this.
STEP = timedelta(hours=6)
_PAGE = 5000
_CUSTOMER = table(Customer)
_FREE = (
    select(Customer.id)
    .where(among_keys(Customer.id))
    .order_by(Customer.id)
    .with_for_update(key_share=True, skip_locked=True)
)
# Should the days be set anew meanwhile, so is the date.
_MOVE_ON = (
    update(_CUSTOMER)
    .where(_CUSTOMER.c.id == bindparam("key"), _CUSTOMER.c.reclaim_days == bindparam("old_days"))
    .values(reclaim_at=bindparam("later"))
)
# What people do beside mail, as the timeline names it.  The clocks of mail stand in the conversations, without automatic mail.
_TOUCHES = ("note", "touch")


@dataclass(frozen=True, slots=True)
class ReclaimRules:
    """What the pools say of falling back: (days, grades that never do) by pool, and which pool is the default."""

    default_id: int | None = None
    pools: dict[int, tuple[int | None, frozenset[str]]] = field(default_factory=dict)

    @classmethod
    def fetch(cls, session: Session) -> Self:
        """Read the settings of all pools; they are few."""
        wanted = select(PublicPool.pool_id, PublicPool.is_default, PublicPool.idle_days, PublicPool.protected_grades)
        rows = session.execute(wanted).all()
        return cls(
            next((row.pool_id for row in rows if row.is_default), None),
            {row.pool_id: (row.idle_days, frozenset(row.protected_grades)) for row in rows},
        )

    def days(self, home_pool_id: int | None, kind: str, grade: str | None) -> int | None:
        """Return after how many days without a word such an owned customer falls back; None: never."""
        home = self.default_id if home_pool_id is None else home_pool_id
        if home is None or kind not in CLAIMABLE_KINDS:
            return None
        days, protected = self.pools.get(home, (None, frozenset[str]()))
        return None if grade in protected else days

    @staticmethod
    def date(since: datetime, days: int | None) -> datetime | None:
        """Return when that is, from the last word on."""
        return None if days is None else since + timedelta(days=days)

    @staticmethod
    def moved_on(reclaim_at: datetime | None, days: int | None, word_at: datetime | None) -> datetime | None:
        """Return the later date that a word makes it; None: it stays, for now."""
        if reclaim_at is None or days is None or word_at is None:
            return None
        later = word_at + timedelta(days=days)
        return later if later - reclaim_at >= STEP else None


class Dated(Protocol):
    """A customer as a batch of mail knows it."""

    id: int
    reclaim_days: int | None
    reclaim_at: datetime | None


def move_dates_on(connection: Connection, customers: Iterable[Dated], words: Mapping[int, datetime]) -> None:
    """Write the dates that mail moved: `words` says when somebody wrote, by customer.

    It waits for nobody: a customer that another transaction is changing keeps its date until the next word.
    """
    changed = []
    for customer in sorted(customers, key=lambda one: one.id):
        later = ReclaimRules.moved_on(customer.reclaim_at, customer.reclaim_days, words[customer.id])
        if later is not None:
            customer.reclaim_at = later
            changed.append({"key": customer.id, "old_days": customer.reclaim_days, "later": later})
    if changed:
        free = set(connection.scalars(_FREE, {"keys": [row["key"] for row in changed]}))
        if rows := [row for row in changed if row["key"] in free]:
            connection.execute(_MOVE_ON, rows)


def touch_customers(session: Session, customer_ids: Collection[int], at: datetime) -> None:
    """Somebody spoke with these customers at that time, by telephone or face to face, or wrote a note: dates move on."""
    wanted = select(Customer.id, Customer.reclaim_days, Customer.reclaim_at).where(
        among_keys(Customer.id), Customer.reclaim_at.is_not(None)
    )
    groups: defaultdict[datetime, list[int]] = defaultdict(list)
    for key, days, reclaim_at in session.execute(wanted, {"keys": list(customer_ids)}):
        if later := ReclaimRules.moved_on(reclaim_at, days, at):
            groups[later].append(key)
    for later, keys in groups.items():
        session.execute(
            update(Customer)
            .where(among_keys(Customer.id))
            .values(reclaim_at=later)
            .execution_options(synchronize_session=False),
            {"keys": keys},
        )


def refresh_reclaim_dates(session: Session, customer_ids: Collection[int] | None = None) -> int:
    """Compute dates anew, of these customers or (None) of all; return how many were wrong by more than some hours."""
    rules = ReclaimRules.fetch(session)
    last, changed = 0, 0
    keys = None if customer_ids is None else sorted(customer_ids)
    while True:
        wanted = (
            select(
                Customer.id,
                Customer.kind,
                Customer.grade,
                Customer.created_at,
                Customer.owner_since,
                Customer.home_pool_id,
                Customer.reclaim_days,
                Customer.reclaim_at,
                Scope.owner_id,
            )
            .join(Scope, Scope.id == Customer.scope_id)
            .where(Customer.id > last, Customer.merged_into.is_(None))
            .order_by(Customer.id)
            .limit(_PAGE)
        )
        if keys is not None:
            wanted = wanted.where(among_keys(Customer.id))
        rows = session.execute(wanted, {"keys": keys} if keys is not None else {}).all()
        if not rows:
            return changed
        last = rows[-1].id
        words = fetch_last_words(session, [row.id for row in rows])
        groups: defaultdict[tuple[int | None, datetime | None], list[int]] = defaultdict(list)
        for row in rows:
            days = rules.days(row.home_pool_id, row.kind, row.grade) if row.owner_id is not None else None
            since = max(filter(None, (row.owner_since or row.created_at, words.get(row.id))))
            due = rules.date(since, days)
            if days != row.reclaim_days or not _is_near(due, row.reclaim_at):
                groups[days, due].append(row.id)
                changed += 1
        for (days, due), ids in groups.items():
            session.execute(
                update(Customer)
                .where(among_keys(Customer.id))
                .values(reclaim_days=days, reclaim_at=due)
                .execution_options(synchronize_session=False),
                {"keys": ids},
            )


def _is_near(one: datetime | None, other: datetime | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) < STEP


def fetch_last_words(session: Session, customer_ids: Collection[int]) -> dict[int, datetime]:
    """Return when a human being last wrote, called or met, of these customers with whom anybody did."""
    keys = {"keys": list(customer_ids)}
    mail = (
        select(Conversation.customer_id, func.max(Conversation.last_in_at), func.max(Conversation.last_out_at))
        .where(among_keys(Conversation.customer_id))
        .group_by(Conversation.customer_id)
    )
    touches = (
        select(Activity.customer_id, func.max(Activity.at), func.max(Activity.at))
        .where(among_keys(Activity.customer_id), Activity.kind.in_(_TOUCHES))
        .group_by(Activity.customer_id)
    )
    return _latest([*session.execute(mail, keys), *session.execute(touches, keys)])


def _latest(rows: Iterable[tuple[int | None, datetime | None, datetime | None]]) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    for key, *times in rows:
        for at in times:
            if key is not None and at is not None and (key not in found or at > found[key]):
                found[key] = at
    return found
