# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost demo`: a private Postfix, everything of ours beside it, and mails whose whole trip is shown."""

import contextlib
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from postfix.sandbox.company import COMPANY_FILE, RULES_FILE, Company, read_company
from postfix.sandbox.demo_table import render_table
from postfix.sandbox.demonstration import Demonstration
from postfix.sandbox.next_steps import render_next_steps
from postfix.sandbox.private_postfix import PrivatePostfix
from postfix.sandbox.samples import Sample, read_samples, sample_from_file
from postfix.sandbox.service_stack import PARTS, ServiceStack

# Wide enough for the table where nobody's terminal says how wide it is.
PLAIN_WIDTH = 132
# What a person calls them, and the command that serves.
LEFT_OUT = {"milter": "milter", "worker": "sync"}


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--send", is_flag=True, help="Send FILES instead of the samples (to whom their headers name).")
@click.option(
    "--without", type=click.Choice(sorted(LEFT_OUT)), multiple=True, help="Leave a part out, to see what that does."
)
@click.option("--keep", is_flag=True, help="Leave the folder with log, mailboxes and database behind.")
def demo(files: tuple[Path, ...], send: bool, without: tuple[str, ...], keep: bool) -> None:
    """Send mails through a private Postfix and show what becomes of them.

    Everything runs in a folder of its own under /var/tmp; the system's Postfix is not touched.  Needs root.
    """
    if send and not files:
        raise click.UsageError("--send wants at least one FILE.eml")
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGHUP, _leave)
    console = _console()
    company = read_company()
    samples = [sample_from_file(path, company) for path in files] or read_samples()
    parts = tuple(part for part in PARTS if part not in {LEFT_OUT[name] for name in without})
    passwords = dict.fromkeys(company.logins.values(), secrets.token_urlsafe(9))
    is_good = False
    try:
        with _running(console, company, passwords, parts, keep=keep) as stack:
            is_good = _demonstrate(console, stack, company, samples)
            if sys.stdin.isatty() and sys.stdout.isatty():
                console.print(render_next_steps(stack, company, passwords))
                threading.Event().wait()
    except KeyboardInterrupt:
        console.print("\nstopped")
    sys.exit(0 if is_good else 1)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    """End as on an exception, so that everything that runs is stopped in order."""
    sys.exit(128 + number)


def _console() -> Console:
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=PLAIN_WIDTH)


@contextlib.contextmanager
def _running(
    console: Console, company: Company, passwords: dict[str, str], parts: tuple[str, ...], *, keep: bool
) -> Iterator[ServiceStack]:
    began = time.monotonic()
    hostname = f"mx.{company.domains[0]}"
    fate = "kept afterwards" if keep else "removed afterwards"
    with contextlib.ExitStack() as stack:
        with console.status("starting a private Postfix"):
            private = stack.enter_context(
                PrivatePostfix(company.mailboxes, hostname=hostname, passwords=passwords, keep=keep)
            )
        with console.status(f"starting {', '.join(parts)}"):
            services = stack.enter_context(ServiceStack(private, company=COMPANY_FILE, rules=RULES_FILE, parts=parts))
        seconds = time.monotonic() - began
        console.print(f"Postfix, {', '.join(parts)} run in {private.folder} ({fate}); started in {seconds:.1f} s")
        yield services


def _demonstrate(console: Console, stack: ServiceStack, company: Company, samples: list[Sample]) -> bool:
    """Send, wait, show.  Returns whether every mail passed every station."""
    run = Demonstration(stack, samples)
    columns = (SpinnerColumn(), TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TextColumn("{task.fields[now]}"), console=console) as progress:
        sending = progress.add_task("sending", total=len(samples), now="")
        recording = progress.add_task("recording", total=len(samples), now="")
        sent = iter(range(len(samples)))
        run.send_all(lambda name: progress.update(sending, completed=next(sent), now=name))
        progress.update(sending, completed=run.counts().sent, now="")
        run.await_delivery()
        run.await_records(lambda found: progress.update(recording, completed=found))
    console.print(render_table(stack, run.trips, company.manager))
    for trip in run.trips:
        for problem in trip.problems:
            console.print(
                f"{trip.sample.name} ({trip.queue_id or 'no queue id'}): {problem}", style="red", markup=False
            )
    counts = run.counts()
    console.print(str(counts), style="bold green" if counts.are_equal else "bold red")
    return counts.are_equal and not any(trip.problems for trip in run.trips)
