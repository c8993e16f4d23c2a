# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost team`: teams, one below the other."""

from datetime import UTC, datetime

import click

from crm_sync.command_output import acting, as_json, as_person, echo_rows
from crm_sync.people.teams import TeamView, add_team, list_teams, move_team, remove_team, rename_team
from tradepost.cli import Invocation

_TREE = (("team", lambda one: "  " * one.depth + one.name), ("people", lambda one: one.people))
_ONE = (("team", lambda one: one.name), ("under", lambda one: one.parent), ("people", lambda one: one.people))


@click.group()
def team() -> None:
    """Look after teams.  Who reaches a team reaches all below it."""


@team.command()
@click.argument("name")
@click.option("--under", default="", metavar="TEAM", help="The team it lies below; else it is at the top.")
@as_person
@as_json
@click.pass_obj
def add(invocation: Invocation, name: str, under: str, person: str | None, as_json: bool) -> None:
    """Add a team."""
    with acting(invocation, person, writes=True) as (session, viewer):
        _echo(add_team(session, viewer, name, datetime.now(UTC), under=under), as_json)


@team.command("list")
@as_person
@as_json
@click.pass_obj
def list_(invocation: Invocation, person: str | None, as_json: bool) -> None:
    """List teams, each with those below it."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = list_teams(session, viewer)
    echo_rows(found, _TREE, to_json=as_json, none="no teams")


@team.command()
@click.argument("name")
@click.argument("new_name")
@as_person
@as_json
@click.pass_obj
def rename(invocation: Invocation, name: str, new_name: str, person: str | None, as_json: bool) -> None:
    """Call the team NAME NEW_NAME."""
    with acting(invocation, person, writes=True) as (session, viewer):
        _echo(rename_team(session, viewer, name, new_name, datetime.now(UTC)), as_json)


@team.command()
@click.argument("name")
@click.option("--under", default="", metavar="TEAM", help="The team it shall lie below; else it goes to the top.")
@as_person
@as_json
@click.pass_obj
def move(invocation: Invocation, name: str, under: str, person: str | None, as_json: bool) -> None:
    """Put a team below another; those below it go with it."""
    with acting(invocation, person, writes=True) as (session, viewer):
        _echo(move_team(session, viewer, name, datetime.now(UTC), under=under), as_json)


@team.command()
@click.argument("name")
@as_person
@click.pass_obj
def remove(invocation: Invocation, name: str, person: str | None) -> None:
    """Take an empty team away."""
    with acting(invocation, person, writes=True) as (session, viewer):
        remove_team(session, viewer, name, datetime.now(UTC))
    click.echo(f"- team {name}")


def _echo(one: TeamView, to_json: bool) -> None:
    echo_rows((one,), _ONE, to_json=to_json, none="")
