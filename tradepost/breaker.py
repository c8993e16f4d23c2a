# SPDX-License-Identifier: GPL-3.0-or-later
"""A circuit breaker: a server that does not answer is left alone for a while, and mail does not wait for it meanwhile."""

import random
import time
from collections.abc import Callable


class Breaker:
    """Knows whether a server may be asked.  Not safe in threads: its owner holds a lock.

    It opens at a failure, and when for `patience_seconds` and more than `tolerated` times no answer came in time: fewer,
    or all in one moment, may be this host's own business.  It stays open for a jittered time that doubles from `first_seconds` to `longest_seconds` with
    each failing probe; then one probe may go, whose success closes it.
    """

    def __init__(
        self,
        *,
        first_seconds: float = 0.2,
        longest_seconds: float = 5.0,
        tolerated: int = 2,
        patience_seconds: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._first = first_seconds
        self._longest = longest_seconds
        self._tolerated = tolerated
        self._patience = patience_seconds
        self._clock = clock
        self._draw = draw
        self._late = 0
        self._late_since = 0.0
        self._wait = 0.0
        self._probe_at: float | None = None  # None: closed
        self._closed_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Must nobody ask?"""
        return self._probe_at is not None

    def seconds_to_probe(self) -> float:
        """Return how long until a probe may go; 0 when it may, and always while closed."""
        return 0.0 if self._probe_at is None else max(0.0, self._probe_at - self._clock())

    def succeeded(self) -> None:
        """An answer came, in time."""
        self._late = 0
        if self._probe_at is not None:
            self._probe_at = None
            self._closed_at = self._clock()

    def came_late(self) -> None:
        """No answer came in time."""
        if not self._late:
            self._late_since = self._clock()
        self._late += 1
        if self._late > self._tolerated and self._clock() - self._late_since >= self._patience:
            self.failed()

    def failed(self) -> None:
        """The server is gone or not itself."""
        self._late = 0
        # One that fails again right after its probe went well has not recovered: its waits go on growing.
        rested = self._closed_at is None or self._clock() - self._closed_at > self._longest
        fresh = self._probe_at is None and rested
        self._wait = self._first if fresh or not self._wait else min(2 * self._wait, self._longest)
        # Jitter: many children must not come back in one moment.
        self._probe_at = self._clock() + self._wait * (0.5 + self._draw() / 2)
