# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m bench simulate`: two years of an export company, recorded, and held against the truth.

Prints what became of each kind of situation; the last line is JSON: {"wrong_links", "missed_links", "mails", "seconds"}.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bench.simulation.judge import Judgement, judge, read_records
from bench.simulation.mails import Mail
from bench.simulation.office import open_office
from bench.simulation.stories import happen
from bench.simulation.truth import Truth
from bench.simulation.world import make_world


@dataclass(frozen=True, slots=True)
class Size:
    """How much happens."""

    mails: int
    customers: int


SIZES = {"small": Size(2_500, 250), "full": Size(200_000, 5_000)}


def simulate(seed: int, size: Size, *, url: str = "", readers: int | None = None, console: Console) -> Judgement:
    """Record a company's mail and judge the records."""
    world = make_world(seed, size.customers)
    truth = Truth(world)

    def told() -> Iterator[Mail]:
        for mail in happen(world, seed, size.mails):
            truth.add(mail)
            yield mail

    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(dir="/var/tmp")))
        office = stack.enter_context(open_office(world, folder, url))
        progress = stack.enter_context(
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console,
            )
        )
        task = progress.add_task("recording", total=size.mails)
        for count in office.record(told(), readers):
            progress.advance(task, count)
        with office.database.reading() as session:
            return judge(truth, read_records(session))


def show(found: Judgement, console: Console) -> None:
    """Print the figures of every situation; a mail may be in several."""
    table = Table(
        "situation", "mails", "wrong customer", "wrong thread", "missed customer", "missed thread", "not knowable"
    )
    for name, row in sorted(found.by_situation.items(), key=lambda item: -item[1].mails):
        figures = (row.wrong_customer, row.wrong_thread, row.missed_customer, row.missed_thread, row.not_knowable)
        table.add_row(name, f"{row.mails:,}", *(f"{one:,}" if one else "" for one in figures))
    console.print(table)
    console.print(
        f"{found.mails:,} mails: {found.wrong:,} on another's customer or thread, {found.missed:,} not where they belong; "
        f"{found.not_knowable:,} more are not where they belong and nothing told so"
    )


def main(arguments: list[str]) -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--database", default="", metavar="URL", help="an empty database; without it a SQLite file")
    parser.add_argument("--readers", type=int, help="processes that read mails; as many as there are processors")
    parser.add_argument("--mails", type=int, help="other than the size says")
    parser.add_argument("--examples", action="store_true", help="simulate again and print mails that went wrong")
    options = parser.parse_args(arguments)
    size = SIZES[options.size]
    size = Size(options.mails or size.mails, size.customers)
    console = Console(stderr=True)
    began = time.monotonic()
    found = simulate(options.seed, size, url=options.database, readers=options.readers, console=console)
    seconds = time.monotonic() - began
    show(found, Console(width=130))
    if options.examples:
        _tell(found, options.seed, size, Console())
    print(
        json.dumps(
            {
                "wrong_links": round(found.wrong / found.mails, 6),
                "missed_links": round(found.missed / found.mails, 6),
                "mails": found.mails,
                "seconds": round(seconds, 1),
            }
        )
    )
    return 0


def _tell(found: Judgement, seed: int, size: Size, console: Console) -> None:
    wanted: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for key, numbers in found.examples.items():
        for number in numbers:
            wanted[number].append(key)
    for mail in happen(make_world(seed, size.customers), seed, size.mails):
        if mail.number in wanted:
            console.rule(f"mail {mail.number}: {wanted[mail.number]}")
            links = [link.number for link in mail.links]
            console.print(found.told[mail.number], markup=False)
            console.print(
                f"{mail.direction} {mail.situations}, leads to {links}, evidence {mail.evidence}", markup=False
            )
            console.print(mail.raw().decode(), markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
