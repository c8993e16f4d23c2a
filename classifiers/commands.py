# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost classify FILE...`: what the classifiers say of mails in files.  Reads files, writes nothing.

What learns from the records (`classify learn` ...) belongs to the room of the records and is found by entry point.
"""

import io
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from classifiers.analyst import TradeAnalyst, load
from classifiers.linear_model import ModelError
from classifiers.reading import shared_reading
from tradepost.analysis import Consultant, Extract, SecondOpinion, load_consultant
from tradepost.cli import Invocation, load_command
from tradepost.message import Message
from tradepost.mime_reading import parse_message
from tradepost.suspicion import is_alarming
from tradepost.verdict import Labels

_PROGRESS_FROM_FILES = 20
_PIPED_COLUMNS = 200  # a file has no width
_MAX_OCTETS = 64 * 1024 * 1024  # of one file: no server takes such a mail, and a device would never end
_PLAIN_FACTS = ("title", "address", "website", "incoterm_place", "needed_by", "payment_term")
_LISTED_FACTS = ("phones", "social", "products", "references", "spans")


_NO_MESSAGE, _NO_LABELS, _NO_EXTRACT = Message(), Labels(), Extract()


@dataclass(frozen=True, slots=True)
class Result:
    """One file: what was read and decided, or the error."""

    file: str
    message: Message = _NO_MESSAGE
    labels: Labels = _NO_LABELS
    extract: Extract = _NO_EXTRACT
    ms: float = 0.0
    error: str | None = None
    was_asked: bool = False  # for a second opinion
    second: SecondOpinion | None = None  # None although asked: it could not be given

    def as_json(self) -> dict[str, object]:
        """Return the object of design.md part 4."""
        if self.error is not None:
            return {"file": self.file, "error": self.error}
        labels, extract, message = self.labels, self.extract, self.message
        return {
            "file": self.file,
            "category": labels.category,
            "confidence": labels.confidence,
            "priority": labels.priority,
            "priority_reason": labels.priority_reason,
            "language": labels.language,
            "country": labels.country,
            "country_evidence": labels.country_evidence,
            "is_automatic": labels.is_automatic,
            "warning_score": labels.warning_score,
            "warnings": list(labels.warnings),
            "subject": message.subject,
            "from_address": message.from_.address,
            "from_name": message.from_.name,
            "new_text": extract.new_text,
            "has_signature": bool(extract.signature),
            "person": extract.person,
            "company": extract.company,
            "phone": extract.phone,
            "product": extract.product,
            "quantity": extract.quantity,
            "unit": extract.unit,
            "target_price": extract.target_price,
            "currency": extract.currency,
            "incoterm": extract.incoterm,
            **{name: getattr(extract, name) for name in _PLAIN_FACTS},
            **{name: [asdict(item) for item in getattr(extract, name)] for name in _LISTED_FACTS},
            "attachments": [
                {"filename": part.filename, "content_type": part.content_type, "bytes": part.octets}
                for part in message.attachments
            ],
            "reasons": [*labels.reasons, *labels.warnings, *message.defects],
            "ms": round(self.ms, 3),
            **({"second_opinion": self._second_as_json()} if self.was_asked else {}),
        }

    def _second_as_json(self) -> dict[str, object] | None:
        second = self.second
        if second is None:
            return None
        return {"category": second.category, "confidence": second.confidence, "model": second.model}


class _FilesOrCommand(click.Group):
    """A group whose first word may as well be a file or an option of `files`, the command that is meant then."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*self.commands, *_points()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        point = _points().get(cmd_name)
        return super().get_command(ctx, cmd_name) if point is None else load_command(point)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.list_commands(ctx), *ctx.help_option_names}:
            args = ["files", *args]
        return super().parse_args(ctx, args)


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="tradepost.commands.classify")}


@click.group(cls=_FilesOrCommand, subcommand_metavar="FILE... | COMMAND [ARGS]...")
def classify() -> None:
    """Say of each mail FILE what it is; correct labels, and learn from corrections.

    `tradepost classify FILE...` is short for `tradepost classify files FILE...`, which a file named like a command needs.
    """


@classify.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line and file.")
@click.option("--sender", default=None, help="The envelope sender; an empty one means a bounce.")
@click.option("--rcpt", "recipients", multiple=True, help="An envelope recipient (repeatable); shown, not judged.")
@click.option(
    "--second-opinion",
    "wants_second",
    is_flag=True,
    help="Ask the slower reader too; the category is what both say.  Needs pip install 'tradepost[second-opinion]'.",
)
@click.option("--site", "knows_site", is_flag=True, help="With what this site has learned, where the settings say.")
@click.pass_context
def files(
    ctx: click.Context,
    files: tuple[Path, ...],
    as_json: bool,
    sender: str | None,
    recipients: tuple[str, ...],
    wants_second: bool,
    knows_site: bool,
) -> None:
    """Say of each mail FILE what it is: category, priority, language, country, first facts.  A FILE of "-" is standard input.

    Ends with status 1 when a file could not be read.
    """
    try:
        analyst = load(ctx.ensure_object(Invocation).settings.model_dir if knows_site else None)
        consultant = load_consultant(analyst) if wants_second else None
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    table = _new_table(recipients)
    failed = False
    with closing(consultant) if consultant is not None else nullcontext():
        for result in _with_progress(_classify_all(analyst, files, sender, consultant), len(files)):
            if result.error is not None:
                failed = True
                click.echo(f"tradepost: {_printable(result.file)}: {result.error}", err=True)
            if as_json:
                _write_json(result)
            elif result.error is None:
                _add_row(table, result)
    if not as_json and table.row_count:
        _print(table)
    if failed:
        raise SystemExit(1)


def classify_bytes(
    analyst: TradeAnalyst, name: str, raw: bytes, sender: str | None = None, consultant: Consultant | None = None
) -> Result:
    """Classify one mail as arrival and worker would; `ms` is the time of all that was asked for."""
    started = time.perf_counter()
    message = parse_message(raw)
    reading = shared_reading(message, sender)
    labels = analyst.label(message, datetime.now(UTC), sender=sender, reading=reading)
    second = consultant.consult(message, sender=sender) if consultant is not None else None
    if second is not None and not labels.is_automatic:  # the worker asks about people's mail only
        labels = replace(
            labels,
            category=second.decided,
            confidence=second.decided_confidence,
            reasons=tuple(dict.fromkeys((*second.reasons, *labels.reasons))),
        )
    extract = analyst.extract(message, labels, reading)
    ms = (time.perf_counter() - started) * 1_000
    return Result(name, message, labels, extract, ms, was_asked=consultant is not None, second=second)


def _classify_all(
    analyst: TradeAnalyst, files: tuple[Path, ...], sender: str | None, consultant: Consultant | None
) -> Iterator[Result]:
    for path in files:
        try:
            with click.open_file(path, "rb") as file:
                raw = file.read(_MAX_OCTETS + 1)
        except OSError as error:
            yield Result(str(path), error=f"can't read it: {error.strerror or error}")
            continue
        if len(raw) > _MAX_OCTETS:
            yield Result(str(path), error=f"it is longer than {_MAX_OCTETS >> 20} MiB; name a file that holds one mail")
            continue
        yield classify_bytes(analyst, str(path), raw, sender, consultant)


def _write_json(result: Result) -> None:
    # Octets: JSON is UTF-8 (RFC 8259, 8.1) whatever the terminal speaks; half a surrogate pair is no text.
    line = json.dumps(result.as_json(), ensure_ascii=False)
    click.echo(line.encode("utf-8", "replace"))


def _with_progress(results: Iterator[Result], total: int) -> Iterator[Result]:
    if total < _PROGRESS_FROM_FILES or not sys.stderr.isatty():
        yield from results
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(results, total=total, description="classifying")


def _new_table(recipients: tuple[str, ...]) -> Table:
    title = Text(_printable(f"for {', '.join(recipients)}")) if recipients else None
    table = Table(title=title, box=None, pad_edge=False)
    for name in ("file", "subject", "category", "sure", "priority", "lang", "country", "reasons"):
        table.add_column(name, overflow="ellipsis", no_wrap=name != "reasons", max_width=36)
    table.add_column("ms", justify="right")
    return table


def _add_row(table: Table, result: Result) -> None:
    labels = result.labels
    sure = "" if labels.confidence is None else f"{labels.confidence:.2f}"
    warnings = [f"!{name}" for name in labels.warnings] if is_alarming(labels) else []
    table.add_row(
        Text(_printable(Path(result.file).name)), Text(_printable(result.message.subject)), labels.category or "", sure,
        labels.priority or "", labels.language or "", labels.country or "", Text(" ".join([*labels.reasons, *warnings])),
        f"{result.ms:.1f}",
    )  # fmt: skip


def _printable(text: str) -> str:
    """Return text that neither steers a terminal nor turns a line around."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _print(table: Table) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no Chinese shows the rest
    Console(width=None if sys.stdout.isatty() else _PIPED_COLUMNS).print(table)
