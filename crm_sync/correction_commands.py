# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost classify correct | learn | report`: say what is right, learn from it, see how often that was needed."""

import logging
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial

import click
import msgspec
from rich.table import Table
from ulid import ULID

from crm_sync.blobs import BlobStore
from crm_sync.command_output import new_table, printable, printed
from crm_sync.commands import ready_database
from crm_sync.correction_report import CorrectionReport, fetch_report
from crm_sync.corrections import FIELDS, correct_mail, fetch_corrector
from crm_sync.lessons import fetch_lesson_mails, read_lessons
from crm_sync.rights import root_viewer
from tradepost.cli import Invocation
from tradepost.learning import Learned, Learner, load_learner
from tradepost.mime_reading import parse_message
from tradepost.settings import Settings

log = logging.getLogger("tradepost.crm_sync")
_MOST_DAYS = 36_500


@click.command()
@click.argument("entry_id")
@click.option("--as", "person", required=True, metavar="ADDRESS", help="The registered person who says so.")
@click.option("--category", help="What it is about.")
@click.option("--priority", help="How soon it matters: urgent, high, normal, low.")
@click.option("--language", help="The language to answer in, ISO 639: en, zh.")
@click.option("--owner", metavar="ADDRESS", help="Who does the work from now on.")
@click.pass_obj
def correct(invocation: Invocation, /, entry_id: str, person: str, **labels: str | None) -> None:
    """Correct the labels of the mail that arrived as ENTRY_ID (X-Tradepost-Id)."""
    wanted = {field: label for field in FIELDS if (label := labels[field]) is not None}
    if not wanted:
        raise click.UsageError(f"say what is right: {', '.join(f'--{field}' for field in FIELDS)}")
    with ready_database(invocation.settings) as opened, opened.writing() as session:
        viewer = fetch_corrector(session, person)
        made = correct_mail(session, viewer, entry_id, wanted, str(ULID()), datetime.now(UTC))
    for change in made:
        click.echo(f"{change.field}: {change.old or 'none'} -> {change.new}")
    if not made:
        click.echo("nothing to change")


@click.command()
@click.option("--rollback", "does_roll_back", is_flag=True, help="Put in force again what was so before this one.")
@click.option("--forget", "does_forget", is_flag=True, help="Let the shipped model speak alone again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.pass_obj
def learn(invocation: Invocation, does_roll_back: bool, does_forget: bool, as_json: bool) -> None:
    """Learn from corrections; swap the site's model only where it is not worse.

    Running milters and workers take it up within seconds.
    """
    if does_roll_back and does_forget:
        raise click.UsageError("--rollback and --forget exclude each other")
    settings = invocation.settings
    learner = load_learner(settings.model_dir)
    if does_forget:
        learner.forget()
        click.echo("the shipped model speaks alone")
    elif does_roll_back:
        number = learner.roll_back()
        click.echo("the shipped model speaks alone" if number is None else f"model {number} is in force")
    else:
        learned = learn_once(settings, learner)
        log.info(
            "learning: swapped=%s model=%s corrections=%d: %s",
            "yes" if learned.is_swapped else "no",
            learned.number or "none",
            learned.corrections,
            learned.why,
        )
        click.echo(msgspec.json.encode(learned).decode() if as_json else _as_text(learned), nl=as_json)


def learn_once(settings: Settings, learner: Learner) -> Learned:
    """Let the learner learn from the records of these settings.  Raises Refusal."""
    with ready_database(settings) as opened, opened.reading() as session:
        mails = fetch_lesson_mails(session)
    # Parsed as the milter does; the records are let go before, because this takes a while.
    read = partial(parse_message, limit=settings.milter.classify_bytes)
    with closing(BlobStore(settings.blob_dir)) as blobs:
        return learner.learn(read_lessons(mails, blobs, read))


def _as_text(learned: Learned) -> str:
    table = _new_table("judged", "mails", "right before", "right after")
    for score in learned.scores:
        table.add_row(score.what, *(str(number) for number in (score.mails, score.before, score.after)))
    lines = [
        f"{learned.corrections} corrected mails"
        + (f", and {learned.unteachable} that headers or rules decide" * bool(learned.unteachable))
    ]
    lines.append(learned.why if learned.is_swapped else f"{learned.why}: {_in_force(learned)} stays in force")
    return (printed(table) if learned.scores else "") + "\n".join(lines) + "\n"


def _in_force(learned: Learned) -> str:
    return "the shipped model" if learned.number is None else f"model {learned.number}"


@click.command()
@click.option("--days", type=click.IntRange(1, _MOST_DAYS), help="Only mail of the last so many days.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@click.pass_obj
def report(invocation: Invocation, days: int | None, as_json: bool) -> None:
    """Say how right the classifier is, in the eyes of the people who corrected it."""
    since = None if days is None else datetime.now(UTC) - timedelta(days=days)
    with ready_database(invocation.settings) as opened, opened.reading() as session:
        found = fetch_report(session, root_viewer(), since)
    click.echo(_report_as_json(found) if as_json else _report_as_text(found), nl=as_json)


def _report_as_json(found: CorrectionReport) -> str:
    return msgspec.json.encode(
        {
            "since": found.since,
            "mails": found.mails,
            "corrected": found.corrected,
            "fields": found.fields,
            "confusion": {
                name: [{"was": was, "is": label, "mails": mails} for was, label, mails in cells]
                for name, cells in found.confusion.items()
            },
            "labels": {
                name: [
                    {
                        "label": line.label,
                        "said": line.said,
                        "taken": line.taken,
                        "given": line.given,
                        "precision": line.precision,
                        "recall": line.recall,
                    }
                    for line in lines
                ]
                for name, lines in found.labels.items()
            },
            "senders": [{"sender": name, "corrected": one, "mails": all_} for name, one, all_ in found.senders],
            "languages": [{"language": name, "corrected": one, "mails": all_} for name, one, all_ in found.languages],
        }
    ).decode()


def _report_as_text(found: CorrectionReport) -> str:
    parts = [f"{found.corrected} of {found.mails} mails were corrected\n"]
    for name, cells in found.confusion.items():
        if cells:
            table = _new_table(f"{name} was", "is", "mails")
            for was, label, mails in cells:
                table.add_row(was or "none", label, str(mails))
            parts.append(printed(table))
    for name, lines in found.labels.items():
        if lines:
            table = _new_table(name, "said", "taken away", "given instead", "precision", "recall")
            for line in lines:
                counts = (str(number) for number in (line.said, line.taken, line.given))
                table.add_row(line.label, *counts, _share(line.precision), _share(line.recall))
            parts.append(printed(table))
    for title, rows in (("sender", found.senders), ("language", found.languages)):
        if rows:
            table = _new_table(title, "corrected", "of mails")
            for label, corrected, mails in rows:
                table.add_row(printable(label) or "none", str(corrected), str(mails))
            parts.append(printed(table))
    return "\n".join(parts)


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.2f}"


def _new_table(first: str, *others: str) -> Table:
    table = new_table()
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="left" if name == "is" else "right")
    return table
