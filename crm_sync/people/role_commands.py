# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost role`: what each role may do, how far, and which fields it never sees."""

from datetime import UTC, datetime

import click

from crm_sync.command_output import acting, as_json, as_person, echo_object, echo_rows, new_table, printed
from crm_sync.people.roles import (
    RoleView,
    add_role,
    fetch_role,
    hide_field,
    list_hideable,
    list_roles,
    remove_role,
    set_right,
    show_field,
)
from crm_sync.rights import Action, Entity, Reach
from tradepost.cli import Invocation

_ENTITY = click.argument("entity", type=click.Choice([entity.value for entity in Entity]))


@click.group()
def role() -> None:
    """Look after roles: what each may do, and which fields it never sees.

    \b
    how far: none
             own   what he owns, what lies in his pools, what was shared with him
             team  also what belongs to his team, or to one below it
             all
    Nobody may do anything with a record that he may not see.
    """


@role.command("list")
@as_person
@as_json
@click.pass_obj
def list_(invocation: Invocation, person: str | None, as_json: bool) -> None:
    """List roles."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = list_roles(session, viewer)
    columns = (
        ("role", lambda one: one.name),
        ("people", lambda one: one.people),
        ("never sees", lambda one: ", ".join(one.hidden)),
    )
    echo_rows(found, columns, to_json=as_json, none="no roles")


@role.command()
@click.argument("name")
@as_person
@as_json
@click.pass_obj
def show(invocation: Invocation, name: str, person: str | None, as_json: bool) -> None:
    """Show what a role may do, and how far."""
    with acting(invocation, person, writes=False) as (session, viewer):
        _echo(fetch_role(session, viewer, name), as_json)


@role.command()
@click.argument("name")
@click.option("--like", required=True, metavar="ROLE", help="The role whose rights it gets, to be changed then.")
@as_person
@as_json
@click.pass_obj
def add(invocation: Invocation, name: str, like: str, person: str | None, as_json: bool) -> None:
    """Add a role."""
    with acting(invocation, person, writes=True) as (session, viewer):
        _echo(add_role(session, viewer, name, like, datetime.now(UTC)), as_json)


@role.command("set")
@click.argument("name")
@_ENTITY
@click.argument("action", type=click.Choice([action.value for action in Action]))
@click.argument("reach", type=click.Choice([reach.value for reach in Reach]))
@as_person
@as_json
@click.pass_obj
def set_(
    invocation: Invocation, name: str, entity: str, action: str, reach: str, person: str | None, as_json: bool
) -> None:
    """Let a role do something, and how far.

    \b
    tradepost role set manager customer see team
    """
    with acting(invocation, person, writes=True) as (session, viewer):
        now = datetime.now(UTC)
        _echo(set_right(session, viewer, name, Entity(entity), Action(action), Reach(reach), now), as_json)


@role.command()
@click.argument("name")
@_ENTITY
@click.argument("field")
@as_person
@as_json
@click.pass_obj
def hide(invocation: Invocation, name: str, entity: str, field: str, person: str | None, as_json: bool) -> None:
    """Keep a field from a role, in answers, filters, sorts and search: 'tradepost role fields' names which can be."""
    with acting(invocation, person, writes=True) as (session, viewer):
        _echo(hide_field(session, viewer, name, Entity(entity), field, datetime.now(UTC)), as_json)


@role.command()
@click.argument("name")
@_ENTITY
@click.argument("field")
@as_person
@as_json
@click.pass_obj
def unhide(invocation: Invocation, name: str, entity: str, field: str, person: str | None, as_json: bool) -> None:
    """Let a role see a field again."""
    with acting(invocation, person, writes=True) as (session, viewer):
        _echo(show_field(session, viewer, name, Entity(entity), field, datetime.now(UTC)), as_json)


@role.command()
@as_person
@as_json
@click.pass_obj
def fields(invocation: Invocation, person: str | None, as_json: bool) -> None:
    """List the fields that can be kept from a role."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = list_hideable(session, viewer)
    rows = [{"entity": entity, "field": field} for entity, names in found.items() for field in names]
    columns = (("entity", lambda one: one["entity"]), ("field", lambda one: one["field"]))
    echo_rows(rows, columns, to_json=as_json, none="no fields")


@role.command()
@click.argument("name")
@as_person
@click.pass_obj
def remove(invocation: Invocation, name: str, person: str | None) -> None:
    """Take away a role that nobody has."""
    with acting(invocation, person, writes=True) as (session, viewer):
        remove_role(session, viewer, name, datetime.now(UTC))
    click.echo(f"- role {name}")


def _echo(one: RoleView, to_json: bool) -> None:
    echo_object(one, to_json=to_json, as_text=lambda: _as_text(one))


def _as_text(one: RoleView) -> str:
    reaches = {(right.entity, right.action): right.reach for right in one.rights}
    table = new_table()
    for heading in (one.name, *Action):
        table.add_column(heading)
    for entity in Entity:
        cells = (reaches.get((entity, action), Reach.NONE) for action in Action)
        table.add_row(entity, *("-" if reach is Reach.NONE else reach for reach in cells))
    lines = [f"{one.people} people have it"]
    if one.hidden:
        lines.append(f"never sees {', '.join(one.hidden)}")
    return printed(table) + "\n".join(lines)
