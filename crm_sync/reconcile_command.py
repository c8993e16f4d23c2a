# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost reconcile`: is everything that Postfix accepted recorded, once, and nothing else?"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from crm_sync.database import Database, open_database
from crm_sync.log_history import CannotCompare
from crm_sync.reconcile import Kind, Report, Window, compare
from crm_sync.reconcile_sources import Progress as Told
from crm_sync.reconcile_sources import default_since, read_books
from crm_sync.schema import check_schema
from tradepost.cli import Invocation
from tradepost.errors import Refusal
from tradepost.settings import Settings

_SPAN = re.compile(r"(\d+)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class _Moment(click.ParamType[datetime]):
    """A span back from now (90m, 24h, 7d) or a date or time in ISO 8601, local unless it says otherwise."""

    name = "span or time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        span = _SPAN.fullmatch(str(value))
        try:
            if span is not None:
                return datetime.now(UTC) - timedelta(seconds=int(span[1]) * _SECONDS[span[2]])
            return datetime.fromisoformat(str(value)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a span (90m, 24h, 7d) nor a time (2026-01-31 or 2026-01-31T08:00)")


@click.command()
@click.option("--since", type=_Moment(), help="How far back, as 24h, 7d or a date; seven days if not given.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option(
    "--min-age",
    "min_age_seconds",
    type=click.FloatRange(min=0),
    help="Judge what is older than so many seconds; else 60 for recording and 600 for Postfix's word.",
)
@click.pass_obj
def reconcile(invocation: Invocation, since: datetime | None, as_json: bool, min_age_seconds: float | None) -> None:
    """Compare Postfix's log and queue with journal, seen list and records, and name every difference.

    Ends with 0 when there is none, 1 when there is one, 2 when something needed can't be read.
    """
    report, window = run(invocation.settings, since, min_age_seconds)
    click.echo(_as_json(report, window) if as_json else _as_text(report, window))
    click.get_current_context().exit(1 if report.differences else 0)


def run(settings: Settings, since: datetime | None, min_age_seconds: float | None) -> tuple[Report, Window]:
    """Read and compare.  Raises CannotCompare."""
    now = datetime.now(UTC)
    window = Window(since or default_since(settings, now), now)
    if min_age_seconds is not None:
        age = timedelta(seconds=min_age_seconds)
        window = Window(window.since, now, recording_takes=age, accepting_takes=age)
    with _database(settings) as database, _progress() as told:
        return compare(read_books(settings, database.reading, window, told), window), window


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    try:
        database = open_database(settings.database_url)
    except Refusal as error:
        raise CannotCompare(str(error)) from error
    try:
        check_schema(database)
        yield database
    except CannotCompare:
        raise
    except Refusal as error:
        raise CannotCompare(str(error)) from error
    finally:
        database.close()


@contextmanager
def _progress() -> Iterator[Told]:
    """Show a bar while the log is read, where somebody watches."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    columns = (TextColumn("reading the mail log"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("log", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _as_json(report: Report, window: Window) -> str:
    return msgspec.json.encode(
        {
            "since": _stamp(window.since),
            "until": _stamp(window.now),
            "accepted": report.accepted,
            "seen": report.seen,
            "recorded": report.recorded,
            "too_early": report.too_early,
            "beyond_log": report.beyond_log,
            "counts": {kind.value: number for kind, number in report.counts().items()},
            "differences": [
                {
                    "kind": difference.kind.value,
                    "queue_id": difference.queue_id,
                    "entry_id": difference.entry_id,
                    "at": _stamp(difference.at),
                    "sender_domain": difference.sender_domain,
                    "what": difference.what,
                    "advice": difference.advice,
                }
                for difference in report.differences
            ],
        }
    ).decode()


_TITLES = {
    Kind.ACCEPTED_UNSEEN: "accepted but unseen",
    Kind.JOURNALED_UNRECORDED: "journaled but unrecorded",
    Kind.RECORDED_TWICE: "recorded twice",
    Kind.RECORDED_NOT_ACCEPTED: "recorded but never accepted",
}


def _as_text(report: Report, window: Window) -> str:
    lines: list[str] = []
    for kind, title in _TITLES.items():
        found = [difference for difference in report.differences if difference.kind is kind]
        if found:
            lines.append(f"{title}: {len(found)}")
        for difference in found:
            words = (
                difference.queue_id or "-", difference.entry_id or "-", _stamp(difference.at),
                difference.sender_domain or "<>",
            )  # fmt: skip
            lines += ["  " + "  ".join(words), f"      {difference.what}", f"      {difference.advice}"]
    lines.append(
        f"reconcile: {len(report.differences) or 'no'} difference{'' if len(report.differences) == 1 else 's'} since "
        f"{_stamp(window.since)}: {report.accepted} accepted by SMTP, {report.seen} seen, {report.recorded} recorded"
    )
    if report.too_early:
        lines.append(f"too early to say: {report.too_early}")
    if report.beyond_log:
        lines.append(f"recorded before the log begins, not compared: {report.beyond_log}")
    return "\n".join(lines)
