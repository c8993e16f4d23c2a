# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost note`: what colleagues tell one another; customers never see any."""

from datetime import UTC, datetime

import click

from crm_sync.command_output import acting, as_json, as_person, echo_rows
from crm_sync.followups.notes import (
    NoteView,
    add_note,
    delete_note,
    edit_note,
    list_mentions,
    list_notes,
    mark_mentions_read,
    restore_note,
)
from tradepost.cli import Invocation

_LIMIT = click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
_BEFORE = click.option("--before", metavar="ID", help="Only notes older than this one: the next page.")
_COLUMNS = (
    ("id", lambda note: note.id),
    ("written", lambda note: note.created_at),
    ("by", lambda note: note.author.email if note.author else "root"),
    ("customer", lambda note: note.customer_name),
    ("", lambda note: "pinned" if note.is_pinned else ""),
    ("text", lambda note: note.text),
)


@click.group()
def note() -> None:
    """Write notes on a customer, a conversation or a mail.

    ABOUT is customer:ID, conversation:ID or mail:ID (X-Tradepost-Id). @ann or @ann@own.example names a colleague.
    """


@note.command()
@click.argument("about")
@click.argument("text")
@click.option("--pin", is_flag=True, help="Show it before the others.")
@as_person
@as_json
@click.pass_obj
def add(invocation: Invocation, about: str, text: str, pin: bool, person: str | None, as_json: bool) -> None:
    """Write TEXT on ABOUT."""
    with acting(invocation, person, writes=True) as (session, viewer):
        written = add_note(session, viewer, about, text, datetime.now(UTC), is_pinned=pin)
    _echo((written,), as_json)


@note.command("list")
@click.argument("about")
@_BEFORE
@_LIMIT
@as_person
@as_json
@click.pass_obj
def list_(
    invocation: Invocation, about: str, before: str | None, limit: int, person: str | None, as_json: bool
) -> None:
    """Show the notes on ABOUT, pinned ones first, then the newest."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = list_notes(session, viewer, about, before=before, limit=limit)
    _echo(found, as_json)


@note.command()
@click.argument("note_id")
@click.option("--version", type=int, required=True, help="The version that you read ('note list --json').")
@click.option("--text", help="What it says from now on.")
@click.option("--pin/--unpin", default=None, help="Show it before the others, or no longer.")
@as_person
@as_json
@click.pass_obj
def edit(
    invocation: Invocation,
    note_id: str,
    version: int,
    text: str | None,
    pin: bool | None,
    person: str | None,
    as_json: bool,
) -> None:
    """Change a note of one's own; anybody who may write there may pin it."""
    if text is None and pin is None:
        raise click.UsageError("say what to change: --text, --pin or --unpin")
    with acting(invocation, person, writes=True) as (session, viewer):
        changed = edit_note(session, viewer, note_id, datetime.now(UTC), version=version, text=text, is_pinned=pin)
    _echo((changed,), as_json)


@note.command()
@click.argument("note_id")
@as_person
@click.pass_obj
def delete(invocation: Invocation, note_id: str, person: str | None) -> None:
    """Take a note away; 'tradepost note restore' brings it back."""
    with acting(invocation, person, writes=True) as (session, viewer):
        delete_note(session, viewer, note_id, datetime.now(UTC))
    click.echo(f"deleted; 'tradepost note restore {note_id}' brings it back")


@note.command()
@click.argument("note_id")
@as_person
@as_json
@click.pass_obj
def restore(invocation: Invocation, note_id: str, person: str | None, as_json: bool) -> None:
    """Bring a deleted note back."""
    with acting(invocation, person, writes=True) as (session, viewer):
        found = restore_note(session, viewer, note_id, datetime.now(UTC))
    _echo((found,), as_json)


@note.command()
@click.option("--all", "shows_read", is_flag=True, help="Also those that were read.")
@click.option("--read", "reads", is_flag=True, help="Mark what is shown as read.")
@_BEFORE
@_LIMIT
@as_person
@as_json
@click.pass_obj
def mentions(
    invocation: Invocation,
    shows_read: bool,
    reads: bool,
    before: str | None,
    limit: int,
    person: str | None,
    as_json: bool,
) -> None:
    """Show the notes that name the person (--as)."""
    if person is None:
        raise click.UsageError("say whose mentions: --as ADDRESS")
    with acting(invocation, person, writes=reads) as (session, viewer):
        found = list_mentions(session, viewer, is_unread=not shows_read, before=before, limit=limit)
        if reads:
            mark_mentions_read(session, viewer, [one.id for one in found], datetime.now(UTC))
    _echo(found, as_json)


def _echo(notes: tuple[NoteView, ...], to_json: bool) -> None:
    echo_rows(notes, _COLUMNS, to_json=to_json, none="no notes")
