# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole recording side in a folder: journal, database, directory, worker; tests post mail into it and look."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from record_servers import SQLITE, RecordServer
from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.blobs import BlobStore
from crm_sync.company import apply_company
from crm_sync.company_file import parse_company
from crm_sync.database import Database, open_database
from crm_sync.models.conversations import Conversation, Event
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.mail import Arrival, Message
from crm_sync.models.people import Person
from crm_sync.projector import Projector
from crm_sync.second_opinions import SecondOpinions
from crm_sync.sources import JournalSource, Source
from crm_sync.worker import Follower, Worker
from tradepost.analysis import Extract
from tradepost.arrival import Arrival as Seen
from tradepost.envelope import Client, Envelope
from tradepost.journal import Journal, Reserve
from tradepost.local_directory import LocalDirectory, LocalDirectoryWriter
from tradepost.message import Message as Letter
from tradepost.mime_reading import parse_message
from tradepost.settings import WorkerSettings
from tradepost.verdict import Direction, Labels, Priority, Recording, Verdict

ANN, BOB, EVE = "ann@own.example", "bob@own.example", "eve@own.example"
COMPANY: dict[str, Any] = {
    "company": {"name": "Own Trading", "domains": ["own.example"]},
    "person": [
        {"email": ANN, "name": "Ann", "login": "ann", "languages": ["en"]},
        {"email": BOB, "name": "Bob", "login": "bob", "languages": ["en"]},
        {"email": EVE, "name": "Eve", "login": "eve", "role": "administrator"},
    ],
    "pool": [
        {"name": "sales", "addresses": ["sales@own.example"], "members": [ANN, BOB]},
        {"name": "info", "addresses": ["info@own.example"], "members": [ANN]},
    ],
}
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
OWNER_FIELDS = ("customer", "contact", "conversation", "owner")


class PlainAnalyst:
    """An analyst that takes the category from a header field: what is tested here is not the classifier."""

    def label(self, message: Letter, now: datetime, *, sender: str | None = None) -> Labels:
        return Labels(category=message.header("X-Category") or "inquiry", priority=Priority.NORMAL, language="en")

    def extract(self, message: Letter, labels: Labels | None = None) -> Extract:
        if message.header("X-Poison"):
            raise ValueError("this letter can't be taken apart")
        return Extract(new_text=message.text)

    def refresh(self) -> None:
        """It never learns."""


@dataclass(frozen=True)
class Mail:
    """One mail as it goes into the journal."""

    sender: str = "buyer@acme.example"
    to: tuple[str, ...] = ("sales@own.example",)
    recipients: tuple[str, ...] | None = None  # the envelope; None: as in To and Cc
    cc: tuple[str, ...] = ()
    subject: str = "Request"
    text: str = "Please quote 500 pieces."
    message_id: str = "<1@acme.example>"
    references: tuple[str, ...] = ()
    category: str | None = "inquiry"
    confidence: float | None = None
    is_automatic: bool = False
    direction: Direction = Direction.INBOUND
    recording: Recording = Recording.FULL
    owner: str | None = None
    owner_reason: str | None = None
    operator: str | None = None
    login: str = ""
    missing: tuple[str, ...] = OWNER_FIELDS
    headers: tuple[tuple[str, str], ...] = ()
    attachment: bytes = b""
    reasons: tuple[str, ...] = ()

    def raw(self) -> bytes:
        """Return the message bytes."""
        fields = [
            ("From", self.sender),
            ("To", ", ".join(self.to)),
            ("Date", "Mon, 02 Mar 2026 08:00:00 +0000"),
            ("Subject", self.subject),
            *self.headers,
        ]
        if self.cc:
            fields.append(("Cc", ", ".join(self.cc)))
        if self.message_id:
            fields.append(("Message-ID", self.message_id))
        if self.references:
            fields += [("References", " ".join(self.references)), ("In-Reply-To", self.references[-1])]
        body = self.text.encode()
        if self.attachment:
            fields += [("MIME-Version", "1.0"), ("Content-Type", 'multipart/mixed; boundary="b"')]
            body = b"--b\r\nContent-Type: text/plain\r\n\r\n%s\r\n--b\r\nContent-Type: application/pdf\r\n" % body
            body += b"Content-Disposition: attachment; filename=offer.pdf\r\n\r\n%s\r\n--b--\r\n" % self.attachment
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return head.encode("utf-8", "surrogateescape") + b"\r\n" + body + b"\r\n"


def reply(operator: str = ANN, to: str = "buyer@acme.example", **changes: Any) -> Mail:
    """Return what a rep sends through submission."""
    mail = Mail(
        sender=operator,
        to=(to,),
        message_id="<r1@own.example>",
        subject="Re: Request",
        text="Here is our quote.",
        category=None,
        direction=Direction.OUTBOUND,
        operator=operator,
        login=operator.partition("@")[0],
    )
    return replace(mail, **changes)


def hire(database: Database) -> None:
    with database.writing() as session:
        apply_company(session, parse_company(COMPANY, "company"))


@dataclass
class MailRoom:
    """The recording side.  `clock` moves by a minute with every mail posted."""

    root: Path
    server: RecordServer = SQLITE
    url: str = ""  # of a database that is there already; empty: a new one
    follower: Follower | None = None
    settings: WorkerSettings = field(default_factory=lambda: WorkerSettings(batch_ms=60_000))
    clock: datetime = START
    second_opinions: SecondOpinions | None = None

    def __post_init__(self) -> None:
        self._is_own = not self.url
        self.url = self.url or self.server.new(self.root, hire)
        self.database: Database = open_database(self.url, busy_ms=200)
        self.journal = Journal(self.root / "journal", Reserve(0, 0))
        self.journal.create()
        self.directory_file = self.root / "directory.sqlite"
        self.blobs = BlobStore(self.root / "blobs")
        self.blobs.create()
        self.stop = threading.Event()
        self.worker = self.new_worker()

    def new_worker(self, kind: type[Worker] = Worker, source: Source | None = None) -> Worker:
        """Return another worker on the same folder, as after a restart.  `source` None: the journal."""
        return kind(
            database=self.database,
            source=source or JournalSource(self.journal, self.stop),
            blobs=BlobStore(self.blobs.root),
            read=partial(parse_message, payloads=True),
            analyst=PlainAnalyst(),
            projector=self.projector(),
            follower=self.follower,
            settings=self.settings,
            stop=self.stop,
            clock=self.now,
            second_opinions=self.second_opinions,
        )

    def now(self) -> datetime:
        """Return the room's time."""
        return self.clock

    def projector(self) -> Projector:
        """Return a projector into the room's directory."""
        return Projector(self.database, partial(LocalDirectoryWriter, self.directory_file), self.now)

    def post(self, mail: Mail, **changes: Any) -> str:
        """Put a mail into the journal as the milter does; return its entry id."""
        mail = replace(mail, **changes)
        self.clock += timedelta(minutes=1)
        raw = mail.raw() if mail.recording is Recording.FULL else b""
        entry_id = str(ULID.from_datetime(self.clock))
        labels = Labels(
            category=mail.category,
            confidence=mail.confidence,
            priority=Priority.NORMAL,
            language="en",
            is_automatic=mail.is_automatic,
        )
        verdict = Verdict(
            direction=mail.direction,
            labels=labels,
            recording=mail.recording,
            owner=mail.owner,
            owner_reason=mail.owner_reason,
            operator=mail.operator,
            reasons=mail.reasons,
            missing=mail.missing,
        )
        recipients = (*mail.to, *mail.cc) if mail.recipients is None else mail.recipients
        envelope = Envelope(f"4{entry_id[-9:]}", mail.sender, recipients, Client(login=mail.login))
        self.journal.write(Seen(entry_id, "mx.own.example", self.clock, envelope, verdict, len(raw)), (raw,))
        return entry_id

    def record(self, *mails: Mail) -> list[str]:
        """Post mails and record them; return their entry ids."""
        entry_ids = [self.post(mail) for mail in mails]
        self.worker.drain()
        return entry_ids

    def directory(self) -> LocalDirectory:
        """Open the milter's side of the directory."""
        return LocalDirectory(self.directory_file, deadline_ms=1000, stale_after_seconds=10**9)

    @contextmanager
    def looking(self) -> Iterator["Look"]:
        """Open the records for a look."""
        with self.database.reading() as session:
            yield Look(session)

    def close(self) -> None:
        """Release everything."""
        self.worker.close()
        self.blobs.close()
        self.database.close()
        if self._is_own:
            self.server.drop(self.url)


@dataclass
class Look:
    """Questions that tests ask of the records."""

    session: Session

    def arrival(self, entry_id: str) -> Arrival:
        return self.session.get_one(Arrival, entry_id)

    def message(self, entry_id: str) -> Message:
        key = self.arrival(entry_id).message_id
        assert key is not None
        return self.session.get_one(Message, key)

    def conversation(self, entry_id: str) -> Conversation:
        return self.session.get_one(Conversation, self.message(entry_id).conversation_id)

    def assignee(self, entry_id: str) -> str | None:
        key = self.conversation(entry_id).assignee_id
        return self.session.get_one(Person, key).email if key else None

    def customers(self) -> list[Customer]:
        return list(self.session.scalars(select(Customer).order_by(Customer.id)))

    def owner(self, customer: Customer) -> str | None:
        key = self.session.get_one(Scope, customer.scope_id).owner_id
        return self.session.get_one(Person, key).email if key else None

    def steps(self, entry_id: str) -> set[str]:
        return set(self.session.scalars(select(Event.step).where(Event.cause_id == entry_id)))

    def details(self, entry_id: str, step: str) -> dict[str, Any]:
        wanted = select(Event.details).where(Event.cause_id == entry_id, Event.step == step)
        details: dict[str, Any] = self.session.scalars(wanted).one()
        return details

    def load(self, email: str) -> int:
        return self.session.scalars(select(Person.open_conversations).where(Person.email == email)).one()

    def count(self, model: type[Any]) -> int:
        return len(self.session.scalars(select(model)).all())

    def all_conversations(self, entry_ids: Sequence[str]) -> set[int]:
        return {self.message(entry_id).conversation_id for entry_id in entry_ids}
