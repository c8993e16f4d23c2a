# SPDX-License-Identifier: GPL-3.0-or-later
"""How long does the hand-over of a rep take, with all his customers, their conversations and what the milter must learn of it?"""

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import func, select, update
from ulid import ULID

from bench.bulk import fill_database
from bench.figures import Spread, spread
from crm_sync.company import apply_company
from crm_sync.company_file import parse_company
from crm_sync.customers.hand_back import undo_hand_over
from crm_sync.customers.hand_over import HandOver, Wish, plan_hand_over, run_hand_over
from crm_sync.database import Database, open_database
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.people import Person
from crm_sync.models.service import DirectoryChange
from crm_sync.rights import root_viewer
from crm_sync.schema import upgrade_schema
from postfix.sandbox.private_postgresql import PrivatePostgreSQL

DATABASES = ("sqlite", "postgresql")
_REPS = 30
_GIVER, _TAKERS = "rep0@own.example", ("rep1@own.example", "rep2@own.example")
_COMPANY = {
    "company": {"name": "Own", "domains": ["own.example"]},
    "person": [
        {"email": f"rep{number}@own.example", "countries": ["DE"] if number == 1 else []} for number in range(_REPS)
    ],
    "pool": [{"name": "sales", "addresses": ["sales@own.example"], "members": [_GIVER]}],
}


class HandOvers(TypedDict):
    """One database: seconds of a look beforehand, of the whole transaction with its commit, and of its way back."""

    messages: int
    customers: int
    conversations: int
    directory_keys: int
    runs: int
    plan_seconds: Spread
    run_seconds: Spread
    run_processor_seconds: Spread  # of this process: other programs on the machine change only wall time
    shared_seconds: Spread  # to two, by country
    undo_seconds: Spread


class HandOverFigures(TypedDict):
    """Both databases."""

    databases: dict[str, HandOvers]


def measure_handover(
    *, messages: int = 1_000_000, customers: int = 3_000, runs: int = 5, databases: Sequence[str] = DATABASES
) -> HandOverFigures:
    """Hand over and back so many customers among a tenth as many as there are messages.  Raises DatabaseError, SandboxError."""
    found = {}
    for name in databases:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(dir="/var/tmp")))
            server = stack.enter_context(PrivatePostgreSQL()) if name == "postgresql" else None
            url = server.url if server else f"sqlite:///{folder / 'db'}"
            database = stack.enter_context(closing(open_database(url, create=True)))
            upgrade_schema(database)
            with database.writing() as session:
                apply_company(session, parse_company(_COMPANY, "company"))
            fill_database(database, messages)
            _give(database, customers)
            found[name] = _measure(database, messages, runs, name)
    return {"databases": found}


def _give(database: Database, wanted: int) -> None:
    """Let the giver have so many customers, spread over all: some write more than others."""
    with database.writing() as session:
        giver, other = session.scalars(select(Person.id).order_by(Person.id).limit(2))
        session.execute(update(Scope).where(Scope.owner_id == giver).values(owner_id=other))
        session.execute(update(Conversation).where(Conversation.assignee_id == giver).values(assignee_id=other))
        have = session.scalar(select(func.count()).select_from(Customer)) or 0
        step = max(1, have // wanted)
        mine = select(Customer.id).where(Customer.id % step == 0).order_by(Customer.id).limit(wanted)
        keys = list(session.scalars(mine))
        scopes = select(Customer.scope_id).where(Customer.id.in_(keys))
        session.execute(update(Scope).where(Scope.id.in_(scopes)).values(owner_id=giver))
        session.execute(update(Conversation).where(Conversation.customer_id.in_(keys)).values(assignee_id=giver))


def _measure(database: Database, messages: int, runs: int, name: str) -> HandOvers:
    plans: list[float] = []
    moves: list[float] = []
    processor: list[float] = []
    shares: list[float] = []
    backs: list[float] = []
    keys = 0
    last: HandOver | None = None
    for _ in track(range(runs), f"handover, {name}", console=Console(stderr=True)):
        for wish, times in (
            (Wish(_GIVER, _TAKERS[:1]), moves),
            (Wish(_GIVER, _TAKERS, "country"), shares),
        ):
            with database.reading() as session:
                began = time.perf_counter()
                plan_hand_over(session, root_viewer(), wish, datetime.now(UTC))
                plans.append(time.perf_counter() - began)
            before = _newest_change(database)
            began, worked = time.perf_counter(), time.process_time()
            with database.writing() as session:
                last = run_hand_over(session, root_viewer(), wish, str(ULID()), datetime.now(UTC))
            times.append(time.perf_counter() - began)
            if times is moves:
                processor.append(time.process_time() - worked)
            keys = _newest_change(database) - before
            assert last.id is not None
            began = time.perf_counter()
            with database.writing() as session:
                undo_hand_over(session, root_viewer(), last.id, str(ULID()), datetime.now(UTC))
            backs.append(time.perf_counter() - began)
    assert last is not None
    return {
        "messages": messages,
        "customers": sum(part.customers for part in last.parts),
        "conversations": sum(part.conversations for part in last.parts),
        "directory_keys": keys,
        "runs": runs,
        "plan_seconds": spread(plans),
        "run_seconds": spread(moves),
        "run_processor_seconds": spread(processor),
        "shared_seconds": spread(shares),
        "undo_seconds": spread(backs),
    }


def _newest_change(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.max(DirectoryChange.seq))) or 0


def show_handover(found: HandOverFigures, console: Console) -> None:
    """Print what measure_handover found."""
    databases = found["databases"]
    table = Table("", *databases, title="hand-over of a rep: median seconds (greatest)")
    sizes = [
        (one["messages"], one["customers"], one["conversations"], one["directory_keys"]) for one in databases.values()
    ]
    for heading, numbers in zip(
        ("messages", "customers", "conversations", "directory keys"), zip(*sizes, strict=True), strict=True
    ):
        table.add_row(heading, *(f"{number:,}" for number in numbers))
    times = [
        (
            one["plan_seconds"],
            one["run_seconds"],
            one["run_processor_seconds"],
            one["shared_seconds"],
            one["undo_seconds"],
        )
        for one in databases.values()
    ]
    headings = ("a look", "to one", "of it our processor time", "to two, by country", "undone")
    for heading, spreads in zip(headings, zip(*times, strict=True), strict=True):
        table.add_row(heading, *(f"{one['median']:.2f} ({one['greatest']:.2f})" for one in spreads))
    console.print(table)
