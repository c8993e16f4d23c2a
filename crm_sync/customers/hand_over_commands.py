# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost handover`: give what one person has to another, with a look beforehand and a way back."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
from ulid import ULID

from crm_sync.command_output import (
    Moment,
    acting,
    as_json,
    as_person,
    echo_object,
    echo_rows,
    new_table,
    printable,
    printed,
    shown_time,
)
from crm_sync.customers.distribution import WAYS
from crm_sync.customers.hand_back import HandedBack, fetch_hand_overs, undo_hand_over
from crm_sync.customers.hand_over import HandOver, Wish, plan_hand_over, run_hand_over
from crm_sync.customers.substitutes import fetch_stand_ins
from tradepost.cli import Invocation


def _what_and_to_whom(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what is handed over; `plan` and `run` take the same."""
    options = (
        click.option("--from", "giver", required=True, metavar="ADDRESS", help="Whose it is."),
        click.option(
            "--to", "takers", required=True, multiple=True, metavar="ADDRESS", help="Who takes over; several share."
        ),
        click.option("--by", type=click.Choice(WAYS), default=WAYS[0], show_default=True, help="How several share."),
        click.option(
            "--customer", "customers", multiple=True, metavar="ID", help="Only this customer; may be repeated."
        ),
        click.option(
            "--country", "countries", multiple=True, help="Only customers from there, ISO 3166; may be repeated."
        ),
        click.option("--until", type=Moment(), help="For a time only; 'tradepost handover undo' gives it back."),
        click.option("--note", default="", help="Why, in your own words."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def handover() -> None:
    """Give what one person has to another, with a look beforehand and a way back."""


@handover.command()
@_what_and_to_whom
@as_person
@as_json
@click.pass_obj
def plan(invocation: Invocation, /, person: str | None, as_json: bool, **wish: Any) -> None:
    """Say what a hand-over would move, and change nothing."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = plan_hand_over(session, viewer, _wish(wish), datetime.now(UTC))
    echo_object(found, to_json=as_json, as_text=lambda: _as_text(found))


@handover.command()
@_what_and_to_whom
@as_person
@as_json
@click.pass_obj
def run(invocation: Invocation, /, person: str | None, as_json: bool, **wish: Any) -> None:
    """Hand over.  The successor sees everything at once, the other one nothing of it any more.

    \b
    tradepost handover run --from ann@own.example --to bob@own.example --to eve@own.example --by country
    """
    now = datetime.now(UTC)
    with acting(invocation, person, writes=True) as (session, viewer):
        found = run_hand_over(session, viewer, _wish(wish), str(ULID.from_datetime(now)), now)
    echo_object(found, to_json=as_json, as_text=lambda: _as_text(found))


@handover.command()
@click.argument("hand_over_id")
@as_person
@as_json
@click.pass_obj
def undo(invocation: Invocation, hand_over_id: str, person: str | None, as_json: bool) -> None:
    """Give back what a hand-over moved and nobody moved since.  What went elsewhere stays there, and is named."""
    with acting(invocation, person, writes=True) as (session, viewer):
        back = undo_hand_over(session, viewer, hand_over_id, str(ULID()), datetime.now(UTC))
    echo_object(back, to_json=as_json, as_text=lambda: _undone(back))


@handover.command("list")
@click.option("--before", metavar="ID", help="Only what is older than this one.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@as_person
@as_json
@click.pass_obj
def list_(invocation: Invocation, before: str | None, limit: int, person: str | None, as_json: bool) -> None:
    """List the hand-overs of the past, newest first."""
    with acting(invocation, person, writes=False) as (session, viewer):
        rows = fetch_hand_overs(session, viewer, before=before, limit=limit)
    columns = (
        ("id", lambda one: one.id),
        ("at", lambda one: one.at),
        ("by", lambda one: one.by or "root"),
        ("from", lambda one: one.giver),
        ("to", lambda one: " ".join(one.takers)),
        ("customers", lambda one: one.customers),
        ("conversations", lambda one: one.conversations),
        ("until", lambda one: one.until),
        ("undone", lambda one: one.undone_at),
    )
    echo_rows(rows, columns, to_json=as_json, none="nothing was handed over yet")


@handover.command()
@as_person
@as_json
@click.pass_obj
def substitutes(invocation: Invocation, person: str | None, as_json: bool) -> None:
    """Say who stands in for whom now; where nobody does comes first."""
    with acting(invocation, person, writes=False) as (session, viewer):
        rows = fetch_stand_ins(session, viewer, datetime.now(UTC))
    columns = (
        ("away", lambda one: one.person),
        ("until", lambda one: one.until),
        ("stands in", lambda one: one.substitute or "nobody"),
        ("by way of", lambda one: " ".join(one.by_way_of)),
        ("open", lambda one: one.waiting),
    )
    echo_rows(rows, columns, to_json=as_json, none="nobody is away")


def _wish(said: dict[str, Any]) -> Wish:
    return Wish(**said)


def _as_text(found: HandOver) -> str:
    table = new_table()
    for heading in ("to", "customers", "conversations", "to be done", "and", "among them"):
        table.add_column(
            heading, justify="right" if heading in ("customers", "conversations", "to be done") else "left"
        )
    for part in found.parts:
        others = ", ".join(f"{number} {noun}" for noun, number in part.others.items())
        samples = printable(", ".join(part.samples))
        table.add_row(
            part.taker, f"{part.customers:,}", f"{part.conversations:,}", f"{part.unfinished:,}", others, samples
        )
    lines = [f"{found.giver} hands over{f' until {shown_time(found.until)}' if found.until else ''}", printed(table)]
    lines += [f"look: {printable(warning)}" for warning in found.warnings]
    if found.id is None:
        lines.append("nothing was changed; 'tradepost handover run' does it")
    else:
        lines.append(f"done; 'tradepost handover undo {found.id}' takes it back")
    return "\n".join(lines)


def _undone(back: HandedBack) -> str:
    said = f"{back.customers} customers, {back.conversations} conversations and {back.others} other things went back"
    return "\n".join([f"{said} to {back.giver}", *(f"left: {printable(line)}" for line in back.left)])
