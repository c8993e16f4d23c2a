# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the worker keep up?  Mails come at a steady rate; how long after the last one is all of them recorded?"""

import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from rich.console import Console
from rich.table import Table

from bench.letters import make_letters
from bench.stations import Sink, Station
from postfix.sandbox.processes import wait_until

_PATIENCE_SECONDS = 1800
_SESSIONS = 20  # more than are ever open at this rate: a mail that is due does not wait for another


class Backlog(TypedDict):
    """`greatest` is how many entries waited at most, `seconds_after` how long after the last mail the journal was empty."""

    mails: int
    wanted_per_second: float
    sent_per_second: float
    greatest: int
    seconds_after: float


def measure_backlog(*, mails: int = 10_000, rate: float = 100.0) -> Backlog:
    """Send so many mails at that rate with the worker on.  Raises Unmarked, SendingFailed, SandboxError."""
    letters = list(make_letters(mails))
    depths = [0]
    stop = threading.Event()
    with TemporaryDirectory(dir="/var/tmp") as folder, Sink(Path(folder)) as sink, Station("worker", sink) as station:
        station.send(list(make_letters(200, seed=-1)))
        station.settle()

        def watch() -> None:
            while not stop.wait(1.0):
                depths.append(station.waiting())

        watcher = threading.Thread(target=watch, name="depth")
        watcher.start()
        try:
            with Console(stderr=True).status(f"backlog: {mails:,} mails at {rate:g}/s"):
                sent = station.send(letters, sessions=_SESSIONS, rate=rate)
                ended = time.monotonic()
                wait_until("an empty journal", lambda: not station.waiting(), _PATIENCE_SECONDS, 0.05)
                after = time.monotonic() - ended
        finally:
            stop.set()
            watcher.join()
    return {
        "mails": mails,
        "wanted_per_second": rate,
        "sent_per_second": sent.rate,
        "greatest": max(depths),
        "seconds_after": after,
    }


def show_backlog(found: Backlog, console: Console) -> None:
    """Print what measure_backlog found."""
    table = Table(
        "mails", "wanted/s", "sent/s", "waited at most", "empty after the last, s", title="backlog, worker on"
    )
    table.add_row(
        f"{found['mails']:,}",
        *(f"{found[key]:.0f}" for key in ("wanted_per_second", "sent_per_second", "greatest")),
        f"{found['seconds_after']:.1f}",
    )
    console.print(table)
