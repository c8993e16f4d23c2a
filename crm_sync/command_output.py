# SPDX-License-Identifier: GPL-3.0-or-later
"""What this room's commands share: for whom they act, and how they print, as a table or as JSON.

What JSON names is promised to scripts: a command prints one object, or one object a line for a list, with every field.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.commands import ready_database
from crm_sync.models.people import Person
from crm_sync.rights import Viewer, fetch_viewer, root_viewer
from tradepost.addresses import address_key
from tradepost.cli import Invocation
from tradepost.errors import Refusal

_PIPED_COLUMNS = 120  # a file has no width

as_person = click.option(
    "--as",
    "person",
    metavar="ADDRESS",
    help="Act as this registered person; without it as root, who may do everything.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="JSON instead of text: one object, or one a line.")
_TIMES = ["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S%z"]


class Moment(click.ParamType[datetime]):
    """A time as people write it, aware.  Without a zone it is meant as the clock on this host's wall shows it."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time in UTC; what is no time is refused with the forms that are."""
        if isinstance(value, datetime):
            return value
        said: datetime = click.DateTime(_TIMES).convert(value, param, ctx)
        return said.astimezone(UTC)


class ActorUnknown(Refusal, LookupError):
    """Nobody registered has that address."""


def acting_viewer(session: Session, address: str | None) -> Viewer:
    """Return for whom a command acts; None: whoever runs it.  Raises ActorUnknown."""
    if address is None:
        return root_viewer()
    key = address_key(address) if address.isprintable() else ""
    person_id = session.scalars(select(Person.id).where(Person.email == key)).one_or_none()
    viewer = None if person_id is None else fetch_viewer(session, person_id)
    if viewer is None:
        raise ActorUnknown(f"{address!r}: is no registered person; 'tradepost person list' names them")
    return viewer


@contextmanager
def acting(invocation: Invocation, address: str | None, *, writes: bool) -> Iterator[tuple[Session, Viewer]]:
    """Open the records for a command: a session, and for whom it acts.  Raises DatabaseError, ActorUnknown."""
    with ready_database(invocation.settings) as opened:
        with opened.writing() if writes else opened.reading() as session:
            yield session, acting_viewer(session, address)


def echo_object(thing: object, *, to_json: bool, as_text: Callable[[], str]) -> None:
    """Print one answer."""
    click.echo(msgspec.json.encode(thing).decode() if to_json else as_text().rstrip("\n"))


def echo_rows(
    rows: Iterable[Any], columns: Sequence[tuple[str, Callable[[Any], object]]], *, to_json: bool, none: str
) -> None:
    """Print a list: a JSON object a line, else a table of (heading, what stands there); `none` when there are none.

    Numbers stand to the right.
    """
    if to_json:
        for row in rows:
            click.echo(msgspec.json.encode(row).decode())
        return
    cells = [[read(row) for _, read in columns] for row in rows]
    if not cells:
        click.echo(none)
        return
    table = new_table()
    for number, (heading, _) in enumerate(columns):
        is_number = all(isinstance(line[number], int | float) for line in cells)
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for line in cells:
        table.add_row(*(_shown(cell) for cell in line))
    click.echo(printed(table), nl=False)


def shown_time(at: datetime | None) -> str:
    """Return a time as the clock on this host's wall shows it."""
    return "" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M}"


def _shown(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return shown_time(cell)
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return printable(str(cell))


def new_table() -> Table:
    """Return an empty table in the style of all commands."""
    return Table(box=None, pad_edge=False)


def printed(table: Table) -> str:
    """Return a table as text, as wide as the terminal."""
    console = Console(width=None if sys.stdout.isatty() else _PIPED_COLUMNS, markup=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def printable(text: str) -> str:
    """Return somebody else's words so that they can't steer the terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
