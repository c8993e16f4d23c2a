# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each mail, as a table: from the records where they hold it, else from the marks in the mailbox."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text
from sqlalchemy import select

from crm_sync.database import DatabaseError, open_database
from crm_sync.mail_views import MailRow
from crm_sync.models.people import Person
from crm_sync.queries import newest
from crm_sync.rights import fetch_viewer
from postfix.sandbox.demonstration import Trip
from postfix.sandbox.service_stack import ServiceStack

PRIORITY_STYLES = {"urgent": "bold red", "high": "yellow", "low": "dim"}
# More mails than a demo sends.
LIMIT = 2000


@dataclass(frozen=True, slots=True)
class _Line:
    category: str = ""
    priority: str = ""
    language: str = ""
    country: str = ""
    owner: str = ""
    customer: str = ""


def render_table(stack: ServiceStack, trips: Iterable[Trip], manager: str) -> Table:
    """Return the table; `manager` is the address of somebody who may see every record."""
    rows = _read_rows(stack, manager)
    table = Table(box=None, pad_edge=False, header_style="bold", row_styles=("", "on grey11"))
    for name, width in (("subject", 40), ("category", 9), ("priority", 8)):
        table.add_column(name, max_width=width, no_wrap=True, overflow="ellipsis", min_width=min(width, 8))
    table.add_column("language", no_wrap=True)
    table.add_column("country", no_wrap=True)
    for name, width in (("owner", 12), ("customer", 24)):
        table.add_column(name, max_width=width, no_wrap=True, overflow="ellipsis")
    table.add_column("ms", justify="right", no_wrap=True)
    for trip in trips:
        line = _line(stack, trip, rows)
        table.add_row(
            # Text, not markup: a subject is a stranger's words.
            Text(_printable(trip.sample.subject) or "(no subject)"),
            line.category,
            Text(line.priority, style=PRIORITY_STYLES.get(line.priority, "")),
            line.language,
            line.country,
            line.owner,
            Text(_printable(line.customer)),
            f"{trip.reply_ms:.0f}" if trip.queue_id else "",
            style="red" if trip.problems else "",
        )
    return table


def _read_rows(stack: ServiceStack, manager: str) -> dict[str, MailRow]:
    """Return entry id -> the record as the manager sees it; empty where there is no database."""
    try:
        database = open_database(stack.settings.database_url)
    except DatabaseError:
        return {}
    try:
        with database.reading() as session:
            person = session.execute(select(Person.id).where(Person.email == manager)).scalar_one_or_none()
            viewer = fetch_viewer(session, person) if person is not None else None
            return {row.entry_id: row for row in newest(session, viewer, limit=LIMIT)} if viewer else {}
    finally:
        database.close()


def _line(stack: ServiceStack, trip: Trip, rows: dict[str, MailRow]) -> _Line:
    row = rows.get(trip.entry_id or "")
    if row is not None:
        return _Line(
            row.category or "",
            row.priority or "",
            row.language or "",
            row.country or "",
            row.owner.email.partition("@")[0] if row.owner else "",
            row.customer.name if row.customer else "",
        )
    copies = stack.postfix.mailboxes.by_queue_id(trip.queue_id) if trip.queue_id else []
    marks = copies[0].marks() if copies else {}

    def mark(name: str) -> str:
        return _printable(next(iter(marks.get(f"x-tradepost-{name}", [])), ""))

    owner = mark("owner").partition("@")[0]
    return _Line(mark("category"), mark("priority"), mark("language"), mark("country"), owner, mark("customer"))


def _printable(text: str) -> str:
    """Make a stranger's text harmless to a terminal: no control and no direction marks."""
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()
