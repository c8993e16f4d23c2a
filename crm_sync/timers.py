# SPDX-License-Identifier: GPL-3.0-or-later
"""Do things later, once, whatever the number of workers, by the database's clock: a host's may be wrong.

Who claims a timer does the work and calls `finish` or `schedule` in the same transaction.  Should he die, the timer is as
before and the next one claims it.  On PostgreSQL claimed rows are locked and passed over by the others; on SQLite a
writing transaction is alone anyway.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from crm_sync.models.base import table
from crm_sync.models.timers import TimerRow
from crm_sync.row_buffer import insert_missing

_TIMER = table(TimerRow)
WAITING, DONE = "waiting", "done"


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer whose time has come.  `kind` says what is to be done, `ref` with what."""

    id: int
    kind: str
    ref: str
    due_at: datetime


def database_now(session: Session) -> datetime:
    """Return the database's time."""
    if session.connection().dialect.name == "postgresql":
        now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)
    said: str = session.execute(text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")).scalar_one()
    return datetime.fromisoformat(said).replace(tzinfo=UTC)


def schedule(session: Session, kind: str, ref: str, due_at: datetime) -> None:
    """Let (kind, ref) be done at that time, also when it waits for another time or was done before."""
    insert_missing(session.connection(), TimerRow, [{"kind": kind, "ref": ref, "state": WAITING, "due_at": due_at}])
    session.connection().execute(
        update(_TIMER).where(_TIMER.c.kind == kind, _TIMER.c.ref == ref).values(state=WAITING, due_at=due_at)
    )


def is_any_due(session: Session, kind: str) -> bool:
    """Has the time of one of this kind come?  A look that locks and writes nothing."""
    due = select(_TIMER.c.id).where(
        _TIMER.c.state == WAITING, _TIMER.c.due_at <= database_now(session), _TIMER.c.kind == kind
    )
    return session.connection().scalar(due.limit(1)) is not None


def claim_due(session: Session, kinds: Collection[str], limit: int = 50) -> list[Timer]:
    """Return timers of these kinds whose time has come, longest due first; they are the caller's until he commits."""
    due = (
        select(_TIMER.c.id, _TIMER.c.kind, _TIMER.c.ref, _TIMER.c.due_at)
        .where(_TIMER.c.state == WAITING, _TIMER.c.due_at <= database_now(session), _TIMER.c.kind.in_(kinds))
        .order_by(_TIMER.c.due_at, _TIMER.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [Timer(*row) for row in session.connection().execute(due)]


def finish(session: Session, timer: Timer) -> None:
    """It is done.  The row stays: scheduling it anew takes it up again."""
    session.connection().execute(update(_TIMER).where(_TIMER.c.id == timer.id).values(state=DONE))


def is_our_turn(session: Session, kind: str, every: timedelta) -> bool:
    """Is the periodic job due, and this transaction the one that does it?  The first time comes after one period."""
    now = database_now(session)
    insert_missing(session.connection(), TimerRow, [{"kind": kind, "ref": "", "state": WAITING, "due_at": now + every}])
    due = claim_due(session, (kind,))
    for timer in due:
        schedule(session, kind, timer.ref, now + every)
    return bool(due)
