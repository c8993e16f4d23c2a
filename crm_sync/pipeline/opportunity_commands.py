# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost opportunity`: deals that may come, from an inquiry to won or lost."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from crm_sync.command_output import acting, as_json, as_person, echo_object, echo_rows, shown_time
from crm_sync.pipeline.amounts import plain
from crm_sync.pipeline.dealing import DEALS, OpportunityEntry, change_opportunity, move_opportunity, open_opportunity
from crm_sync.pipeline.opportunities import (
    OpportunityFilter,
    OpportunityView,
    fetch_opportunity,
    fetch_opportunity_moves,
    list_opportunities,
)
from tradepost.cli import Invocation


def _fields(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what is known of an opportunity."""
    for option in (
        click.option("--title", help="What it is called."),
        click.option("--product", help="The code of a product."),
        click.option("--category", help="The code of a category of products."),
        click.option("--goods", "product_text", help="The goods in the buyer's words."),
        click.option("--quantity", help="How much of it."),
        click.option("--unit", help="What it is counted in."),
        click.option("--target-price", help="What the buyer wants to pay for one."),
        click.option("--amount", help="What the deal is expected to bring."),
        click.option("--currency", help="ISO 4217, as USD."),
        click.option("--incoterm", help="As FOB."),
        click.option("--place", "incoterm_place", help="The place of the Incoterm."),
        click.option("--expected", "expected_on", help="When it is expected, as 2026-12-31."),
    ):
        command = option(command)
    return as_json(as_person(command))


@click.group()
def opportunity() -> None:
    """Look after opportunities."""


@opportunity.command("list")
@click.option("--pipeline", help="Of this pipeline.")
@click.option("--stage", help="In this stage.")
@click.option("--kind", type=click.Choice(["open", "won", "lost"]))
@click.option("--customer", help="With this customer.")
@click.option("--product", help="About this product.")
@click.option("--category", help="About this category of products and all below it.")
@click.option("--owner", metavar="ADDRESS", help="Whose customer it is.")
@click.option("--before", help="Go on before this opportunity.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@as_person
@as_json
@click.pass_obj
def list_(invocation: Invocation, /, person: str | None, as_json: bool, **wanted: Any) -> None:
    """List opportunities, newest first."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = list_opportunities(session, viewer, OpportunityFilter(**wanted))
    columns = (
        ("opportunity", lambda row: row.id),
        ("stage", lambda row: row.stage),
        ("customer", lambda row: row.customer_name),
        ("title", lambda row: row.title),
        ("goods", _goods),
        ("amount", lambda row: _money(row.amount, row)),
        ("owner", lambda row: row.owner),
    )
    echo_rows(found, columns, to_json=as_json, none="there are no opportunities")


@opportunity.command()
@click.argument("opportunity_id", metavar="OPPORTUNITY")
@as_person
@as_json
@click.pass_obj
def show(invocation: Invocation, opportunity_id: str, person: str | None, as_json: bool) -> None:
    """Show OPPORTUNITY."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_opportunity(session, viewer, opportunity_id)
    echo_object(found, to_json=as_json, as_text=lambda: _text(found))


@opportunity.command("open")
@click.argument("customer")
@click.option("--pipeline", default=DEALS, show_default=True)
@click.option("--conversation", help="The conversation it comes from.")
@_fields
@click.pass_obj
def open_(
    invocation: Invocation,
    /,
    customer: str,
    pipeline: str,
    conversation: str | None,
    person: str | None,
    as_json: bool,
    **said: str | None,
) -> None:
    """Open an opportunity with CUSTOMER."""
    with acting(invocation, person, writes=True) as (session, viewer):
        made = open_opportunity(
            session,
            viewer,
            customer,
            OpportunityEntry(**said),
            _now(),
            pipeline=pipeline,
            conversation=conversation,
        )
    echo_object(made, to_json=as_json, as_text=lambda: _text(made))


@opportunity.command()
@click.argument("opportunity_id", metavar="OPPORTUNITY")
@click.option("--version", type=int, help="Only if it is still that version.")
@_fields
@click.pass_obj
def change(
    invocation: Invocation,
    /,
    opportunity_id: str,
    version: int | None,
    person: str | None,
    as_json: bool,
    **said: str | None,
) -> None:
    """Fill in what is known of OPPORTUNITY; '' empties a field."""
    with acting(invocation, person, writes=True) as (session, viewer):
        entry = OpportunityEntry(**said)
        changed = change_opportunity(session, viewer, opportunity_id, entry, _now(), version=version)
    echo_object(changed, to_json=as_json, as_text=lambda: _text(changed))


@opportunity.command()
@click.argument("opportunity_id", metavar="OPPORTUNITY")
@click.argument("stage")
@click.option("--reason", "lost_reason", help="Why it was lost: a key of the list lost-reason.")
@click.option("--note", default="", help="More about that.")
@click.option("--version", type=int, help="Only if it is still that version.")
@as_person
@as_json
@click.pass_obj
def move(
    invocation: Invocation,
    opportunity_id: str,
    stage: str,
    lost_reason: str | None,
    note: str,
    version: int | None,
    person: str | None,
    as_json: bool,
) -> None:
    """Put OPPORTUNITY into STAGE: on, back, won or lost."""
    with acting(invocation, person, writes=True) as (session, viewer):
        moved = move_opportunity(
            session, viewer, opportunity_id, stage, _now(), lost_reason=lost_reason, note=note, version=version
        )
    echo_object(moved, to_json=as_json, as_text=lambda: _text(moved))


@opportunity.command()
@click.argument("opportunity_id", metavar="OPPORTUNITY")
@as_person
@as_json
@click.pass_obj
def history(invocation: Invocation, opportunity_id: str, person: str | None, as_json: bool) -> None:
    """Show how OPPORTUNITY went from stage to stage, newest first."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_opportunity_moves(session, viewer, opportunity_id)
    columns = (
        ("when", lambda row: row.at),
        ("from", lambda row: row.before),
        ("to", lambda row: row.after),
        ("by", lambda row: row.who or (f"rule {row.rule}" if row.rule else "")),
        ("why", lambda row: row.reason),
    )
    echo_rows(found, columns, to_json=as_json, none="there was no move yet")


def _goods(row: OpportunityView) -> str:
    named = row.product or row.category or row.product_text
    return f"{named} {plain(row.quantity)} {row.unit}".strip()


def _money(amount: Any, row: OpportunityView) -> str:
    return f"{plain(amount)} {row.currency}".strip() if amount is not None else ""


def _text(row: OpportunityView) -> str:
    said = (
        ("opportunity", f"{row.id} (version {row.version})"),
        ("title", row.title),
        ("stage", f"{row.pipeline}/{row.stage} since {shown_time(row.stage_at)}, {row.probability} %"),
        ("customer", f"{row.customer_name} {row.customer}".strip()),
        ("owner", row.owner),
        ("conversation", row.conversation),
        ("goods", " ".join(filter(None, (row.product, row.category, row.product_text)))),
        ("quantity", f"{plain(row.quantity)} {row.unit}".strip()),
        ("target price", _money(row.target_price, row)),
        ("amount", _money(row.amount, row)),
        ("Incoterm", f"{row.incoterm} {row.incoterm_place}".strip()),
        ("expected", row.expected_on.isoformat() if row.expected_on else ""),
        ("lost", f"{row.lost_reason} {row.lost_note}".strip()),
    )
    return "\n".join(f"{name}: {value}" for name, value in said if value)


def _now() -> datetime:
    return datetime.now(UTC)
