# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's mail log is followed by one of its processes, whatever number of workers runs there."""

import logging
import threading
import time
from pathlib import Path

from sqlalchemy.orm import Session

from crm_sync.database import Database, DatabaseUnavailable
from crm_sync.worker import Follower
from tradepost.host_lock import HostLock
from tradepost.metrics import Stage, count_failure
from tradepost.patience import Patience

log = logging.getLogger("tradepost.maillog")

_ASK_SECONDS = 5.0
_POLL_SECONDS = 0.2
_LONGEST_REST_SECONDS = 30.0


class HostFollower:
    """Follows while it holds the host's lock.  When the process that has it ends, another one takes over."""

    def __init__(self, follower: Follower, lock: Path) -> None:
        self._follower = follower
        self._path = lock
        self._lock: HostLock | None = None
        self._ask_at = float("-inf")

    def poll(self, session: Session) -> int:
        """Read on if it is our turn; return how many arrivals changed."""
        if self._lock is None and time.monotonic() >= self._ask_at:
            self._ask_at = time.monotonic() + _ASK_SECONDS
            self._lock = HostLock.take(self._path)
        return self._follower.poll(session) if self._lock is not None else 0

    def close(self) -> None:
        """Let go of the log and let the next one have it."""
        self._follower.close()
        if self._lock is not None:
            self._lock.release()


def follow_only(follower: Follower, database: Database, stop: threading.Event) -> None:
    """Confirm what this host's log says until told to stop: for a host whose mail is recorded elsewhere.

    Waits for a database that is away; raises DatabaseError for what an administrator must mend.
    """
    patience = Patience(log, first=1.0, longest=_LONGEST_REST_SECONDS)
    while not stop.is_set():
        try:
            with database.writing() as session:
                follower.poll(session)
        except DatabaseUnavailable as error:
            count_failure(Stage.CONFIRM)
            patience.fail(f"{error}; trying again, nothing is confirmed meanwhile")
            stop.wait(patience.seconds_left)
            continue
        patience.succeed("the log is followed again")
        stop.wait(_POLL_SECONDS)
