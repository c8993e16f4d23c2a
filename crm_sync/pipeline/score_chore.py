# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's part in scores: between two batches of mail it weighs customers of whom something changed."""

import time
from typing import Final

from sqlalchemy import select

from crm_sync.database import Database
from crm_sync.models.pipeline import ScoreDue
from crm_sync.pipeline.scores import weigh_due

_EVERY_SECONDS: Final = 2.0
# No longer than that at a time: mail may have come meanwhile.
_AT_MOST_SECONDS: Final = 0.3


class ScoreChore:
    """Weighs some customers now and then."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next = 0.0

    def step(self) -> None:
        """Weigh who waits, a transaction for so many, until none does or it took long enough."""
        began = time.monotonic()
        if began < self._next:
            return
        self._next = began + _EVERY_SECONDS
        with self._database.reading() as session:
            if session.scalars(select(ScoreDue.id).limit(1)).first() is None:
                return
        while time.monotonic() - began < _AT_MOST_SECONDS:
            with self._database.writing() as session:
                if not weigh_due(session):
                    return

    def close(self) -> None:
        """There is nothing to end: every transaction is whole."""
