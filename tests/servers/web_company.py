# SPDX-License-Identifier: GPL-3.0-or-later
"""A company whose letters are written as rows: what the tests of the web room look at."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.database import Database
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.mail import Arrival, Blob, Message, MessagePart, MessageRecipient, MessageText
from tradepost.envelope import Client, Envelope
from tradepost.health import DirectoryReading, JournalReading, MilterReading, Readings, WorkerReading
from tradepost.verdict import Direction, Labels, Priority, Recording, Verdict

SignIn = Callable[[str], FlaskClient]


START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)

WELL = Readings(
    version="0.1.0",
    journal=JournalReading(entries=0, oldest_seconds=0.0, failed=0, is_full=False),
    directory=DirectoryReading(generation=1, seq=9, age_seconds=1.0, stale_after_seconds=300.0),
    worker=WorkerReading(silent_seconds=1.0, lag_seconds=0.1, unconfirmed=0),
    milter=MilterReading(silent_seconds=0.5, children=2, children_wanted=2, callback_seconds=0.0, watchdog_seconds=6.0),
    confirmation="file",
    maillog_silent_seconds=1.0,
)


@dataclass
class Clock:
    """A time that moves only when a test moves it."""

    now: datetime = START + timedelta(hours=1)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Company:
    """People by first name, a pool, and a way to add letters.  Ids are those of the database."""

    database: Database
    people: dict[str, int] = field(default_factory=dict)
    pool_id: int = 0
    letters: int = 0
    is_stopped: bool = False

    def add_letter(
        self,
        *,
        owner: str | None = None,
        direction: Direction = Direction.INBOUND,
        subject: str = "Price of 500 wrenches",
        sender: str = "ana@ferreteria.example",
        sender_name: str = "Ana Ruiz",
        text: str = "Please quote 500 pieces.",
        category: str = "inquiry",
        acceptance: str = "confirmed",
        recipients: tuple[str, ...] = ("sales@brightway.example",),
        named: tuple[str, ...] = ("sales@brightway.example",),
        operator: str | None = None,
        customer: str = "Ferretería Bajío",
        verdict: Verdict | None = None,
        files: tuple[tuple[str, str, int], ...] = (),
        conversation_id: int | None = None,
        completion: dict[str, object] | None = None,
        second_opinion: dict[str, object] | None = None,
        defects: tuple[str, ...] = (),
    ) -> str:
        """Record one letter of a customer owned by `owner` (None: it lies in the pool) and return its entry id."""
        at = self._next_moment()
        entry_id = str(ULID.from_datetime(at))
        labels = Labels(category, 0.91, Priority.HIGH, "asks-for-quote", "es", "MX", "phone", reasons=("model",))
        verdict = verdict or Verdict(direction, labels, owner=f"{owner}@brightway.example" if owner else None)
        with self.database.writing() as session:
            if conversation_id is None:
                conversation_id = self._open_conversation(session, owner, customer, subject, at)
            conversation = session.get_one(Conversation, conversation_id)
            message = Message(
                content_key=f"{self.letters:064}",
                rfc_message_id=f"<{self.letters}@ferreteria.example>",
                conversation_id=conversation.id,
                scope_id=conversation.scope_id,
                direction=direction.value,
                at=at,
                sent_at=at,
                from_address=sender,
                from_name=sender_name,
                subject=subject,
                category=category,
                priority="high",
                language="es",
                country="MX",
                operator_id=self.people[operator] if operator else None,
                defects=list(defects),
            )
            session.add(message)
            session.flush()
            session.add(MessageText(message_id=message.id, new_text=text, entities={"quantity": 500.0, "unit": None}))
            session.add_all(MessageRecipient(message_id=message.id, address_key=to, kind="to") for to in named)
            for number, (name, content_type, octets) in enumerate(files, 1):
                digest = f"{self.letters:032}{number:032}"
                session.add(Blob(sha256=digest, octets=octets))
                session.flush()
                session.add(
                    MessagePart(
                        message_id=message.id,
                        part_no=str(number),
                        sha256=digest,
                        filename=name,
                        content_type=content_type,
                        octets=octets,
                    )
                )
            client = Client("mx.ferreteria.example", "203.0.113.9", tls="TLSv1.3")
            session.add(
                _arrival(
                    entry_id,
                    at,
                    Envelope(f"4Q{self.letters:08}", sender, recipients, client),
                    verdict,
                    acceptance,
                    message_id=message.id,
                    operator_id=self.people[operator] if operator else None,
                    login=operator or "",
                    rfc_message_id=message.rfc_message_id,
                    completion={
                        **({"decided_by": "completion", "fields": completion} if completion else {}),
                        **({"second_opinion": second_opinion} if second_opinion else {}),
                    },
                )
            )
        return entry_id

    def add_envelope(self) -> str:
        """Record an arrival of which only the envelope may be kept, and return its entry id."""
        at = self._next_moment()
        entry_id = str(ULID.from_datetime(at))
        envelope = Envelope(f"4Q{self.letters:08}", "li.na@brightway.example", ("zhang.wei@brightway.example",))
        with self.database.writing() as session:
            verdict = Verdict(Direction.INTERNAL, recording=Recording.ENVELOPE, reasons=("internal",))
            session.add(_arrival(entry_id, at, envelope, verdict, "confirmed"))
        return entry_id

    def add_arrival(self, entry_id: str) -> str:
        """Let a letter arrive once more, by another transaction, and return the new entry id."""
        at = self._next_moment()
        again = str(ULID.from_datetime(at))
        with self.database.writing() as session:
            first = session.get_one(Arrival, entry_id)
            envelope = msgspec.convert(first.envelope, Envelope)
            verdict = msgspec.convert(first.verdict, Verdict)
            session.add(_arrival(again, at, envelope, verdict, "confirmed", message_id=first.message_id))
        return again

    @contextmanager
    def stopped_time(self) -> Iterator[None]:
        """Let everything arrive in one moment."""
        self.is_stopped = True
        yield
        self.is_stopped = False

    def _next_moment(self) -> datetime:
        self.letters += 1
        return START + timedelta(minutes=0 if self.is_stopped else self.letters)

    def conversation_of(self, entry_id: str) -> int:
        """Return the conversation a letter was put into."""
        with self.database.reading() as session:
            message_id = session.get_one(Arrival, entry_id).message_id
            return session.get_one(Message, message_id).conversation_id

    def _open_conversation(self, session: Session, owner: str | None, customer: str, subject: str, at: datetime) -> int:
        def scope(kind: str) -> Scope:
            made = Scope(
                kind=kind,
                owner_id=self.people[owner] if owner else None,
                pool_id=None if owner else self.pool_id,
            )
            session.add(made)
            session.flush()
            return made

        known = Customer(
            public_id=str(ULID()),
            scope_id=scope("customer").id,
            name=customer,
            kind="customer",
            grade="A",
            created_at=at,
        )
        session.add(known)
        session.flush()
        conversation = Conversation(
            public_id=str(ULID()),
            scope_id=scope("conversation").id,
            customer_id=known.id,
            subject=subject,
            opened_at=at,
        )
        session.add(conversation)
        session.flush()
        return conversation.id


def _arrival(
    entry_id: str, at: datetime, envelope: Envelope, verdict: Verdict, acceptance: str, **more: object
) -> Arrival:
    return Arrival(
        entry_id=entry_id,
        instance="mx.brightway.example",
        queue_id=envelope.queue_id,
        arrived_at=at,
        recorded_at=at,
        direction=verdict.direction.value,
        recording=verdict.recording.value,
        envelope_sender=envelope.sender,
        envelope=msgspec.to_builtins(envelope),
        verdict=msgspec.to_builtins(verdict),
        facts={},
        raw_bytes=4321,
        acceptance=acceptance,
        **more,
    )


def form_key(page: str) -> str:
    """Return the CSRF token of the first form of a page."""
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]
