# SPDX-License-Identifier: GPL-3.0-or-later
"""The trip of some mails, followed from the 250 reply to the record, and counted by four independent witnesses."""

import smtplib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from crm_sync.database import DatabaseError, open_database
from crm_sync.models.mail import Arrival
from postfix.sandbox.mailboxes import queue_id_of
from postfix.sandbox.processes import SandboxError
from postfix.sandbox.samples import Sample
from postfix.sandbox.sending import Mailer, Stranger
from postfix.sandbox.service_stack import ServiceStack
from tradepost.journal import Journal

# A documentation address (RFC 5737): mail on port 25 comes from outside, never from the loopback.
OUTSIDE_ADDRESS = "203.0.113.25"
DELIVERY_SECONDS = 40
RECORDING_SECONDS = 20
# So long may an answer wait for the letter it answers to be recorded: a person takes longer to type it.
THREAD_SECONDS = 5
COUNTED = ("confirmed", "assumed")

Told = Callable[[str], None]


@dataclass(slots=True)
class Trip:
    """One mail's trip.  `problems` says in words what is missing; empty when it arrived, marked and recorded."""

    sample: Sample
    queue_id: str | None = None
    reply_ms: float = 0.0
    entry_id: str | None = None
    delivered: bool = False
    marked: bool = False
    recorded: bool = False
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Counts:
    """sent: 250 replies; delivered: mailbox files by queue id in Postfix's log; marked: their X-Tradepost-Id stands in the
    journal or the ledger; recorded: rows that a fresh connection reads."""

    sent: int
    delivered: int
    marked: int
    recorded: int

    @property
    def are_equal(self) -> bool:
        return self.sent == self.delivered == self.marked == self.recorded

    def __str__(self) -> str:
        return f"demo: {self.sent} sent, {self.delivered} delivered, {self.marked} marked, {self.recorded} recorded"


class Demonstration:
    """Sends samples through a running stack and looks for each at every station."""

    def __init__(self, stack: ServiceStack, samples: Sequence[Sample]) -> None:
        self._stack = stack
        self._postfix = stack.postfix
        self.trips = [Trip(sample) for sample in samples]

    def counts(self) -> Counts:
        """Return how many mails passed each station."""
        return Counts(
            sent=sum(trip.queue_id is not None for trip in self.trips),
            delivered=sum(trip.delivered for trip in self.trips),
            marked=sum(trip.marked for trip in self.trips),
            recorded=sum(trip.recorded for trip in self.trips),
        )

    def send_all(self, told: Told) -> None:
        """Send every sample in order; `told` hears each name before it goes."""
        for trip in self.trips:
            told(trip.sample.name)
            if trip.sample.thread is not None:
                self._let_thread_settle(trip)
            self._send(trip)

    def _send(self, trip: Trip) -> None:
        sample = trip.sample
        try:
            with self._session(sample) as session:
                began = time.perf_counter()
                trip.queue_id = session.send(sample.sender, sample.recipients, sample.content, smtputf8=sample.smtputf8)
                trip.reply_ms = (time.perf_counter() - began) * 1000
        except (OSError, smtplib.SMTPException) as error:
            trip.problems.append(f"not sent: {_words(error)}")

    def _session(self, sample: Sample) -> Mailer:
        if sample.login is not None:
            return self._postfix.submitting(sample.login)
        domain = sample.sender.rpartition("@")[2]
        name = f"mail.{domain}" if domain.isascii() and domain else "mail.outside.example"
        return self._postfix.arriving(stranger=Stranger(OUTSIDE_ADDRESS, name))

    def _let_thread_settle(self, trip: Trip) -> None:
        if not self._stack.is_running("sync") or not self._stack.is_running("milter"):
            return
        earlier = [t.queue_id for t in self.trips if t.sample.thread == trip.sample.thread and t.queue_id]
        end = time.monotonic() + THREAD_SECONDS
        while set(earlier) - set(self._recorded()) and time.monotonic() < end:
            time.sleep(0.05)

    def await_delivery(self) -> None:
        """Wait until the queue has let go of every mail, then match files, log and journal."""
        queue_ids = [trip.queue_id for trip in self.trips if trip.queue_id]
        try:
            self._postfix.wait_for(queue_ids, DELIVERY_SECONDS)
        except SandboxError:
            pass  # told mail by mail below
        for trip in self.trips:
            if trip.queue_id is not None:
                self._check_delivery(trip)

    def _check_delivery(self, trip: Trip) -> None:
        """Every recipient whose delivery the log reports must have a file, inside or outside, under that queue id."""
        assert trip.queue_id is not None
        deliveries = self._postfix.log.deliveries(trip.queue_id)
        copies = self._postfix.mailboxes.by_queue_id(trip.queue_id)
        departed = [mail for mail in self._postfix.outside.mails() if queue_id_of(mail.content) == trip.queue_id]
        places = {copy.mailbox for copy in copies} | {to for mail in departed for to in mail.recipients}
        reported = {delivery.recipient for delivery in deliveries if delivery.status == "sent"}
        lost = {recipient.lower() for recipient in reported} - {place.lower() for place in places}
        trip.delivered = bool(reported) and not lost and self._postfix.log.is_removed(trip.queue_id)
        if not trip.delivered:
            fate = ", ".join(f"{d.recipient} {d.status}" for d in deliveries) or "nothing in the log"
            trip.problems.append(f"not delivered: {fate}{f'; no file for {sorted(lost)}' if lost else ''}")
        if any(b"\nx-tradepost-" in mail.content.split(b"\r\n\r\n")[0].lower() for mail in departed):
            trip.problems.append("left the company with our marks")
        ids = {value for copy in copies for value in copy.marks().get("x-tradepost-id", [])}
        trip.entry_id = min(ids) if len(ids) == 1 else None

    def await_records(self, told: Callable[[int], None]) -> None:
        """Wait until every mail is marked and recorded, or nothing has changed for a while; then say what is missing."""
        is_complete = self._stack.is_running("sync") and self._stack.is_running("milter")
        patience = RECORDING_SECONDS if is_complete else 3
        end = time.monotonic() + patience
        best = -1
        while True:
            self._look()
            found = sum(trip.recorded for trip in self.trips)
            told(found)
            if found > best:
                best, end = found, time.monotonic() + patience
            if all(trip.recorded and trip.marked for trip in self.trips if trip.queue_id) or time.monotonic() > end:
                break
            time.sleep(0.1)
        for trip in self.trips:
            if trip.queue_id and not trip.marked:
                trip.problems.append("not marked")
            if trip.queue_id and not trip.recorded:
                trip.problems.append("not recorded")

    def _look(self) -> None:
        # The journal first: an entry leaves it only after the ledger has it, so between the two looks none is missed.
        journaled = self._journaled()
        ledger = self._recorded()
        for trip in self.trips:
            if trip.queue_id is not None:
                known = journaled | set(ledger.get(trip.queue_id, {}))
                trip.marked = trip.entry_id is not None and trip.entry_id in known
                trip.recorded = any(word in COUNTED for word in ledger.get(trip.queue_id, {}).values())

    def _journaled(self) -> set[str]:
        """Return the ids of all entries that wait or were put aside."""
        journal = Journal(self._stack.settings.journal_dir)
        if not journal.new.is_dir():
            return set()  # no milter has ever run here
        return set(journal.waiting()) | {entry_id for entry_id, _ in journal.failures()}

    def _recorded(self) -> dict[str, dict[str, str]]:
        """Return queue id -> entry id -> acceptance, read on a fresh connection."""
        try:
            database = open_database(self._stack.settings.database_url)
        except DatabaseError:
            return {}
        try:
            with database.reading() as session:
                rows = session.execute(
                    select(Arrival.queue_id, Arrival.entry_id, Arrival.acceptance).where(
                        Arrival.instance == self._postfix.site.hostname
                    )
                )
                found: dict[str, dict[str, str]] = {}
                for queue_id, entry_id, acceptance in rows:
                    found.setdefault(queue_id, {})[entry_id] = acceptance
                return found
        finally:
            database.close()


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return f"{error.smtp_code} {text}"
    return str(error)
