# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door to SQLite.  Debian 12's own library has the WAL-reset bug (3.7.0-3.51.2), so pysqlite3 brings its own."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pysqlite3.dbapi2 as sqlite3

from tradepost.errors import Refusal

OLDEST_SAFE = (3, 51, 3)

__all__ = ["OLDEST_SAFE", "UnsafeSQLite", "connect", "sqlite3"]


class UnsafeSQLite(Refusal, RuntimeError):
    """This SQLite library can corrupt a database."""


def connect(
    path: Path, *, busy_ms: int, read_only: bool = False, synchronous: str = "FULL", create: bool = True
) -> Any:
    """Open a file in WAL mode, autocommit (transactions are written out), waiting `busy_ms` for a lock.

    Raises sqlite3.OperationalError, and UnsafeSQLite where the library has the WAL-reset corruption bug.
    """
    if sqlite3.sqlite_version_info < OLDEST_SAFE:
        raise UnsafeSQLite(
            f"SQLite {sqlite3.sqlite_version} can corrupt a database that several processes write; install pysqlite3>=0.6.1"
        )
    mode = "ro" if read_only else "rwc" if create else "rw"
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=busy_ms / 1000,
        check_same_thread=False,
    )
    try:
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
