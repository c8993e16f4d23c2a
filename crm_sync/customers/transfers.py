# SPDX-License-Identifier: GPL-3.0-or-later
"""Customers go from one holder to another, a person or a pool, and their conversations with them.  Any number at a time.

Whoever transfers holds up all recording until he commits (`begin_transfers`): no letter is then given to the former
owner meanwhile, and nobody waits in a circle.  After that he locks conversations, by their id, and writes customers, then
people, then the directory's changes, as every transaction does (`crm_sync.batch_locks`).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from crm_sync.advisory_locks import RECORDING, hold_for_transaction
from crm_sync.conversations.binding import OPEN, WAITING
from crm_sync.conversations.shares import share_with_assignees
from crm_sync.customers.reclaim import ReclaimRules
from crm_sync.customers.tenures import Held, Holder, Why, keep_tenures, note_all, note_moves
from crm_sync.directory_rows import DirtyKeys, changed_owners
from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.people import Person

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
        Customer.reclaim_days,
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
)
_WORKED_ON = select(Conversation.id).where(
    among_keys(Conversation.customer_id), Conversation.merged_into.is_(None), Conversation.assignee_id.is_not(None)
)
# What still has to be done.
UNFINISHED = (OPEN, WAITING)


@dataclass(frozen=True, slots=True)
class Reassigned:
    """A conversation and who does its work, before and after."""

    key: int
    before: int | None
    after: int | None
    status: str


@dataclass(slots=True)
class Moved:
    """What changed hands, and what must be told of it."""

    customers: int = 0
    conversations: list[Reassigned] = field(default_factory=list)
    loads: Counter[int] = field(default_factory=Counter)
    dirty: DirtyKeys = field(default_factory=DirtyKeys)
    customer_ids: list[int] = field(default_factory=list)

    def finish(self, session: Session, why: Why) -> int:
        """Share with whoever works for another owner, count people's open conversations, tell the directory: last of all.

        Returns how many of the directory's keys changed.
        """
        connection = session.connection()
        changed_keys = {change.key for change in self.conversations}
        worked_on = connection.scalars(_WORKED_ON, {"keys": self.customer_ids})
        share_with_assignees(session, sorted(changed_keys.union(worked_on)), why.at, why.actor_id)
        changed = [{"key": key, "change": change} for key, change in sorted(self.loads.items()) if change]
        changed_owners(session, self.dirty, self.customer_ids)
        self.dirty.conversations |= changed_keys
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
    owners = {held.id: (held.owner_id, to.owner_id) for held, to in moves}
    reassign(session, following(session, owners), why, moved)
    _move_scopes(session, moves)
    keep_tenures(session, moves, why)
    _date_customers(session, moves, why)
    note_moves(session, moves, why)
    moved.customers += len(moves)
    moved.customer_ids += [held.id for held, _ in moves]


def following(
    session: Session, owners: Mapping[int, tuple[int | None, int | None]], *, locks: bool = True
) -> list[Reassigned]:
    """Return what becomes of the conversations of customers that go from one owner to another (both by customer).

    With `locks` they are the caller's until he commits.
    """
    statement = _CONVERSATIONS.with_for_update(key_share=True) if locks else _CONVERSATIONS
    changes = []
    for key, customer, before, status in session.connection().execute(statement, {"keys": list(owners)}):
        owner, successor = owners[customer or 0]
        follows = status in UNFINISHED if before is None else before == owner
        if follows and before != successor:
            changes.append(Reassigned(key, before, successor, status))
    return changes


def reassign(session: Session, changes: Sequence[Reassigned], why: Why, moved: Moved) -> None:
    """Let others do the work of locked conversations."""
    groups: defaultdict[tuple[int | None, int | None], list[int]] = defaultdict(list)
    for change in changes:
        groups[change.before, change.after].append(change.key)
        if change.status == OPEN:
            if change.before is not None:
                moved.loads[change.before] -= 1
            if change.after is not None:
                moved.loads[change.after] += 1
    for (before, after), keys in groups.items():
        session.connection().execute(
            update(Conversation)
            .where(among_keys(Conversation.id))
            .values(assignee_id=after, version=Conversation.version + 1),
            {"keys": keys},
        )
        note_all(session, why, Conversation.id, "conversation", keys, {"from": before, "to": after})
    moved.conversations += changes


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
