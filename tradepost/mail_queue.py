# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in Postfix's queue: `postqueue -j`, one JSON object a line."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

import msgspec

from tradepost.errors import Refusal


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """A mail in the queue; `queued_at` is when its file was begun, which may be long before EOM."""

    queue_name: str  # incoming, active, deferred, hold
    queue_id: str
    queued_at: datetime
    sender: str


class QueueUnreadable(Refusal, RuntimeError):
    """The queue can't be listed.  The text names the command and what it said."""


# The process has ended; only its last words are on their way.
_CLOSING_SECONDS = 5.0


class _Line(msgspec.Struct):
    queue_name: str
    queue_id: str
    arrival_time: int
    sender: str = ""


_lines = msgspec.json.Decoder(_Line)


def parse_queue(output: bytes) -> list[QueuedMail]:
    """Read the output of `postqueue -j`.  Raises ValueError for anything else."""
    found = []
    for line in output.splitlines():
        # Postfix passes on an address that is no UTF-8 as it came.
        item = _lines.decode(line.decode("utf-8", "replace"))
        if item.queue_name not in ("maildrop", "corrupt"):  # neither is accepted yet
            at = datetime.fromtimestamp(item.arrival_time, UTC)
            found.append(QueuedMail(item.queue_name, item.queue_id, at, item.sender))
    return found


class _Question:
    """One run of the command; its output goes to a file, so that a long queue blocks nobody."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = " ".join(command)
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `answer`
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.PIPE
            )
        except OSError as error:
            self._output.close()
            raise QueueUnreadable(
                f"[maillog] queue_command: {self._command!r} can't be run: {error.strerror}"
            ) from error

    def answer(self, timeout_seconds: float, waited_seconds: float = 0) -> list[QueuedMail]:
        with self._output, self.process:
            try:
                said = self.process.communicate(timeout=timeout_seconds)[1].decode("utf-8", "replace").strip()
            except subprocess.TimeoutExpired as error:
                self.process.kill()
                waited_seconds += timeout_seconds
                raise QueueUnreadable(f"{self._command!r} gave no answer in {waited_seconds:g} s") from error
            if self.process.returncode != 0:
                last = said.rpartition("\n")[2] or f"exit status {self.process.returncode}"
                raise QueueUnreadable(f"{self._command!r} failed: {last}")
            self._output.seek(0)
            try:
                return parse_queue(self._output.read())
            except ValueError as error:
                raise QueueUnreadable(f"{self._command!r} wrote something else than a queue: {error}") from error


def fetch_queue(command: Sequence[str], timeout_seconds: float = 60) -> list[QueuedMail]:
    """List the queue.  Raises QueueUnreadable."""
    return _Question(command).answer(timeout_seconds)


class QueueProbe:
    """Asks for the queue now and then without waiting for the answer."""

    def __init__(self, command: Sequence[str], every_seconds: float = 60) -> None:
        self._command = command
        self._every_seconds = every_seconds
        self._due = 0.0
        self._question: _Question | None = None

    def is_due(self) -> bool:
        """May the next question be asked, or is an answer expected?"""
        return self._question is not None or time.monotonic() >= self._due

    def ask(self) -> list[QueuedMail] | None:
        """Ask, or return the answer to the last question; None while it is on its way.  Raises QueueUnreadable."""
        now = time.monotonic()
        if self._question is None:
            self._due = now + self._every_seconds
            self._question = _Question(self._command)
            return None
        if self._question.process.poll() is None and now < self._due:
            return None
        question, self._question = self._question, None
        is_late = question.process.poll() is None
        return question.answer(0 if is_late else _CLOSING_SECONDS, self._every_seconds if is_late else 0)

    def close(self) -> None:
        """Let go of a question that is still open."""
        if self._question is not None:
            self._question.process.kill()
            with contextlib.suppress(QueueUnreadable):
                self._question.answer(_CLOSING_SECONDS)
            self._question = None
