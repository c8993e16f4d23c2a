# SPDX-License-Identifier: GPL-3.0-or-later
"""Time in EOM, as the milter logs it, by mail size: one session on an otherwise idle machine, worker stopped."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.figures import Percentiles, percentiles
from bench.letters import make_letters
from bench.stations import Sink, Station

# Octets and how many mails of that size.
SIZES = ((5_000, 1000), (20_000, 1000), (50_000, 1000), (200_000, 300), (1_000_000, 100), (10_000_000, 20))
_WARM_UP = 50
_CHUNK = 50  # letters made at once: between chunks Postfix is idle, as it is between real mails


class EomTimes(TypedDict):
    """Milliseconds in EOM by size in octets."""

    by_octets: dict[int, Percentiles]


def measure_eom(*, sizes: Sequence[tuple[int, int]] = SIZES) -> EomTimes:
    """Send `n` mails of each size one after the other.  Raises Unmarked, SendingFailed, SandboxError."""
    found: dict[int, Percentiles] = {}
    with TemporaryDirectory(dir="/var/tmp") as folder, Sink(Path(folder)) as sink, Station("unix", sink) as station:
        # The first mails of a child fill its caches; eight sessions reach both children.
        station.send(list(make_letters(_WARM_UP, seed=-1)))
        for octets, count in track(sizes, "EOM by size", console=Console(stderr=True)):
            station.settle()
            before = len(station.eom_milliseconds())
            letters = make_letters(count, octets=octets)
            while chunk := list(itertools.islice(letters, _CHUNK)):
                station.send(chunk, sessions=1)
            found[octets] = percentiles(station.eom_milliseconds()[before:])
    return {"by_octets": found}


def worst(times: EomTimes, least: int, greatest: int) -> tuple[float, float]:
    """Return the worst p50 and the worst p99 among sizes within bounds.  Raises ValueError when there is none."""
    within = [one for octets, one in times["by_octets"].items() if least <= octets <= greatest]
    return max(one["p50"] for one in within), max(one["p99"] for one in within)


def show_eom(times: EomTimes, console: Console) -> None:
    """Print what measure_eom found."""
    table = Table("octets", "n", "p50 ms", "p99 ms", "max ms", title="time in EOM, one session, worker stopped")
    for octets, one in times["by_octets"].items():
        table.add_row(f"{octets:,}", str(one["n"]), *(f"{one[key]:.1f}" for key in ("p50", "p99", "max")))
    console.print(table)
