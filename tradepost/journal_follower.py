# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow systemd's journal through `journalctl --follow`.  The position is the cursor of the last entry taken."""

import logging
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import IO

from tradepost.log_follower import Batch, Position
from tradepost.maillog import LogEvent, LogParser, decode_journal_entry

log = logging.getLogger("tradepost.maillog")

COMMAND = ("journalctl", "--output=json", "--quiet", "--no-pager", "--all")
# syslog's facility `mail`, in which Postfix logs unless syslog_facility says otherwise.
MAIL_MATCH = "SYSLOG_FACILITY=2"
_RESTART_SECONDS = 5.0
_LONGEST_ENTRY = 1_048_576


class JournalFollower:
    """Follows the journal.  `command` stands in for COMMAND; options and matches are appended to it."""

    name = "journald"

    def __init__(
        self,
        parser: LogParser,
        command: Sequence[str] = COMMAND,
        *,
        first_look: str = "-7d",
        chunk_bytes: int = 262_144,
        restart_seconds: float = _RESTART_SECONDS,
    ) -> None:
        self._parser = parser
        self._command = tuple(command)
        self._first_look = first_look
        self._chunk_bytes = chunk_bytes
        self._restart_seconds = restart_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None
        self._started_at = float("-inf")
        self._cursor = ""
        self._rest = b""

    def read(self, position: Position) -> Batch:
        """Take what journalctl wrote since.  Raises OSError when it can't be run or has ended, then tries again later."""
        if self._process is not None and position.mark != self._cursor:
            self.close()  # what was read last was not kept: begin again from what was
        if self._process is None and not self._start(position.mark):
            return Batch((), position)
        data = self._take()
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_ENTRY:
            self._rest = b""  # its end will be no entry either
        events: list[LogEvent] = []
        for line in lines:
            entry = decode_journal_entry(line)
            if entry is not None:
                self._cursor = entry.cursor
                if (event := self._parser.parse_journal_entry(entry)) is not None:
                    events.append(event)
        if not data:
            self._check_alive()
        return Batch(tuple(events), Position(mark=self._cursor), has_more=len(data) == self._chunk_bytes)

    def close(self) -> None:
        """End journalctl."""
        if self._process is not None:
            self._process.kill()
            with self._process:
                self._process = None
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None

    def _start(self, cursor: str) -> bool:
        if time.monotonic() - self._started_at < self._restart_seconds:
            return False
        self._started_at = time.monotonic()
        since = f"--after-cursor={cursor}" if cursor else f"--since={self._first_look}"
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._process = subprocess.Popen(
            (*self._command, "--follow", "--no-tail", since, MAIL_MATCH),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            bufsize=0,
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._cursor, self._rest = cursor, b""
        return True

    def _take(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        taken = b""
        # The pipe holds 64 KiB at most; journalctl waits while nobody reads.
        while len(taken) < self._chunk_bytes:
            some = self._process.stdout.read(self._chunk_bytes - len(taken))
            if not some:
                break
            taken += some
        return taken

    def _check_alive(self) -> None:
        if self._process is None or self._process.poll() is None:
            return
        assert self._complaints is not None
        self._complaints.seek(0)
        said = self._complaints.read(2000).decode("utf-8", "replace").strip().rpartition("\n")[2]
        status = self._process.returncode
        self.close()
        raise ChildProcessError(f"{self._command[0]} ended (status {status}): {said or 'without a word'}")
