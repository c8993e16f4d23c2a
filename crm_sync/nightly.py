# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn from corrections once a night, whatever the number of workers, in a process of its own: mail is recorded meanwhile."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from crm_sync.database import Database, DatabaseError
from crm_sync.models.timers import TimerRow
from crm_sync.row_buffer import insert_missing
from crm_sync.timers import WAITING, claim_due, database_now, schedule
from tradepost.metrics_files import FOLDER_VARIABLE
from tradepost.settings import Settings

log = logging.getLogger("tradepost.crm_sync")

KIND = "learn"
_LOOK_EVERY_SECONDS = 60.0
_STOP_SECONDS = 5.0
_NICE = 15


class NightlyLearning:
    """Starts `command` when its timer is due.  `step` is cheap; call it often, from one thread."""

    def __init__(self, database: Database, hour: int, command: Sequence[str], environment: dict[str, str]) -> None:
        self._database = database
        self._hour = hour
        self._command = tuple(command)
        self._environment = environment
        self._look_at = 0.0
        self._running: subprocess.Popen[bytes] | None = None

    def step(self) -> None:
        """Look whether it is time, or whether what was started is done.  Raises DatabaseError."""
        if self._running is not None:
            status = self._running.poll()
            if status is None:
                return
            self._running = None
            if status:
                log.error("learning ended with status %d; the model in force stays", status)
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_EVERY_SECONDS
        if self._is_due():
            self._start()

    def _is_due(self) -> bool:
        with self._database.writing() as session:
            now = database_now(session)
            first = {"kind": KIND, "ref": "", "state": WAITING, "due_at": next_night(now, self._hour)}
            insert_missing(session.connection(), TimerRow, [first])
            due = claim_due(session, (KIND,))
            for timer in due:
                schedule(session, KIND, timer.ref, next_night(now, self._hour))
        return bool(due)

    def _start(self) -> None:
        try:
            self._running = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=self._environment,
                process_group=0,  # a signal for the worker is not for it
            )
            os.setpriority(os.PRIO_PROCESS, self._running.pid, _NICE)
        except OSError as error:
            log.error("learning can't be started: %s", error)

    def close(self) -> None:
        """End what is under way: a model is swapped in whole or not at all.  The next worker begins anew."""
        if self._running is None or self._running.poll() is not None:
            return
        self._running.terminate()
        try:
            self._running.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        self._running = None
        log.warning("learning was cut short; the next worker begins it anew")
        try:
            with self._database.writing() as session:
                schedule(session, KIND, "", database_now(session))
        except DatabaseError as error:
            log.warning("learning waits for the next night: %s", error)


def next_night(now: datetime, hour: int) -> datetime:
    """Return the next time that it is that hour in this host's time zone, as aware UTC."""
    # Without an offset: that of the next night may be another than this one's.
    today = now.astimezone().replace(tzinfo=None, hour=hour, minute=0, second=0, microsecond=0)
    nights = ((today + timedelta(days=days)).astimezone(UTC) for days in range(3))
    return next(night for night in nights if night > now)


def make_nightly_learning(settings: Settings, database: Database) -> NightlyLearning | None:
    """Return what learns every night on these settings; None: they say that nobody does."""
    if not settings.learning.nightly:
        return None
    # It is no service: what it counted would stay in the services' folder for ever.
    environment = {name: value for name, value in os.environ.items() if name != FOLDER_VARIABLE}
    if settings.source is not None:
        environment["TRADEPOST_CONFIG"] = str(settings.source.absolute())
    command = (sys.executable, "-m", "tradepost", "classify", "learn")
    return NightlyLearning(database, settings.learning.hour, command, environment)
