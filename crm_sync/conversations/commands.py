# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost conversation`: who does the work of a thread of mail, what state it is in, what belongs to it."""

from datetime import UTC, datetime

import click
from sqlalchemy.orm import Session

from crm_sync.command_output import Moment, acting, as_json, as_person, echo_object, echo_rows, printable, shown_time
from crm_sync.conversations.binding import OPEN, STATUSES
from crm_sync.conversations.handling import (
    assign_conversation,
    claim_conversation,
    release_conversation,
    set_conversation_status,
    snooze_conversation,
)
from crm_sync.conversations.merging_by_hand import merge_by_hand
from crm_sync.conversations.reading import (
    LONGEST_PAGE,
    ListWish,
    fetch_conversation,
    list_conversations,
    list_suggestions,
    list_unanswered,
)
from crm_sync.conversations.splitting import split_conversation
from crm_sync.conversations.suggestions import accept_suggestion, decline_suggestion
from crm_sync.conversations.undoing import undo_operation
from crm_sync.conversations.views import ConversationRow, ConversationView, Suggested
from crm_sync.rights import Viewer
from tradepost.cli import Invocation

_COLUMNS = (
    ("id", lambda row: row.id),
    ("status", lambda row: row.status),
    ("waits since", lambda row: row.unanswered_since),
    ("last mail in", lambda row: row.last_in_at),
    ("who", lambda row: row.assignee.email if row.assignee else ""),
    ("customer", lambda row: row.customer.name if row.customer else ""),
    ("subject", lambda row: row.subject),
)
_VERSION = click.option("--version", type=int, help="Refuse when it was changed since it had this version.")
_LIMIT = click.option("--limit", type=click.IntRange(1, LONGEST_PAGE), default=50, show_default=True)


@click.group()
def conversation() -> None:
    """Look after conversations: who does the work, what state they are in, what belongs together."""


@conversation.command("list")
@click.option(
    "--status", "statuses", type=click.Choice((*STATUSES, "all")), multiple=True, default=(OPEN,), show_default=True
)
@click.option("--assignee", default="", metavar="ADDRESS", help="Whose work they are; 'none': nobody's.")
@click.option("--pool", default="", metavar="NAME", help="Only those of a pool.")
@click.option("--customer", default="", metavar="ID", help="Only those with a customer.")
@click.option(
    "--unanswered", is_flag=True, help="Only those where their mail waits for an answer, longest waiting first."
)
@click.option("--after", default="", metavar="PLACE", help="The next page: what the last one named.")
@_LIMIT
@as_person
@as_json
@click.pass_obj
def list_(
    invocation: Invocation,
    statuses: tuple[str, ...],
    assignee: str,
    pool: str,
    customer: str,
    unanswered: bool,
    after: str,
    limit: int,
    person: str | None,
    as_json: bool,
) -> None:
    """List conversations, those first whose customer wrote last."""
    wanted = () if "all" in statuses else statuses
    wish = ListWish(wanted, assignee, pool, customer, after, limit)
    with acting(invocation, person, writes=False) as (session, viewer):
        page = (list_unanswered if unanswered else list_conversations)(session, viewer, wish)
    echo_rows(page.rows, _COLUMNS, to_json=as_json, none="no conversations")
    if page.next:
        click.echo(f"more: --after {page.next}", err=True)


@conversation.command()
@click.argument("conversation_id")
@as_person
@as_json
@click.pass_obj
def show(invocation: Invocation, conversation_id: str, person: str | None, as_json: bool) -> None:
    """Show one with its mails, events, participants and suggestions."""
    with acting(invocation, person, writes=False) as (session, viewer):
        _show(session, viewer, conversation_id, as_json)


@conversation.command()
@click.argument("conversation_id")
@click.argument("address")
@_VERSION
@as_person
@as_json
@click.pass_obj
def assign(
    invocation: Invocation, conversation_id: str, address: str, version: int | None, person: str | None, as_json: bool
) -> None:
    """Let the person of ADDRESS do the work."""
    with acting(invocation, person, writes=True) as (session, viewer):
        assign_conversation(session, viewer, conversation_id, address, datetime.now(UTC), version=version)
        _show(session, viewer, conversation_id, as_json)


@conversation.command()
@click.argument("conversation_id")
@as_person
@as_json
@click.pass_obj
def claim(invocation: Invocation, conversation_id: str, person: str | None, as_json: bool) -> None:
    """Take up work that nobody has; the first one gets it."""
    with acting(invocation, person, writes=True) as (session, viewer):
        claim_conversation(session, viewer, conversation_id, datetime.now(UTC))
        _show(session, viewer, conversation_id, as_json)


@conversation.command()
@click.argument("conversation_id")
@_VERSION
@as_person
@click.pass_obj
def release(invocation: Invocation, conversation_id: str, version: int | None, person: str | None) -> None:
    """Give the work back to the pool."""
    with acting(invocation, person, writes=True) as (session, viewer):
        release_conversation(session, viewer, conversation_id, datetime.now(UTC), version=version)
    click.echo(f"{printable(conversation_id)}: released")


@conversation.command()
@click.argument("conversation_id")
@click.argument("status", type=click.Choice(STATUSES))
@click.option("--reason", default="", help="Why.")
@_VERSION
@as_person
@as_json
@click.pass_obj
def status(
    invocation: Invocation,
    conversation_id: str,
    status: str,
    reason: str,
    version: int | None,
    person: str | None,
    as_json: bool,
) -> None:
    """Say what state it is in; 'waiting' is for the customer.  His next mail opens it again."""
    with acting(invocation, person, writes=True) as (session, viewer):
        now = datetime.now(UTC)
        set_conversation_status(session, viewer, conversation_id, status, now, reason=reason, version=version)
        _show(session, viewer, conversation_id, as_json)


@conversation.command()
@click.argument("conversation_id")
@click.argument("until", type=Moment())
@_VERSION
@as_person
@as_json
@click.pass_obj
def snooze(
    invocation: Invocation,
    conversation_id: str,
    until: datetime,
    version: int | None,
    person: str | None,
    as_json: bool,
) -> None:
    """Put it aside UNTIL a time (2026-12-01 or '2026-12-01 15:00'), or until the customer writes."""
    with acting(invocation, person, writes=True) as (session, viewer):
        snooze_conversation(session, viewer, conversation_id, until, datetime.now(UTC), version=version)
        _show(session, viewer, conversation_id, as_json)


@conversation.command()
@click.argument("conversation_id")
@click.argument("other_id")
@as_person
@as_json
@click.pass_obj
def merge(invocation: Invocation, conversation_id: str, other_id: str, person: str | None, as_json: bool) -> None:
    """Make one of two; the older stays."""
    with acting(invocation, person, writes=True) as (session, viewer):
        done = merge_by_hand(session, viewer, conversation_id, other_id, datetime.now(UTC))
    _echo_done({"operation": done}, as_json)


@conversation.command()
@click.argument("conversation_id")
@click.argument("entry_ids", nargs=-1, required=True, metavar="MAIL...")
@as_person
@as_json
@click.pass_obj
def split(
    invocation: Invocation, conversation_id: str, entry_ids: tuple[str, ...], person: str | None, as_json: bool
) -> None:
    """Make a conversation of its own of some MAILs (X-Tradepost-Id); later answers follow them."""
    with acting(invocation, person, writes=True) as (session, viewer):
        new, done = split_conversation(session, viewer, conversation_id, entry_ids, datetime.now(UTC))
    _echo_done({"conversation": new, "operation": done}, as_json)


@conversation.command()
@click.argument("operation_id")
@as_person
@click.pass_obj
def undo(invocation: Invocation, operation_id: str, person: str | None) -> None:
    """Take a merge or split back, by the id it gave."""
    with acting(invocation, person, writes=True) as (session, viewer):
        undo_operation(session, viewer, operation_id, datetime.now(UTC))
    click.echo(f"{printable(operation_id)}: taken back")


@conversation.command()
@click.option("--accept", type=int, metavar="NUMBER", help="Yes: merge the two.")
@click.option("--decline", type=int, metavar="NUMBER", help="No, and never again.")
@click.option("--before", type=int, metavar="NUMBER", help="Only older ones: the next page.")
@_LIMIT
@as_person
@as_json
@click.pass_obj
def suggestions(
    invocation: Invocation,
    accept: int | None,
    decline: int | None,
    before: int | None,
    limit: int,
    person: str | None,
    as_json: bool,
) -> None:
    """Show which conversations may be one, or say yes or no to it."""
    if accept is not None and decline is not None:
        raise click.UsageError("--accept and --decline exclude each other")
    if accept is not None:
        with acting(invocation, person, writes=True) as (session, viewer):
            done = accept_suggestion(session, viewer, accept, datetime.now(UTC))
        _echo_done({"operation": done}, as_json)
        return
    if decline is not None:
        with acting(invocation, person, writes=True) as (session, viewer):
            decline_suggestion(session, viewer, decline, datetime.now(UTC))
        click.echo(f"{decline}: declined")
        return
    with acting(invocation, person, writes=False) as (session, viewer):
        found = list_suggestions(session, viewer, before=before, limit=limit)
    echo_rows(found, _SUGGESTED, to_json=as_json, none="no suggestions")


_SUGGESTED = (
    ("number", lambda one: one.id),
    ("reason", lambda one: one.reason),
    ("conversation", lambda one: one.conversation.id),
    ("other", lambda one: one.other.id),
    ("subject", lambda one: one.other.subject),
)


def _show(session: Session, viewer: Viewer, conversation_id: str, to_json: bool) -> None:
    found = fetch_conversation(session, viewer, conversation_id)
    echo_object(found, to_json=to_json, as_text=lambda: _as_text(found))


def _echo_done(done: dict[str, str], to_json: bool) -> None:
    echo_object(done, to_json=to_json, as_text=lambda: "\n".join(f"{name}: {value}" for name, value in done.items()))


def _as_text(found: ConversationView) -> str:
    lines = [*_head(found.row)]
    if found.has_more:
        lines.append("mails (the newest):")
    elif found.mails:
        lines.append("mails:")
    for mail in found.mails:
        lines.append(
            f"  {shown_time(mail.at)}  {mail.direction:8}  {mail.from_address}  {mail.subject}  {mail.entry_id}"
        )
    lines += [
        "participants: " + ", ".join(f"{one.address}{' (named)' * one.is_named_only}" for one in found.participants)
    ]
    for event in found.events:
        who = event.person.email if event.person else ""
        said = ", ".join(f"{name}={value}" for name, value in event.details.items())
        lines.append(f"  {shown_time(event.at)}  {event.step}  {who}  {said}".rstrip())
    for done in found.operations:
        lines.append(f"{done.kind} {done.id}{' (taken back)' * (done.undone_at is not None)}")
    lines += [f"suggestion {one.id}: {one.reason}, {_other(one, found.row)}" for one in found.suggestions]
    return "\n".join(map(printable, lines))


def _head(row: ConversationRow) -> list[str]:
    named = (
        ("id", row.id),
        ("subject", row.subject),
        ("status", row.status),
        ("snoozed until", shown_time(row.snoozed_until) if row.snoozed_until else ""),
        ("assignee", row.assignee.email if row.assignee else ""),
        ("customer", f"{row.customer.name} ({row.customer.public_id})" if row.customer else ""),
        ("pools", ", ".join(row.pools)),
        ("waits since", shown_time(row.unanswered_since) if row.unanswered_since else ""),
        ("version", str(row.version)),
    )
    return [f"{name}: {value}" for name, value in named if value]


def _other(one: Suggested, row: ConversationRow) -> str:
    other = one.other if one.conversation.id == row.id else one.conversation
    return f"{other.id} {other.subject}"
