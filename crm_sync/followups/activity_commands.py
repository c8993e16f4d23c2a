# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost activity`: enter calls, meetings and chats; show a customer's timeline."""

from datetime import UTC, datetime
from typing import Any

import click

from crm_sync.command_output import Moment, acting, as_json, as_person, echo_rows
from crm_sync.followups.timeline import KINDS as ITEM_KINDS
from crm_sync.followups.timeline import LONGEST_PAGE, TimelinePlace, fetch_timeline
from crm_sync.followups.touches import (
    KINDS,
    TouchEntry,
    TouchView,
    add_touch,
    delete_touch,
    edit_touch,
    restore_touch,
)
from tradepost.cli import Invocation

_COLUMNS = (
    ("id", lambda touch: touch.id),
    ("when", lambda touch: touch.at),
    ("kind", lambda touch: " ".join(filter(None, (touch.kind, touch.direction, touch.channel)))),
    ("minutes", lambda touch: touch.minutes),
    ("with", lambda touch: touch.contact),
    ("by", lambda touch: touch.author.email if touch.author else "root"),
    ("summary", lambda touch: touch.summary),
    ("next", lambda touch: touch.next_plan),
)
_ITEM_COLUMNS = (
    ("when", lambda item: item.at),
    ("kind", lambda item: item.kind),
    ("who", lambda item: item.from_address or (item.person.email if item.person else "")),
    ("what", lambda item: item.title or item.text),
    ("", lambda item: item.category or item.state),
    ("id", lambda item: item.id),
    ("place", lambda item: f"{item.place.at.isoformat()},{item.place.id}"),
)


@click.group()
def activity() -> None:
    """Enter calls, meetings and other touches; show the timeline."""


_FIELDS = (
    click.option("--kind", type=click.Choice(KINDS), required=True),
    click.option("--at", type=Moment(), help="When it was; else now."),
    click.option("--in", "direction", flag_value="in", default="", help="They came to us."),
    click.option("--out", "direction", flag_value="out", help="We went to them."),
    click.option("--channel", default="", help="By what: whatsapp, linkedin, Canton Fair."),
    click.option("--minutes", type=int, help="How long it took."),
    click.option("--contact", metavar="ADDRESS", help="With whom: one of his addresses."),
    click.option("--next", "next_plan", default="", help="What comes next."),
    as_person,
    as_json,
)


def _takes_entry(command: Any) -> Any:
    for option in reversed(_FIELDS):
        command = option(command)
    return command


def _entry(kind: str, at: datetime | None, summary: str, **fields: Any) -> TouchEntry:
    return TouchEntry(kind=kind, at=at or datetime.now(UTC), summary=summary, **fields)


@activity.command()
@click.argument("about")
@click.argument("summary")
@_takes_entry
@click.pass_obj
def add(invocation: Invocation, /, about: str, summary: str, person: str | None, as_json: bool, **fields: Any) -> None:
    """Enter that there was a touch with ABOUT (customer:ID), and in a SUMMARY what it was about."""
    with acting(invocation, person, writes=True) as (session, viewer):
        entered = add_touch(session, viewer, about, _entry(summary=summary, **fields), datetime.now(UTC))
    _echo((entered,), as_json)


@activity.command()
@click.argument("touch_id")
@click.argument("summary")
@click.option("--version", type=int, required=True, help="The version that you read.")
@_takes_entry
@click.pass_obj
def edit(
    invocation: Invocation,
    /,
    touch_id: str,
    summary: str,
    version: int,
    person: str | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Enter a touch anew in place of what was entered."""
    with acting(invocation, person, writes=True) as (session, viewer):
        entry = _entry(summary=summary, **fields)
        changed = edit_touch(session, viewer, touch_id, entry, datetime.now(UTC), version=version)
    _echo((changed,), as_json)


@activity.command()
@click.argument("touch_id")
@as_person
@click.pass_obj
def delete(invocation: Invocation, touch_id: str, person: str | None) -> None:
    """Take a touch away; 'tradepost activity restore' brings it back."""
    with acting(invocation, person, writes=True) as (session, viewer):
        delete_touch(session, viewer, touch_id, datetime.now(UTC))
    click.echo(f"deleted; 'tradepost activity restore {touch_id}' brings it back")


@activity.command()
@click.argument("touch_id")
@as_person
@as_json
@click.pass_obj
def restore(invocation: Invocation, touch_id: str, person: str | None, as_json: bool) -> None:
    """Bring a deleted touch back."""
    with acting(invocation, person, writes=True) as (session, viewer):
        found = restore_touch(session, viewer, touch_id, datetime.now(UTC))
    _echo((found,), as_json)


@activity.command("list")
@click.argument("customer")
@click.option("--kind", "kinds", type=click.Choice(ITEM_KINDS), multiple=True, help="Only these; may be given again.")
@click.option("--before", metavar="PLACE", help="Only what is older: the place of the last item shown.")
@click.option("--limit", type=click.IntRange(1, LONGEST_PAGE), default=50, show_default=True)
@as_person
@as_json
@click.pass_obj
def list_(
    invocation: Invocation,
    customer: str,
    kinds: tuple[str, ...],
    before: str | None,
    limit: int,
    person: str | None,
    as_json: bool,
) -> None:
    """Show the timeline of CUSTOMER (its id), newest first: mail, notes, touches, tasks."""
    place = None if before is None else _place(before)
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_timeline(session, viewer, customer, kinds=kinds, before=place, limit=limit)
    echo_rows(found, _ITEM_COLUMNS, to_json=as_json, none="nothing happened yet")


def _place(said: str) -> TimelinePlace:
    at, _, key = said.partition(",")
    try:
        found = TimelinePlace(datetime.fromisoformat(at), int(key))
    except ValueError:
        raise click.BadParameter(f"{said!r} is no place; 'activity list' shows one with each item") from None
    if found.at.tzinfo is None:
        raise click.BadParameter(f"{said!r} names no time zone")
    return found


def _echo(touches: tuple[TouchView, ...], to_json: bool) -> None:
    echo_rows(touches, _COLUMNS, to_json=to_json, none="no touches")
