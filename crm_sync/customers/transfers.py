# SPDX-License-Identifier: GPL-3.0-or-later
"""Customers go from one holder to another, a person or a pool, and their conversations with them.  Any number at a time.

Whoever transfers holds up all recording until he commits (`begin_transfers`): no letter is then given to the former
owner meanwhile, and nobody waits in a circle.  After that he locks conversations, by their id, and writes customers, then
people, then the directory's changes, as every transaction does (`crm_sync.batch_locks`).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.orm import Session

from crm_sync.advisory_locks import RECORDING, hold_for_transaction
from crm_sync.bulk_rows import insert_rows
from crm_sync.conversations.binding import OPEN
from crm_sync.customers.reclaim import ReclaimRules
from crm_sync.directory_rows import DirtyKeys, changed_owners, changed_threads
from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.conversations import Conversation, Event
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.people import Person
from crm_sync.models.public_pool import CustomerTenure

_PERSON = table(Person)
_RECOUNT = (
    update(_PERSON)
    .where(_PERSON.c.id == bindparam("key"))
    .values(open_conversations=_PERSON.c.open_conversations + bindparam("change"))
)
_CUSTOMERS = (
    select(
        Customer.id,
        Customer.public_id,
        Customer.name,
        Customer.kind,
        Customer.grade,
        Customer.created_at,
        Customer.owner_since,
        Customer.home_pool_id,
        Customer.reclaim_at,
        Customer.scope_id,
        Scope.owner_id,
        Scope.team_id,
        Scope.pool_id,
    )
    .join(Scope, Scope.id == Customer.scope_id)
    .where(among_keys(Customer.id))
    .order_by(Customer.id)
)
_CONVERSATIONS = (
    select(Conversation.id, Conversation.customer_id, Conversation.assignee_id, Conversation.status)
    .where(among_keys(Conversation.customer_id), Conversation.merged_into.is_(None))
    .order_by(Conversation.id)
    .with_for_update(key_share=True)
)
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


@dataclass(slots=True)
class Moved:
    """What changed hands.  `conversations` are (key, assignee before, assignee after)."""

    customers: int = 0
    conversations: list[tuple[int, int | None, int | None]] = field(default_factory=list)
    loads: Counter[int] = field(default_factory=Counter)
    dirty: DirtyKeys = field(default_factory=DirtyKeys)
    customer_ids: list[int] = field(default_factory=list)

    def finish(self, session: Session) -> int:
        """Count people's open conversations anew and tell the directory: the last thing before the commit.

        Returns how many of its keys changed.
        """
        connection = session.connection()
        changed = [{"key": key, "change": change} for key, change in sorted(self.loads.items()) if change]
        changed_owners(session, self.dirty, self.customer_ids)
        self.dirty.threads |= changed_threads(session, [key for key, _, _ in self.conversations])
        self.dirty.people |= {one["key"] for one in changed}
        rows = self.dirty.read(session)
        if changed:
            connection.execute(_RECOUNT, changed)
        return self.dirty.write(session, rows)


def begin_transfers(session: Session) -> None:
    """Wait until nobody records, and let nobody begin until this transaction ends.  Call it before anything is asked."""
    hold_for_transaction(session.connection(), RECORDING)


def fetch_held(session: Session, customer_ids: Collection[int]) -> list[Held]:
    """Return these customers with their holders, by key."""
    return [Held(*tuple(row)) for row in session.connection().execute(_CUSTOMERS, {"keys": list(customer_ids)})]


def transfer(session: Session, moves: Sequence[tuple[Held, Holder]], why: Why, moved: Moved) -> None:
    """Give each customer to its new holder, with what hangs on it; `moved` is told.

    A conversation follows when the former owner does its work, open or not: an answer next month shall not reach him.  So
    does an open one that nobody works on.  Where somebody else does the work, he goes on.
    """
    _move_conversations(session, {held.id: (held.owner_id, to.owner_id) for held, to in moves}, why, moved)
    _move_scopes(session, moves)
    _date_customers(session, moves, why)
    _keep_tenures(session, moves, why)
    _note_moves(session, moves, why)
    moved.customers += len(moves)
    moved.customer_ids += [held.id for held, _ in moves]


def reassign(
    session: Session,
    conversations: Iterable[Row[int, int | None, int | None, str]],
    new_assignee: Callable[[int | None, int | None, str], int | None],
    why: Why,
    moved: Moved,
) -> None:
    """Let others do the work of locked conversations (key, customer, assignee, status).

    `new_assignee` says who, of (customer, assignee, status); the same as before: it stays.
    """
    groups: defaultdict[int | None, list[int]] = defaultdict(list)
    events = []
    for key, customer, before, status in conversations:
        after = new_assignee(customer, before, status)
        if after == before:
            continue
        groups[after].append(key)
        moved.conversations.append((key, before, after))
        if status == OPEN:
            if before is not None:
                moved.loads[before] -= 1
            if after is not None:
                moved.loads[after] += 1
        events.append(_event(why, f"conversation:{key}", {"from": before, "to": after}, conversation_id=key))
    connection = session.connection()
    for assignee, keys in groups.items():
        connection.execute(
            update(Conversation)
            .where(among_keys(Conversation.id))
            .values(assignee_id=assignee, version=Conversation.version + 1),
            {"keys": keys},
        )
    insert_rows(connection, table(Event), events)


def _move_conversations(
    session: Session, owners: dict[int, tuple[int | None, int | None]], why: Why, moved: Moved
) -> None:
    def new_assignee(customer: int | None, before: int | None, status: str) -> int | None:
        assert customer is not None
        owner, successor = owners[customer]
        follows = status == OPEN if before is None else before == owner
        return successor if follows else before

    rows = session.connection().execute(_CONVERSATIONS, {"keys": list(owners)}).all()
    reassign(session, rows, new_assignee, why, moved)


def fetch_teams(session: Session) -> dict[int, int | None]:
    """Return everybody's team; people are few."""
    return dict(session.execute(select(Person.id, Person.team_id)).all())


def _move_scopes(session: Session, moves: Sequence[tuple[Held, Holder]]) -> None:
    teams = fetch_teams(session)
    groups: defaultdict[Holder, list[int]] = defaultdict(list)
    for held, to in moves:
        groups[to].append(held.scope_id)
    for to, keys in groups.items():
        team = teams.get(to.owner_id) if to.owner_id is not None else None
        session.connection().execute(
            update(Scope).where(among_keys(Scope.id)).values(owner_id=to.owner_id, team_id=team, pool_id=to.pool_id),
            {"keys": keys},
        )


def _date_customers(session: Session, moves: Sequence[tuple[Held, Holder]], why: Why) -> None:
    """Who has it now has it since now, and has all his days before it falls back."""
    rules = ReclaimRules.fetch(session)
    groups: defaultdict[tuple[int | None, int | None], list[int]] = defaultdict(list)
    for held, to in moves:
        home = held.pool_id or to.pool_id or held.home_pool_id
        days = rules.days(home, held.kind, held.grade) if to.owner_id is not None else None
        groups[home, days].append(held.id)
    for (home, days), keys in groups.items():
        session.connection().execute(
            update(Customer)
            .where(among_keys(Customer.id))
            .values(
                owner_since=why.at,
                home_pool_id=home,
                reclaim_days=days,
                reclaim_at=rules.date(why.at, days),
                version=Customer.version + 1,
            ),
            {"keys": keys},
        )


def _keep_tenures(session: Session, moves: Sequence[tuple[Held, Holder]], why: Why) -> None:
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


def _note_moves(session: Session, moves: Sequence[tuple[Held, Holder]], why: Why) -> None:
    said = {"reason": why.reason, "note": why.note}
    rows = [
        _event(
            why,
            f"customer:{held.id}",
            {"from": held.owner_id, "from_pool": held.pool_id, "to": to.owner_id, "to_pool": to.pool_id}
            | {name: words for name, words in said.items() if words},
            customer_id=held.id,
        )
        for held, to in moves
    ]
    insert_rows(session.connection(), table(Event), rows)


def _event(
    why: Why,
    subject: str,
    details: dict[str, Any],
    *,
    conversation_id: int | None = None,
    customer_id: int | None = None,
) -> dict[str, Any]:
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
