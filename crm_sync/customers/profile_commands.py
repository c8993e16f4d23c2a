# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost customer list | show | edit | kind | domain | link | why | undo`."""

from datetime import UTC, datetime

import click

from crm_sync.command_output import acting, as_json, as_person, echo_object, echo_rows, printable
from crm_sync.customers.domains import forget_domain, give_domain, share_domain
from crm_sync.customers.kinds import KINDS
from crm_sync.customers.pool_customers import days_left, reclaim_words
from crm_sync.customers.profile import EDITABLE, edit_customer, fetch_customer, fetch_links, list_customers, set_kind
from crm_sync.customers.profile_views import CustomerView
from crm_sync.customers.relinking import Relinked, relink_conversation, relink_mail, undo_move
from tradepost.cli import Invocation


@click.command("list")
@click.option("--kind", type=click.Choice(KINDS), help="Only parties of that kind.")
@click.option("--before", metavar="CUSTOMER", help="Go on behind this one, the last of the page before.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@as_person
@as_json
@click.pass_obj
def list_(
    invocation: Invocation, kind: str | None, before: str | None, limit: int, person: str | None, as_json: bool
) -> None:
    """List customers, leads, suppliers and other parties, the newest first."""
    with acting(invocation, person, writes=False) as (session, viewer):
        rows = list_customers(session, viewer, kind=kind, before=before, limit=limit)
    now = datetime.now(UTC)
    columns = (
        ("customer", lambda row: row.id),
        ("name", lambda row: row.name),
        ("kind", lambda row: row.kind),
        ("country", lambda row: row.country),
        ("grade", lambda row: row.grade),
        ("owner", lambda row: row.owner),
        ("", lambda row: reclaim_words(days_left(row.reclaim_at, now)) if row.reclaim_at else ""),
    )
    echo_rows(rows, columns, to_json=as_json, none="no customers")


@click.command()
@click.argument("customer")
@as_person
@as_json
@click.pass_obj
def show(invocation: Invocation, customer: str, person: str | None, as_json: bool) -> None:
    """Show a customer's profile, domains and contacts, and where each field comes from."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_customer(session, viewer, customer)
    echo_object(found, to_json=as_json, as_text=lambda: _as_text(found))


@click.command()
@click.argument("customer")
@click.option("--set", "wanted", nargs=2, multiple=True, metavar="FIELD VALUE", help=f"One of {', '.join(EDITABLE)}.")
@click.option("--version", type=int, help="Of the profile as you read it: refused if somebody changed it since.")
@as_person
@click.pass_obj
def edit(
    invocation: Invocation, customer: str, wanted: tuple[tuple[str, str], ...], version: int | None, person: str | None
) -> None:
    """Say what a customer's fields are; no mail overwrites them from then on."""
    values = {name: value in ("yes", "true", "1") if name == "star" else value for name, value in wanted}
    with acting(invocation, person, writes=True) as (session, viewer):
        changed = edit_customer(session, viewer, customer, values, datetime.now(UTC), version=version)
    click.echo(f"changed: {', '.join(changed)}" if changed else "nothing to change")


@click.command()
@click.argument("customer")
@click.argument("kind", type=click.Choice(KINDS))
@as_person
@click.pass_obj
def kind(invocation: Invocation, customer: str, kind: str, person: str | None) -> None:
    """Say what a party is to us; no mail changes it from then on."""
    with acting(invocation, person, writes=True) as (session, viewer):
        has_changed = set_kind(session, viewer, customer, kind, datetime.now(UTC))
    click.echo(f"kind: {kind}" if has_changed else "nothing to change")


@click.command()
@click.argument("customer")
@click.argument("domain")
@click.option("--shared", is_flag=True, help="Several companies write from there, this one among them.")
@click.option("--forget", is_flag=True, help="It is not this customer's.")
@as_person
@click.pass_obj
def domain(invocation: Invocation, customer: str, domain: str, shared: bool, forget: bool, person: str | None) -> None:
    """Say that a company domain is this customer's: whoever writes from there works for him."""
    if shared and forget:
        raise click.UsageError("--shared and --forget exclude each other")
    change, said = (
        (share_domain, "shared") if shared else (forget_domain, "taken") if forget else (give_domain, "given")
    )
    with acting(invocation, person, writes=True) as (session, viewer):
        key = change(session, viewer, customer, domain, datetime.now(UTC))
    click.echo(f"{key}: {said}")


@click.command()
@click.argument("customer")
@click.option("--mail", metavar="ENTRY_ID", help="The mail (X-Tradepost-Id) whose conversation is his.")
@click.option("--conversation", metavar="ID", help="The conversation that is his.")
@click.option("--only", is_flag=True, help="Only this conversation: its writers and their other mail stay.")
@as_person
@as_json
@click.pass_obj
def link(
    invocation: Invocation,
    customer: str,
    mail: str | None,
    conversation: str | None,
    only: bool,
    person: str | None,
    as_json: bool,
) -> None:
    """Give a conversation to a customer; whoever wrote in it, and what else he wrote, follows."""
    if (mail is None) == (conversation is None):
        raise click.UsageError("say either --mail or --conversation")
    with acting(invocation, person, writes=True) as (session, viewer):
        now = datetime.now(UTC)
        if mail is not None:
            made = relink_mail(session, viewer, mail, customer, now, teaches=not only)
        else:
            made = relink_conversation(session, viewer, conversation or "", customer, now, teaches=not only)
    echo_object(made, to_json=as_json, as_text=lambda: as_text(made))


@click.command()
@click.argument("entry_id")
@as_person
@as_json
@click.pass_obj
def why(invocation: Invocation, entry_id: str, person: str | None, as_json: bool) -> None:
    """Say whom the mail ENTRY_ID (X-Tradepost-Id) concerns, and what decided that."""
    with acting(invocation, person, writes=False) as (session, viewer):
        links = fetch_links(session, viewer, entry_id)
    columns = (
        ("customer", lambda one: one.customer),
        ("name", lambda one: one.name),
        ("role", lambda one: one.role),
        ("reason", lambda one: one.reason),
        ("decided by", lambda one: one.decided_by or "the program"),
    )
    echo_rows(links, columns, to_json=as_json, none="it concerns no customer")


@click.command()
@click.argument("operation")
@as_person
@click.pass_obj
def unlink(invocation: Invocation, operation: str, person: str | None) -> None:
    """Take back what `customer link` or `contact move` did."""
    with acting(invocation, person, writes=True) as (session, viewer):
        number = undo_move(session, viewer, operation, datetime.now(UTC))
    click.echo(f"{number} conversations went back")


def as_text(made: Relinked) -> str:
    """Say in a line what went to a customer."""
    if not made.operation:
        return "nothing to change"
    what = [f"{made.conversations} conversations", *made.contacts, *made.domains]
    return f"{printable(', '.join(what))}\ntaken back by: tradepost customer unlink {made.operation}"


def _as_text(found: CustomerView) -> str:
    row = found.row
    fields = (
        ("customer", row.id),
        ("name", row.name),
        ("kind", f"{row.kind} ({found.kind_reason or 'given'})"),
        ("country", row.country),
        ("grade", row.grade),
        ("owner", row.owner or "nobody"),
        ("pool", reclaim_words(days_left(row.reclaim_at, datetime.now(UTC))) if row.reclaim_at else ""),
        ("industry", found.industry),
        ("size", found.size),
        ("source", found.source),
        ("website", found.website),
        ("address", found.address),
        ("phone", found.phone),
        ("profile", found.profile),
        ("domains", ", ".join(f"{one.domain} ({one.reason})" for one in found.domains)),
        ("version", str(found.version)),
    )
    lines = [f"{name}: {value}" for name, value in fields if value]
    for one in found.contacts:
        said = ", ".join((one.name or "?", one.title, *one.addresses, *(number for _, number in one.phones)))
        lines.append(f"contact {one.id}: {said.replace(', ,', ',')}")
    return "\n".join(printable(line) for line in lines)


COMMANDS = (list_, show, edit, kind, domain, link, why, unlink)
