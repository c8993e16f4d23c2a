# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost score`: how complete customers are, what grade they have earned and why, and the scale that says so."""

from datetime import UTC, datetime

import click

from crm_sync.command_output import acting, as_json, as_person, echo_object, echo_rows
from crm_sync.pipeline.grading import Point
from crm_sync.pipeline.scores import (
    ScoreView,
    change_scale,
    fetch_score,
    list_scored,
    set_grade,
    show_scale,
)
from tradepost.cli import Invocation


class _Named(click.ParamType[tuple[str, int]]):
    """NAME=NUMBER."""

    name = "name=number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return both."""
        if isinstance(value, tuple):
            return value
        name, _, number = str(value).rpartition("=")
        if not name or not number.removeprefix("-").isdecimal() or len(number) > 9:
            self.fail(f"{value!r} is not NAME=NUMBER", param, ctx)
        return name, int(number)


@click.group()
def score() -> None:
    """Show how complete customers are and what grade they have earned, and why."""


@score.command()
@click.argument("customer")
@as_person
@as_json
@click.pass_obj
def show(invocation: Invocation, customer: str, person: str | None, as_json: bool) -> None:
    """Show the score of CUSTOMER, and what it is made of."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = fetch_score(session, viewer, customer)
    echo_object(found, to_json=as_json, as_text=lambda: _text(found))


@score.command("list")
@click.option("--by", type=click.Choice(["points", "completeness"]), default="points", show_default=True)
@click.option("--rising", "rises", is_flag=True, help="The least first.")
@click.option("--after", help="Go on after this customer.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@as_person
@as_json
@click.pass_obj
def list_(
    invocation: Invocation, by: str, rises: bool, after: str | None, limit: int, person: str | None, as_json: bool
) -> None:
    """List customers by their score, as last weighed."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = list_scored(session, viewer, by=by, rises=rises, after=after, limit=limit)
    columns = (
        ("customer", lambda row: row.customer),
        ("name", lambda row: row.name),
        ("grade", lambda row: row.grade),
        ("points", lambda row: row.points),
        ("complete %", lambda row: row.completeness),
    )
    echo_rows(found, columns, to_json=as_json, none="nobody was weighed yet")


@score.command()
@click.argument("customer")
@click.argument("letter", metavar="GRADE", required=False)
@as_person
@click.pass_obj
def grade(invocation: Invocation, customer: str, letter: str | None, person: str | None) -> None:
    """Give CUSTOMER a GRADE by hand; without one points decide again."""
    with acting(invocation, person, writes=True) as (session, viewer):
        set_grade(session, viewer, customer, letter, _now())
    click.echo(f"grade: {letter or 'by points'}")


@score.command()
@as_person
@as_json
@click.pass_obj
def scale(invocation: Invocation, person: str | None, as_json: bool) -> None:
    """Show weights, points and bands."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = show_scale(session, viewer)
    lines = [f"weight {field}: {weight}" for field, weight in found.weights.items()]
    lines += [f"points {one.fact} {one.value}: {one.points}" for one in found.points]
    lines += [f"grade {name}: from {least} points" for name, least in found.bands]
    echo_object(found, to_json=as_json, as_text=lambda: "\n".join(lines))


@score.command()
@click.option("--weight", "weights", type=_Named(), multiple=True, help="FIELD=WEIGHT; 0: it does not count.")
@click.option("--points", type=_Named(), multiple=True, help="FACT:VALUE=POINTS; 0 takes a line away.")
@click.option("--band", "bands", type=_Named(), multiple=True, help="GRADE=POINTS from which on; name all of them.")
@as_person
@click.pass_obj
def change(
    invocation: Invocation,
    weights: tuple[tuple[str, int], ...],
    points: tuple[tuple[str, int], ...],
    bands: tuple[tuple[str, int], ...],
    person: str | None,
) -> None:
    """Change weights, points or bands; the worker weighs everybody anew."""
    if not (weights or points or bands):
        raise click.UsageError("say what to change: --weight, --points, --band")
    lines = [Point(*name.partition(":")[::2], number) for name, number in points]
    with acting(invocation, person, writes=True) as (session, viewer):
        due = change_scale(session, viewer, _now(), weights=dict(weights), points=lines, bands=dict(bands))
    click.echo(f"{due} customers will be weighed anew")


def _text(row: ScoreView) -> str:
    lines = [f"complete: {row.completeness} %"] if row.completeness is not None else []
    if row.missing:
        lines.append(f"missing: {', '.join(row.missing)}")
    if row.points is not None:
        lines.append(f"grade: {row.grade or 'none'} (by {row.grade_by}), {row.points} points")
    lines += [f"  {one.points:+d} {one.fact} {one.value}" for one in row.reasons]
    return "\n".join(lines)


def _now() -> datetime:
    return datetime.now(UTC)
