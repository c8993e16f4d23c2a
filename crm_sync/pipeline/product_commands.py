# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost product`: what we sell, in a tree of categories."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from crm_sync.command_output import acting, as_json, as_person, echo_object, echo_rows
from crm_sync.pipeline.amounts import plain
from crm_sync.pipeline.products import (
    CategoryView,
    ProductEntry,
    ProductView,
    fetch_categories,
    fetch_product,
    list_products,
    save_category,
    save_product,
)
from tradepost.cli import Invocation


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that products and categories share."""
    for option in (
        click.option("--en", "name_en", help="Its name in English."),
        click.option("--zh", "name_zh", help="Its name in Chinese."),
        click.option("--word", "words", multiple=True, help="A word by which inquiries are seen to be about it."),
        click.option("--no-words", is_flag=True, help="Take all its words away."),
        click.option("--retire/--offer", "is_retired", default=None, help="Take it out of use, or back."),
        as_person,
        as_json,
    ):
        command = option(command)
    return command


def _words(words: tuple[str, ...], no_words: bool) -> tuple[str, ...] | None:
    if words and no_words:
        raise click.UsageError("--word and --no-words exclude each other")
    return words if words or no_words else None


@click.group()
def product() -> None:
    """Look after products and their categories."""


@product.command("list")
@click.option("--category", help="Those of this category and all below it.")
@click.option("--after", help="Go on after this code.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--all", "with_retired", is_flag=True, help="Retired ones too.")
@as_person
@as_json
@click.pass_obj
def list_(
    invocation: Invocation,
    category: str | None,
    after: str | None,
    limit: int,
    with_retired: bool,
    person: str | None,
    as_json: bool,
) -> None:
    """List products."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = list_products(session, viewer, category=category, after=after, limit=limit, with_retired=with_retired)
    columns = (
        ("code", lambda row: row.code),
        ("category", lambda row: row.category),
        ("English", lambda row: row.name_en),
        ("Chinese", lambda row: row.name_zh),
        ("price", lambda row: _price(row.price, row)),
        ("floor", lambda row: _price(row.price_floor, row)),
        ("words", lambda row: ", ".join(row.words)),
    )
    echo_rows(found, columns, to_json=as_json, none="there are no products")


@product.command()
@click.argument("code")
@as_person
@as_json
@click.pass_obj
def show(invocation: Invocation, code: str, person: str | None, as_json: bool) -> None:
    """Show the product CODE."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_product(session, viewer, code)
    echo_object(found, to_json=as_json, as_text=lambda: _line(found))


@product.command("set")
@click.argument("code")
@click.option("--category", help="Its category; '' for none.")
@click.option("--unit", help="What it is counted in: pcs, set, kg.")
@click.option("--price", help="What we ask.")
@click.option("--floor", "price_floor", help="The lowest price we go to.")
@click.option("--currency", help="ISO 4217, as USD.")
@click.option("--version", type=int, help="Only if it is still that version.")
@_common
@click.pass_obj
def set_(
    invocation: Invocation,
    /,
    code: str,
    version: int | None,
    words: tuple[str, ...],
    no_words: bool,
    person: str | None,
    as_json: bool,
    **said: Any,
) -> None:
    """Make the product CODE, or change what is said of it."""
    entry = ProductEntry(words=_words(words, no_words), **said)
    with acting(invocation, person, writes=True) as (session, viewer):
        saved = save_product(session, viewer, code, entry, datetime.now(UTC), version=version)
    echo_object(saved, to_json=as_json, as_text=lambda: _line(saved))


@product.command()
@click.option("--all", "with_retired", is_flag=True, help="Retired ones too.")
@as_person
@as_json
@click.pass_obj
def categories(invocation: Invocation, with_retired: bool, person: str | None, as_json: bool) -> None:
    """List the tree of categories."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_categories(session, viewer, with_retired=with_retired)
    columns = (
        ("category", lambda row: "  " * (len(row.path) - 1) + row.code),
        ("English", lambda row: row.name_en),
        ("Chinese", lambda row: row.name_zh),
        ("words", lambda row: ", ".join(row.words)),
    )
    echo_rows(found, columns, to_json=as_json, none="there are no categories")


@product.command()
@click.argument("code")
@click.option("--below", "category", help="The category it stands in; '' for none.")
@_common
@click.pass_obj
def category(
    invocation: Invocation,
    /,
    code: str,
    words: tuple[str, ...],
    no_words: bool,
    person: str | None,
    as_json: bool,
    **said: Any,
) -> None:
    """Make the category CODE, or change what is said of it."""
    entry = ProductEntry(words=_words(words, no_words), **said)
    with acting(invocation, person, writes=True) as (session, viewer):
        saved = save_category(session, viewer, code, entry, datetime.now(UTC))
    echo_object(saved, to_json=as_json, as_text=lambda: _category_line(saved))


def _price(amount: Any, row: ProductView) -> str:
    return f"{plain(amount)} {row.currency}".strip() if amount is not None else ""


def _line(row: ProductView) -> str:
    parts = [f"{row.code}: {row.name_en} {row.name_zh}".strip(), f"category: {row.category or 'none'}"]
    parts.append(f"price: {_price(row.price, row) or 'none'}{f' per {row.unit}' if row.unit else ''}")
    if row.price_floor is not None:
        parts.append(f"price floor: {_price(row.price_floor, row)}")
    parts.append(f"words: {', '.join(row.words) or 'none'}")
    return "\n".join(parts + ["retired"] * row.is_retired)


def _category_line(row: CategoryView) -> str:
    return f"{' / '.join(row.path)}: {row.name_en} {row.name_zh}; words: {', '.join(row.words) or 'none'}"
