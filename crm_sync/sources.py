# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a worker takes journal entries from: the folder of its own host, or the stream that all hosts ship to.

The order is the same for both: taken, recorded, committed, acknowledged.  What is not acknowledged comes again.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tradepost.arrival import Arrival
from tradepost.errors import Refusal
from tradepost.journal import Journal

_LISTED = 1000  # ids read from the folder at once


class SourceUnreachable(Refusal, OSError):
    """What was taken can't be read to its end now; it comes again."""


class ReadEntry(Protocol):
    """One entry, open: its first line and its message bytes."""

    @property
    def arrival(self) -> Arrival: ...

    def raw(self) -> bytes: ...


class Taken(Protocol):
    """One entry that was handed out and not acknowledged yet."""

    @property
    def entry_id(self) -> str: ...

    def open(self) -> ReadEntry:
        """Read it.  Raises FileNotFoundError when it is gone, OSError when it can't be read now, else it is bad."""


class Source(Protocol):
    """Hands out entries, oldest first as far as it knows."""

    def take(self) -> Sequence[Taken]:
        """Return what waits, some of it; nothing when nothing does.  Does not wait."""

    def wait(self, seconds: float) -> None:
        """Return when something may have come, the worker is to stop, or after that long."""

    def acknowledge(self, entry_ids: Sequence[str]) -> None:
        """They are recorded for good."""

    def fail(self, entry_id: str, reason: str) -> None:
        """It can't be recorded: put it aside where an administrator sees it, with the reason."""

    def rewind(self) -> None:
        """Hand out again what was taken and not acknowledged."""

    def report(self) -> None:
        """Tell the numbers what waits, where that is not seen from outside."""

    def close(self) -> None:
        """Let go.  What is not acknowledged comes again, here or elsewhere."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """An entry of the folder."""

    journal: Journal
    entry_id: str

    def open(self) -> ReadEntry:
        return self.journal.read(self.entry_id)


class JournalSource:
    """The small size: the folder itself.  One worker reads it."""

    def __init__(self, journal: Journal, stop: threading.Event) -> None:
        self._journal = journal
        self._stop = stop

    def take(self) -> Sequence[Taken]:
        """List the folder."""
        return [_Listed(self._journal, entry_id) for entry_id in self._journal.waiting(_LISTED)]

    def wait(self, seconds: float) -> None:
        """Wait to look again."""
        self._stop.wait(seconds)

    def acknowledge(self, entry_ids: Sequence[str]) -> None:
        """Remove the files."""
        self._journal.acknowledge(entry_ids)

    def fail(self, entry_id: str, reason: str) -> None:
        """Move it to failed/."""
        self._journal.fail(entry_id, reason)

    def rewind(self) -> None:
        """Nothing was remembered: the next look lists all."""

    def report(self) -> None:
        """The folder is measured from outside."""

    def close(self) -> None:
        """Nothing is open."""
