# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost choice`: lists to choose from, and what is chosen for customers and contacts."""

from datetime import UTC, datetime

import click

from crm_sync.choices.chosen import choose_for_contact, choose_for_customer, fetch_chosen
from crm_sync.choices.lists import (
    SUBJECTS,
    ChoiceView,
    add_choice,
    add_list,
    change_choice,
    fetch_choices,
    fetch_lists,
)
from crm_sync.command_output import acting, as_json, as_person, echo_object, echo_rows
from tradepost.cli import Invocation

_COLUMNS = (
    ("key", lambda row: row.key),
    ("English", lambda row: row.name_en),
    ("Chinese", lambda row: row.name_zh),
    ("retired", lambda row: "yes" if row.is_retired else ""),
)


@click.group()
def choice() -> None:
    """Look after lists to choose from: customer types, sources, lost reasons ..."""


@choice.command("lists")
@as_person
@as_json
@click.pass_obj
def show_lists(invocation: Invocation, person: str | None, as_json: bool) -> None:
    """List the lists."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_lists(session, viewer)
    columns = (
        ("list", lambda row: row.key),
        ("describes", lambda row: row.subject),
        ("English", lambda row: row.name_en),
        ("Chinese", lambda row: row.name_zh),
        ("choices", lambda row: row.choices),
    )
    echo_rows(found, columns, to_json=as_json, none="there are no lists")


@choice.command("list")
@click.argument("list_key", metavar="LIST")
@click.option("--all", "with_retired", is_flag=True, help="Retired ones too.")
@as_person
@as_json
@click.pass_obj
def show_list(invocation: Invocation, list_key: str, with_retired: bool, person: str | None, as_json: bool) -> None:
    """List the choices of LIST."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_choices(session, viewer, list_key, with_retired=with_retired)
    echo_rows(found, _COLUMNS, to_json=as_json, none="the list is empty")


@choice.command("new-list")
@click.argument("key")
@click.argument("name_en", metavar="ENGLISH")
@click.option("--zh", "name_zh", default="", help="The name in Chinese.")
@click.option("--for", "subject", type=click.Choice(SUBJECTS), required=True, help="What it describes.")
@click.option("--many", "takes_many", is_flag=True, help="Several may be chosen.")
@as_person
@click.pass_obj
def new_list(
    invocation: Invocation, key: str, name_en: str, name_zh: str, subject: str, takes_many: bool, person: str | None
) -> None:
    """Make the empty list KEY."""
    with acting(invocation, person, writes=True) as (session, viewer):
        add_list(session, viewer, key, subject, name_en, name_zh, _now(), takes_many=takes_many)
    click.echo(f"list {key}")


@choice.command()
@click.argument("list_key", metavar="LIST")
@click.argument("key")
@click.argument("name_en", metavar="ENGLISH")
@click.option("--zh", "name_zh", default="", help="The name in Chinese.")
@as_person
@as_json
@click.pass_obj
def add(
    invocation: Invocation, list_key: str, key: str, name_en: str, name_zh: str, person: str | None, as_json: bool
) -> None:
    """Add the choice KEY to LIST."""
    with acting(invocation, person, writes=True) as (session, viewer):
        added = add_choice(session, viewer, list_key, key, name_en, name_zh, _now())
    echo_object(added, to_json=as_json, as_text=lambda: _line(added))


@choice.command()
@click.argument("list_key", metavar="LIST")
@click.argument("key")
@click.option("--en", "name_en", help="Another name in English.")
@click.option("--zh", "name_zh", help="Another name in Chinese.")
@click.option("--place", type=click.IntRange(1), help="Where it stands, from 1.")
@click.option("--retire/--offer", "is_retired", default=None, help="Offer it to nobody any more, or again.")
@as_person
@as_json
@click.pass_obj
def change(
    invocation: Invocation,
    list_key: str,
    key: str,
    name_en: str | None,
    name_zh: str | None,
    place: int | None,
    is_retired: bool | None,
    person: str | None,
    as_json: bool,
) -> None:
    """Rename, move or retire the choice KEY of LIST."""
    names = {"name_en": name_en, "name_zh": name_zh}
    if all(said is None for said in (*names.values(), place, is_retired)):
        raise click.UsageError("say what to change: --en, --zh, --place, --retire, --offer")
    with acting(invocation, person, writes=True) as (session, viewer):
        changed = change_choice(session, viewer, list_key, key, _now(), **names, place=place, is_retired=is_retired)
    echo_object(changed, to_json=as_json, as_text=lambda: _line(changed))


@choice.command("set")
@click.argument("customer")
@click.argument("list_key", metavar="LIST")
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("--contact", type=int, help="For this contact of the customer, by number.")
@as_person
@click.pass_obj
def set_(
    invocation: Invocation, customer: str, list_key: str, keys: tuple[str, ...], contact: int | None, person: str | None
) -> None:
    """Choose KEYs of LIST for CUSTOMER; none takes back what was chosen."""
    with acting(invocation, person, writes=True) as (session, viewer):
        if contact is None:
            choose_for_customer(session, viewer, customer, list_key, keys, _now())
        else:
            choose_for_contact(session, viewer, customer, contact, list_key, keys, _now())
    click.echo(f"{list_key}: {', '.join(keys) or 'none'}")


@choice.command()
@click.argument("customer")
@as_person
@as_json
@click.pass_obj
def show(invocation: Invocation, customer: str, person: str | None, as_json: bool) -> None:
    """Show what is chosen for CUSTOMER."""
    with acting(invocation, person, writes=False) as (session, viewer):
        chosen = fetch_chosen(session, viewer, customer)
    lines = [f"{name}: {', '.join(keys)}" for name, keys in chosen.items()]
    echo_object(chosen, to_json=as_json, as_text=lambda: "\n".join(lines) or "nothing is chosen")


def _line(row: ChoiceView) -> str:
    return f"{row.list}/{row.key}: {row.name_en} {row.name_zh}{' (retired)' * row.is_retired}"


def _now() -> datetime:
    return datetime.now(UTC)
