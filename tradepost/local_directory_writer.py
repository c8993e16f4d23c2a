# SPDX-License-Identifier: GPL-3.0-or-later
"""The projector's side of the local directory: it makes the file, writes changes and whole generations."""

import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from tradepost.directory import Change, DirectoryError, storable
from tradepost.sqlite import connect, sqlite3

_SCHEMA = """
CREATE TABLE IF NOT EXISTS mark (
    id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, seq INTEGER NOT NULL, projected_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS derived (
    generation INTEGER NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, value BLOB, PRIMARY KEY (generation, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS own_expires ON own (expires_at);
CREATE TABLE IF NOT EXISTS turn (key TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
"""

# Rows of an old generation deleted in one transaction: a claim at arrival must not wait behind all of them.
_SLICE = 2000


class LocalDirectoryWriter:
    """The projector's side of the same file.  Raises DirectoryError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection = connect(path, busy_ms=5000, synchronous="NORMAL")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise _broken(path, error) from error
        self._inode = inode_of(path)

    def _mark(self) -> tuple[int, int] | None:
        if inode_of(self._path) != self._inode:
            # SQLite writes on into a deleted file, where no milter reads.
            raise DirectoryError(
                f"{self._path}: the directory was deleted or replaced while in use; it is written anew"
            )
        try:
            row = self._connection.execute("SELECT generation, seq FROM mark").fetchone()
        except sqlite3.Error as error:
            raise _broken(self._path, error) from error
        return (row[0], row[1]) if row else None

    def seq(self) -> int | None:
        """Return how far the generation in force was projected; None without a mark (then rebuild)."""
        mark = self._mark()
        return mark[1] if mark else None

    def project(self, changes: Iterable[Change], at: datetime) -> int:
        mark = self._mark()
        if mark is None:
            raise DirectoryError(f"{self._path}: the directory has no generation yet: rebuild it first")
        generation, seq = mark
        with _Immediate(self._connection, self._path):
            seq = max(seq, self._put(generation, changes))
            self._connection.execute("UPDATE mark SET seq = ?, projected_at = ?", (seq, at.timestamp()))
            self._connection.execute("DELETE FROM own WHERE expires_at < ?", (time.time(),))
        return seq

    def _put(self, generation: int, changes: Iterable[Change]) -> int:
        last = 0
        for change in changes:
            self._connection.execute(
                "INSERT INTO derived (generation, key, seq, value) VALUES (?, ?, ?, ?) ON CONFLICT (generation, key) "
                "DO UPDATE SET seq = excluded.seq, value = excluded.value WHERE excluded.seq >= derived.seq",
                (generation, storable(change.key), change.seq, change.value),
            )
            last = max(last, change.seq)
        return last

    def begin_rebuild(self) -> int:
        mark = self._mark()
        generation = (mark[0] if mark else 0) + 1
        self._delete_generations(">=", generation)  # what a rebuild that was cut short left
        return generation

    def _delete_generations(self, which: str, generation: int) -> None:
        deleted = _SLICE
        while deleted == _SLICE:
            with _Immediate(self._connection, self._path):
                deleted = self._connection.execute(
                    "DELETE FROM derived WHERE (generation, key) IN "
                    f"(SELECT generation, key FROM derived WHERE generation {which} ? LIMIT {_SLICE})",
                    (generation,),
                ).rowcount

    def fill(self, generation: int, changes: Iterable[Change]) -> None:
        with _Immediate(self._connection, self._path):
            self._put(generation, changes)

    def finish_rebuild(self, generation: int, seq: int, at: datetime) -> None:
        with _Immediate(self._connection, self._path):
            self._connection.execute(
                "INSERT OR REPLACE INTO mark (id, generation, seq, projected_at) VALUES (1, ?, ?, ?)",
                (generation, seq, at.timestamp()),
            )
        self._delete_generations("<>", generation)

    def heartbeat(self, at: datetime) -> None:
        if self._mark() is None:
            raise DirectoryError(f"{self._path}: the directory has no generation yet: rebuild it first")
        with _Immediate(self._connection, self._path):
            self._connection.execute("UPDATE mark SET projected_at = ?", (at.timestamp(),))
            self._connection.execute("DELETE FROM own WHERE expires_at < ?", (time.time(),))

    def close(self) -> None:
        self._connection.close()


class _Immediate:
    """A writing transaction whose failures are DirectoryErrors."""

    def __init__(self, connection: Any, path: Path) -> None:
        self._connection = connection
        self._path = path

    def __enter__(self) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise _broken(self._path, error) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        try:
            self._connection.execute("ROLLBACK" if kind else "COMMIT")
        except sqlite3.Error as failure:
            raise _broken(self._path, failure) from failure
        if isinstance(error, sqlite3.Error):
            raise _broken(self._path, error) from error


def _broken(path: Path, error: sqlite3.Error) -> DirectoryError:
    return DirectoryError(
        f"{path}: the directory can't be used: {error}; it may be deleted while tradepost is stopped, "
        "'tradepost directory rebuild' writes it anew"
    )


def inode_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another of its name; None: there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
