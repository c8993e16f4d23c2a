# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the books that reconcile compares, in the order that keeps a running system from looking wrong.

Log before seen list, seen list before journal, journal before ledger: a mail moves that way, so what an earlier book
shows must stand in a later one already.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.log_history import MARGIN, CannotCompare, find_log_files, first_stamp, read_journald, read_log_file
from crm_sync.models.mail import Arrival
from crm_sync.reconcile import Books, JournalEntry, LedgerRow, Window
from crm_sync.trails import Trails
from tradepost.acceptance import Acceptance
from tradepost.arrival import UnreadableEntry, decode_arrival
from tradepost.errors import Refusal
from tradepost.journal import HEAD_LIMIT, Journal, Sighting, read_seen
from tradepost.mail_queue import QueuedMail, QueueUnreadable, fetch_queue
from tradepost.maillog import LogParser
from tradepost.settings import Settings

DEFAULT_SPAN = timedelta(days=7)
_AT_ONCE = 400
_UNDATED = datetime.fromtimestamp(0, UTC)

# Told (bytes read, bytes in all) while the log is read; all 0: nobody knows.
Progress = Callable[[int, int], None]
Reading = Callable[[], AbstractContextManager[Session]]


def default_since(settings: Settings, now: datetime) -> datetime:
    """Return the last seven days, but not before this program saw its first mail or was installed.

    A whole second: Postfix's own log counts no smaller ones, and the first mail is no older than its line.
    """
    since = now - DEFAULT_SPAN
    seen = Journal(settings.journal_dir).seen
    try:
        first = next((sighting.at for sighting in read_seen(seen)), None) if seen.is_dir() else None
        key = settings.key_file
        installed = datetime.fromtimestamp(key.stat().st_mtime, UTC) if key.exists() else None
    except OSError as error:
        raise CannotCompare(f"{error.filename}: {error.strerror}") from error
    born = min((at for at in (first, installed) if at is not None), default=since)
    return max(since, born).replace(microsecond=0)


def read_books(settings: Settings, reading: Reading, window: Window, progress: Progress) -> Books:
    """Read everything.  Raises CannotCompare."""
    trails, log_since = _read_log(settings, window, progress)
    queued, complaint = _read_queue(settings)
    trails.note_queue(queued)
    trails.join_origins()
    sightings = _read_sightings(settings, window)
    entries = list(_read_entries(Journal(settings.journal_dir)))
    try:
        with reading() as session:
            ledger = _read_ledger(session, settings.host.instance, window)
            recorded = _recorded_ids(session, entries) | {row.entry_id for row in ledger}
    except CannotCompare:
        raise
    except Refusal as error:
        raise CannotCompare(str(error)) from error
    if not len(trails) and (ledger or sightings):
        raise CannotCompare(
            f"the mail log holds no line of {settings.maillog.syslog_name!r} since {window.since:%Y-%m-%d %H:%M} UTC; "
            "check [maillog] path and syslog_name"
        )
    if complaint and _needs_the_queue(trails, ledger, window):
        raise CannotCompare(complaint)
    return Books(trails, log_since, sightings, entries, ledger, frozenset(recorded))


def _read_log(settings: Settings, window: Window, progress: Progress) -> tuple[Trails, datetime]:
    parser = LogParser(settings.maillog.syslog_name)
    trails = Trails()
    if settings.maillog.source == "none":
        raise CannotCompare('[maillog] source is "none": without Postfix\'s log nothing can be compared')
    if settings.maillog.source == "journald":
        log_since: datetime | None = None
        for event in read_journald(parser, window.since - MARGIN):
            log_since = log_since or event.at
            trails.follow(event)
        return trails, log_since or window.now
    files, reaches_back = find_log_files(settings.maillog.path, window.since)
    total, done = sum(file.octets for file in files), 0
    for file in files:
        for event in read_log_file(file, parser, partial(_advance, progress, done, total)):
            trails.follow(event)
        done += file.octets
        progress(done, total)
    stamps = (first_stamp(file, parser) for file in files)
    begins = next((at for at in stamps if at is not None), window.now)
    return trails, window.since if reaches_back else begins


def _advance(progress: Progress, before: int, total: int, octets: int) -> None:
    progress(before + octets, total)


def _read_queue(settings: Settings) -> tuple[list[QueuedMail], str]:
    """Return the queue, or nothing and why it can't be listed: it matters only where the log leaves a doubt."""
    try:
        return fetch_queue(settings.maillog.queue_command), ""
    except QueueUnreadable as error:
        return [], str(error)


def _needs_the_queue(trails: Trails, ledger: list[LedgerRow], window: Window) -> bool:
    for row in ledger:
        trail = trails.find(row.queue_id, row.arrived_at)
        is_open = trail is None or trail.ruling().acceptance is Acceptance.PENDING
        if is_open and row.acceptance in (Acceptance.PENDING, Acceptance.ASSUMED) and row.arrived_at >= window.since:
            return True
    return False


def _read_sightings(settings: Settings, window: Window) -> list[Sighting]:
    folder = Journal(settings.journal_dir).seen
    try:
        found = list(read_seen(folder, window.since - MARGIN))
    except OSError as error:
        raise CannotCompare(f"{folder}: can't be read: {error.strerror}; run as root or as the service user") from error
    return [sighting for sighting in found if sighting.instance == settings.host.instance]


def _read_entries(journal: Journal) -> Iterator[JournalEntry]:
    try:
        failures = list(journal.failures())
        waiting = journal.waiting()
    except OSError as error:
        raise CannotCompare(
            f"{journal.root}: can't be read: {error.strerror}; run as root or the service user"
        ) from error
    for entry_id in waiting:
        if (entry := _read_entry(journal.new / entry_id, "")) is not None:
            yield entry
    for entry_id, reason in failures:
        if (entry := _read_entry(journal.failed / entry_id, f"in failed/: {reason}")) is not None:
            yield entry


def _read_entry(path: Path, problem: str) -> JournalEntry | None:
    """Read an entry's first line; None when it was acknowledged meanwhile."""
    try:
        with path.open("rb") as file:
            arrival = decode_arrival(file.readline(HEAD_LIMIT))
    except FileNotFoundError:
        return None
    except OSError as error:
        return JournalEntry(path.name, "", _born_at(path.name), "", problem or f"can't be read: {error.strerror}")
    except UnreadableEntry as error:
        return JournalEntry(path.name, "", _born_at(path.name), "", problem or f"can't be read: {error}")
    envelope = arrival.envelope
    return JournalEntry(path.name, envelope.queue_id, arrival.arrived_at, envelope.sender, problem)


def _born_at(entry_id: str) -> datetime:
    try:
        return ULID.from_str(entry_id).datetime
    except ValueError:
        return _UNDATED  # a foreign file


def _read_ledger(session: Session, instance: str, window: Window) -> list[LedgerRow]:
    rows = session.execute(
        select(
            Arrival.entry_id, Arrival.queue_id, Arrival.arrived_at, Arrival.envelope_sender, Arrival.acceptance
        ).where(Arrival.instance == instance, Arrival.arrived_at >= window.since - MARGIN)
    )
    return [LedgerRow(*row[:4], Acceptance(row.acceptance)) for row in rows]


def _recorded_ids(session: Session, entries: list[JournalEntry]) -> set[str]:
    found: set[str] = set()
    ids = iter(entry.entry_id for entry in entries)
    while some := list(islice(ids, _AT_ONCE)):
        found.update(session.scalars(select(Arrival.entry_id).where(Arrival.entry_id.in_(some))))
    return found
