# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost person`: who works here, who is away, and what each may do."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

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
from crm_sync.people.absences import end_absence, plan_absence
from crm_sync.people.effective_rights import EffectiveRights, fetch_effective_rights
from crm_sync.people.hiring import PersonWish, add_person, edit_person
from crm_sync.people.leaving import let_leave, take_back
from crm_sync.people.staff import PersonView, fetch_person, list_people
from tradepost.cli import Invocation

_COLUMNS = (
    ("address", lambda one: one.email),
    ("name", lambda one: one.name),
    ("role", lambda one: one.role),
    ("team", lambda one: one.team),
    ("languages", lambda one: " ".join(one.languages)),
    ("countries", lambda one: " ".join(one.countries)),
    ("open", lambda one: one.open_conversations),
    ("", lambda one: _whereabouts(one)),
)
_REPLACES = " Given once or more, these replace the present ones; '' for none."


def _what_he_is(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what a person shall be."""
    options = (
        click.option("--name", help="How colleagues call him."),
        click.option("--team", help="His team; '' for none."),
        click.option("--role", help="What he may do: 'tradepost role list'."),
        click.option("--language", "languages", multiple=True, help="ISO 639, as en or zh." + _REPLACES),
        click.option("--country", "countries", multiple=True, help="ISO 3166, as MX: whose mail he takes." + _REPLACES),
        click.option("--login", "logins", multiple=True, help="A SASL login: proves who sent a mail." + _REPLACES),
        click.option("--address", "addresses", multiple=True, help="What else he writes from." + _REPLACES),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def person() -> None:
    """Look after the people who work here."""


@person.command()
@click.argument("address")
@_what_he_is
@as_person
@as_json
@click.pass_obj
def add(invocation: Invocation, /, address: str, person: str | None, as_json: bool, **wish: Any) -> None:
    """Register the person with this ADDRESS; without --role a rep.

    \b
    tradepost person add ann@own.example --name "Ann Li" --team north --language en --country MX --login ann
    """
    with acting(invocation, person, writes=True) as (session, viewer):
        _echo(add_person(session, viewer, address, _wish(wish), datetime.now(UTC)), as_json)


@person.command("list")
@click.option("--team", default="", help="Only of this team.")
@click.option("--role", default="", help="Only with this role.")
@click.option("--former", is_flag=True, help="Also who left.")
@as_person
@as_json
@click.pass_obj
def list_(invocation: Invocation, team: str, role: str, former: bool, person: str | None, as_json: bool) -> None:
    """List who works here."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = list_people(session, viewer, team=team, role=role, with_former=former)
    echo_rows(found, _COLUMNS, to_json=as_json, none="nobody")


@person.command()
@click.argument("address")
@as_person
@as_json
@click.pass_obj
def show(invocation: Invocation, address: str, person: str | None, as_json: bool) -> None:
    """Show one person."""
    with acting(invocation, person, writes=False) as (session, viewer):
        _echo(fetch_person(session, viewer, address), as_json)


@person.command()
@click.argument("address")
@_what_he_is
@as_person
@as_json
@click.pass_obj
def edit(invocation: Invocation, /, address: str, person: str | None, as_json: bool, **wish: Any) -> None:
    """Change a person.  With another team go the customers he owns."""
    wanted = _wish(wish)
    if wanted == PersonWish():
        raise click.UsageError("say what shall be: --name, --team, --role, --language, --country, --login, --address")
    with acting(invocation, person, writes=True) as (session, viewer):
        _echo(edit_person(session, viewer, address, wanted, datetime.now(UTC)), as_json)


@person.command()
@click.argument("address")
@click.option("--from", "since", type=Moment(), help="When it begins: 2026-12-24 or '2026-12-24 12:00'; else now.")
@click.option("--until", type=Moment(), help="When he is back; else until 'tradepost person back'.")
@click.option("--substitute", metavar="ADDRESS", help="Who sees and does what is his meanwhile; '' for nobody.")
@as_person
@as_json
@click.pass_obj
def away(
    invocation: Invocation,
    address: str,
    since: datetime | None,
    until: datetime | None,
    substitute: str | None,
    person: str | None,
    as_json: bool,
) -> None:
    """Say that somebody is away, or will be.  He himself may, and his manager."""
    with acting(invocation, person, writes=True) as (session, viewer):
        now = datetime.now(UTC)
        _echo(plan_absence(session, viewer, address, now, since=since, until=until, substitute=substitute), as_json)


@person.command()
@click.argument("address")
@as_person
@as_json
@click.pass_obj
def back(invocation: Invocation, address: str, person: str | None, as_json: bool) -> None:
    """Say that somebody is back, or stays."""
    with acting(invocation, person, writes=True) as (session, viewer):
        _echo(end_absence(session, viewer, address, datetime.now(UTC)), as_json)


@person.command()
@click.argument("address")
@click.option("--anyway", is_flag=True, help="Also while he has customers, conversations or tasks.")
@as_person
@as_json
@click.pass_obj
def leave(invocation: Invocation, address: str, anyway: bool, person: str | None, as_json: bool) -> None:
    """Say that somebody is no longer with the company.  Hand over first what he has."""
    with acting(invocation, person, writes=True) as (session, viewer):
        _echo(let_leave(session, viewer, address, datetime.now(UTC), leaves_things=anyway), as_json)


@person.command("return")
@click.argument("address")
@as_person
@as_json
@click.pass_obj
def return_(invocation: Invocation, address: str, person: str | None, as_json: bool) -> None:
    """Say that somebody who left works here again, with his role and team."""
    with acting(invocation, person, writes=True) as (session, viewer):
        _echo(take_back(session, viewer, address, datetime.now(UTC)), as_json)


@person.command()
@click.argument("address")
@as_person
@as_json
@click.pass_obj
def rights(invocation: Invocation, address: str, person: str | None, as_json: bool) -> None:
    """Show what somebody may really do, how far, and why."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_effective_rights(session, viewer, address, datetime.now(UTC))
    echo_object(found, to_json=as_json, as_text=lambda: _rights_as_text(found))


def _wish(said: dict[str, Any]) -> PersonWish:
    # An option that may be given more than once is empty when it was not given.
    return PersonWish(**{name: None if value in (None, ()) else value for name, value in said.items()})


def _echo(one: PersonView, to_json: bool) -> None:
    echo_object(one, to_json=to_json, as_text=lambda: _as_text(one))


def _as_text(one: PersonView) -> str:
    lines = [
        ("person", f"{one.email} {one.name}"),
        ("role", one.role),
        ("team", one.team),
        ("languages", " ".join(one.languages)),
        ("countries", " ".join(one.countries)),
        ("logins", " ".join(one.logins)),
        ("addresses", " ".join(one.addresses)),
        ("pools", ", ".join(one.pools)),
        ("substitute", one.substitute),
        ("open conversations", str(one.open_conversations)),
        ("", _whereabouts(one)),
    ]
    return _aligned(lines)


def _whereabouts(one: PersonView) -> str:
    if one.left_at is not None:
        return f"left {shown_time(one.left_at)}"
    until = f" until {shown_time(one.away_until)}" if one.away_until else ""
    if one.is_away:
        return f"away{until}"
    return f"away from {shown_time(one.away_from)}{until}" if one.away_from else ""


def _rights_as_text(found: EffectiveRights) -> str:
    head = _aligned(
        [
            ("person", found.email),
            ("role", found.role),
            ("teams", ", ".join(found.teams)),
            ("pools", ", ".join(found.pools)),
            ("stands in for", ", ".join(found.stands_in_for)),
            ("owns", found.owned),
            ("shared with him", _shares_in_words(found)),
            ("never sees", ", ".join(found.hidden)),
        ]
    )
    table = new_table()
    for heading in ("what", "may", "how far", "why"):
        table.add_column(heading)
    for right in found.rights:
        table.add_row(right.entity, right.action, right.reach, printable("; ".join(right.why)))
    return f"{head}\n{printed(table)}"


def _shares_in_words(found: EffectiveRights) -> str:
    if found.seen_by_share == "0":
        return ""
    return f"{found.seen_by_share}, {found.edited_by_share} of them to change"


def _aligned(lines: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{name:19} {printable(value)}".rstrip() for name, value in lines if value)
