# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails a second that the sync worker records: on SQLite and PostgreSQL, nearly empty and with a million messages stored.

Entries are written as the milter writes them, by its own decisions over a projected directory; then a worker process
records them.  Its processor time is what counts: other programs on the machine change only wall time.
"""

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self, TypedDict

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.bulk import Filled, fill_database, sample_threads
from bench.figures import Spread, spread
from bench.letters import Letter, make_letters
from bench.machine import children_of, processor_seconds
from crm_sync.commands import make_projector
from crm_sync.company import apply_company, apply_rules
from crm_sync.company_file import parse_company, read_toml
from crm_sync.database import Database, open_database
from crm_sync.schema import upgrade_schema
from postfix.sandbox.company import COMPANY_FILE, RULES_FILE
from postfix.sandbox.private_postgresql import PrivatePostgreSQL
from postfix.sandbox.service_stack import render_toml
from tradepost.analysis import Analyst, load_analyst
from tradepost.arrival import Arrival
from tradepost.directory_choice import open_directory
from tradepost.envelope import Client, Envelope
from tradepost.journal import Journal, Reserve
from tradepost.rules import parse_rules
from tradepost.settings import Settings, load_settings
from tradepost_milter.decision import Decider, Seen
from tradepost_milter.engine import read_seen_mail
from tradepost_milter.policies import PolicySource

DATABASES = ("sqlite", "postgresql")
_WARM_UP = 100
_WRITERS = 8
_CLIENT = Client("mail.buyer.example", "203.0.113.9", "mail.buyer.example", "", "", "tradepost-mx")


class Recording(TypedDict):
    """So many runs over a database that held `stored` messages before: mails per second."""

    stored: int
    runs: int
    mails: int
    per_processor_second: Spread
    per_wall_second: Spread
    server_ms_per_mail: float | None  # processor time of PostgreSQL's own processes
    peak_mb: float


class DatabaseFigures(TypedDict):
    """One database: empty, then with more and more stored, and how long filling and the directory took."""

    by_stored: list[Recording]
    filled: list[Filled]
    rebuild_seconds: list[float]


class TwoWorkers(TypedDict):
    """Two processes on one PostgreSQL against one, wall time, run by run."""

    runs: int
    mails: int
    one_per_second: Spread
    two_per_second: Spread
    ratio: Spread


class WorkerFigures(TypedDict):
    """Both databases."""

    databases: dict[str, DatabaseFigures]
    two_workers: TwoWorkers | None


class _Answer(TypedDict):
    recorded: int
    wall_seconds: float
    processor_seconds: float
    peak_mb: float


class RecordingFailed(Exception):
    """A worker did not record what was written; the text says how many it did, or its last words."""


class _Host:
    """One state folder with journal and directory, and how the milter there decides."""

    def __init__(self, folder: Path, url: str, analyst: Analyst) -> None:
        folder.mkdir(mode=0o700)
        self.config = folder / "tradepost.toml"
        tables: dict[str, dict[str, object]] = {
            "host": {"instance": "mx.brightway.example"},
            "paths": {"state": str(folder), "runtime": str(folder)},
            "database": {"url": url},
            "directory": {"stale_after_seconds": 86400, "deadline_ms": 1000},
            "maillog": {"source": "none"},
        }
        self.config.write_text(render_toml(tables))
        self.settings: Settings = load_settings(self.config)
        self._journal = Journal(self.settings.journal_dir, Reserve(0, 0))
        self._journal.create()
        self._analyst = analyst
        self._written = 0

    def rebuild(self, database: Database) -> float:
        """Write the directory anew; return the seconds it took."""
        began = datetime.now(UTC)
        with closing(make_projector(self.settings, database)) as projector:
            projector.rebuild()
        return (datetime.now(UTC) - began).total_seconds()

    def write(self, letters: Sequence[Letter]) -> None:
        """Journal letters as if they had arrived."""
        with closing(open_directory(self.settings)) as directory:
            policies = PolicySource(directory)
            policies.refresh()
            decider = Decider(
                self._analyst, directory, policies, self.settings, b"k" * 64, read_seen_mail, lambda: datetime.now(UTC)
            )
            # Each entry is fsynced: several at a time cost the disk little more than one.
            with ThreadPoolExecutor(_WRITERS) as pool:
                list(
                    pool.map(lambda entry: self._journal.write(*entry), (self._decide(decider, one) for one in letters))
                )

    def _decide(self, decider: Decider, letter: Letter) -> tuple[Arrival, tuple[bytes, ...]]:
        self._written += 1
        head, _, body = letter.content.partition(b"\r\n\r\n")
        fields = tuple((name, value) for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")))
        entry_id = self._journal.new_id()
        envelope = Envelope(f"Q{self._written:012d}", letter.sender, letter.recipients, _CLIENT)
        verdict = decider.decide(Seen(entry_id, envelope, fields, body, False, len(letter.content)))
        arrival = Arrival(
            entry_id, self.settings.host.instance, datetime.now(UTC), envelope, verdict, len(letter.content)
        )
        return arrival, (letter.content,)


class _Recorder:
    """A worker process over one host's journal; use as a context manager."""

    def __init__(self, host: _Host, log: Path) -> None:
        self._host = host
        self._log = log

    def __enter__(self) -> Self:
        with self._log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.recorder", str(self._host.config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=Path(__file__).parent.parent,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def start(self) -> None:
        """Tell it to record what waits."""
        assert self._process.stdin is not None
        self._process.stdin.write("record\n")
        self._process.stdin.flush()

    def finish(self, expected: int) -> _Answer:
        """Wait until it has.  Raises RecordingFailed."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RecordingFailed(self._log.read_text("utf-8", "replace").strip().rpartition("\n")[2])
        answer: _Answer = json.loads(line)
        if answer["recorded"] != expected:
            raise RecordingFailed(f"{answer['recorded']} of {expected} entries were recorded")
        return answer


class _Bench:
    """One database that is filled more and more, and what was measured on it."""

    def __init__(self, folder: Path, url: str, server: PrivatePostgreSQL | None) -> None:
        self._folder = folder
        self._server = server
        self._seed = 0
        analyst = load_analyst()
        self.hosts = [_Host(folder / name, url, analyst) for name in ("a", *(["b"] if server else []))]
        self.database = open_database(self.hosts[0].settings.database_url, create=True)
        upgrade_schema(self.database)
        with self.database.writing() as session:
            apply_company(session, parse_company(read_toml(COMPANY_FILE), "company"))
            apply_rules(session, parse_rules(read_toml(RULES_FILE)))
        self.rebuild()

    def rebuild(self) -> float:
        """Write the first host's directory anew; return the seconds it took."""
        return self.hosts[0].rebuild(self.database)

    def letters(self, mails: int) -> list[Letter]:
        """Return other letters at every call: most of them answer what is stored, where anything is."""
        self._seed += 1
        threads = sample_threads(self.database, mails, random.Random(self._seed))
        return list(make_letters(mails, seed=self._seed, answers=threads))

    def recorder(self, host: _Host) -> _Recorder:
        return _Recorder(host, self._folder / "recorder.log")

    def record(self, host: _Host, recorder: _Recorder, mails: int) -> _Answer:
        """Let one worker record that many new mails."""
        host.write(self.letters(mails))
        recorder.start()
        return recorder.finish(mails)

    def server_seconds(self) -> float:
        """Return the processor seconds that PostgreSQL has used so far; 0 where there is none."""
        if self._server is None:
            return 0.0
        pid = int((self._server.folder / "data" / "postmaster.pid").read_text().split()[0])
        return sum(processor_seconds(one) for one in (pid, *children_of(pid)))

    def measure(self, stored: int, runs: int, mails: int) -> Recording:
        """Measure one worker, `runs` times."""
        host = self.hosts[0]
        with self.recorder(host) as recorder:
            self.record(host, recorder, min(_WARM_UP, mails))
            answers, server = [], 0.0
            for _ in range(runs):
                before = self.server_seconds()
                answers.append(self.record(host, recorder, mails))
                server += self.server_seconds() - before
        return {
            "stored": stored,
            "runs": runs,
            "mails": mails,
            "per_processor_second": spread([mails / one["processor_seconds"] for one in answers]),
            "per_wall_second": spread([mails / one["wall_seconds"] for one in answers]),
            "server_ms_per_mail": server / (runs * mails) * 1000 if self._server else None,
            "peak_mb": max(one["peak_mb"] for one in answers),
        }

    def measure_two(self, runs: int, mails: int) -> TwoWorkers:
        """Measure one worker and two of them in turn, each over its own journal."""
        one: list[float] = []
        two: list[float] = []
        self.hosts[1].rebuild(self.database)
        with ExitStack() as stack:
            recorders = [stack.enter_context(self.recorder(host)) for host in self.hosts]
            for host, recorder in zip(self.hosts, recorders, strict=True):
                self.record(host, recorder, min(_WARM_UP, mails))
            for _ in range(runs):
                one.append(mails / self.record(self.hosts[0], recorders[0], mails)["wall_seconds"])
                for host in self.hosts:
                    host.write(self.letters(mails))
                for recorder in recorders:
                    recorder.start()
                slowest = max(recorder.finish(mails)["wall_seconds"] for recorder in recorders)
                two.append(len(recorders) * mails / slowest)
        return {
            "runs": runs,
            "mails": mails,
            "one_per_second": spread(one),
            "two_per_second": spread(two),
            "ratio": spread([both / single for both, single in zip(two, one, strict=True)]),
        }

    def close(self) -> None:
        self.database.close()


@contextmanager
def _open_bench(name: str) -> Iterator[_Bench]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(dir="/var/tmp")))
        server = stack.enter_context(PrivatePostgreSQL()) if name == "postgresql" else None
        yield stack.enter_context(closing(_Bench(folder, server.url if server else "", server)))


def measure_worker(
    *,
    runs: int = 3,
    mails: int = 1000,
    stored: Sequence[int] = (10_000, 1_000_000),
    databases: Sequence[str] = DATABASES,
) -> WorkerFigures:
    """Record `runs` times `mails` mails of 5 kB on an empty database, then with each of `stored` messages in it.

    Two workers are measured on PostgreSQL at the least of `stored`.  Raises RecordingFailed, SandboxError, DatabaseError.
    """
    found: dict[str, DatabaseFigures] = {}
    two: TwoWorkers | None = None
    for name in databases:
        with _open_bench(name) as bench:
            figures: DatabaseFigures = {"by_stored": [], "filled": [], "rebuild_seconds": []}
            has = 0
            for wanted in track((0, *stored), f"worker, {name}", console=Console(stderr=True)):
                if wanted:
                    figures["filled"].append(fill_database(bench.database, wanted - has))
                    figures["rebuild_seconds"].append(bench.rebuild())
                    has = wanted
                figures["by_stored"].append(bench.measure(wanted, runs, mails))
                if name == "postgresql" and wanted == min(stored):
                    two = bench.measure_two(runs, mails)
            found[name] = figures
    return {"databases": found, "two_workers": two}


def slowdown(figures: DatabaseFigures) -> float:
    """Return the speed at the most stored messages over that at the fewest (not empty)."""
    filled = [one for one in figures["by_stored"] if one["stored"]]
    return filled[-1]["per_processor_second"]["median"] / filled[0]["per_processor_second"]["median"]


def show_worker(found: WorkerFigures, console: Console) -> None:
    """Print what measure_worker found."""
    runs = next(iter(found["databases"].values()))["by_stored"][0]
    table = Table(
        "database", "stored", "mails/s of a core", "least", "greatest", "mails/s wall", "server ms a mail", "peak MB",
        title=f"one worker, {runs['runs']} runs of {runs['mails']} mails of 5 kB",
    )  # fmt: skip
    for name, figures in found["databases"].items():
        for one in figures["by_stored"]:
            core, server = one["per_processor_second"], one["server_ms_per_mail"]
            table.add_row(
                name, f"{one['stored']:,}", *(f"{core[key]:.0f}" for key in ("median", "least", "greatest")),
                f"{one['per_wall_second']['median']:.0f}", "" if server is None else f"{server:.2f}", f"{one['peak_mb']:.0f}",
            )  # fmt: skip
    console.print(table)
    for name, figures in found["databases"].items():
        for filled, seconds in zip(figures["filled"], figures["rebuild_seconds"], strict=True):
            console.print(
                f"{name}: {filled['messages']:,} messages made in {filled['seconds']:.0f} s; "
                f"directory rebuilt in {seconds:.1f} s"
            )
    two: Any = found["two_workers"]
    if two:
        console.print(
            f"two workers on postgresql: {two['two_per_second']['median']:.0f} mails/s wall, one "
            f"{two['one_per_second']['median']:.0f}: ratio {two['ratio']['median']:.2f} "
            f"({two['ratio']['least']:.2f} to {two['ratio']['greatest']:.2f}, {two['runs']} runs)"
        )
