# SPDX-License-Identifier: GPL-3.0-or-later
"""The sync worker: take entries, record a batch, commit, acknowledge.  Never in another order."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from crm_sync.blobs import BlobError, BlobStore
from crm_sync.conversations.handling import WAKE, wake_conversations
from crm_sync.database import Database, DatabaseConflict, DatabaseError, DatabaseUnavailable
from crm_sync.letters import Letter, ReadMessage, read_letter
from crm_sync.models.mail import Arrival
from crm_sync.policy_store import PolicyView, fetch_policy, fetch_policy_version
from crm_sync.projector import Projector
from crm_sync.recording import record_letters
from crm_sync.second_opinions import SecondOpinions
from crm_sync.sources import ReadEntry, Source, SourceUnreachable, Taken
from crm_sync.timers import is_any_due
from tradepost.analysis import Analyst, SecondOpinion
from tradepost.directory import DirectoryError
from tradepost.message import Message
from tradepost.metrics import Outcome, Stage, count_failure, count_recorded, count_shunted, report_worker
from tradepost.patience import Patience
from tradepost.settings import WorkerSettings
from tradepost.verdict import Labels

log = logging.getLogger("tradepost.crm_sync")

_BATCH_BYTES = 32 * 1024 * 1024  # raw mail held in memory before a commit
_TEND_SECONDS = 0.2
# A Redis that hangs costs seconds before it fails; records must not wait for it every time.
_SLOW_FAILURE_SECONDS = 0.5
_DIRECTORY_REST_SECONDS = 5.0
_REPORT = timedelta(seconds=5)
_LEARNED_SECONDS = 3.0  # between two looks for another model
_WAKE_SECONDS = 5.0  # between two looks for snoozed conversations
# These say that something around us failed: the entry is as good as before, and is tried again after a restart.
_INFRASTRUCTURE = (DatabaseError, OperationalError, InterfaceError, OSError)
# These of them pass by themselves (a blob store out of room too): the worker waits for it, anything else an administrator
# must mend.
_PASSING = (DatabaseUnavailable, SourceUnreachable, BlobError)
_LONGEST_REST_SECONDS = 30.0
# Another worker was in the way; each of them gives in now and then.
_CONFLICTS = 10


class Follower(Protocol):
    """What confirms arrivals between batches, in a transaction of its own."""

    def poll(self, session: Session) -> int:
        """Read on, write what was learned, return how many arrivals changed."""

    def close(self) -> None:
        """Let go of the log."""


class Finder(Protocol):
    """What looks for likely duplicates between batches."""

    def step(self) -> None:
        """Look at a few records that changed, unless it is too early."""


class Nightly(Protocol):
    """What is done once a night, aside."""

    def step(self) -> None:
        """Begin when it is time."""

    def close(self) -> None:
        """End what is under way."""


class Worker:
    """One worker.  Everything it needs is handed in; `run` serves until `stop` is set."""

    def __init__(
        self,
        *,
        database: Database,
        source: Source,
        blobs: BlobStore,
        read: ReadMessage,
        analyst: Analyst,
        projector: Projector,
        follower: Follower | None,
        settings: WorkerSettings,
        stop: threading.Event,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        nightly: Nightly | None = None,
        finder: Finder | None = None,
        second_opinions: SecondOpinions | None = None,
    ) -> None:
        self._database = database
        self._source = source
        self._blobs = blobs
        self._read = read
        self._analyst = analyst
        self._projector = projector
        self._follower = follower
        self._settings = settings
        self._stop = stop
        self._clock = clock
        self._view: PolicyView | None = None
        self._listed: deque[Taken] = deque()
        self._patience = Patience(log, first=1.0, longest=_LONGEST_REST_SECONDS)
        self._directory_patience = Patience(log)
        self._project_at = 0.0
        self._reported_at: datetime | None = None
        self._lag_seconds = 0.0
        self._tended_at = 0.0
        self._nightly = nightly
        self._finder = finder
        self._learned_at = 0.0
        self._woke_at = 0.0
        self._second_opinions = second_opinions

    def run(self) -> None:
        """Serve until told to stop: what was read is finished, committed and acknowledged first.

        What passes by itself (a database or Redis that is away, a full disk) is waited for.  Raises Refusal for what an administrator
        must mend; the journal keeps all.
        """
        while not self._stop.is_set():
            try:
                idle = self.step() == 0
            except _PASSING as error:
                count_failure(Stage.RECORD)
                self._patience.fail(f"{error}; trying again, the mail waits")
                self._rewind()
                self._stop.wait(self._patience.seconds_left)
                continue
            self._patience.succeed("recording goes on")
            if idle:
                self._source.wait(self._settings.poll_ms / 1000)

    def _rewind(self) -> None:
        """What was taken and not recorded is as good as before."""
        self._listed.clear()
        self._source.rewind()

    def drain(self) -> int:
        """Work until nothing waits; return how many entries left the journal."""
        total = 0
        while not self._stop.is_set() and (done := self.step()):
            total += done
        return total

    def step(self) -> int:
        """Record one batch; follow the log and tell the directory in between.  Returns how many entries left the journal."""
        letters, shunted = self._gather()
        if letters:
            self._record(letters)
        # While much waits, looking around after every batch would cost as much as recording it.
        is_pressed = self._listed or len(letters) >= self._settings.batch_mails
        if not is_pressed or time.monotonic() - self._tended_at >= _TEND_SECONDS:
            self._confirm()
            self._project()
            self._report()
            self._wake()
            self._learn()
            if self._finder is not None:
                self._finder.step()
            self._tended_at = time.monotonic()
        return len(letters) + shunted

    def _gather(self) -> tuple[list[Letter], int]:
        """Read entries until the batch is full, its time is up or we are to stop.  Returns (letters, put aside)."""
        if not self._listed:
            self._listed.extend(self._source.take())
        # Where a full batch waits, the mails behind it wait longer for two small commits than for a full one.
        is_pressed = len(self._listed) >= self._settings.batch_mails
        letters: list[Letter] = []
        octets = shunted = 0
        deadline = time.monotonic() + self._settings.batch_ms / 1000
        while self._listed and len(letters) < self._settings.batch_mails and octets < _BATCH_BYTES:
            if self._stop.is_set() or (letters and not is_pressed and time.monotonic() > deadline):
                break
            taken = self._listed.popleft()
            try:
                entry = taken.open()
                octets += entry.arrival.raw_bytes
                letters.append(self._read_letter(entry))
            except FileNotFoundError:
                continue  # somebody retried or removed it meanwhile
            except _INFRASTRUCTURE:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a bad entry causes, the next one is recorded
                self._put_aside(taken.entry_id, error)
                shunted += 1
        return letters, shunted

    def _read_letter(self, entry: ReadEntry) -> Letter:
        return read_letter(entry, self._read, self._analyst, self._blobs, self._ask_again)

    def _ask_again(self, message: Message, labels: Labels, sender: str) -> SecondOpinion | None:
        """Get a second opinion, unless others wait: they would wait for it too."""
        if self._second_opinions is None or len(self._listed) >= self._settings.batch_mails:
            return None
        return self._second_opinions.ask(message, labels, sender)

    def _record(self, letters: Sequence[Letter]) -> None:
        self._blobs.settle()
        try:
            self._commit_despite_others(letters)
        except _INFRASTRUCTURE:
            raise
        except Exception as error:  # noqa: BLE001 - the same for what shows only in the database
            if len(letters) == 1:
                self._put_aside(letters[0].arrival.entry_id, error)
                return
            # One of them is bad.  Alone, each shows whether it is the one; its neighbours lose nothing.
            count_failure(Stage.RECORD)
            log.warning("a batch of %d can't be recorded, trying one by one: %s", len(letters), type(error).__name__)
            for letter in letters:
                self._record([letter])
            return
        self._acknowledge([letter.arrival.entry_id for letter in letters])

    def _commit_despite_others(self, letters: Sequence[Letter]) -> None:
        for attempt in range(_CONFLICTS):
            try:
                return self._commit(letters)
            except DatabaseConflict:
                if attempt == _CONFLICTS - 1:
                    raise
                count_failure(Stage.RECORD)
        return None

    def _commit(self, letters: Sequence[Letter]) -> None:
        with self._database.writing() as session:
            new = record_letters(session, self._policy(session), letters, self._clock())
        count_recorded(Outcome.NEW, new)
        count_recorded(Outcome.AGAIN, len(letters) - new)
        self._lag_seconds = (self._clock() - letters[-1].arrival.arrived_at).total_seconds()
        for letter in letters:
            arrival = letter.arrival
            log.info(
                "%s: recorded entry=%s direction=%s recording=%s",
                arrival.envelope.queue_id,
                arrival.entry_id,
                arrival.verdict.direction,
                arrival.verdict.recording,
            )

    def _policy(self, session: Session) -> PolicyView:
        if self._view is None or self._view.policy.version != fetch_policy_version(session):
            self._view = fetch_policy(session)
        return self._view

    def _acknowledge(self, entry_ids: Sequence[str]) -> None:
        """The commit is durable: the source may forget."""
        self._source.acknowledge(entry_ids)

    def _put_aside(self, entry_id: str, error: Exception) -> None:
        # The text of a database error repeats the row, which is somebody's letter.
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0][:500]
        self._source.fail(entry_id, f"{type(error).__name__}: {reason}")
        count_shunted()
        log.error(
            "%s: can't be recorded and lies in failed/ ('tradepost journal show'): %s", entry_id, type(error).__name__
        )

    def _confirm(self) -> None:
        if self._follower is not None:
            with self._database.writing() as session:
                self._follower.poll(session)

    def _project(self) -> None:
        started_at = time.monotonic()
        if started_at < self._project_at:
            return
        try:
            self._projector.step()
        except DirectoryError as error:
            # The milter answers unknown meanwhile and the worker completes: recording goes on.
            count_failure(Stage.PROJECT)
            self._directory_patience.fail(str(error))
            ended_at = time.monotonic()
            if ended_at - started_at > _SLOW_FAILURE_SECONDS:
                self._project_at = ended_at + _DIRECTORY_REST_SECONDS
        else:
            self._directory_patience.succeed("the directory is written again")

    def _report(self) -> None:
        now = self._clock()
        if self._reported_at is None or now - self._reported_at >= _REPORT:
            with self._database.reading() as session:
                pending = session.scalar(select(func.count()).where(Arrival.acceptance == "pending")) or 0
            report_worker(self._lag_seconds if self._listed else 0.0, pending)
            self._source.report()
            self._reported_at = now

    def _wake(self) -> None:
        """Open again the conversations that were put aside until now."""
        if time.monotonic() - self._woke_at < _WAKE_SECONDS:
            return
        self._woke_at = time.monotonic()
        with self._database.reading() as session:
            is_due = is_any_due(session, WAKE)
        if is_due:
            with self._database.writing() as session:
                wake_conversations(session, self._clock())

    def _learn(self) -> None:
        """Take up what was learned, by whatever process; see whether it is night."""
        if time.monotonic() - self._learned_at >= _LEARNED_SECONDS:
            self._learned_at = time.monotonic()
            self._analyst.refresh()
            if self._nightly is not None:
                self._nightly.step()

    def close(self) -> None:
        """Release source, blobs, directory and mail log; the database is its opener's."""
        self._source.close()
        self._blobs.close()
        if self._follower is not None:
            self._follower.close()
        if self._nightly is not None:
            self._nightly.close()
        if self._second_opinions is not None:
            self._second_opinions.close()
        self._projector.close()
