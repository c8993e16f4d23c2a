# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a search takes with a million letters stored: by date and by rank, for who sees all, a part, little and nothing.

Beside the time on the wall stands the processor time of the program and of the server's process that answers it: on a machine
where nothing else runs they are nearly the same, on a busy one only the second says something.

Every question is asked several times, each time with other words of the same sort, so that no answer is a warm copy of the
one before.  The words of a letter follow Zipf's law, half of the letters are Chinese (bench/speech.py).
"""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypedDict

from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import func, select

from bench.bulk import Filled, fill_database
from bench.figures import percentile
from bench.speech import Speech, speech_of
from crm_sync.company import apply_company
from crm_sync.company_file import parse_company
from crm_sync.database import Database, open_database
from crm_sync.followups.timeline import TimelinePlace, fetch_timeline
from crm_sync.models.conversations import Activity
from crm_sync.models.customers import Customer
from crm_sync.models.mail import Message
from crm_sync.models.people import Person
from crm_sync.rights import Action, Entity, Viewer, fetch_viewer, may
from crm_sync.schema import upgrade_schema
from crm_sync.search.searching import search
from postfix.sandbox.private_postgresql import PrivatePostgreSQL

DATABASES = ("sqlite", "postgresql")
BY_DATE_MS, BY_RANK_MS, TIMELINE_MS = 200.0, 500.0, 50.0
_DOMAIN = "own.example"
_ADMINISTRATOR = f"eve@{_DOMAIN}"
# Customers of a thousand: 29 colleagues have the rest.
_SHARES = {f"thirtieth@{_DOMAIN}": 33.3, f"thousandth@{_DOMAIN}": 1.0, f"nobody@{_DOMAIN}": 0.0}
_SHARES |= {f"rep{number}@{_DOMAIN}": 33.2 for number in range(29)}
_VIEWERS = (_ADMINISTRATOR, *list(_SHARES)[:3])


class Question(TypedDict):
    """One sort of question, of one viewer: milliseconds, and how many answers a page had on average.

    `processor_p95` is that of processor time.
    """

    question: str
    viewer: str
    sort: str
    n: int
    p50: float
    p95: float
    max: float
    processor_p50: float
    processor_p95: float
    hits: float


class DatabaseFigures(TypedDict):
    """One database: what was stored, what each viewer sees of it, and how long answers took."""

    filled: Filled
    index_mb: float | None
    visible: dict[str, int]
    questions: list[Question]


class SearchFigures(TypedDict):
    """Both databases."""

    databases: dict[str, DatabaseFigures]


@dataclass(frozen=True, slots=True)
class _Words:
    """What is asked for; each call of `sorts` yields other words."""

    speech: Speech
    letters: int
    chance: random.Random

    def sorts(self) -> Iterator[tuple[str, str]]:
        """Yield (what sort of question, its text)."""
        chance, latin, han = self.chance, self.speech.latin, self.speech.han
        yield "commonest word", latin[0]
        yield "common word", latin[chance.randrange(1, 30)]
        yield "word of one in a thousand", latin[chance.randrange(3000, 4000)]
        yield "two Chinese signs", han[chance.randrange(0, 20)]
        yield "two rarer Chinese signs", han[chance.randrange(500, 3000)]
        yield "one Chinese sign", han[chance.randrange(500, 3000)][0]
        yield "rare code", f"PO-{chance.randrange(1, self.letters)}"
        yield "nowhere", f"ZX-{chance.randrange(10**6, 10**7)}"
        words = chance.choice(self.speech.texts[1::2]).split(" ")
        start = chance.randrange(len(words) - 2)
        phrase = f'"{words[start]} {words[start + 1]}"'
        yield "phrase", phrase
        yield "phrase of common words", f'"{latin[0]} {latin[1]}"'
        yield "phrase + filter", f"{phrase} category:inquiry after:{2024 + chance.randrange(2)} has:attachment"
        yield "two words", f"{latin[chance.randrange(5, 50)]} {han[chance.randrange(5, 50)]}"
        yield "word + from:", f"{latin[0]} from:c{chance.randrange(1, self.letters // 10)}.example"
        yield "word + customer:", f"{latin[0]} customer:{chance.randrange(1, self.letters // 10)}"
        yield "word + status:", f"{latin[chance.randrange(1, 30)]} status:open"
        yield "all but a word", f"-{latin[0]}"


def measure_search(
    *, letters: int = 1_000_000, rounds: int = 20, databases: Sequence[str] = DATABASES
) -> SearchFigures:
    """Ask `rounds` questions of each sort for each viewer.  Raises SandboxError, DatabaseError."""
    found: dict[str, DatabaseFigures] = {}
    for name in databases:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(dir="/var/tmp")))
            server = stack.enter_context(PrivatePostgreSQL(options=_AS_SERVERS_ARE)) if name == "postgresql" else None
            url = server.url if server else f"sqlite:///{folder / 'tradepost.sqlite'}"
            database = stack.enter_context(closing(open_database(url, create=server is None)))
            filled = prepare(database, letters)
            found[name] = measure_database(database, filled, letters, rounds)
    return {"databases": found}


# A deep page begins before so many older items.
_DEEP = 60
# PostgreSQL's defaults are those of a machine of 1990.
_AS_SERVERS_ARE = {"shared_buffers": "512MB", "work_mem": "16MB", "random_page_cost": "1.1", "jit": "off"}


def prepare(database: Database, letters: int) -> Filled:
    """Make the company, and its letters."""
    upgrade_schema(database)
    people: list[dict[str, Any]] = [{"email": email, "name": email.partition("@")[0]} for email in _SHARES]
    people.append({"email": _ADMINISTRATOR, "name": "Eve", "role": "administrator"})
    company = {
        "company": {"name": "Own", "domains": [_DOMAIN]},
        "person": people,
        "pool": [{"name": "sales", "addresses": [f"sales@{_DOMAIN}"], "members": [_ADMINISTRATOR]}],
    }
    with database.writing() as session:
        apply_company(session, parse_company(company, "company"))
    return fill_database(database, letters, shares=_SHARES)


def measure_database(database: Database, filled: Filled, letters: int, rounds: int) -> DatabaseFigures:
    """Ask one database."""
    # The same words as were written: the same seed.
    words = _Words(speech_of(letters), letters, random.Random(5))
    with database.reading() as session:
        ids = dict(session.execute(select(Person.email, Person.id)).all())
        found = [fetch_viewer(session, ids[email]) for email in _VIEWERS]
        viewers = [viewer for viewer in found if viewer is not None]
        visible = {
            viewer.name: session.scalar(
                select(func.count(Message.id)).where(may(viewer, Entity.MESSAGE, Action.SEE, Message.scope_id))
            )
            or 0
            for viewer in viewers
        }
    clock = _Clock(database)
    asked: dict[tuple[str, str, str], list[_Taken]] = {}
    for _ in track(range(rounds), f"search, {database.name[:40]}", console=Console(stderr=True)):
        for sort_of_question, text in words.sorts():
            for viewer in viewers:
                for sort in ("date", "rank"):
                    taken = _timed(database, clock, viewer, text, sort)
                    asked.setdefault((sort_of_question, viewer.name, sort), []).append(taken)
        for viewer in viewers[:2]:
            for which, taken in _timeline(database, clock, viewer, words.chance):
                asked.setdefault((f"timeline, {which} page", viewer.name, "timeline"), []).append(taken)
    return {
        "filled": filled,
        "index_mb": _index_mb(database),
        "visible": visible,
        "questions": [_question(*key, taken) for key, taken in asked.items()],
    }


class _Clock:
    """Tells the time that passed, on the wall and on the processors."""

    def __init__(self, database: Database) -> None:
        self._server: Path | None = None
        if database.writer.dialect.name == "postgresql":
            # Questions are asked one after the other: always over the same connection.
            with database.reading() as session:
                process = session.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            self._server = Path(f"/proc/{process}/schedstat")
        self.start()

    def start(self) -> None:
        """Begin."""
        self._processors, self._wall = self._processor_seconds(), time.perf_counter()

    def stop(self, hits: int) -> "_Taken":
        """Return what passed since `start`."""
        wall = time.perf_counter() - self._wall
        return _Taken(wall, self._processor_seconds() - self._processors, hits)

    def _processor_seconds(self) -> float:
        # The first number: nanoseconds on a processor (Linux, Documentation/scheduler/sched-stats.rst).
        server = 0 if self._server is None else int(self._server.read_text().split()[0])
        return time.process_time() + server / 1e9


@dataclass(frozen=True, slots=True)
class _Taken:
    """Seconds that an answer took, and its length."""

    wall: float
    processors: float
    hits: int


def _question(question: str, viewer: str, sort: str, taken: Sequence[_Taken]) -> Question:
    times = sorted(one.wall * 1000 for one in taken)
    processors = sorted(one.processors * 1000 for one in taken)
    return {
        "question": question,
        "viewer": viewer,
        "sort": sort,
        "n": len(times),
        "p50": percentile(times, 50),
        "p95": percentile(times, 95),
        "max": times[-1],
        "processor_p50": percentile(processors, 50),
        "processor_p95": percentile(processors, 95),
        "hits": sum(one.hits for one in taken) / len(taken),
    }


def _timed(database: Database, clock: _Clock, viewer: Viewer, text: str, sort: str) -> _Taken:
    clock.start()
    with database.reading() as session:
        answer = search(session, viewer, text, sort=sort)
    return clock.stop(len(answer.hits))


def _timeline(database: Database, clock: _Clock, viewer: Viewer, chance: random.Random) -> Iterator[tuple[str, _Taken]]:
    with database.reading() as session:
        most = session.scalar(select(func.max(Customer.id))) or 1
        # The first customers write most.
        row = session.execute(
            select(Customer.id, Customer.public_id)
            .where(
                Customer.id >= chance.randrange(1, max(2, most // 100)),
                may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id),
            )
            .limit(1)
        ).one()
        deep = session.execute(
            select(Activity.at, Activity.id)
            .where(Activity.customer_id == row.id)
            .order_by(Activity.at, Activity.id)
            .offset(_DEEP)
            .limit(1)
        ).one_or_none()
    places: dict[str, Any] = {"first": None}
    if deep is not None:
        places["deep"] = deep
    for which, place in places.items():
        clock.start()
        with database.reading() as session:
            items = fetch_timeline(
                session, viewer, row.public_id, before=None if place is None else TimelinePlace(place.at, place.id)
            )
        yield which, clock.stop(len(items))


def _index_mb(database: Database) -> float | None:
    with database.reading() as session:
        connection = session.connection()
        if connection.dialect.name == "postgresql":
            octets = connection.exec_driver_sql("SELECT pg_total_relation_size('message_index')").scalar_one()
        else:
            octets = connection.exec_driver_sql("SELECT sum(length(block)) FROM message_index_data").scalar_one()
    return float(octets) / 1e6


def slowest(found: SearchFigures, sort: str) -> tuple[float, float]:
    """Return the worst p95 of a sort of answer (date, rank or timeline): on the wall, of processor time."""
    asked = [one for figures in found["databases"].values() for one in figures["questions"] if one["sort"] == sort]
    return max(one["p95"] for one in asked), max(one["processor_p95"] for one in asked)


def show_search(found: SearchFigures, console: Console) -> None:
    """Print what measure_search found."""
    for name, figures in found["databases"].items():
        filled = figures["filled"]
        sights = ", ".join(f"{who} {number:,}" for who, number in figures["visible"].items())
        table = Table(
            "question", "sort", *(f"{who}: p50, p95 (processor)" for who in figures["visible"]), "hits", "n",
            title=f"search, {name}: {filled['messages']:,} letters made in {filled['seconds']:.0f} s, index "
            f"{figures['index_mb']:.0f} MB; in sight: {sights}",
        )  # fmt: skip
        rows: dict[tuple[str, str], dict[str, Question]] = {}
        for one in figures["questions"]:
            rows.setdefault((one["question"], one["sort"]), {})[one["viewer"]] = one
        for (question, sort), by_viewer in rows.items():
            times = [_times(by_viewer[who]) if who in by_viewer else "" for who in figures["visible"]]
            any_one = next(iter(by_viewer.values()))
            hits = " ".join(f"{one['hits']:.0f}" for one in by_viewer.values())
            table.add_row(question, sort, *times, hits, str(any_one["n"]))
        console.print(table)
    for sort, budget in (("date", BY_DATE_MS), ("rank", BY_RANK_MS), ("timeline", TIMELINE_MS)):
        wall, processors = slowest(found, sort)
        console.print(
            f"worst p95 by {sort}: {wall:.0f} ms (processor {processors:.0f} ms), wanted {budget:.0f} ms at most"
        )


def _times(one: Question) -> str:
    wall, processors = (one["p50"], one["p95"]), (one["processor_p50"], one["processor_p95"])
    return "{:.0f}, {:.0f} ({:.0f}, {:.0f})".format(*wall, *processors)
