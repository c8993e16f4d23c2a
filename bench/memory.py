# SPDX-License-Identifier: GPL-3.0-or-later
"""Resident memory of every process while thousands of mails of all sizes arrive and are recorded."""

import threading
import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.figures import slope
from bench.letters import make_letters
from bench.machine import Memory, children_of, memory
from bench.stations import Sink, Station

_EVERY_SECONDS = 0.5
_CHUNK = 500
# One letter of a chunk is so large, the rest have 5 kB: buffers that grow once and never shrink are seen.
_LARGE_OCTETS = 2_000_000


class ProcessMemory(TypedDict):
    """One process: MB resident at the start, in the middle, at the end and at most; `slope` in MB per 1,000 mails, over
    the second half (the first fills caches)."""

    start: float
    middle: float
    end: float
    greatest: float
    pss_end: float
    slope: float


class Course(TypedDict):
    """All processes of one set-up by name: supervisor, child-1, child-2, sync, ship."""

    mails: int
    seconds: float
    processes: dict[str, ProcessMemory]


class MemoryFigures(TypedDict):
    """Both sizes: `small` (journal, SQLite, local directory) and `large` (Redis as directory and stream)."""

    small: Course
    large: Course


class _Sampler:
    """Looks at the processes of a station twice a second, in a thread."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory")
        self.sent = 0
        self.samples: dict[str, list[tuple[int, Memory]]] = {}

    def start(self) -> None:
        self._sample()
        self._thread.start()

    def finish(self) -> None:
        """Stop and look once more."""
        self._stop.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            self._sample()

    def _sample(self) -> None:
        services = self._station.services
        supervisor = services.part("milter").pid
        named = {"supervisor": supervisor}
        named |= {name: services.part(name).pid for name in ("sync", "ship") if services.is_running(name)}
        named |= {f"child-{number}": pid for number, pid in enumerate(sorted(children_of(supervisor)), 1)}
        for name, pid in named.items():
            self.samples.setdefault(name, []).append((self.sent, memory(pid)))


def measure_memory(*, mails: int = 20_000) -> MemoryFigures:
    """Send so many mails through the small size, and a quarter through the large.

    Raises Unmarked, SendingFailed, SandboxError.
    """
    return {"small": _measure("worker", mails), "large": _measure("redis", mails // 4)}


def _measure(kind: str, mails: int) -> Course:
    began = time.monotonic()
    with TemporaryDirectory(dir="/var/tmp") as folder, Sink(Path(folder)) as sink, Station(kind, sink) as station:
        # Both children have served and the worker has recorded: what is lazy is loaded.
        station.send(list(make_letters(200, seed=-1)))
        station.settle()
        sampler = _Sampler(station)
        sampler.start()
        small, large = make_letters(mails), make_letters(mails // _CHUNK + 1, octets=_LARGE_OCTETS)
        try:
            for _ in track(range(0, mails, _CHUNK), f"memory, {kind}", console=Console(stderr=True)):
                count = min(_CHUNK, mails - sampler.sent)
                station.send([*islice(small, count - 1), next(large)])
                sampler.sent += count
            station.settle()
        finally:
            sampler.finish()
    processes = {name: summarize(samples) for name, samples in sorted(sampler.samples.items())}
    return {"mails": mails, "seconds": time.monotonic() - began, "processes": processes}


def summarize(samples: list[tuple[int, Memory]]) -> ProcessMemory:
    """Return the course of one process from (mails sent, memory) in order."""
    half = samples[-1][0] / 2
    later = [(sent / 1000, one["rss"]) for sent, one in samples if sent >= half]
    return {
        "start": samples[0][1]["rss"],
        "middle": next(one["rss"] for sent, one in samples if sent >= half),
        "end": samples[-1][1]["rss"],
        "greatest": max(one["rss"] for _, one in samples),
        "pss_end": samples[-1][1]["pss"],
        "slope": slope(later),
    }


def show_memory(found: MemoryFigures, console: Console) -> None:
    """Print what measure_memory found."""
    for size, course in (("small", found["small"]), ("large", found["large"])):
        table = Table(
            "process", "start", "middle", "end", "greatest", "Pss at the end", "MB per 1,000 mails",
            title=f"MB resident over {course['mails']:,} mails, {size} size",
        )  # fmt: skip
        for name, one in course["processes"].items():
            cells = (f"{one[key]:.1f}" for key in ("start", "middle", "end", "greatest", "pss_end"))
            table.add_row(name, *cells, f"{one['slope']:+.3f}")
        console.print(table)


def greatest(found: MemoryFigures, name: str) -> float:
    """Return the most that any process of that name (or NAME-1, NAME-2) held in either size.  Raises ValueError."""
    return max(
        one["greatest"]
        for course in (found["small"], found["large"])
        for process, one in course["processes"].items()
        if process.partition("-")[0] == name
    )
