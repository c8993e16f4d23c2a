# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost duplicates`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from ulid import ULID

from crm_sync.command_output import acting, as_json, as_person, echo_object, echo_rows, printable, shown_time
from crm_sync.commands import ready_database
from crm_sync.duplicates.changed_records import CONTACT, CUSTOMER
from crm_sync.duplicates.check_log import MOST_ROWS, list_checks
from crm_sync.duplicates.checking import check_customer
from crm_sync.duplicates.contact_merging import merge_contacts
from crm_sync.duplicates.finding import find_all, find_waiting
from crm_sync.duplicates.merging import Merged, MergeError, merge_customers
from crm_sync.duplicates.pairs import MOST_PAIRS, Candidate, decline_pair, list_pairs
from crm_sync.duplicates.past_merges import MOST_MERGES, Part, list_merges
from crm_sync.duplicates.questions import KINDS
from crm_sync.duplicates.unmerging import undo_merge
from tradepost.cli import Invocation

_LARGEST_KEY = 2**63 - 1
_of_contacts = click.option("--contacts", is_flag=True, help="Contacts instead of customers.")


@click.group()
def duplicates() -> None:
    """Find records that may be the same, merge them, take them apart again."""


@duplicates.command("list")
@_of_contacts
@click.option("--declined", is_flag=True, help="Those that somebody said are not one.")
@click.option("--after", metavar="PAGE", help="The page that the last line of the one before names.")
@click.option("--limit", type=click.IntRange(1, MOST_PAIRS), default=50, show_default=True)
@as_person
@as_json
@click.pass_obj
def list_(
    invocation: Invocation,
    contacts: bool,
    declined: bool,
    after: str | None,
    limit: int,
    person: str | None,
    as_json: bool,
) -> None:
    """List likely duplicates, the likeliest first: those of which both may be seen."""
    with acting(invocation, person, writes=False) as (session, viewer):
        page = list_pairs(
            session, viewer, CONTACT if contacts else CUSTOMER, declined=declined, after=after, limit=limit
        )
    if as_json:
        echo_object(page, to_json=True, as_text=str)
        return
    columns = (
        ("pair", lambda pair: pair.id),
        ("likely", lambda pair: pair.score),
        ("first", lambda pair: _named(pair.first)),
        ("second", lambda pair: _named(pair.second)),
        ("because", lambda pair: ", ".join(pair.reasons)),
    )
    echo_rows(page.rows, columns, to_json=False, none="no likely duplicates")
    if page.next:
        click.echo(f"more: --after {page.next}")


def _named(one: Candidate) -> str:
    return f"{one.name or one.address} ({one.id}{', ' + one.owner if one.owner else ''})"


@duplicates.command()
@click.option("--all", "everything", is_flag=True, help="Look at every record, not only at what changed.")
@as_json
@click.pass_obj
def find(invocation: Invocation, everything: bool, as_json: bool) -> None:
    """Look for likely duplicates now; the worker does so between mails."""
    with ready_database(invocation.settings) as opened, _bar() as progress:
        found = (find_all if everything else find_waiting)(opened, lambda: datetime.now(UTC), progress)
    said = f"{found.records:,} looked at, {found.new:,} new pairs; {found.skipped:,} keys that too many share"
    echo_object(found, to_json=as_json, as_text=lambda: said)


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """Show a bar where somebody watches."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    columns = (TextColumn("looking at records"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("records", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@duplicates.command()
@click.argument("asked")
@click.option("--kind", type=click.Choice(KINDS), default="name", show_default=True, help="What ASKED is.")
@as_person
@as_json
@click.pass_obj
def check(invocation: Invocation, asked: str, kind: str, person: str | None, as_json: bool) -> None:
    """Say whether the customer ASKED for exists, and whose it is.  Questions are counted and kept.

    \b
    tradepost duplicates check "Acme Trading" --as ann@own.example
    tradepost duplicates check acme.com --kind domain --as ann@own.example
    """
    now = datetime.now(UTC)
    per_hour = invocation.settings.duplicates.checks_per_hour
    with acting(invocation, person, writes=True) as (session, viewer):
        answer = check_customer(session, viewer, kind, asked, now, per_hour=per_hour)
    echo_object(answer, to_json=as_json, as_text=lambda: printable(answer.in_words(now)))


@duplicates.command()
@click.argument("survivor")
@click.argument("loser")
@_of_contacts
@click.option("--take", metavar="FIELD", multiple=True, help="A field of which the loser's value wins, as name.")
@as_person
@as_json
@click.pass_obj
def merge(
    invocation: Invocation,
    survivor: str,
    loser: str,
    contacts: bool,
    take: tuple[str, ...],
    person: str | None,
    as_json: bool,
) -> None:
    """Merge LOSER into SURVIVOR (ids of 'list').  All that hangs on it moves; 'undo' takes them apart again."""
    with acting(invocation, person, writes=True) as (session, viewer):
        cause, now = str(ULID()), datetime.now(UTC)
        if contacts:
            done = merge_contacts(session, viewer, _number(survivor), _number(loser), cause, now, take=take)
        else:
            done = merge_customers(session, viewer, survivor, loser, cause, now, take=take)
    echo_object(
        done, to_json=as_json, as_text=lambda: f"{_moved(done)}\nback: tradepost duplicates undo {done.operation}"
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _LARGEST_KEY):
        raise MergeError(f"contact {text[:40]!r}: is no number of a contact, as 'duplicates list --contacts' shows")
    return int(text)


def _moved(done: Merged) -> str:
    fields = f"; filled: {', '.join(done.fields)}" if done.fields else ""
    return f"{done.loser} -> {done.survivor}: {sum(done.moved.values()):,} rows moved{fields}"


@duplicates.command()
@_of_contacts
@click.option("--before", metavar="OPERATION", help="Only merges before this one.")
@click.option("--limit", type=click.IntRange(1, MOST_MERGES), default=50, show_default=True)
@as_person
@as_json
@click.pass_obj
def merges(
    invocation: Invocation, contacts: bool, before: str | None, limit: int, person: str | None, as_json: bool
) -> None:
    """List merges that can be taken apart, newest first; 'undo' wants their OPERATION."""
    with acting(invocation, person, writes=False) as (session, viewer):
        rows = list_merges(session, viewer, CONTACT if contacts else CUSTOMER, before=before, limit=limit)
    columns = (
        ("operation", lambda row: row.id),
        ("at", lambda row: shown_time(row.at)),
        ("by", lambda row: row.person or "root"),
        ("stands", lambda row: _part(row.survivor)),
        ("became part of it", lambda row: _part(row.loser)),
        ("rows", lambda row: row.moved),
    )
    echo_rows(rows, columns, to_json=as_json, none="no merges")


def _part(one: Part) -> str:
    return f"{one.name} ({one.id})"


@duplicates.command()
@click.argument("operation")
@as_person
@as_json
@click.pass_obj
def undo(invocation: Invocation, operation: str, person: str | None, as_json: bool) -> None:
    """Take the merge apart that 'merge' called OPERATION."""
    with acting(invocation, person, writes=True) as (session, viewer):
        done = undo_merge(session, viewer, operation, str(ULID()), datetime.now(UTC))
    said = f"{done.loser} stands by itself again: {sum(done.moved.values()):,} rows went back"
    echo_object(done, to_json=as_json, as_text=lambda: said)


@duplicates.command()
@click.argument("pair", type=click.IntRange(1, _LARGEST_KEY))
@click.option("--reopen", is_flag=True, help="Take that back.")
@as_person
@as_json
@click.pass_obj
def decline(invocation: Invocation, pair: int, reopen: bool, person: str | None, as_json: bool) -> None:
    """Say that the two of PAIR are not one: they are not listed again."""
    with acting(invocation, person, writes=True) as (session, viewer):
        decided = decline_pair(session, viewer, pair, str(ULID()), datetime.now(UTC), reopen=reopen)
    echo_object(decided, to_json=as_json, as_text=lambda: f"pair {decided.id}: {decided.state}")


@duplicates.command()
@click.option("--of", "of", metavar="ADDRESS", help="Only what this person asked.")
@click.option("--before", type=click.IntRange(1, _LARGEST_KEY), help="Only questions before the one of this number.")
@click.option("--limit", type=click.IntRange(1, MOST_ROWS), default=50, show_default=True)
@as_person
@as_json
@click.pass_obj
def log(
    invocation: Invocation, of: str | None, before: int | None, limit: int, person: str | None, as_json: bool
) -> None:
    """List who asked whether which customer exists, newest first."""
    with acting(invocation, person, writes=False) as (session, viewer):
        rows = list_checks(session, viewer, person=of, before=before, limit=limit)
    columns = (
        ("number", lambda row: row.id),
        ("at", lambda row: shown_time(row.at)),
        ("person", lambda row: row.person or "root"),
        ("kind", lambda row: row.kind),
        ("asked", lambda row: row.asked),
        ("answer", lambda row: row.outcome),
    )
    echo_rows(rows, columns, to_json=as_json, none="nobody asked")
