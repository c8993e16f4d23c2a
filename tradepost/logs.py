# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines: one decision, one line, to stderr; systemd dates them and tells their level by the prefix.

Loggers are named by role: `tradepost.milter`, `tradepost.sync`, `tradepost.directory` ...; their levels follow `log.level`.
"""

import logging
import os
import re
import sys

# sd-daemon(3): what journald takes as the priority of a line.
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))

# A queue id, a HELO or a file name may be hostile: it must not begin a line of its own or move a terminal's cursor.
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


class LineFormatter(logging.Formatter):
    """`role: text`, one line; a traceback follows in lines of the same priority."""

    def __init__(self, *, for_journald: bool) -> None:
        super().__init__()
        self._for_journald = for_journald

    def format(self, record: logging.LogRecord) -> str:
        text = _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", record.getMessage())
        lines = [f"{record.name}: {text}"]
        if record.exc_info:
            lines += self.formatException(record.exc_info).splitlines()
        if not self._for_journald:
            return "\n".join(lines)
        prefix = next((f"<{number}>" for level, number in _PRIORITIES if record.levelno >= level), "<7>")
        return "\n".join([prefix + line for line in lines])


def configure_logging(level: str) -> None:
    """Send every log line of that level (DEBUG, INFO, WARNING, ERROR) and above to stderr.  May be called again."""
    target = logging.StreamHandler(sys.stderr)
    target.setFormatter(LineFormatter(for_journald=_is_journal(sys.stderr.fileno() if _has_descriptor() else -1)))
    root = logging.getLogger()
    for old in [known for known in root.handlers if isinstance(known.formatter, LineFormatter)]:
        root.removeHandler(old)
    root.addHandler(target)
    root.setLevel(logging.WARNING)  # libraries speak at INFO about every query and connection
    logging.getLogger("tradepost").setLevel(level)
    # No line of ours names file, thread or process: finding them out with every line is left out, as logging's own
    # documentation advises (HOWTO, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def _has_descriptor() -> bool:
    try:
        sys.stderr.fileno()
    except (OSError, ValueError):
        return False
    return True


def _is_journal(descriptor: int) -> bool:
    # systemd.exec(5): $JOURNAL_STREAM holds device and inode of the journal's socket, and stays set after a redirection.
    try:
        device, inode = os.environ.get("JOURNAL_STREAM", "").split(":")
        found = os.fstat(descriptor)
        return (found.st_dev, found.st_ino) == (int(device), int(inode))
    except (OSError, ValueError):
        return False
