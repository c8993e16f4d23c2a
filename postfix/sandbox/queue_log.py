# SPDX-License-Identifier: GPL-3.0-or-later
"""What the private Postfix wrote about each queue id, read as the log grows."""

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from tradepost.maillog import Delivery, LogParser, Removed


class QueueLog:
    """The log file, by queue id.  Every question reads what was appended since the last one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parser = LogParser()
        self._offset = 0
        self._rest = b""
        self._lines: dict[str, list[str]] = defaultdict(list)
        self._deliveries: dict[str, list[Delivery]] = defaultdict(list)
        self._removed: set[str] = set()

    def is_removed(self, queue_id: str) -> bool:
        """Tell whether the mail has left the queue: delivered, bounced or deleted."""
        self._read()
        return queue_id in self._removed

    def deliveries(self, queue_id: str) -> list[Delivery]:
        """Return the fate of each recipient so far."""
        self._read()
        return list(self._deliveries.get(queue_id, ()))

    def lines(self, queue_id: str) -> list[str]:
        """Return what was logged about a queue id, as far as it tells its trip."""
        self._read()
        return list(self._lines.get(queue_id, ()))

    def warnings(self) -> list[str]:
        """Return every line that warns or worse, as it stands in the file."""
        words = ("warning:", "error:", "fatal:", "panic:")
        text = self.path.read_text("utf-8", "replace")
        return [line for line in text.splitlines() if any(word in line for word in words)]

    def _read(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace"))

    def _take(self, line: str) -> None:
        event = self._parser.parse_line(line, datetime.now(UTC))
        if event is None:
            return
        self._lines[event.queue_id].append(line)
        if isinstance(event, Removed):
            self._removed.add(event.queue_id)
        elif isinstance(event, Delivery):
            self._deliveries[event.queue_id].append(event)
