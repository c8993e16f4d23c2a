# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a hand-over back: exactly what was moved, as far as it is where it was put.  What went elsewhere meanwhile stays there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, update
from sqlalchemy.orm import Session

from crm_sync.bulk_rows import insert_rows
from crm_sync.customers.hand_over import HAND_BACK, KIND, HandOverError
from crm_sync.customers.holdings import HOLDINGS
from crm_sync.customers.reclaim import refresh_reclaim_dates
from crm_sync.customers.tenures import Held, Holder, Why, keep_tenures, note_moves
from crm_sync.customers.transfers import Moved, Reassigned, begin_transfers, fetch_held, reassign
from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Customer, Scope, ScopeShare
from crm_sync.models.operations import Operation
from crm_sync.models.people import Company, Person
from crm_sync.models.timers import TimerRow
from crm_sync.rights import Action, Entity, Reach, Viewer
from crm_sync.timers import DONE

_MOST_ROWS, _MOST_NAMED = 200, 20
_CUSTOMER = table(Customer)
_DATE_BACK = (
    update(_CUSTOMER)
    .where(_CUSTOMER.c.id == bindparam("key"))
    .values(
        owner_since=bindparam("since"),
        reclaim_days=bindparam("days"),
        reclaim_at=bindparam("due"),
        version=_CUSTOMER.c.version + 1,
    )
)
_ASSIGNEES = (
    select(Conversation.id, Conversation.assignee_id, Conversation.status)
    .where(among_keys(Conversation.id), Conversation.merged_into.is_(None))
    .order_by(Conversation.id)
    .with_for_update(key_share=True)
)


@dataclass(frozen=True, slots=True)
class HandOverRow:
    """A hand-over of the past."""

    id: str
    at: datetime
    by: str | None  # None: root
    giver: str
    takers: tuple[str, ...]
    customers: int
    conversations: int
    until: str | None
    note: str
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class HandedBack:
    """What went back, and what did not: a line each, at most so many."""

    id: str
    giver: str
    customers: int
    conversations: int
    others: int
    left: tuple[str, ...]


def fetch_hand_overs(
    session: Session, viewer: Viewer, *, before: str | None = None, limit: int = 50
) -> tuple[HandOverRow, ...]:
    """Return hand-overs, newest first, older than the one of the id `before`: all, or the viewer's own.

    Raises HandOverError for who may not hand over.
    """
    people = select(Operation, Person.email).outerjoin(Person, Person.id == Operation.person_id)
    wanted = people.where(_visible(viewer))
    if before is not None:
        if not before.isalnum():
            raise HandOverError(f"hand-over {before[:60]!r}: is no id")
        wanted = wanted.where(Operation.public_id < before[:26])  # ids tell the time
    rows = session.execute(wanted.order_by(Operation.public_id.desc()).limit(max(1, min(limit, _MOST_ROWS))))
    return tuple(_row(operation, email) for operation, email in rows)


def undo_hand_over(session: Session, viewer: Viewer, public_id: str, cause_id: str, now: datetime) -> HandedBack:
    """Give back what a hand-over moved and nobody moved since.  Raises HandOverError."""
    begin_transfers(session)
    operation = _lock(session, viewer, public_id)
    undo: dict[str, Any] = operation.undo
    giver = session.get_one(Person, undo["giver"])
    if giver.left_at is not None:
        raise HandOverError(
            f"hand-over {public_id}: {giver.email} is no longer with the company; hand over to somebody else"
        )
    why = Why("hand-over-undone", cause_id, now, viewer.actor_id)
    moved, left = Moved(), _Left()
    _give_back_work(session, undo["conversations"], why, moved, left)
    customers = _give_back_customers(session, viewer, giver, undo["customers"], why, left)
    moved.customer_ids += customers
    others = _give_back_scopes(session, giver.id, undo["scopes"], left) + _give_back_rows(session, undo["rows"], left)
    _give_back_shares(session, giver.id, undo)
    _give_back_substitutes(session, giver.id, undo["stood_in_for"], moved)
    session.execute(update(TimerRow).where(TimerRow.kind == HAND_BACK, TimerRow.ref == public_id).values(state=DONE))
    operation.undone_at, operation.undone_by = now, viewer.actor_id
    session.flush()
    moved.finish(session, why)
    return HandedBack(public_id, giver.email, len(customers), len(moved.conversations), others, left.lines())


class _Left:
    """What is not where the hand-over put it."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._more = 0

    def name(self, line: str) -> None:
        """Remember one; there may be thousands."""
        if len(self._lines) < _MOST_NAMED:
            self._lines.append(line)
        else:
            self._more += 1

    def lines(self) -> tuple[str, ...]:
        """Return the lines, and how many more there would be."""
        return (*self._lines, f"and {self._more:,} more") if self._more else tuple(self._lines)


def _visible(viewer: Viewer) -> ColumnElement[bool]:
    reach = viewer.reach(Entity.CUSTOMER, Action.ASSIGN)
    if reach is Reach.NONE:
        raise HandOverError(f"{viewer.actor} may not hand over; a role with the right to assign may")
    kind = Operation.kind == KIND
    return kind if reach is Reach.ALL else kind & (Operation.person_id == viewer.person_id)


def _lock(session: Session, viewer: Viewer, public_id: str) -> Operation:
    visible = _visible(viewer)
    operation: Operation | None = None
    if public_id.isalnum():
        wanted = select(Operation).where(Operation.public_id == public_id[:26], visible).with_for_update()
        operation = session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()
    if operation is None:
        raise HandOverError(f"hand-over {public_id[:60]!r}: there is none that {viewer.actor} may undo")
    if operation.undone_at is not None:
        raise HandOverError(f"hand-over {public_id}: was undone at {operation.undone_at:%Y-%m-%d %H:%M} UTC")
    return operation


def _row(operation: Operation, email: str | None) -> HandOverRow:
    said = operation.summary
    return HandOverRow(
        operation.public_id,
        operation.at,
        email,
        said["from"],
        tuple(part["taker"] for part in said["parts"]),
        sum(part["customers"] for part in said["parts"]),
        sum(part["conversations"] for part in said["parts"]),
        said["until"],
        said["note"],
        operation.undone_at,
    )


def _give_back_work(session: Session, groups: Sequence[Sequence[Any]], why: Why, moved: Moved, left: _Left) -> None:
    before_of = {key: (before, after) for before, after, keys in groups for key in keys}
    changes = []
    for key, assignee, status in session.connection().execute(_ASSIGNEES, {"keys": list(before_of)}):
        before, after = before_of.pop(key)
        if assignee == after:
            changes.append(Reassigned(key, after, before, status))
        else:
            left.name(f"conversation {key}: somebody else works on it")
    for key in before_of:
        left.name(f"conversation {key}: was merged into another")
    reassign(session, changes, why, moved)


def _give_back_customers(
    session: Session, viewer: Viewer, giver: Person, rows: Iterable[Sequence[Any]], why: Why, left: _Left
) -> list[int]:
    of_customer = {row[0]: row[1:] for row in rows}
    names = {person: email for person, email in session.execute(select(Person.id, Person.email))}
    moves: list[tuple[Held, Holder]] = []
    dates, teams = [], dict[int | None, list[int]]()
    merged = set(
        session.scalars(
            select(Customer.id).where(among_keys(Customer.id), Customer.merged_into.is_not(None)),
            {"keys": list(of_customer)},
        )
    )
    # What went elsewhere may be out of his sight by now.
    sees_names = viewer.reach(Entity.CUSTOMER, Action.SEE) is Reach.ALL and not viewer.hides(Entity.CUSTOMER, "name")
    for held in fetch_held(session, list(of_customer)):
        called = f"customer {held.public_id} {held.name}" if sees_names else f"customer {held.public_id}"
        taker, team, since, days, due = of_customer[held.id]
        if held.id in merged:
            left.name(f"{called}: was merged into another")
        elif held.owner_id != taker:
            whose = names[held.owner_id] if held.owner_id is not None else "nobody"
            left.name(f"{called}: belongs to {whose if sees_names else 'somebody else'} now")
        else:
            moves.append((held, Holder(owner_id=giver.id)))
            teams.setdefault(team, []).append(held.scope_id)
            dates.append({"key": held.id, "since": _time(since), "days": days, "due": _time(due)})
    connection = session.connection()
    for team, scopes in teams.items():
        connection.execute(
            update(Scope).where(among_keys(Scope.id)).values(owner_id=giver.id, team_id=team), {"keys": scopes}
        )
    keep_tenures(session, moves, why)
    if dates:
        connection.execute(_DATE_BACK, dates)
    note_moves(session, moves, why)
    keys = [held.id for held, _ in moves]
    # Whoever wrote or was written to meanwhile counts.
    refresh_reclaim_dates(session, keys)
    return keys


def _time(said: str | None) -> datetime | None:
    return None if said is None else datetime.fromisoformat(said)


def _give_back_scopes(session: Session, giver_id: int, groups: Iterable[Sequence[Any]], left: _Left) -> int:
    number = 0
    for team, taker, keys in groups:
        connection = session.connection()
        there = list(
            connection.scalars(select(Scope.id).where(among_keys(Scope.id), Scope.owner_id == taker), {"keys": keys})
        )
        connection.execute(
            update(Scope).where(among_keys(Scope.id)).values(owner_id=giver_id, team_id=team), {"keys": there}
        )
        number += len(there)
        if len(there) < len(keys):
            left.name(
                f"{len(keys) - len(there)} conversations or tasks without a customer: belong to somebody else now"
            )
    return number


def _give_back_rows(session: Session, groups: dict[str, list[list[Any]]], left: _Left) -> int:
    number = 0
    connection = session.connection()
    for holding in HOLDINGS:
        for before, after, keys in groups.get(holding.name, ()):
            still = select(holding.key).where(among_keys(holding.key), holding.person == after, holding.only)
            there = list(connection.scalars(still, {"keys": keys}))
            connection.execute(
                update(holding.person.table).where(among_keys(holding.key)).values({holding.person.key: before}),
                {"keys": there},
            )
            number += len(there)
            if len(there) < len(keys):
                left.name(f"{len(keys) - len(there)} {holding.noun}: done, or somebody else's now")
    return number


def _give_back_shares(session: Session, giver_id: int, undo: dict[str, Any]) -> None:
    moved = [and_(ScopeShare.id == share, ScopeShare.person_id == taker) for share, taker in undo["shares"]]
    if moved:
        session.execute(update(ScopeShare).where(or_(*moved)).values(person_id=giver_id))
    rows = [
        {
            "scope_id": scope,
            "person_id": giver_id,
            "team_id": None,
            "level": level,
            "cause": cause,
            "created_at": _time(at),
            "created_by": by,
        }
        for scope, level, cause, at, by in undo["dropped_shares"]
    ]
    insert_rows(session.connection(), table(ScopeShare), rows)


def _give_back_substitutes(session: Session, giver_id: int, rows: Sequence[Sequence[Any]], moved: Moved) -> None:
    for key, other in rows:
        same = Person.substitute_id.is_(None) if other is None else Person.substitute_id == other
        session.execute(
            update(Person).where(Person.id == key, same).values(substitute_id=giver_id, version=Person.version + 1)
        )
    if rows:
        session.execute(update(Company).values(policy_version=Company.policy_version + 1))
        moved.dirty.policy = True
