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
from crm_sync.timers import is_our_turn
from tradepost.directory import Change, DirectoryError, DirectoryWriter

log = logging.getLogger("tradepost.crm_sync")

_PAGE = 2000
# Rows that the directory has are only needed for a look back.
_KEPT = 10_000
_HEARTBEAT = timedelta(seconds=5)
_PRUNE = timedelta(minutes=5)
# Two questions in one: SQLite goes to an end of the table for each, and reads all of it for both together.
_ENDS = select(
    select(func.min(DirectoryChange.seq)).scalar_subquery(), select(func.max(DirectoryChange.seq)).scalar_subquery()
)


class Projector:
    """Carries changes from SQL to the directory.  `step` is cheap when there is nothing to do; call it often.

    Where several workers share one directory, one of them projects at a time: `name` is the directory's.
    """

    def __init__(
        self,
        database: Database,
        open_writer: Callable[[], DirectoryWriter],
        clock: Callable[[], datetime],
        name: str = "directory",
    ) -> None:
        self._database = database
        self._turn = database.turn(f"project {name}")
        self._open_writer = open_writer
        self._clock = clock
        self._writer: DirectoryWriter | None = None
        self._spoke_at: datetime | None = None
        self._pruned_at = clock()

    def step(self) -> int:
        """Project what is new, or rebuild where the directory can't be continued.  Returns how many changes went.

        Does nothing while another worker projects.  Raises DirectoryError, DatabaseError.
        """
        if not self._turn.take():
            self._close_writer()
            return 0
        try:
            return self._step()
        except DirectoryError:
            # Deleted, replaced or damaged: the next step opens it anew.  Out of reach: perhaps another worker reaches it.
            self.close()
            raise

    def _step(self) -> int:
        if self._writer is None:
            self._writer = self._open_writer()
        done = self._writer.seq()
        projected = 0
        while True:
            changes = self._changes(done) if done is not None else None
            if done is None or changes is None:
                return self.rebuild()
            if not changes:
                break
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

    def _changes(self, done: int) -> list[Change] | None:
        """Return the changes after number `done`.  None: some of them were pruned, or the directory is ahead.

        Ahead it is of a database that was brought back from a backup.  Numbers may be missing in between: those of
        transactions that were rolled back.
        """
        wanted = (
            select(DirectoryChange.seq, DirectoryChange.key, DirectoryChange.value)
            .where(DirectoryChange.seq > done)
            .order_by(DirectoryChange.seq)
            .limit(_PAGE)
        )
        with self._database.reading() as session:  # one snapshot: others may prune between two questions
            oldest, newest = session.execute(_ENDS).one()
            if newest is None:
                return None if done else []
            if not int(oldest) - 1 <= done <= int(newest):
                return None
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
            if is_our_turn(session, "prune-directory-changes", _PRUNE):
                # The last row stays for ever: it says how far numbering went.
                session.execute(delete(DirectoryChange).where(DirectoryChange.seq < done - _KEPT))

    def close(self) -> None:
        """Release the directory, and let another worker project."""
        self._close_writer()
        self._turn.release()

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
