# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost share`: show a customer to one more person or team."""

from datetime import UTC, datetime

import click

from crm_sync.command_output import acting, as_json, as_person, echo_rows
from crm_sync.people.shares import Level, ShareView, list_shares, share_customer, withdraw_share
from tradepost.cli import Invocation

_COLUMNS = (
    ("with", lambda share: share.person or f"team {share.team}"),
    ("may", lambda share: share.level),
    ("why", lambda share: share.cause),
    ("since", lambda share: share.created_at),
    ("by", lambda share: share.created_by or "root"),
)
_WITH = click.option("--with", "colleague", default="", metavar="ADDRESS", help="The person.")
_TEAM = click.option("--team", default="", help="The team, with all below it.")


@click.group()
def share() -> None:
    """Show a customer, with his mail, notes and opportunities, to one more person or team.  CUSTOMER is his id."""


@share.command()
@click.argument("customer")
@_WITH
@_TEAM
@click.option("--edit", "may_edit", is_flag=True, help="To change him too, not only to see him.")
@as_person
@as_json
@click.pass_obj
def add(
    invocation: Invocation,
    customer: str,
    colleague: str,
    team: str,
    may_edit: bool,
    person: str | None,
    as_json: bool,
) -> None:
    """Show CUSTOMER to a person or a team."""
    level = Level.EDIT if may_edit else Level.SEE
    with acting(invocation, person, writes=True) as (session, viewer):
        made = share_customer(session, viewer, customer, level, datetime.now(UTC), person=colleague, team=team)
    _echo((made,), as_json)


@share.command("list")
@click.argument("customer")
@as_person
@as_json
@click.pass_obj
def list_(invocation: Invocation, customer: str, person: str | None, as_json: bool) -> None:
    """List to whom CUSTOMER is shown."""
    with acting(invocation, person, writes=False) as (session, viewer):
        _echo(list_shares(session, viewer, customer), as_json)


@share.command()
@click.argument("customer")
@_WITH
@_TEAM
@as_person
@click.pass_obj
def remove(invocation: Invocation, customer: str, colleague: str, team: str, person: str | None) -> None:
    """Show CUSTOMER to that person or team no longer."""
    with acting(invocation, person, writes=True) as (session, viewer):
        withdraw_share(session, viewer, customer, datetime.now(UTC), person=colleague, team=team)
    click.echo(f"no longer shared with {colleague or f'team {team}'}")


def _echo(found: tuple[ShareView, ...], to_json: bool) -> None:
    echo_rows(found, _COLUMNS, to_json=to_json, none="shown to nobody else")
