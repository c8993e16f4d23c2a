# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost field`: fields that the company adds to its records, and what stands in them."""

from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from crm_sync.command_output import acting, as_json, as_person, echo_rows
from crm_sync.fields.definitions import (
    ENTITIES,
    FieldEntry,
    FieldView,
    add_field,
    change_field,
    fetch_fields,
    retire_field,
)
from crm_sync.fields.filters import LONGEST_PAGE, OPERATORS, Filter, Order, RecordPlace, find_records
from crm_sync.fields.registry import TYPES
from crm_sync.fields.types import Options
from crm_sync.fields.values import RecordValues, fetch_values, set_values
from tradepost.cli import Invocation

_ENTITY = click.argument("entity", type=click.Choice(ENTITIES))
_COLUMNS = (
    ("key", lambda row: row.key),
    ("type", lambda row: row.type),
    ("English", lambda row: row.name_en),
    ("Chinese", lambda row: row.name_zh),
    ("", lambda row: _marks(row)),
)


def _marks(row: FieldView) -> str:
    said = (
        ("required", row.is_required),
        ("filterable", row.is_filterable),
        ("unique", row.is_unique),
        (f"for {' '.join(row.stages)}", bool(row.stages)),
        ("retired", row.is_retired),
    )
    return ", ".join(word for word, holds in said if holds)


@click.group()
def field() -> None:
    """Look after the fields that you add to customers, contacts and opportunities, and fill them."""


@field.command("types")
@as_json
def show_types(as_json: bool) -> None:
    """List the types that a field can have."""
    columns = (
        ("type", lambda row: row["type"]),
        ("English", lambda row: row["name_en"]),
        ("Chinese", lambda row: row["name_zh"]),
        ("as in", lambda row: row["example"]),
        ("options", lambda row: " ".join(row["options"])),
    )
    rows = [
        {
            "type": one.name,
            "name_en": one.title_en,
            "name_zh": one.title_zh,
            "example": one.example,
            "options": sorted(one.options),
            "takes_many": one.takes_many,
        }
        for one in TYPES.values()
    ]
    echo_rows(rows, columns, to_json=as_json, none="")


@field.command("list")
@_ENTITY
@click.option("--all", "with_retired", is_flag=True, help="Retired ones too.")
@as_person
@as_json
@click.pass_obj
def list_(invocation: Invocation, entity: str, with_retired: bool, person: str | None, as_json: bool) -> None:
    """List the fields of ENTITY."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_fields(session, viewer, entity, with_retired=with_retired)
    echo_rows(found, _COLUMNS, to_json=as_json, none=f"no field was added to a {entity}")


_SAID = (
    click.option("--zh", "name_zh", help="The name in Chinese."),
    click.option("--help-en", help="What to fill in, in English."),
    click.option("--help-zh", help="What to fill in, in Chinese."),
    click.option("--required/--optional", "is_required", default=None, help="Whether it may be emptied."),
    click.option(
        "--filterable/--not-filterable", "is_filterable", default=None, help="Whether records are found by it."
    ),
    click.option("--unique/--not-unique", "is_unique", default=None, help="Whether two may hold the same."),
    click.option("--stage", "stages", multiple=True, help="Fill it before this stage; may be given again."),
    click.option("--place", type=click.IntRange(1), help="Where it stands; 1 is first."),
    click.option("--list", "list_", help="The list to choose from."),
    click.option("--minimum", type=float),
    click.option("--maximum", type=float),
    click.option("--decimals", type=int),
    click.option("--longest", type=int, help="How many characters fit."),
    click.option("--pattern", help="A regular expression (RE2) that the whole code must match."),
    click.option("--unit", help="The unit where none is written."),
    click.option("--currency", help="The currency where none is written."),
    click.option("--country", help="The country of phone numbers without one."),
    as_person,
    as_json,
)
_OPTIONS = ("minimum", "maximum", "decimals", "longest", "pattern", "unit", "currency", "country")


def _says(command: Any) -> Any:
    for option in reversed(_SAID):
        command = option(command)
    return command


def _entry(name_en: str | None, said: dict[str, Any]) -> FieldEntry:
    options = {name: said.pop(name) for name in _OPTIONS}
    options["list"] = said.pop("list_")
    given = {name: value for name, value in options.items() if value is not None}
    said["stages"] = said["stages"] or None
    return FieldEntry(name_en=name_en, options=Options(**given) if given else None, **said)


@field.command()
@_ENTITY
@click.argument("key")
@click.argument("type_name", metavar="TYPE")
@click.argument("name_en", metavar="ENGLISH")
@_says
@click.pass_obj
def add(
    invocation: Invocation,
    /,
    entity: str,
    key: str,
    type_name: str,
    name_en: str,
    person: str | None,
    as_json: bool,
    **said: Any,
) -> None:
    """Add the field KEY of TYPE ('tradepost field types') to ENTITY, called ENGLISH."""
    with acting(invocation, person, writes=True) as (session, viewer):
        added = add_field(session, viewer, entity, key, type_name, _entry(name_en, said), datetime.now(UTC))
    echo_rows([added], _COLUMNS, to_json=as_json, none="")


@field.command()
@_ENTITY
@click.argument("key")
@click.option("--en", "name_en", help="The name in English.")
@_says
@click.pass_obj
def change(
    invocation: Invocation,
    /,
    entity: str,
    key: str,
    name_en: str | None,
    person: str | None,
    as_json: bool,
    **said: Any,
) -> None:
    """Change what is said of a field; its key and type stay.  Options are given whole."""
    with acting(invocation, person, writes=True) as (session, viewer):
        changed = change_field(session, viewer, entity, key, _entry(name_en, said), datetime.now(UTC))
    echo_rows([changed], _COLUMNS, to_json=as_json, none="")


@field.command()
@_ENTITY
@click.argument("key")
@click.option("--undo", "is_back", is_flag=True, help="Take it into use again, with all that stands in it.")
@as_person
@click.pass_obj
def retire(invocation: Invocation, entity: str, key: str, is_back: bool, person: str | None) -> None:
    """Take a field out of use."""
    with acting(invocation, person, writes=True) as (session, viewer):
        retire_field(session, viewer, entity, key, datetime.now(UTC), is_retired=not is_back)
    click.echo("in use again" if is_back else f"retired; 'tradepost field retire {entity} {key} --undo' brings it back")


@field.command()
@click.argument("about")
@as_person
@as_json
@click.pass_obj
def show(invocation: Invocation, about: str, person: str | None, as_json: bool) -> None:
    """Show what stands in the fields of ABOUT: customer:ID, contact:ADDRESS or opportunity:ID."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_values(session, viewer, about)
    _echo_values(found, as_json)


@field.command("set")
@click.argument("about")
@click.argument("values", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--version", type=int, help="The version that you read ('field show --json').")
@as_person
@as_json
@click.pass_obj
def set_(
    invocation: Invocation, about: str, values: tuple[str, ...], version: int | None, person: str | None, as_json: bool
) -> None:
    """Fill fields of ABOUT; KEY= empties one, the same KEY again gives it several values."""
    wanted: dict[str, list[str]] = {}
    for one in values:
        key, mark, value = one.partition("=")
        if not mark:
            raise click.UsageError(f"{one!r}: write KEY=VALUE")
        wanted.setdefault(key, []).append(value)
    with acting(invocation, person, writes=True) as (session, viewer):
        found = set_values(session, viewer, about, wanted, datetime.now(UTC), version=version)
    _echo_values(found, as_json)


@field.command()
@click.argument("entity", type=click.Choice(("customer", "opportunity")))
@click.option(
    "--where",
    "filters",
    nargs=3,
    multiple=True,
    metavar="KEY OP VALUE",
    help=f"A condition; OP is one of {' '.join(OPERATORS)}; may be given again.  VALUE of filled and empty is ''.",
)
@click.option("--order", metavar="KEY", help="By which field.")
@click.option("--descending", is_flag=True, help="The greatest first.")
@click.option("--after", metavar="JSON", help="The place of the last record shown: the next page.")
@click.option("--limit", type=click.IntRange(1, LONGEST_PAGE), default=50, show_default=True)
@as_person
@as_json
@click.pass_obj
def find(
    invocation: Invocation,
    entity: str,
    filters: tuple[tuple[str, str, str], ...],
    order: str | None,
    descending: bool,
    after: str | None,
    limit: int,
    person: str | None,
    as_json: bool,
) -> None:
    """Find records by their own fields."""
    try:
        place = None if after is None else msgspec.json.decode(after, type=RecordPlace)
    except msgspec.DecodeError:
        raise click.UsageError("--after: is the place of a record as --json shows it") from None
    with acting(invocation, person, writes=False) as (session, viewer):
        found = find_records(
            session,
            viewer,
            entity,
            [Filter(*one) for one in filters],
            None if order is None else Order(order, descending),
            after=place,
            limit=limit,
        )
    columns = (
        ("id", lambda row: row.id),
        ("name", lambda row: row.name),
        ("place", lambda row: msgspec.json.encode(row.place).decode()),
    )
    echo_rows(found, columns, to_json=as_json, none="none found")


def _echo_values(found: RecordValues, to_json: bool) -> None:
    if to_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    columns = (("key", lambda row: row.key), ("field", lambda row: row.name_en), ("value", lambda row: row.text))
    echo_rows(found.values, columns, to_json=False, none="no fields were added")
