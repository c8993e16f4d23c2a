# SPDX-License-Identifier: GPL-3.0-or-later
"""From seen to accepted: follow the mail log and confirm or refuse the arrivals it speaks of.

`poll` is called between two batches, in a transaction of its own, and writes the position in the log together with what
was learned there: a kill in between repeats nothing and misses nothing.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, literal, select, update
from sqlalchemy.orm import Session

from crm_sync.evidence import Changes, Found, evidence_of, keep, prune, settle
from crm_sync.models.mail import Arrival
from crm_sync.models.service import MaillogPosition
from tradepost.acceptance import CLOCK_SLACK, Acceptance, Evidence, is_reusable
from tradepost.journal_follower import JournalFollower
from tradepost.log_follower import FileFollower, LogSource, Position
from tradepost.mail_queue import QueueProbe, QueueUnreadable
from tradepost.maillog import LogParser
from tradepost.metrics import Confirmation, Stage, count_confirmed, count_failure, report_maillog
from tradepost.settings import Settings

log = logging.getLogger("tradepost.maillog")

# An arrival may be recorded so much later than Postfix spoke of it: the worker was down, the database was away.
KEEP = timedelta(days=7)
# A long log is caught up on in pieces: nobody else writes meanwhile.
_POLL_SECONDS = 0.25
_POLL_FINDINGS = 2000
_RETRY_SECONDS = 5.0
_PRUNE_SECONDS = 3600.0
_RECHECK = timedelta(minutes=10)
_OVERLAP = timedelta(seconds=60)
# What another host's worker recorded bears that host's time, which may be off by so much.
_SKEW = timedelta(minutes=15)
_SKEW_LOOK = timedelta(seconds=5)
# Usually the log has spoken within a second; after this the queue itself is asked.
_ASK_QUEUE_AFTER = timedelta(seconds=60)
# A slow client may need so long from the first recipient to EOM.
_LONGEST_RECEPTION = timedelta(hours=1)

_WORDS = {
    Acceptance.CONFIRMED: Confirmation.ACCEPTED,
    Acceptance.REFUSED: Confirmation.REFUSED,
    Acceptance.ASSUMED: Confirmation.ASSUMED,
}


def _is_open_at(instance: str) -> ColumnElement[bool]:
    """Match open arrivals of a host so that SQLite takes the index of open arrivals, of which there are few."""
    # The word is written out, not bound, else the partial index is not seen to fit; and the host must not look as if it
    # could be searched for: its index leads to every mail there ever was.
    return and_(
        Arrival.acceptance == literal(Acceptance.PENDING.value, literal_execute=True),
        Arrival.instance.concat("") == instance,
    )


class Confirmer:
    """Confirms the arrivals of one Postfix.  Without a source they are assumed after a while."""

    def __init__(
        self,
        instance: str,
        source: LogSource | None,
        queue: QueueProbe | None = None,
        *,
        assume_after: timedelta = timedelta(minutes=10),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._instance = instance
        self._source = source
        self._queue = queue
        self._assume_after = assume_after
        self._clock = clock
        self._checked_until: datetime | None = None  # arrivals recorded before this were looked up
        self._rechecked_at: datetime | None = None
        self._looked_back_at: datetime | None = None
        self._retry_at = 0.0
        self._prune_at = 0.0
        self._complaints: set[str] = set()
        self._unread = ""

    def poll(self, session: Session) -> int:
        """Read on, write what was learned, return how many arrivals changed.  The caller commits."""
        now = self._clock()
        if self._source is None:
            changes = self._assume(session, now)
        else:
            touched = self._follow(session, self._source, now)
            touched |= self._recorded_late(session, now)
            touched |= self._ask_queue(session, now)
            changes = settle(session, self._instance, touched) if touched else {}
            self._prune(session, now)
        for acceptance, number in changes.items():
            count_confirmed(_WORDS[acceptance], number)
        return sum(changes.values())

    def close(self) -> None:
        """Let go of the log and of a question to the queue."""
        if self._source is not None:
            self._source.close()
        if self._queue is not None:
            self._queue.close()

    def _assume(self, session: Session, now: datetime) -> Changes:
        edge = now - self._assume_after
        silent = (
            update(Arrival)
            .where(
                Arrival.recorded_at <= now + _SKEW, Arrival.arrived_at <= edge,
                _is_open_at(self._instance),
            )
            .values(acceptance=Acceptance.ASSUMED.value, accepted_at=Arrival.arrived_at)
            .execution_options(synchronize_session=False)
        )  # fmt: skip
        number = session.connection().execute(silent).rowcount
        return {Acceptance.ASSUMED: number} if number else {}

    def _follow(self, session: Session, source: LogSource, now: datetime) -> set[str]:
        if time.monotonic() < self._retry_at:
            return set()
        row = session.get(MaillogPosition, (self._instance, source.name))
        before = Position(row.inode, row.offset, row.cursor) if row is not None else Position()
        position, found = before, list[Found]()
        deadline = time.monotonic() + _POLL_SECONDS
        try:
            while True:
                batch = source.read(position)
                position = batch.position
                found += filter(None, map(evidence_of, batch.events))
                if not batch.has_more or len(found) >= _POLL_FINDINGS or time.monotonic() > deadline:
                    break
        except OSError as error:
            place = error.filename or source.name
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            self._unread = f"{place}: {error.strerror or error}; nothing is confirmed until it can be read"
            self._complain(self._unread)
            return set()
        if self._unread:
            log.info("the mail log can be read again")
            self._complaints.discard(self._unread)
            self._unread = ""
        report_maillog()
        if position != before:
            self._store(session, row, source.name, position, now)
        edge = now - KEEP
        return keep(session, self._instance, [item for item in found if item.at >= edge]) if found else set()

    def _store(
        self, session: Session, row: MaillogPosition | None, name: str, position: Position, now: datetime
    ) -> None:
        if row is None:
            row = MaillogPosition(instance=self._instance, path=name)
            session.add(row)
        row.inode, row.offset, row.cursor, row.read_at = position.inode, position.offset, position.mark, now
        session.flush()

    def _recorded_late(self, session: Session, now: datetime) -> set[str]:
        """Return queue ids of open arrivals that were recorded since the last look: their evidence may be there."""
        since = self._checked_until
        if since is None or self._rechecked_at is None or now - self._rechecked_at >= _RECHECK:
            since = now - KEEP
            self._rechecked_at = now
        elif self._looked_back_at is None or now - self._looked_back_at >= _SKEW_LOOK:
            since = min(since, now - _SKEW)
            self._looked_back_at = now
        # The clock may have been set back, and a transaction of ours rolled back.
        self._checked_until = now - _OVERLAP
        return set(
            session.scalars(
                select(Arrival.queue_id).where(
                    Arrival.recorded_at >= since,
                    _is_open_at(self._instance),
                )
            )
        )

    def _ask_queue(self, session: Session, now: datetime) -> set[str]:
        """What waits in Postfix's queue is accepted, also where the log can't say so (held by an access rule)."""
        if self._queue is None or not self._queue.is_due():
            return set()
        silent = defaultdict[str, list[datetime]](list)
        for row in session.execute(
            select(Arrival.queue_id, Arrival.arrived_at).where(
                Arrival.recorded_at.between(now - KEEP, now - _ASK_QUEUE_AFTER),
                _is_open_at(self._instance),
            )
        ):
            silent[row.queue_id].append(row.arrived_at)
        if not silent:
            return set()
        try:
            queued = self._queue.ask()
        except QueueUnreadable as error:
            self._complain(f"{error}; what the log leaves open stays unconfirmed")
            return set()
        found = [
            Found(mail.queue_id, Evidence.QUEUED, arrived_at)
            for mail in queued or ()
            for arrived_at in silent.get(mail.queue_id, ())
            if not is_reusable(mail.queue_id)
            or mail.queued_at - CLOCK_SLACK <= arrived_at <= mail.queued_at + _LONGEST_RECEPTION
        ]
        return keep(session, self._instance, found)

    def _prune(self, session: Session, now: datetime) -> None:
        if time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + _PRUNE_SECONDS
            prune(session, self._instance, now - KEEP)

    def _complain(self, text: str) -> None:
        """Say it once, count it every time."""
        count_failure(Stage.CONFIRM)
        if text not in self._complaints:
            log.warning("%s", text)
        self._complaints.add(text)


def make_confirmer(settings: Settings) -> Confirmer:
    """Build the confirmer that the settings ask for."""
    maillog = settings.maillog
    parser = LogParser(maillog.syslog_name)
    source: LogSource | None = None
    if maillog.source == "file":
        source = FileFollower(maillog.path, parser)
    elif maillog.source == "journald":
        source = JournalFollower(parser)
    return Confirmer(
        settings.host.instance,
        source,
        QueueProbe(maillog.queue_command) if source is not None else None,
        assume_after=timedelta(seconds=maillog.assume_after_seconds),
    )
