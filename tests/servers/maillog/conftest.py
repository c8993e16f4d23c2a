# SPDX-License-Identifier: GPL-3.0-or-later
"""A real database with arrivals, and a mail log to write into."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from record_servers import RecordServer, nothing
from sqlalchemy import select
from ulid import ULID

from crm_sync.database import Database, open_database
from crm_sync.models.mail import Arrival
from tradepost.envelope import Envelope
from tradepost.verdict import Direction, Verdict

INSTANCE = "mx.example.test"


@dataclass
class Ledger:
    """The database, as the worker leaves it."""

    database: Database
    url: str

    def record(
        self,
        queue_id: str,
        at: datetime,
        *,
        recorded_at: datetime | None = None,
        sender: str = "ann@b.example",
        instance: str = INSTANCE,
    ) -> str:
        """Write an arrival's row; return its entry id."""
        entry_id = str(ULID.from_datetime(at))
        envelope = Envelope(queue_id, sender, ("sales@example.test",))
        with self.database.writing() as session:
            session.add(
                Arrival(
                    entry_id=entry_id, instance=instance, queue_id=queue_id, arrived_at=at,
                    recorded_at=recorded_at or at, direction="inbound", recording="full", envelope_sender=sender,
                    envelope=envelope, verdict=Verdict(Direction.INBOUND), facts={},
                )
            )  # fmt: skip
        return entry_id

    def acceptance(self, entry_id: str) -> tuple[str, datetime | None]:
        """Return (acceptance, accepted_at)."""
        with self.database.reading() as session:
            row = session.execute(
                select(Arrival.acceptance, Arrival.accepted_at).where(Arrival.entry_id == entry_id)
            ).one()
            return row.acceptance, row.accepted_at


@dataclass
class MailLog:
    """A log file and what Postfix writes into it.  Times are written with their offset."""

    path: Path
    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def write(self, daemon: str, text: str, at: datetime | None = None) -> datetime:
        """Append one line; return its time."""
        at = at or self.at
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{at.isoformat()} mx postfix/{daemon}[77]: {text}\n")
        return at

    def client(self, queue_id: str, at: datetime | None = None) -> None:
        self.write("smtpd", f"{queue_id}: client=mail.b.example[192.0.2.1]", at)
        self.write("cleanup", f"{queue_id}: message-id=<{queue_id}@b.example>", at)

    def active(self, queue_id: str, at: datetime | None = None, sender: str = "ann@b.example") -> datetime:
        return self.write("qmgr", f"{queue_id}: from=<{sender}>, size=325, nrcpt=1 (queue active)", at)

    def accept(self, queue_id: str, at: datetime | None = None, sender: str = "ann@b.example") -> None:
        """Write the whole trip of a delivered mail."""
        self.client(queue_id, at)
        self.active(queue_id, at, sender)
        self.write("virtual", f"{queue_id}: to=<sales@example.test>, relay=virtual, delay=0, delays=0/0/0/0, "
                   "dsn=2.0.0, status=sent (delivered to maildir)", at)  # fmt: skip
        self.write("qmgr", f"{queue_id}: removed", at)

    def end_of_message(self, queue_id: str, word: str, at: datetime | None = None) -> datetime:
        """Write what cleanup says when a milter answers EOM: milter-reject, milter-discard, milter-hold."""
        return self.write(
            "cleanup",
            f"{queue_id}: {word}: END-OF-MESSAGE from mail.b.example[192.0.2.1]: 4.7.1 try again later; "
            "from=<ann@b.example> to=<sales@example.test> proto=ESMTP helo=<c.example>",
            at,
        )


@pytest.fixture
def ledger(tmp_path: Path, server: RecordServer) -> Iterator[Ledger]:
    state = tmp_path / "state"
    state.mkdir()
    url = server.new(state, nothing)
    with closing(open_database(url)) as database:
        yield Ledger(database, url)
    server.drop(url)


@pytest.fixture
def mail_log(tmp_path: Path) -> MailLog:
    return MailLog(tmp_path / "mail.log")


@pytest.fixture
def earlier() -> datetime:
    """A time long enough ago for every grace, and long after the rest of the log began."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
