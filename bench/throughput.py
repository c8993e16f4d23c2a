# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails a second through Postfix: without a milter, with tradepost on either socket and with its worker, with rspamd.

Every set-up has a Postfix of its own and all stay up.  In each round every one is measured once, in random order: a noisy
minute of the machine is noisy for all, and ratios are taken round by round.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.figures import Percentiles, Spread, percentiles, ratios, spread
from bench.letters import make_letters
from bench.sending import SESSIONS
from bench.stations import KINDS, Sink, Station

_WARM_UP = 40


class StationFigures(TypedDict):
    """One set-up: mails/s as the sender saw them taken, ratios to others of the same round, processor time by program."""

    mails_s: Spread
    to_none: Spread | None
    to_unix: Spread | None
    to_rspamd: Spread | None
    processor_ms_per_mail: dict[str, float]
    eom_ms: Percentiles | None


class Throughput(TypedDict):
    """All set-ups."""

    rounds: int
    mails: int
    octets: int
    sessions: int
    generator_ms_per_mail: float
    stations: dict[str, StationFigures]


class _Tally:
    """What the rounds of one set-up gave."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.eom: list[float] = []


def measure_throughput(
    *, rounds: int = 7, mails: int = 1000, octets: int = 5_000, kinds: Sequence[str] = KINDS, seed: int = 1
) -> Throughput:
    """Measure `rounds` rounds of `mails` mails for each of `kinds` ("none" and "unix" are needed for ratios).

    Raises Unmarked, SendingFailed, SandboxError.
    """
    chance = random.Random(seed)
    tallies = {kind: _Tally() for kind in kinds}
    generator = 0.0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(dir="/var/tmp")))
        sink = stack.enter_context(Sink(folder))
        stations = [stack.enter_context(Station(kind, sink)) for kind in kinds]
        turns = [(number, kind) for number in range(rounds) for kind in chance.sample(range(len(kinds)), len(kinds))]
        for number, place in track(turns, "throughput", console=Console(stderr=True)):
            generator += _measure_once(stations[place], tallies[kinds[place]], mails, octets, seed + number)
    return {
        "rounds": rounds,
        "mails": mails,
        "octets": octets,
        "sessions": SESSIONS,
        "generator_ms_per_mail": generator / (len(turns) * mails) * 1000,
        "stations": {kind: _figures(kind, tallies, rounds * mails) for kind in kinds},
    }


def _measure_once(station: Station, tally: _Tally, mails: int, octets: int, seed: int) -> float:
    """Send one round to one station; return the generator's processor seconds."""
    # The same letters for every set-up of a round, other ones in every round.
    letters = list(make_letters(mails, octets=octets, seed=seed))
    station.send(list(make_letters(_WARM_UP, octets=octets, seed=-seed - 1)))  # Postfix starts its processes
    station.settle()
    eom_before = len(station.eom_milliseconds()) if station.kind in ("unix", "inet", "worker") else 0
    before = station.processor_seconds()
    sent = station.send(letters)
    for name, seconds in station.processor_seconds().items():
        tally.seconds[name] += seconds - before.get(name, 0.0)
    tally.rates.append(sent.rate)
    if station.kind in ("unix", "inet", "worker"):
        tally.eom += station.eom_milliseconds()[eom_before:]
    station.settle()
    return sent.processor_seconds


def _figures(kind: str, tallies: dict[str, _Tally], mails: int) -> StationFigures:
    tally = tallies[kind]

    def against(other: str) -> Spread | None:
        return spread(ratios(tally.rates, tallies[other].rates)) if other in tallies and other != kind else None

    return {
        "mails_s": spread(tally.rates),
        "to_none": against("none"),
        "to_unix": against("unix"),
        "to_rspamd": against("rspamd"),
        "processor_ms_per_mail": {
            name: seconds / mails * 1000
            for name, seconds in sorted(tally.seconds.items(), key=itemgetter(1), reverse=True)
            if seconds > 0
        },
        "eom_ms": percentiles(tally.eom) if tally.eom else None,
    }


def show_throughput(measured: Throughput, console: Console) -> None:
    """Print what measure_throughput found."""
    table = Table(
        "set-up", "mails/s", "least", "greatest", "to no milter", "least", "greatest", "to unix", "to rspamd",
        title=f"throughput: {measured['rounds']} rounds of {measured['mails']} mails of {measured['octets']} octets, "
        f"{measured['sessions']} sessions; the generator takes {measured['generator_ms_per_mail']:.2f} ms a mail",
    )  # fmt: skip
    for kind, figures in measured["stations"].items():
        rate, ratio = figures["mails_s"], figures["to_none"]
        cells = [f"{ratio[key]:.2f}" for key in ("median", "least", "greatest")] if ratio else ["", "", ""]
        table.add_row(
            kind, *(f"{rate[key]:.0f}" for key in ("median", "least", "greatest")), *cells,
            *(f"{found['median']:.2f}" if found else "" for found in (figures["to_unix"], figures["to_rspamd"])),
        )  # fmt: skip
    console.print(table)
    table = Table("set-up", "processor ms a mail, by program", "EOM ms under this load (p50, p99, max)")
    for kind, figures in measured["stations"].items():
        times = ", ".join(f"{name} {value:.2f}" for name, value in figures["processor_ms_per_mail"].items())
        eom = figures["eom_ms"]
        table.add_row(kind, times, f"{eom['p50']:.1f}, {eom['p99']:.1f}, {eom['max']:.1f}" if eom else "")
    console.print(table)
