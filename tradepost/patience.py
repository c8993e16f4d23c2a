# SPDX-License-Identifier: GPL-3.0-or-later
"""After a failure: how long a service leaves something alone before it asks again, and how often it says so."""

import logging
import random
import time
from collections.abc import Callable

_SAY_SECONDS = 30.0


class Patience:
    """Grows from `first` to `longest` seconds, jittered, so that many processes do not come back at once."""

    def __init__(
        self,
        log: logging.Logger,
        *,
        first: float = 0.2,
        longest: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._first = first
        self._longest = longest
        self._clock = clock
        self._failures = 0
        self._rest_until = float("-inf")
        self._said_at = float("-inf")

    @property
    def seconds_left(self) -> float:
        """How long it is still to be left alone; 0.0: ask."""
        return max(0.0, self._rest_until - self._clock())

    def fail(self, text: str) -> None:
        """It failed (again): rest, and say `text` unless something was said within the last 30 s."""
        now = self._clock()
        pause = min(self._longest, self._first * 2.0 ** min(self._failures, 20))
        self._failures += 1
        self._rest_until = now + pause * random.uniform(0.75, 1.0)
        if now - self._said_at >= _SAY_SECONDS:
            self._said_at = now
            self._log.warning("%s", text)

    def succeed(self, text: str) -> None:
        """It works.  Say `text` if the failure was said."""
        if self._failures:
            self._failures = 0
            self._rest_until = float("-inf")
            if self._said_at > float("-inf"):
                self._said_at = float("-inf")
                self._log.warning("%s", text)
