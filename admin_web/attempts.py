# SPDX-License-Identifier: GPL-3.0-or-later
"""How often one client may try a sign-in link.  Kept in memory: on SQLite exactly one web process runs."""

import threading
from collections import OrderedDict
from collections.abc import Callable

LIMIT = 10
WINDOW_SECONDS = 600.0
_CLIENTS = 10_000


class Attempts:
    """Failed tries per client address within a sliding window; the oldest clients are forgotten first."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` counts seconds and never goes back."""
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: OrderedDict[str, list[float]] = OrderedDict()

    def is_spent(self, client: str) -> bool:
        """Has this client failed too often lately?"""
        with self._lock:
            return len(self._recent(client)) >= LIMIT

    def note_failure(self, client: str) -> None:
        """Count one failed try."""
        with self._lock:
            recent = [*self._recent(client), self._clock()]
            self._failed[client] = recent[-LIMIT:]
            self._failed.move_to_end(client)
            while len(self._failed) > _CLIENTS:
                self._failed.popitem(last=False)

    def _recent(self, client: str) -> list[float]:
        edge = self._clock() - WINDOW_SECONDS
        return [at for at in self._failed.get(client, []) if at > edge]
