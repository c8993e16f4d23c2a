# SPDX-License-Identifier: GPL-3.0-or-later
"""What the private Postfix wrote about each queue id, read as the log grows."""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"^.{15} \S+ postfix(?:/[\w-]+)*/(?P<daemon>[\w-]+)\[\d+\]: (?P<id>[0-9A-Za-z]{6,}): (?P<rest>.*)$")
_DELIVERY = re.compile(
    r"to=<(?P<to>.*?)>, (?:orig_to=<.*?>, )?relay=(?P<relay>.*?), .*?status=(?P<status>sent|bounced|deferred|expired) "
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One recipient's fate: where it went (`virtual`, or host[address]:port) and sent, bounced, deferred or expired."""

    recipient: str
    relay: str
    status: str


class QueueLog:
    """The log file, by queue id.  Every question reads what was appended since the last one."""

    def __init__(self, path: Path) -> None:
        self.path = path
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
        """Return what was logged about a queue id, each as `daemon: text`."""
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
        found = _LINE.match(line)
        if found is None:
            return
        queue_id, daemon, rest = found["id"], found["daemon"], found["rest"]
        self._lines[queue_id].append(f"{daemon}: {rest}")
        if daemon == "qmgr" and rest == "removed":
            self._removed.add(queue_id)
        delivery = _DELIVERY.match(rest)
        if delivery:
            self._deliveries[queue_id].append(Delivery(delivery["to"], delivery["relay"], delivery["status"]))
