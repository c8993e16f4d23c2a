# SPDX-License-Identifier: GPL-3.0-or-later
"""The company's records: mails are read in other processes and recorded in one transaction after another, as the worker does it.

What does not bear on the records is left out: journal, blob store, mail log.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import cast

from ulid import ULID

from bench.simulation.arrival import Milter, open_milter
from bench.simulation.mails import Mail
from bench.simulation.world import OWN_DOMAINS, POOLS, World
from crm_sync.blobs import BlobStore
from crm_sync.company import apply_company
from crm_sync.company_file import parse_company
from crm_sync.database import Database, open_database
from crm_sync.letters import Letter, read_letter
from crm_sync.policy_store import PolicyView, fetch_policy
from crm_sync.recording import record_letters
from crm_sync.schema import upgrade_schema
from tradepost.analysis import Analyst, load_analyst
from tradepost.arrival import Arrival
from tradepost.envelope import Client, Envelope
from tradepost.mime_reading import parse_message
from tradepost.verdict import Labels, Priority, Recording, Verdict

BATCH = 50
_AHEAD = 6  # batches that are read while one is recorded
_DECIDED = 4
_OWNER = ("customer", "contact", "conversation", "owner")
_LABELS = ("category", "priority", "language", "country")


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal entry that was never a file."""

    arrival: Arrival
    content: bytes

    def raw(self) -> bytes:
        return self.content


class Digests:
    """A blob store that keeps nothing."""

    def store(self, data: bytes) -> str:
        return sha256(data).hexdigest()


_analyst: Analyst | None = None


def entry_of(mail: Mail) -> Entry:
    """Return the entry as the milter would write it when its directory does not know."""
    raw = mail.raw()
    sender = mail.sender[1] if mail.envelope_sender is None else mail.envelope_sender
    envelope = Envelope(f"Q{mail.number:09d}", sender, mail.recipients, Client(login=mail.login))
    # Some answers come unlabelled: the milter had no time, the worker's own classifier speaks.  What opens a thread keeps its
    # true category: whether an inquiry is read as one is measured elsewhere.
    is_unlabelled = mail.number % 10 == 7 and bool(mail.links)
    labels = Labels(
        category=mail.category, confidence=0.9, priority=Priority.NORMAL, language=mail.language,
        is_automatic=mail.is_automatic,
    )  # fmt: skip
    verdict = Verdict(
        direction=mail.direction,
        labels=Labels() if is_unlabelled else labels,
        operator=mail.operator,
        missing=(*_OWNER, *(_LABELS if is_unlabelled else ())),
    )
    arrival = Arrival(entry_id(mail.number, mail.at), "mx.brightway.example", mail.at, envelope, verdict, len(raw))
    return Entry(arrival, raw)


def read_entries(entries: Sequence[Entry]) -> list[Letter]:
    """Read a batch, as the worker does."""
    global _analyst
    if _analyst is None:
        _analyst = load_analyst()
    read, blobs = partial(parse_message, payloads=True), cast(BlobStore, Digests())
    return [read_letter(entry, read, _analyst, blobs, lambda *_: None) for entry in entries]


@contextmanager
def open_office(world: World, folder: Path, url: str) -> Iterator["Office"]:
    """Open fresh records of the company.  `url` empty: a SQLite file in `folder`."""
    with ExitStack() as stack:
        database = open_database(url or f"sqlite:///{folder / 'records.sqlite'}", create=True)
        stack.enter_context(closing(database))
        upgrade_schema(database)
        company = {
            "company": {"name": world.own.spellings[0], "domains": list(OWN_DOMAINS)},
            "person": [
                {"email": rep.address, "name": rep.name, "login": rep.address, "addresses": [rep.other_address]}
                for rep in world.reps
            ],
            "pool": [
                {
                    "name": address.partition("@")[0],
                    "addresses": [address],
                    "members": [rep.address for rep in world.reps],
                }
                for address in POOLS
            ],
        }
        with database.writing() as session:
            apply_company(session, parse_company(company, "company"))
        with database.reading() as session:
            view = fetch_policy(session)
        yield Office(database, view, stack.enter_context(open_milter(folder / "host", database)))


@dataclass(slots=True)
class Office:
    """Records mails."""

    database: Database
    view: PolicyView
    milter: Milter

    def record(self, mails: Iterable[Mail], readers: int | None = None) -> Iterator[int]:
        """Record all mails in their order; yield after each batch how many were recorded in it."""
        readers = readers if readers is not None else os.cpu_count() or 1
        if readers < 2:
            for batch in _batches(mails):
                yield self._commit(batch, read_entries(batch))
            return
        with ProcessPoolExecutor(readers) as pool:
            ahead: deque[tuple[list[Entry], Future[list[Letter]]]] = deque()
            for batch in _batches(mails):
                ahead.append((batch, pool.submit(read_entries, batch)))
                if len(ahead) > _AHEAD:
                    entries, letters = ahead.popleft()
                    yield self._commit(entries, letters.result())
            while ahead:
                entries, letters = ahead.popleft()
                yield self._commit(entries, letters.result())

    def _commit(self, entries: Sequence[Entry], letters: Sequence[Letter]) -> int:
        decided = [self._decided(entry, letter) for entry, letter in zip(entries, letters, strict=True)]
        with self.database.writing() as session:
            new = record_letters(session, self.view, decided, letters[-1].arrival.arrived_at)
        self.milter.learn()
        return new

    def _decided(self, entry: Entry, letter: Letter) -> Letter:
        """Of every few mails one was decided by a milter that knew what was recorded until then; the others wait for it."""
        arrival = letter.arrival
        if number_of(arrival.entry_id) % _DECIDED or letter.labelled:
            return letter
        verdict = self.milter.decide(arrival, entry.content)
        arrival = replace(arrival, verdict=verdict)
        if verdict.recording is not Recording.FULL:
            return Letter(arrival, verdict.labels)
        return replace(letter, arrival=arrival)


def _batches(mails: Iterable[Mail]) -> Iterator[list[Entry]]:
    """Yield mails in batches.  Hours lie between a mail and its answer: its milter knows what was recorded before."""
    batch: list[Entry] = []
    first = 0
    for mail in mails:
        is_known_late = mail.number % _DECIDED == 0 and any(link.number >= first for link in mail.links)
        if batch and (len(batch) == BATCH or is_known_late):
            yield batch
            batch, first = [], mail.number
        batch.append(entry_of(mail))
    if batch:
        yield batch


def entry_id(number: int, at: datetime) -> str:
    """Return a ULID that holds the number of a mail."""
    return str(ULID.from_bytes(int(at.timestamp() * 1000).to_bytes(6, "big") + number.to_bytes(10, "big")))


def number_of(entry_id: str) -> int:
    """Return the number of the mail that came as this entry."""
    return int.from_bytes(bytes(ULID.from_str(entry_id))[6:], "big")
