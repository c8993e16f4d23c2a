# SPDX-License-Identifier: GPL-3.0-or-later
"""The files in which a process keeps its counts: their room is taken before prometheus-client maps them.

It writes `counter_PID.db`, `histogram_PID.db` and `gauge_livemax_PID.db` below $PROMETHEUS_MULTIPROC_DIR as memory maps; a
page of a map that the file system has no room for kills the process (SIGBUS).  Imports nothing of prometheus-client, which
chooses its kind of value when it is imported.
"""

import errno
import logging
import os
from pathlib import Path

from tradepost.errors import Refusal

log = logging.getLogger("tradepost.metrics")

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# Bytes per file, above what all label sets need; a test fails when they outgrow it.
ROOM = {"counter": 262_144, "histogram": 65_536, "gauge_livemax": 65_536}


class _Process:
    """What this process knows about its own files; a fork makes a new process."""

    ready: bool | None = None  # None: it has not looked yet

    def forget(self) -> None:
        """Look anew."""
        self.ready = None


_own = _Process()
os.register_at_fork(after_in_child=_own.forget)


def share_metrics(folder: Path) -> None:
    """Count into this folder from now on.  Call before `tradepost.metrics` is imported.

    Raises Refusal when the folder can't be made or written.  A full file system is no reason to refuse: the process then
    counts for itself only, and says so.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"{folder}: can't be made: {error.strerror}; make it, or set paths.runtime") from error
    if os.geteuid() == 0 and folder.stat().st_uid != 0:
        # An administrator runs a service's command by hand: the service could neither read nor remove root's files.
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise Refusal(f"{folder}: no right to write there; give it to the service user, or set paths.runtime")
    os.environ[FOLDER_VARIABLE] = str(folder)
    if not is_ready():
        del os.environ[FOLDER_VARIABLE]


def shared_folder() -> Path | None:
    """Return the folder this process counts into; None: it counts for itself."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return Path(folder) if folder else None


def is_ready() -> bool:
    """May this process count?  False when its files could not be made; that is said once, and mail goes on."""
    if _own.ready is None:
        _own.ready = _take_room(os.getpid())
    return _own.ready


def _take_room(pid: int) -> bool:
    folder = shared_folder()
    if folder is None:
        return True
    try:
        for kind, octets in ROOM.items():
            path = folder / f"{kind}_{pid}.db"
            if not path.exists():  # else our pid belonged to a process that is gone: go on from its counts
                allocate(path, octets)
    except OSError as error:
        log.warning("this process counts nothing: %s: %s", error.filename or folder, error.strerror)
        return False
    return True


def allocate(path: Path, octets: int) -> None:
    """Make a file of that many zero bytes, or none at all.  Raises OSError (ENOSPC) naming the path."""
    # Under another name until it has its size: the collector reads every *.db, and an empty one is no map.
    draft = path.with_suffix(".draft")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, octets)
        finally:
            os.close(descriptor)
        draft.rename(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OSError(error.errno or errno.EIO, error.strerror, str(path)) from error
