# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at the other parts of the installation, shared by everybody who asks within a moment."""

import logging
import threading
import time
from collections.abc import Callable
from importlib.metadata import version

from tradepost.health import Readings
from tradepost.metrics_server import Observer
from tradepost.settings import Settings

log = logging.getLogger("tradepost.web")

# A look lists the journal and adds up the counters of all processes, and every open page asks every few seconds.
GOOD_FOR_SECONDS = 2.0


class Parts:
    """Reads journal, directory and the processes' own words; the last reading is good for a moment."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._observer = Observer(settings)
        self._clock = clock
        self._lock = threading.Lock()
        self._last: tuple[float, Readings] | None = None

    def read(self) -> Readings:
        """Return a reading of now or of a moment ago.  What can't be read at all is None in it; never raises OSError."""
        with self._lock:
            if self._last is None or self._clock() - self._last[0] > GOOD_FOR_SECONDS:
                self._last = self._clock(), self._look()
            return self._last[1]

    def _look(self) -> Readings:
        try:
            return self._observer.read()
        except OSError as error:
            log.warning("the other parts can't be looked at: %s", error)
            source = self._settings.maillog.source
            return Readings(
                version=version("tradepost"),
                journal=None,
                directory=None,
                worker=None,
                milter=None,
                confirmation="assumed" if source == "none" else source,
                maillog_silent_seconds=None,
            )
