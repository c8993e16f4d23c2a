# SPDX-License-Identifier: GPL-3.0-or-later
"""Let planned absences begin and end by the database's clock, whatever the number of workers."""

import logging
import time
from typing import Final

from crm_sync.database import Database
from crm_sync.people.absences import is_absence_due, keep_absences
from crm_sync.timers import database_now

log = logging.getLogger("tradepost.crm_sync")

_LOOK_EVERY_SECONDS: Final = 60.0


class AbsenceClock:
    """`step` is cheap; call it often, from one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._look_at = 0.0

    def step(self) -> None:
        """Look whether somebody's time has come.  Raises DatabaseError."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_EVERY_SECONDS
        with self._database.reading() as session:
            if not is_absence_due(session, database_now(session)):
                return
        with self._database.writing() as session:
            changed = keep_absences(session, database_now(session))
        log.info("absences: %d began or ended", changed)

    def close(self) -> None:
        """Nothing is under way."""
