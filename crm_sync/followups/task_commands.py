# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost task`: what somebody has to do until when."""

from datetime import UTC, datetime

import click

from crm_sync.command_output import Moment, acting, as_json, as_person, echo_rows
from crm_sync.followups.tasks import (
    STATES,
    TaskPlace,
    TaskView,
    add_task,
    close_task,
    edit_task,
    fetch_task,
    list_tasks,
    reopen_task,
)
from tradepost.cli import Invocation

_DUE = click.option("--due", type=Moment(), help="Until when: 2026-12-01 or '2026-12-01 15:00'.")
_TO = click.option("--to", "assignee", metavar="ADDRESS", help="Who has to do it; else the person of --as.")
_COLUMNS = (
    ("id", lambda task: task.id),
    ("due", lambda task: task.due_at),
    ("", lambda task: "overdue" if task.is_overdue else ""),
    ("who", lambda task: task.assignee.email if task.assignee else ""),
    ("customer", lambda task: task.customer_name),
    ("title", lambda task: task.title),
    ("state", lambda task: task.state),
)


@click.group()
def task() -> None:
    """Plan tasks, on a customer (customer:ID), a conversation (conversation:ID), a mail (mail:ID), or by themselves."""


@task.command()
@click.argument("title")
@click.option("--about", help="customer:ID, conversation:ID or mail:ID.")
@_TO
@_DUE
@click.option("--details", default="", help="What more there is to say.")
@as_person
@as_json
@click.pass_obj
def add(
    invocation: Invocation,
    title: str,
    about: str | None,
    assignee: str | None,
    due: datetime | None,
    details: str,
    person: str | None,
    as_json: bool,
) -> None:
    """Plan a task."""
    with acting(invocation, person, writes=True) as (session, viewer):
        planned = add_task(
            session, viewer, title, datetime.now(UTC), about=about, assignee=assignee, due_at=due, details=details
        )
    _echo((planned,), as_json)


@task.command("list")
@click.option("--about", help="customer:ID or conversation:ID.")
@_TO
@click.option("--state", type=click.Choice(STATES), default="open", show_default=True)
@click.option("--after", metavar="ID", help="Only tasks behind this one: the next page.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@as_person
@as_json
@click.pass_obj
def list_(
    invocation: Invocation,
    about: str | None,
    assignee: str | None,
    state: str,
    after: str | None,
    limit: int,
    person: str | None,
    as_json: bool,
) -> None:
    """Show tasks, the next due first."""
    with acting(invocation, person, writes=False) as (session, viewer):
        now = datetime.now(UTC)
        place = None
        if after is not None:
            last = fetch_task(session, viewer, after, now)
            if last is None:
                raise click.UsageError(f"--after {after}: there is no such task")
            place = TaskPlace(last.due_at, last.id)
        found = list_tasks(session, viewer, now, about=about, assignee=assignee, state=state, after=place, limit=limit)
    _echo(found, as_json)


@task.command()
@click.argument("task_id")
@click.option("--version", type=int, required=True, help="The version that you read ('task list --json').")
@click.option("--title")
@click.option("--details")
@_TO
@_DUE
@click.option("--no-due", is_flag=True, help="It has time.")
@as_person
@as_json
@click.pass_obj
def edit(
    invocation: Invocation,
    task_id: str,
    version: int,
    title: str | None,
    details: str | None,
    assignee: str | None,
    due: datetime | None,
    no_due: bool,
    person: str | None,
    as_json: bool,
) -> None:
    """Change a task."""
    if no_due and due is not None:
        raise click.UsageError("--due and --no-due exclude each other")
    with acting(invocation, person, writes=True) as (session, viewer):
        changed = edit_task(
            session,
            viewer,
            task_id,
            datetime.now(UTC),
            version=version,
            title=title,
            details=details,
            assignee=assignee,
            due_at=due,
            has_no_due=no_due,
        )
    _echo((changed,), as_json)


@task.command()
@click.argument("task_id")
@click.option("--result", default="", help="What came of it.")
@click.option("--dropped", is_flag=True, help="It was not done and will not be.")
@as_person
@as_json
@click.pass_obj
def done(invocation: Invocation, task_id: str, result: str, dropped: bool, person: str | None, as_json: bool) -> None:
    """Say that a task is done."""
    state = "dropped" if dropped else "done"
    with acting(invocation, person, writes=True) as (session, viewer):
        closed = close_task(session, viewer, task_id, datetime.now(UTC), state=state, result=result)
    _echo((closed,), as_json)


@task.command()
@click.argument("task_id")
@as_person
@as_json
@click.pass_obj
def reopen(invocation: Invocation, task_id: str, person: str | None, as_json: bool) -> None:
    """Take back that a task was closed."""
    with acting(invocation, person, writes=True) as (session, viewer):
        found = reopen_task(session, viewer, task_id, datetime.now(UTC))
    _echo((found,), as_json)


def _echo(tasks: tuple[TaskView, ...], to_json: bool) -> None:
    echo_rows(tasks, _COLUMNS, to_json=to_json, none="no tasks")
