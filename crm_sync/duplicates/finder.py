# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's finder of likely duplicates: a little at a time, and at most a tenth of the time."""

import logging
import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select

from crm_sync.database import Database
from crm_sync.models.duplicates import ChangedRecord

log = logging.getLogger("tradepost.crm_sync")

_RECORDS = 50  # in one step: some 50 ms
_SHARE = 0.1
_IDLE_SECONDS = 2.0
_WAITS = select(ChangedRecord.id).limit(1)


class DuplicateFinder:
    """Looks at changed records when `step` is called; call it often, from one thread."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._clock = clock
        self._seconds = seconds
        self._next_at = 0.0

    def step(self) -> None:
        """Look at some changed records, unless it is too early.  Raises DatabaseError."""
        started_at = self._seconds()
        if started_at < self._next_at:
            return
        with self._database.reading() as session:
            waits = session.scalars(_WAITS).first() is not None
        if not waits:
            self._next_at = started_at + _IDLE_SECONDS
            return
        from crm_sync.duplicates.finding import find_changed  # 6 MB that are not needed before

        with self._database.writing() as session:
            found = find_changed(session, self._clock(), _RECORDS)
        spent = self._seconds() - started_at
        self._next_at = started_at + spent / _SHARE
        if found.new:
            log.info("duplicates: records=%d new=%d", found.records, found.new)
