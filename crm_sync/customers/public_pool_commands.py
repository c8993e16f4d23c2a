# SPDX-License-Identifier: GPL-3.0-or-later
"""What `tradepost customer` says of the public pool: claim, release, give, pool, owners, dates, settings."""

from datetime import UTC, datetime
from typing import Any

import click
from ulid import ULID

from crm_sync.command_output import acting, as_json, as_person, echo_object, echo_rows, printable
from crm_sync.customers.allotting import MOST, allot_customers
from crm_sync.customers.claims import Handed, claim_customer, give_customer, release_customer
from crm_sync.customers.distribution import WAYS
from crm_sync.customers.owners import fetch_owners
from crm_sync.customers.pool_customers import fetch_falling_customers, fetch_pool_customers
from crm_sync.customers.public_pools import (
    LIMITS,
    PublicPoolError,
    ReasonView,
    add_public_pool,
    change_public_pool,
    fetch_public_pools,
    fetch_release_reasons,
    recompute_reclaim_dates,
    set_release_reason,
)
from tradepost.cli import Invocation

_note = click.option("--note", default="", help="Why, in your own words.")
_limit = click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)


class _Limit(click.ParamType[int | str]):
    """A number, or none."""

    name = "number|none"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Return the number; "none" stays a word: no option at all is None."""
        if isinstance(value, int) or value == "none":
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
            return int(value)
        self.fail(f"{value!r} is neither a number nor 'none'", param, ctx)


@click.command()
@click.argument("customer_id")
@_note
@as_person
@as_json
@click.pass_obj
def claim(invocation: Invocation, customer_id: str, note: str, person: str | None, as_json: bool) -> None:
    """Make an unowned customer yours, with its conversations that nobody works on.  The first who claims has it.

    \b
    tradepost customer claim 01J9ZQ2V8K3F4T5R6W7X8Y9Z0A --as ann@own.example
    """
    with acting(invocation, person, writes=True) as (session, viewer):
        handed = claim_customer(session, viewer, customer_id, str(ULID()), datetime.now(UTC), note)
    _echo(handed, as_json)


@click.command()
@click.argument("customer_id")
@click.option("--reason", required=True, metavar="CODE", help="One of 'tradepost customer release-reasons'.")
@_note
@as_person
@as_json
@click.pass_obj
def release(
    invocation: Invocation, customer_id: str, reason: str, note: str, person: str | None, as_json: bool
) -> None:
    """Let a customer go into the public pool, for others to claim."""
    with acting(invocation, person, writes=True) as (session, viewer):
        handed = release_customer(session, viewer, customer_id, reason, str(ULID()), datetime.now(UTC), note)
    _echo(handed, as_json)


@click.command()
@click.argument("customer_id")
@click.option("--to", required=True, metavar="ADDRESS", help="Who shall own it.")
@_note
@as_person
@as_json
@click.pass_obj
def give(invocation: Invocation, customer_id: str, to: str, note: str, person: str | None, as_json: bool) -> None:
    """Let somebody own a customer, a colleague's or one from the pool."""
    with acting(invocation, person, writes=True) as (session, viewer):
        handed = give_customer(session, viewer, customer_id, to, str(ULID()), datetime.now(UTC), note)
    _echo(handed, as_json)


@click.command()
@click.option("--pool", required=True, help="What lies there.")
@click.option("--to", "takers", required=True, multiple=True, metavar="ADDRESS", help="Who gets some; may be repeated.")
@click.option("--by", type=click.Choice(WAYS), default=WAYS[0], show_default=True, help="How several share.")
@click.option("--most", type=click.IntRange(1, MOST), default=100, show_default=True, help="So many, the newest.")
@_note
@as_person
@as_json
@click.pass_obj
def allot(
    invocation: Invocation,
    pool: str,
    takers: tuple[str, ...],
    by: str,
    most: int,
    note: str,
    person: str | None,
    as_json: bool,
) -> None:
    """Give what lies in a pool to several people, newest first."""
    with acting(invocation, person, writes=True) as (session, viewer):
        now = datetime.now(UTC)
        found = allot_customers(session, viewer, pool, takers, str(ULID()), now, by=by, most=most, note=note)
    columns = (("to", lambda one: one.taker), ("customers", lambda one: one.customers))
    echo_rows(found, columns, to_json=as_json, none="nothing")


def _echo(handed: Handed, to_json: bool) -> None:
    where = handed.owner or f"in the pool {handed.pool}"
    echo_object(
        handed,
        to_json=to_json,
        as_text=lambda: f"{handed.id} {printable(handed.name)}: {where}, {handed.conversations} conversations followed",
    )


@click.command("pool")
@click.option("--pool", help="Only what lies in this one.")
@click.option("--before", metavar="KEY", help="The next page: the key that the page before ended with.")
@_limit
@as_person
@as_json
@click.pass_obj
def pool_(
    invocation: Invocation, pool: str | None, before: str | None, limit: int, person: str | None, as_json: bool
) -> None:
    """List the customers that nobody owns, newest in the pool first."""
    with acting(invocation, person, writes=False) as (session, viewer):
        page = fetch_pool_customers(session, viewer, pool=pool, before=before, limit=limit)
    if as_json:
        echo_object(page, to_json=True, as_text=str)
        return
    columns = (
        ("id", lambda one: one.id),
        ("customer", lambda one: one.name),
        ("kind", lambda one: one.kind),
        ("country", lambda one: one.country),
        ("grade", lambda one: one.grade),
        ("pool", lambda one: one.pool),
        ("since", lambda one: one.since),
        ("released for", lambda one: one.reason),
    )
    echo_rows(page.rows, columns, to_json=False, none="nothing lies in the pool")
    _echo_end(f"{page.counted} in all", page.next, "--before")


def _echo_end(said: str, key: str | None, option: str) -> None:
    """Say how to go on, beside the list."""
    if key is not None:
        said = f"{said}; more: {option} {key}"
    if said:
        click.echo(said, err=True)


@click.command()
@click.argument("customer_id")
@as_person
@as_json
@click.pass_obj
def owners(invocation: Invocation, customer_id: str, person: str | None, as_json: bool) -> None:
    """Say who had a customer from when to when, and why."""
    with acting(invocation, person, writes=False) as (session, viewer):
        rows = fetch_owners(session, viewer, customer_id)
    columns = (
        ("owner", lambda one: one.person),
        ("since", lambda one: one.since),
        ("until", lambda one: one.until),
        ("came", lambda one: one.came_by),
        ("from pool", lambda one: one.pool),
        ("went", lambda one: one.ended_by),
        ("reason", lambda one: one.reason),
        ("note", lambda one: one.note),
    )
    echo_rows(rows, columns, to_json=as_json, none="nobody owned it yet")


@click.command("reclaim-dates")
@click.option("--within", type=click.IntRange(0, 3650), metavar="DAYS", help="Only those of the next so many days.")
@click.option("--after", metavar="KEY", help="The next page: the key that the page before ended with.")
@click.option("--recompute", is_flag=True, help="Compute all dates anew first.")
@_limit
@as_person
@as_json
@click.pass_obj
def reclaim_dates(
    invocation: Invocation,
    within: int | None,
    after: str | None,
    recompute: bool,
    limit: int,
    person: str | None,
    as_json: bool,
) -> None:
    """List whose customers fall into the public pool when, unless somebody speaks with them, soonest first."""
    with acting(invocation, person, writes=recompute) as (session, viewer):
        changed = recompute_reclaim_dates(session, viewer) if recompute else 0
        page = fetch_falling_customers(session, viewer, datetime.now(UTC), within_days=within, after=after, limit=limit)
    if as_json:
        echo_object({"recomputed": changed, "rows": page.rows, "next": page.next}, to_json=True, as_text=str)
        return
    columns = (
        ("id", lambda one: one.id),
        ("customer", lambda one: one.name),
        ("owner", lambda one: one.owner),
        ("", lambda one: one.words),
    )
    echo_rows(page.rows, columns, to_json=False, none="nothing falls into the pool")
    _echo_end(f"{changed} dates were wrong" if recompute else "", page.next, "--after")


@click.command("pool-settings")
@click.argument("pool", required=False)
@click.option("--new", "is_new", is_flag=True, help="Make a pool of this name, without an address.")
@click.option("--member", "members", multiple=True, metavar="ADDRESS", help="With --new: who sees it and may claim.")
@click.option("--default", "is_default", is_flag=True, help="There falls what came from no pool.")
@click.option("--most-customers", type=_Limit(), help="That one person may own and still claim.")
@click.option("--claims-per-day", type=_Limit(), help="Of one person, in 24 hours.")
@click.option("--cool-down-hours", type=_Limit(), help="Until he may claim again what he released.")
@click.option("--idle-days", type=_Limit(), help="Without a word until a customer falls back.")
@click.option("--protect", "grades", multiple=True, metavar="GRADE", help="These never do; '' for none of them.")
@as_person
@as_json
@click.pass_obj
def pool_settings(
    invocation: Invocation,
    /,
    pool: str | None,
    is_new: bool,
    members: tuple[str, ...],
    is_default: bool,
    grades: tuple[str, ...],
    person: str | None,
    as_json: bool,
    **limits: int | str | None,
) -> None:
    """Show what pools allow, or set it for POOL.

    \b
    tradepost customer pool-settings 公海 --new --member ann@own.example --default --most-customers 200 --idle-days 30
    """
    wanted: dict[str, Any] = {
        name: None if value == "none" else value for name, value in limits.items() if value is not None
    }
    if grades:
        wanted["protected_grades"] = [grade for grade in grades if grade]
    if is_default:
        wanted["is_default"] = True
    if pool is None and (wanted or is_new):
        raise click.UsageError("name the pool that shall be so")
    if members and not is_new:
        raise click.UsageError(
            "--member goes with --new; later 'tradepost directory apply' of a company file sets them"
        )
    with acting(invocation, person, writes=bool(wanted or is_new)) as (session, viewer):
        now, cause = datetime.now(UTC), str(ULID())
        if is_new and pool is not None:
            add_public_pool(session, viewer, pool, members, cause, now)
        if wanted and pool is not None:
            change_public_pool(session, viewer, pool, wanted, cause, now)
        found = [one for one in fetch_public_pools(session, viewer) if pool in (None, one.pool)]
        if pool is not None and not found:
            raise PublicPoolError(f"pool {pool[:100]!r}: there is none; 'tradepost customer pool-settings' lists them")
    columns = (
        ("pool", lambda one: one.pool),
        ("default", lambda one: "yes" if one.is_default else ""),
        *((name.replace("_", " "), lambda one, name=name: getattr(one, name)) for name in LIMITS),
        ("protected", lambda one: " ".join(one.protected_grades)),
        ("members", lambda one: len(one.members)),
    )
    echo_rows(found, columns, to_json=as_json, none="there are no pools")


@click.command("release-reasons")
@click.argument("code", required=False)
@click.option("--name", help="What people read: adds the reason, or renames it.")
@click.option("--name-zh", default="", help="The same in Chinese.")
@click.option("--retire", is_flag=True, help="Offer it no more; what was released for it keeps it.")
@as_person
@as_json
@click.pass_obj
def release_reasons(
    invocation: Invocation,
    code: str | None,
    name: str | None,
    name_zh: str,
    retire: bool,
    person: str | None,
    as_json: bool,
) -> None:
    """List why customers are released, or set the reason CODE."""
    if code is None and (name or retire):
        raise click.UsageError("name the code of the reason")
    with acting(invocation, person, writes=code is not None) as (session, viewer):
        found = fetch_release_reasons(session, viewer)
        if code is not None:
            old = next((one for one in found if one.code == code), None)
            if name is None and old is None:
                raise click.UsageError("a new reason needs a --name")
            reason = ReasonView(
                code,
                name or (old.name if old else ""),
                name_zh or (old.name_zh if old else ""),
                not retire,
            )
            set_release_reason(session, viewer, reason, str(ULID()), datetime.now(UTC))
            found = fetch_release_reasons(session, viewer)
    columns = (
        ("code", lambda one: one.code),
        ("name", lambda one: one.name),
        ("", lambda one: one.name_zh),
        ("", lambda one: "" if one.is_active else "retired"),
    )
    echo_rows(found, columns, to_json=as_json, none="there are none")


COMMANDS = (claim, release, give, allot, pool_, owners, reclaim_dates, pool_settings, release_reasons)
