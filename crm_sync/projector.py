# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell the directory what changed: rows of `directory_change`, in order, written there by nobody else."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import delete, func, select

from crm_sync.database import Database
from crm_sync.directory_rows import read_everything
from crm_sync.models.service import DirectoryChange
from tradepost.directory import Change, DirectoryError, DirectoryWriter

log = logging.getLogger("tradepost.crm_sync")

_PAGE = 2000
# Rows that the directory has are only needed for a look back.
_KEPT = 10_000
_HEARTBEAT = timedelta(seconds=5)
_PRUNE = timedelta(minutes=5)


class Projector:
    """Carries changes from SQL to the directory.  `step` is cheap when there is nothing to do; call it often."""

    def __init__(
        self, database: Database, open_writer: Callable[[], DirectoryWriter], clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._open_writer = open_writer
        self._clock = clock
        self._writer: DirectoryWriter | None = None
        self._spoke_at: datetime | None = None
        self._pruned_at = clock()

    def step(self) -> int:
        """Project what is new, or rebuild where the directory can't be continued.  Returns how many changes went.

        Raises DirectoryError, DatabaseError.
        """
        try:
            return self._step()
        except DirectoryError:
            self.close()  # deleted, replaced or damaged: the next step opens it anew
            raise

    def _step(self) -> int:
        if self._writer is None:
            self._writer = self._open_writer()
        done = self._writer.seq()
        if done is None or not self._continues(done):
            return self.rebuild()
        projected = 0
        while changes := self._changes(done):
            done = self._writer.project(changes, self._clock())
            self._spoke_at = self._clock()
            projected += len(changes)
        now = self._clock()
        if self._spoke_at is None or now - self._spoke_at >= _HEARTBEAT:
            self._writer.heartbeat(now)
            self._spoke_at = now
        if now - self._pruned_at >= _PRUNE:
            self._prune(done)
            self._pruned_at = now
        return projected

    def _continues(self, done: int) -> bool:
        """Are all rows after `done` there, and is the directory not ahead of a database brought back from a backup?"""
        with self._database.reading() as session:
            oldest, newest = session.execute(select(func.min(DirectoryChange.seq), func.max(DirectoryChange.seq))).one()
        if newest is None:
            return done == 0
        return int(oldest) - 1 <= done <= int(newest)

    def _changes(self, done: int) -> list[Change]:
        wanted = (
            select(DirectoryChange.seq, DirectoryChange.key, DirectoryChange.value)
            .where(DirectoryChange.seq > done)
            .order_by(DirectoryChange.seq)
            .limit(_PAGE)
        )
        with self._database.reading() as session:
            return [Change(seq, key, value) for seq, key, value in session.execute(wanted)]

    def rebuild(self) -> int:
        """Write a new generation from SQL beside the one in force, then switch.  Returns how many keys it holds."""
        if self._writer is None:
            self._writer = self._open_writer()
        started_at = self._clock()
        written = 0
        with self._database.reading() as session:  # one snapshot: the number and the facts belong together
            seq = session.scalar(select(func.max(DirectoryChange.seq))) or 0
            generation = self._writer.begin_rebuild()
            facts = (Change(seq, key, value) for key, value in read_everything(session))
            while page := list(islice(facts, _PAGE)):
                self._writer.fill(generation, page)
                written += len(page)
        self._writer.finish_rebuild(generation, seq, self._clock())
        self._spoke_at = self._clock()
        seconds = (self._spoke_at - started_at).total_seconds()
        log.info("directory rebuilt: generation=%d keys=%d seq=%d seconds=%.1f", generation, written, seq, seconds)
        return written

    def _prune(self, done: int) -> None:
        with self._database.writing() as session:
            # The last row stays for ever: it says how far numbering went.
            session.execute(delete(DirectoryChange).where(DirectoryChange.seq < done - _KEPT))

    def close(self) -> None:
        """Release the directory."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
