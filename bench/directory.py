# SPDX-License-Identifier: GPL-3.0-or-later
"""What asking the directory costs at arrival: one look for ten keys as the milter takes it, and claims; the file and Redis.

A directory of CUSTOMERS companies, each with an address and a thread.  Each kind is asked by one thread, then by
THREADS at once as in a milter child; the deadline is the default one, so what comes too late is counted as unknown.
"""

import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TypedDict

from rich.console import Console
from rich.table import Table

from bench.figures import Percentiles, percentiles
from postfix.sandbox.private_redis import PrivateRedis
from tradepost.directory import (
    UNKNOWN,
    AddressFact,
    Change,
    Directory,
    DirectoryWriter,
    DomainFact,
    ThreadFact,
    address_fact_key,
    claim_key,
    domain_fact_key,
    encode_fact,
    load_fact_key,
    thread_fact_key,
)
from tradepost.directory_choice import open_directory
from tradepost.local_directory import LocalDirectoryWriter
from tradepost.redis_directory_writer import RedisDirectoryWriter
from tradepost.settings import PathSettings, RedisSettings, Settings

CUSTOMERS = 20_000
THREADS = 4
SEED = 7


class Asked(TypedDict):
    """Single times (ms) of one thread, and calls a second and answers that came too late by several threads at once."""

    alone_ms: Percentiles
    calls_per_second: float
    unknown: int


class DirectoryFigures(TypedDict):
    """By backend ("file", "redis"), then by call ("fetch", "claim"); seconds a rebuild took; how it was measured."""

    calls: dict[str, dict[str, Asked]]
    rebuild_seconds: dict[str, float]
    customers: int
    threads: int


def measure_directory(calls: int = 20_000) -> DirectoryFigures:
    """Ask both backends so often, by one thread and again by several.  Needs redis-server."""
    found: DirectoryFigures = {"calls": {}, "rebuild_seconds": {}, "customers": CUSTOMERS, "threads": THREADS}
    with tempfile.TemporaryDirectory(prefix="bench-directory-") as name:
        folder = Path(name)
        paths = PathSettings(state=folder)
        with closing(LocalDirectoryWriter(folder / "directory.sqlite")) as writer:
            _measure("file", Settings(paths=paths), writer, calls, found)
        with PrivateRedis(folder / "redis") as server:
            settings = Settings(paths=paths, redis=RedisSettings(url=server.url))
            with closing(RedisDirectoryWriter(settings.redis, settle_seconds=0)) as shared:
                _measure("redis", settings, shared, calls, found)
    return found


def _measure(kind: str, settings: Settings, writer: DirectoryWriter, calls: int, found: DirectoryFigures) -> None:
    started_at = time.perf_counter()
    _write(writer)
    found["rebuild_seconds"][kind] = time.perf_counter() - started_at
    with closing(open_directory(settings)) as directory:
        found["calls"][kind] = {
            "fetch": _ask(lambda draw: directory.fetch(_keys(draw)), calls),
            "claim": _ask(lambda draw: _claim(directory, draw), calls),
        }


def _write(writer: DirectoryWriter) -> None:
    generation = writer.begin_rebuild()
    changes = _changes()
    while page := list(islice(changes, 2000)):  # as the projector does it
        writer.fill(generation, page)
    writer.finish_rebuild(generation, 1, datetime.now(UTC))


def _changes() -> Iterator[Change]:
    for number in range(CUSTOMERS):
        customer, owner, domain = f"c{number}", f"rep{number % 20}@own.example", f"firm{number}.example"
        thread = ThreadFact(f"v{number}", owner, customer, "sales")
        yield Change(1, address_fact_key(f"buyer@{domain}"), encode_fact(AddressFact(number, customer, owner)))
        yield Change(1, domain_fact_key(domain), encode_fact(DomainFact(customer, owner)))
        yield Change(1, thread_fact_key(f"<{number}@{domain}>"), encode_fact(thread))


def _keys(draw: random.Random) -> list[str]:
    """Return what the milter asks for one mail to a pool of three that answers an older one."""
    domain = f"firm{draw.randrange(CUSTOMERS)}.example"
    references = [f"<{draw.randrange(2 * CUSTOMERS)}@{domain}>" for _ in range(4)]
    return [
        address_fact_key(f"buyer@{domain}"),
        claim_key(f"party:{domain}"),
        *map(thread_fact_key, references),
        *(load_fact_key(f"rep{number}@own.example") for number in range(3)),
        domain_fact_key(domain),
    ]


def _claim(directory: Directory, draw: random.Random) -> object:
    return directory.claim(f"party:new{draw.randrange(CUSTOMERS)}.example", "rep1@own.example", 900)


def _ask(call: Callable[[random.Random], object], calls: int) -> Asked:
    taken = []
    draw = random.Random(SEED)
    for _ in range(calls):
        started_at = time.perf_counter()
        call(draw)
        taken.append((time.perf_counter() - started_at) * 1000)
    unknown = [0] * THREADS

    def ask(number: int) -> None:
        own_draw = random.Random(SEED + number)
        for _ in range(calls // THREADS):
            unknown[number] += call(own_draw) is UNKNOWN

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(THREADS)]
    started_at = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started_at
    return {
        "alone_ms": percentiles(taken),
        "calls_per_second": calls // THREADS * THREADS / seconds,
        "unknown": sum(unknown),
    }


def show_directory(found: DirectoryFigures, console: Console) -> None:
    """Print a line per backend and call."""
    table = Table(title=f"directory of {found['customers']:,} customers; 10 keys a look")
    for heading in ("", "call", "n", "p50 ms", "p99 ms", "max ms", f"calls/s, {found['threads']} threads", "unknown"):
        table.add_column(heading, justify="left" if heading in {"", "call"} else "right")
    for kind, by_call in found["calls"].items():
        for name, asked in by_call.items():
            alone = asked["alone_ms"]
            table.add_row(
                kind,
                name,
                f"{alone['n']:,}",
                *(f"{alone[key]:.3f}" for key in ("p50", "p99", "max")),
                f"{asked['calls_per_second']:,.0f}",
                f"{asked['unknown']}",
            )
    console.print(table)
    for kind, seconds in found["rebuild_seconds"].items():
        console.print(f"{kind}: rebuilt in {seconds:.1f} s")
