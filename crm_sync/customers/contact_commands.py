# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost contact list | show | edit | move | address | suggestions | settle`."""

from datetime import UTC, datetime

import click

from crm_sync.command_output import acting, as_json, as_person, echo_object, echo_rows, printable
from crm_sync.customers.contacts import (
    add_address,
    dismiss_suggestion,
    edit_contact,
    fetch_contact,
    list_contacts,
    list_suggestions,
)
from crm_sync.customers.profile_commands import as_text
from crm_sync.customers.profile_views import ContactView
from crm_sync.customers.relinking import move_contact
from tradepost.cli import Invocation


@click.group()
def contact() -> None:
    """Look after contacts: who they are, where they write from, for whom they work."""


@contact.command("list")
@click.option("--customer", metavar="CUSTOMER", help="Only this customer's.")
@click.option("--before", type=int, metavar="CONTACT", help="Go on behind this one.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@as_person
@as_json
@click.pass_obj
def list_(
    invocation: Invocation, customer: str | None, before: int | None, limit: int, person: str | None, as_json: bool
) -> None:
    """List contacts, the newest first."""
    with acting(invocation, person, writes=False) as (session, viewer):
        rows = list_contacts(session, viewer, customer=customer, before=before, limit=limit)
    columns = (
        ("contact", lambda row: row.id),
        ("name", lambda row: row.name),
        ("addresses", lambda row: " ".join(row.addresses)),
        ("customer", lambda row: row.customer_name),
    )
    echo_rows(rows, columns, to_json=as_json, none="no contacts")


@contact.command()
@click.argument("contact_id", type=int)
@as_person
@as_json
@click.pass_obj
def show(invocation: Invocation, contact_id: int, person: str | None, as_json: bool) -> None:
    """Show a contact, and where each field comes from."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_contact(session, viewer, contact_id)
    echo_object(found, to_json=as_json, as_text=lambda: _as_text(found))


@contact.command()
@click.argument("contact_id", type=int)
@click.option("--set", "wanted", nargs=2, multiple=True, metavar="FIELD VALUE", help="name or title.")
@click.option("--version", type=int, help="Of the contact as you read it: refused if somebody changed it since.")
@as_person
@click.pass_obj
def edit(
    invocation: Invocation,
    contact_id: int,
    wanted: tuple[tuple[str, str], ...],
    version: int | None,
    person: str | None,
) -> None:
    """Say what a contact's fields are; no mail overwrites them from then on."""
    with acting(invocation, person, writes=True) as (session, viewer):
        changed = edit_contact(session, viewer, contact_id, dict(wanted), datetime.now(UTC), version=version)
    click.echo(f"changed: {', '.join(changed)}" if changed else "nothing to change")


@contact.command()
@click.argument("contact_id", type=int)
@click.argument("customer")
@as_person
@as_json
@click.pass_obj
def move(invocation: Invocation, contact_id: int, customer: str, person: str | None, as_json: bool) -> None:
    """Let a contact be another customer's; his mail goes with him, and what he writes later too."""
    with acting(invocation, person, writes=True) as (session, viewer):
        made = move_contact(session, viewer, contact_id, customer, datetime.now(UTC))
    echo_object(made, to_json=as_json, as_text=lambda: as_text(made))


@contact.command()
@click.argument("contact_id", type=int)
@click.argument("address")
@as_person
@click.pass_obj
def address(invocation: Invocation, contact_id: int, address: str, person: str | None) -> None:
    """Say that an address is this contact's."""
    with acting(invocation, person, writes=True) as (session, viewer):
        key = add_address(session, viewer, contact_id, address, datetime.now(UTC))
    click.echo(printable(f"{key}: is contact {contact_id}'s"))


@contact.command()
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@as_person
@as_json
@click.pass_obj
def suggestions(invocation: Invocation, limit: int, person: str | None, as_json: bool) -> None:
    """List what mail suggests: that somebody works elsewhere now, or is somebody known."""
    with acting(invocation, person, writes=False) as (session, viewer):
        rows = list_suggestions(session, viewer, limit=limit)
    columns = (
        ("suggestion", lambda row: row.id),
        ("kind", lambda row: row.kind),
        ("contact", lambda row: row.contact),
        ("name", lambda row: row.contact_name),
        ("signs for", lambda row: row.says),
    )
    echo_rows(rows, columns, to_json=as_json, none="nothing is suggested")


@contact.command()
@click.argument("suggestion_id", type=int)
@as_person
@click.pass_obj
def settle(invocation: Invocation, suggestion_id: int, person: str | None) -> None:
    """Say that a suggestion is settled."""
    with acting(invocation, person, writes=True) as (session, viewer):
        dismiss_suggestion(session, viewer, suggestion_id, datetime.now(UTC))
    click.echo("settled")


def _as_text(found: ContactView) -> str:
    fields = (
        ("contact", str(found.id)),
        ("name", found.name),
        ("title", found.title),
        ("decision role", found.decision_role),
        ("customer", f"{found.customer_name} ({found.customer})"),
        ("addresses", ", ".join(found.addresses)),
        ("numbers", ", ".join(f"{kind} {number}" for kind, number in found.phones)),
        ("social", ", ".join(f"{kind} {value}" for kind, value in found.social)),
        ("version", str(found.version)),
    )
    return "\n".join(printable(f"{name}: {value}") for name, value in fields if value)
