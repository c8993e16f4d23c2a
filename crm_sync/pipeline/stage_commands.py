# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost stage`: pipelines, their stages, the rules along them, and who stands where."""

from datetime import UTC, datetime
from pathlib import Path

import click

from crm_sync.command_output import acting, as_json, as_person, echo_object, echo_rows
from crm_sync.company_file import read_toml
from crm_sync.pipeline.moving import (
    CUSTOMERS,
    count_standing,
    fetch_customer_moves,
    list_customers_in,
    move_customer,
)
from crm_sync.pipeline.stage_rules import apply_stage_rules, fetch_stage_rules, switch_stage_rule
from crm_sync.pipeline.stages import (
    KINDS,
    StageView,
    add_pipeline,
    add_stage,
    change_stage,
    fetch_pipelines,
    retire_stage,
)
from tradepost.cli import Invocation

_PIPELINE = click.option("--pipeline", default=CUSTOMERS, show_default=True, help="Of which pipeline.")
_MOVES = (
    ("when", lambda row: row.at),
    ("from", lambda row: row.before),
    ("to", lambda row: row.after),
    ("by", lambda row: row.who or (f"rule {row.rule}" if row.rule else "")),
    ("why", lambda row: row.reason),
)


@click.group()
def stage() -> None:
    """Look after stages, and who stands in which."""


@stage.command("list")
@click.option("--all", "with_retired", is_flag=True, help="Retired ones too.")
@as_person
@as_json
@click.pass_obj
def list_(invocation: Invocation, with_retired: bool, person: str | None, as_json: bool) -> None:
    """List pipelines and their stages."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_pipelines(session, viewer, with_retired=with_retired)
    rows = found if as_json else [(pipeline, one) for pipeline in found for one in pipeline.stages]
    columns = (
        ("pipeline", lambda row: row[0].key),
        ("stage", lambda row: row[1].key),
        ("English", lambda row: row[1].name_en),
        ("Chinese", lambda row: row[1].name_zh),
        ("kind", lambda row: row[1].kind),
        ("%", lambda row: row[1].probability),
        ("retired", lambda row: "yes" if row[1].is_retired else ""),
    )
    echo_rows(rows, columns, to_json=as_json, none="there are no stages")


@stage.command("new-pipeline")
@click.argument("key")
@click.argument("name_en", metavar="ENGLISH")
@click.option("--zh", "name_zh", default="", help="The name in Chinese.")
@as_person
@click.pass_obj
def new_pipeline(invocation: Invocation, key: str, name_en: str, name_zh: str, person: str | None) -> None:
    """Make the pipeline KEY for opportunities, with the stages of the first one."""
    with acting(invocation, person, writes=True) as (session, viewer):
        add_pipeline(session, viewer, key, name_en, name_zh, _now())
    click.echo(f"pipeline {key}")


@stage.command()
@click.argument("key")
@click.argument("name_en", metavar="ENGLISH")
@click.option("--zh", "name_zh", default="", help="The name in Chinese.")
@click.option("--kind", type=click.Choice(KINDS), default="open", show_default=True)
@click.option("--probability", type=click.IntRange(0, 100), default=0, help="Of a deal, in percent.")
@click.option("--place", type=click.IntRange(1), help="Where it stands, from 1; without it at the end.")
@_PIPELINE
@as_person
@as_json
@click.pass_obj
def add(
    invocation: Invocation,
    key: str,
    name_en: str,
    name_zh: str,
    kind: str,
    probability: int,
    place: int | None,
    pipeline: str,
    person: str | None,
    as_json: bool,
) -> None:
    """Add the stage KEY."""
    with acting(invocation, person, writes=True) as (session, viewer):
        added = add_stage(
            session, viewer, pipeline, key, name_en, name_zh, _now(), kind=kind, probability=probability, place=place
        )
    echo_object(added, to_json=as_json, as_text=lambda: _line(added))


@stage.command()
@click.argument("key")
@click.option("--en", "name_en", help="Another name in English.")
@click.option("--zh", "name_zh", help="Another name in Chinese.")
@click.option("--probability", type=click.IntRange(0, 100), help="Of a deal, in percent.")
@click.option("--guide", help="What the work in it needs, what comes of it, what is usually done.")
@click.option("--place", type=click.IntRange(1), help="Where it stands, from 1.")
@_PIPELINE
@as_person
@as_json
@click.pass_obj
def change(
    invocation: Invocation,
    key: str,
    name_en: str | None,
    name_zh: str | None,
    probability: int | None,
    guide: str | None,
    place: int | None,
    pipeline: str,
    person: str | None,
    as_json: bool,
) -> None:
    """Rename or move the stage KEY."""
    if all(said is None for said in (name_en, name_zh, probability, guide, place)):
        raise click.UsageError("say what to change: --en, --zh, --probability, --guide, --place")
    with acting(invocation, person, writes=True) as (session, viewer):
        changed = change_stage(
            session,
            viewer,
            pipeline,
            key,
            _now(),
            name_en=name_en,
            name_zh=name_zh,
            probability=probability,
            guide=guide,
            place=place,
        )
    echo_object(changed, to_json=as_json, as_text=lambda: _line(changed))


@stage.command()
@click.argument("key")
@click.option("--into", required=True, help="The stage that takes what stands in it.")
@_PIPELINE
@as_person
@click.pass_obj
def retire(invocation: Invocation, key: str, into: str, pipeline: str, person: str | None) -> None:
    """Take the stage KEY out of use."""
    with acting(invocation, person, writes=True) as (session, viewer):
        moved = retire_stage(session, viewer, pipeline, key, into, _now())
    click.echo(f"{moved} records went from {key} to {into}")


@stage.command()
@click.argument("customer")
@click.argument("key", metavar="STAGE")
@click.option("--reason", default="", help="Why, for the record.")
@as_person
@as_json
@click.pass_obj
def move(invocation: Invocation, customer: str, key: str, reason: str, person: str | None, as_json: bool) -> None:
    """Put CUSTOMER into STAGE."""
    with acting(invocation, person, writes=True) as (session, viewer):
        made = move_customer(session, viewer, customer, key, _now(), reason=reason)
    text = f"{made.before or 'none'} -> {made.after}" if made else f"stands in {key} already"
    echo_object(made, to_json=as_json, as_text=lambda: text)


@stage.command()
@click.argument("customer")
@as_person
@as_json
@click.pass_obj
def history(invocation: Invocation, customer: str, person: str | None, as_json: bool) -> None:
    """Show how CUSTOMER went from stage to stage, newest first."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_customer_moves(session, viewer, customer)
    echo_rows(found, _MOVES, to_json=as_json, none="there was no move yet")


@stage.command()
@_PIPELINE
@as_person
@as_json
@click.pass_obj
def count(invocation: Invocation, pipeline: str, person: str | None, as_json: bool) -> None:
    """Count what stands in each stage."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = count_standing(session, viewer, pipeline)
    columns = (
        ("stage", lambda row: row.stage),
        ("English", lambda row: row.name_en),
        ("Chinese", lambda row: row.name_zh),
        ("records", lambda row: f"{row.records:,}+" if row.is_more else row.records),
    )
    echo_rows(found, columns, to_json=as_json, none="there are no stages")


@stage.command()
@click.argument("key", metavar="STAGE")
@click.option("--after", help="Go on after this customer.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@as_person
@as_json
@click.pass_obj
def customers(
    invocation: Invocation, key: str, after: str | None, limit: int, person: str | None, as_json: bool
) -> None:
    """List the customers in STAGE."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = list_customers_in(session, viewer, key, after=after, limit=limit)
    columns = (
        ("customer", lambda row: row.customer),
        ("name", lambda row: row.name),
        ("since", lambda row: row.since),
        ("owner", lambda row: row.owner),
    )
    echo_rows(found, columns, to_json=as_json, none="nobody stands there")


@stage.command()
@as_person
@as_json
@click.pass_obj
def rules(invocation: Invocation, person: str | None, as_json: bool) -> None:
    """List the rules that move records by themselves."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_stage_rules(session, viewer)
    columns = (
        ("rule", lambda row: row.id),
        ("name", lambda row: row.name),
        ("moves to", lambda row: row.then),
        ("in force", lambda row: row.enabled),
    )
    echo_rows(found, columns, to_json=as_json, none="there are no rules")


@stage.command("apply-rules")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@as_person
@click.pass_obj
def apply_rules(invocation: Invocation, file: Path, person: str | None) -> None:
    """Make the rules in FILE (TOML, as of 'tradepost rules') those in force; they do set_stage to pipeline/stage."""
    data = read_toml(file)
    with acting(invocation, person, writes=True) as (session, viewer):
        number = apply_stage_rules(session, viewer, data, _now())
    click.echo(f"{number} rules are in force")


@stage.command()
@click.argument("rule_id", metavar="RULE")
@click.argument("state", type=click.Choice(["on", "off"]))
@as_person
@click.pass_obj
def switch(invocation: Invocation, rule_id: str, state: str, person: str | None) -> None:
    """Switch RULE on or off."""
    with acting(invocation, person, writes=True) as (session, viewer):
        switch_stage_rule(session, viewer, rule_id, _now(), is_enabled=state == "on")
    click.echo(f"rule {rule_id} is {state}")


def _line(row: StageView) -> str:
    return f"{row.key}: {row.name_en} {row.name_zh} ({row.kind}, {row.probability} %)\n{row.guide}"


def _now() -> datetime:
    return datetime.now(UTC)
