# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks: what somebody has to do until when, on a customer or conversation or by itself.

A task is seen by whoever sees what it is about, and by whoever has to do it: to ask a colleague of another department for a
drawing shows him the task, not the customer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue, NotAllowed, NotFound, Outdated
from crm_sync.followups.targets import Target, check_may_write, find_target
from crm_sync.mail_views import PersonRef
from crm_sync.models.conversations import Activity, Event
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.followups import Task
from crm_sync.models.people import Person
from crm_sync.rights import Action, Entity, Reach, Viewer, may
from crm_sync.search.record_rows import index_records
from tradepost.addresses import address_key

STATES = ("open", "done", "dropped")
LONGEST_TITLE, LONGEST_TEXT = 300, 20_000


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as people read it."""

    id: str
    title: str
    details: str
    assignee: PersonRef | None
    creator: PersonRef | None  # None: root
    customer: str | None  # public id, for whoever may see the customer
    customer_name: str
    due_at: datetime | None
    is_overdue: bool
    state: str
    result: str
    created_at: datetime
    closed_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class TaskPlace:
    """Where a page of tasks ended: order is by due time, those without one last, then by id."""

    due_at: datetime | None
    id: str


def add_task(
    session: Session,
    viewer: Viewer,
    title: str,
    now: datetime,
    *,
    about: str | None = None,
    assignee: str | None = None,
    due_at: datetime | None = None,
    details: str = "",
) -> TaskView:
    """Plan a task for the viewer, or for `assignee` (an address).  Raises NotFound, NotAllowed, InvalidValue."""
    person = _find_assignee(session, viewer, assignee)
    if about is not None:
        target = find_target(session, viewer, about)
        check_may_write(session, viewer, target)
    else:
        if viewer.reach(Entity.NOTE, Action.EDIT) is Reach.NONE:
            raise NotAllowed(f"{viewer.actor} may plan no tasks")
        target = Target(_own_scope(session, person))
    task = Task(
        public_id=str(ULID.from_datetime(now)),
        scope_id=target.scope_id,
        customer_id=target.customer_id,
        conversation_id=target.conversation_id,
        title=_checked_title(title),
        details=_checked_text(details),
        assignee_id=person.id,
        creator_id=viewer.actor_id,
        due_at=due_at,
        state="open",
        result="",
        created_at=now,
        version=1,
    )
    session.add(task)
    session.flush()
    if task.customer_id is not None:
        session.add(
            Activity(
                customer_id=task.customer_id,
                at=now,
                kind="task",
                conversation_id=task.conversation_id,
                task_id=task.id,
            )
        )
    _tell(session, viewer, task, "task-planned", now, assignee=person.email)
    session.flush()
    index_records(session.connection(), "task", [task.id])
    return _views(session, viewer, [task], now)[0]


def edit_task(
    session: Session,
    viewer: Viewer,
    task_id: str,
    now: datetime,
    *,
    version: int,
    title: str | None = None,
    details: str | None = None,
    assignee: str | None = None,
    due_at: datetime | None = None,
    has_no_due: bool = False,
) -> TaskView:
    """Change what is given of a task; `has_no_due` takes the due time away.  `version` is the one that was read.

    Raises NotFound, NotAllowed, InvalidValue, Outdated.
    """
    task = _lock(session, viewer, task_id)
    if task.version != version:
        raise Outdated(f"task {task_id}: was changed meanwhile (version {task.version}); read it again")
    if title is not None:
        task.title = _checked_title(title)
    if details is not None:
        task.details = _checked_text(details)
    if assignee is not None:
        person = _find_assignee(session, viewer, assignee)
        task.assignee_id = person.id
        _move_own_scope(session, task, person)
    if due_at is not None or has_no_due:
        task.due_at = due_at
    task.version += 1
    _tell(session, viewer, task, "task-changed", now)
    session.flush()
    index_records(session.connection(), "task", [task.id])
    return _views(session, viewer, [task], now)[0]


def close_task(
    session: Session, viewer: Viewer, task_id: str, now: datetime, *, state: str = "done", result: str = ""
) -> TaskView:
    """Say that a task is done, or dropped, and what came of it.  Raises NotFound, InvalidValue."""
    if state not in STATES[1:]:
        raise InvalidValue(f"state {state!r}: a task is closed as done or dropped")
    task = _lock(session, viewer, task_id)
    if task.state != "open":
        raise InvalidValue(f"task {task_id}: is {task.state} already")
    task.state, task.result = state, _checked_text(result)
    task.closed_at, task.closed_by = now, viewer.actor_id
    task.version += 1
    _tell(session, viewer, task, f"task-{state}", now)
    session.flush()
    index_records(session.connection(), "task", [task.id])
    return _views(session, viewer, [task], now)[0]


def reopen_task(session: Session, viewer: Viewer, task_id: str, now: datetime) -> TaskView:
    """Take back that a task was closed.  Raises NotFound, InvalidValue."""
    task = _lock(session, viewer, task_id)
    if task.state == "open":
        raise InvalidValue(f"task {task_id}: is open")
    task.state, task.closed_at, task.closed_by = "open", None, None
    task.version += 1
    _tell(session, viewer, task, "task-reopened", now)
    session.flush()
    index_records(session.connection(), "task", [task.id])
    return _views(session, viewer, [task], now)[0]


def fetch_task(session: Session, viewer: Viewer, task_id: str, now: datetime) -> TaskView | None:
    """Return one task; None: there is none that the viewer may see."""
    if not task_id.isalnum():
        return None
    found = session.scalars(
        select(Task).where(Task.public_id == task_id[:26], _is_seen(viewer, Action.SEE))
    ).one_or_none()
    return None if found is None else _views(session, viewer, [found], now)[0]


def list_tasks(
    session: Session,
    viewer: Viewer,
    now: datetime,
    *,
    about: str | None = None,
    assignee: str | None = None,
    state: str = "open",
    after: TaskPlace | None = None,
    limit: int = 50,
) -> tuple[TaskView, ...]:
    """Return tasks, the next due first, after a place; of one record, or of one person (`assignee`).

    Raises NotFound, InvalidValue.
    """
    if state not in STATES:
        raise InvalidValue(f"state {state!r}: there are {', '.join(STATES)}")
    tasks = select(Task).where(Task.state == state, _is_seen(viewer, Action.SEE))
    if about is not None:
        target = find_target(session, viewer, about)
        tasks = tasks.where(
            Task.conversation_id == target.conversation_id
            if target.conversation_id is not None
            else Task.customer_id == target.customer_id
        )
    if assignee is not None:
        tasks = tasks.where(Task.assignee_id.in_(select(Person.id).where(Person.email == address_key(assignee))))
    if after is not None:
        tasks = tasks.where(_is_after(after))
    tasks = tasks.order_by(Task.due_at.is_(None), Task.due_at, Task.public_id).limit(limit)
    return _views(session, viewer, session.scalars(tasks).all(), now)


def _is_after(place: TaskPlace) -> ColumnElement[bool]:
    if place.due_at is None:
        return and_(Task.due_at.is_(None), Task.public_id > place.id)
    return or_(
        Task.due_at.is_(None),
        Task.due_at > place.due_at,
        and_(Task.due_at == place.due_at, Task.public_id > place.id),
    )


def _is_seen(viewer: Viewer, action: Action) -> ColumnElement[bool]:
    """Seen, or changed, by whoever may do that with what it is about, and by whoever has to do it."""
    doers = [viewer.person_id, *sorted(viewer.stands_in_for)]
    return or_(may(viewer, Entity.NOTE, action, Task.scope_id), Task.assignee_id.in_(doers))


def _lock(session: Session, viewer: Viewer, task_id: str) -> Task:
    wanted = select(Task).where(Task.public_id == task_id[:26], _is_seen(viewer, Action.EDIT)).with_for_update()
    task = session.scalars(wanted).one_or_none() if task_id.isalnum() else None
    if task is None:
        raise NotFound(f"task {task_id[:60]}: there is none that {viewer.actor} may change")
    return task


def _find_assignee(session: Session, viewer: Viewer, address: str | None) -> Person:
    if address is None and viewer.actor_id is None:
        raise InvalidValue("say who has to do it: --to ADDRESS")
    wanted = select(Person).where(Person.left_at.is_(None))
    if address is None:
        return session.scalars(wanted.where(Person.id == viewer.person_id)).one()
    key = address_key(address) if address.isprintable() else ""
    person = session.scalars(wanted.where(Person.email == key)).one_or_none()
    if person is None:
        raise InvalidValue(f"{address[:60]!r}: is no registered person")
    return person


def _own_scope(session: Session, person: Person) -> int:
    scope = Scope(kind="task", owner_id=person.id, team_id=person.team_id)
    session.add(scope)
    session.flush()
    return scope.id


def _move_own_scope(session: Session, task: Task, person: Person) -> None:
    scope = session.get_one(Scope, task.scope_id)
    if scope.kind == "task":
        scope.owner_id, scope.team_id = person.id, person.team_id


def _checked_title(title: str) -> str:
    title = " ".join(title.replace("\x00", "").split())
    if not title:
        raise InvalidValue("a task needs a title")
    if len(title) > LONGEST_TITLE:
        raise InvalidValue(f"a title has at most {LONGEST_TITLE} characters, this one {len(title)}")
    return title


def _checked_text(text: str) -> str:
    text = text.replace("\x00", "").strip()
    if len(text) > LONGEST_TEXT:
        raise InvalidValue(f"a text has at most {LONGEST_TEXT} characters, this one {len(text)}")
    return text


def _tell(session: Session, viewer: Viewer, task: Task, step: str, now: datetime, **details: str) -> None:
    session.add(
        Event(
            cause_id=str(ULID()),
            step=step,
            subject=f"task:{task.id}",
            at=now,
            conversation_id=task.conversation_id,
            customer_id=task.customer_id,
            person_id=viewer.actor_id,
            details={"task": task.public_id, **details},
        )
    )


def _views(session: Session, viewer: Viewer, tasks: Sequence[Task], now: datetime) -> tuple[TaskView, ...]:
    keys = {key for task in tasks for key in (task.assignee_id, task.creator_id) if key is not None}
    people = select(Person.id, Person.email, Person.name).where(Person.id.in_(keys))
    person_of = {key: PersonRef(email, name) for key, email, name in session.execute(people)}
    customers = select(Customer.id, Customer.public_id, Customer.name).where(
        Customer.id.in_({task.customer_id for task in tasks if task.customer_id is not None}),
        may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id),
    )
    customer_of = {key: (public_id, name) for key, public_id, name in session.execute(customers)}
    views = []
    for task in tasks:
        customer, customer_name = customer_of.get(task.customer_id or 0, (None, ""))
        views.append(
            TaskView(
                id=task.public_id,
                title=task.title,
                details=task.details,
                assignee=person_of.get(task.assignee_id or 0),
                creator=person_of.get(task.creator_id or 0),
                customer=customer,
                customer_name=customer_name,
                due_at=task.due_at,
                is_overdue=task.state == "open" and task.due_at is not None and task.due_at < now,
                state=task.state,
                result=task.result,
                created_at=task.created_at,
                closed_at=task.closed_at,
                version=task.version,
            )
        )
    return tuple(views)
