# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks among the processes of one host.  The kernel frees them when their holder dies, however it dies."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Self


class HostLock:
    """A lock that is held.  The file stays when it is released: removing it would let two hold two files of one name."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> "HostLock | None":
        """Take it without waiting; None: another process has it.  Raises OSError when the file can't be opened or locked."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:  # a file system without locks
            os.close(descriptor)
            raise
        with suppress(OSError):  # a full disk: it is the worker that empties the journal there
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(path, descriptor)

    def release(self) -> None:
        """Let the next one in."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_holder(path: Path) -> str:
    """Return the process id that a lock's holder left in its file, for an error's text."""
    try:
        return path.read_text(encoding="ascii", errors="replace")[:20].strip() or "unknown"
    except OSError:
        return "unknown"
