# SPDX-License-Identifier: GPL-3.0-or-later
"""The seen list: one line per EOM, a file a day, in the journal's folder seen/."""

import errno
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?\+00:00(?= )")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One EOM: when, which queue id at which Postfix, which entry ("" when none was written) and why."""

    at: datetime
    instance: str
    queue_id: str
    entry_id: str
    reason: str


class SeenList:
    """One line per EOM, also of mail that is not recorded: without it nobody could tell unseen from unrecorded."""

    def __init__(self, folder: Path, instance: str) -> None:
        self._folder = folder
        self._instance = instance
        self._day = ""
        self._fd = -1
        self._lock = threading.Lock()  # sessions are threads

    def note(self, queue_id: str, entry_id: str, reason: str, at: datetime | None = None) -> None:
        """Append one line in one write, so that several processes never mix theirs.  Raises OSError, also for half a line."""
        at = at or datetime.now(UTC)
        stamp = at.isoformat()
        day = stamp[:10].replace("-", "")
        words = (stamp, self._instance, queue_id, entry_id, reason)
        line = (" ".join("_".join(word.split()) or "-" for word in words) + "\n").encode("utf-8", "backslashreplace")
        with self._lock:
            if day != self._day:
                self.close()
                self._fd = os.open(self._folder / day, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._day = day
            if os.write(self._fd, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder / day))

    def close(self) -> None:
        """Close today's file."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._day = -1, ""


def read_seen(folder: Path, since: datetime | None = None) -> Iterator[Sighting]:
    """Yield every sighting since that time, oldest day first; a torn line is passed over, also where another follows it."""
    first = f"{since:%Y%m%d}" if since else ""
    for name in _days(folder):
        if name < first:
            continue
        with open(folder / name, encoding="utf-8", errors="replace") as file:
            for line in file:
                sighting = _parse_sighting(line)
                if sighting is not None and (since is None or sighting.at >= since):
                    yield sighting


def _parse_sighting(line: str) -> Sighting | None:
    if not line.endswith("\n"):
        return None
    stamps = list(_STAMP.finditer(line))
    if not stamps:
        return None
    fields = line[stamps[-1].start() : -1].split(" ")  # what stands before the last stamp was cut short by a full disk
    if len(fields) != 5:
        return None
    at, instance, queue_id, entry_id, reason = fields
    return Sighting(datetime.fromisoformat(at), instance, queue_id, "" if entry_id == "-" else entry_id, reason)


def _days(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if len(name) == 8 and name.isdigit())


def prune_seen(folder: Path, days: int, now: datetime | None = None) -> int:
    """Remove days older than that.  Returns how many files went."""
    edge = f"{(now or datetime.now(UTC)) - timedelta(days=days):%Y%m%d}"
    old = [name for name in _days(folder) if name < edge]
    for name in old:
        (folder / name).unlink(missing_ok=True)
    return len(old)
