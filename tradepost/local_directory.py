# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of one host: a SQLite key-value file that milter children read and the projector writes."""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tradepost.directory import (
    POLICY_KEY,
    UNKNOWN,
    Change,
    DirectoryError,
    DirectoryState,
    Unknown,
    claim_key,
    decode_fact,
)
from tradepost.metrics import Unanswered, count_unknown
from tradepost.policy import Policy
from tradepost.sqlite import connect, sqlite3

log = logging.getLogger("tradepost.directory")

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


class LocalDirectory:
    """Reader and claimer: one per process, opened after the fork; callbacks run in threads, so every call holds a lock."""

    def __init__(self, path: Path, *, deadline_ms: int = 20, stale_after_seconds: float = 300) -> None:
        self._path = path
        self._deadline_ms = deadline_ms
        self._stale_after = stale_after_seconds
        self._lock = threading.Lock()
        self._connection: Any = None
        self._policy: tuple[tuple[int, int], Policy] | None = None

    def _open(self) -> Any:
        if self._connection is None:
            self._connection = connect(self._path, busy_ms=self._deadline_ms, synchronous="NORMAL")
            self._connection.executescript(_SCHEMA)
        return self._connection

    def _drop(self) -> None:
        # A file that was deleted or replaced under us answers for ever from its old pages; open it anew.
        if self._connection is not None:
            try:
                self._connection.close()
            except sqlite3.Error:
                pass
            self._connection = None

    def state(self) -> DirectoryState | None:
        with self._lock:
            try:
                return self._state()
            except sqlite3.Error:
                self._drop()
                return None

    def _state(self) -> DirectoryState | None:
        row = self._open().execute("SELECT generation, seq, projected_at FROM mark").fetchone()
        if row is None:
            return None
        return DirectoryState(row[0], row[1], datetime.fromtimestamp(row[2], UTC))

    def policy(self) -> Policy | None:
        with self._lock:
            try:
                row = (
                    self._open()
                    .execute(
                        "SELECT d.generation, d.seq FROM derived d JOIN mark m ON d.generation = m.generation WHERE d.key = ?",
                        (POLICY_KEY,),
                    )
                    .fetchone()
                )
                if row is None:
                    return self._policy[1] if self._policy else None
                if self._policy is None or self._policy[0] != tuple(row):
                    blob = (
                        self._open()
                        .execute("SELECT value FROM derived WHERE generation = ? AND key = ?", (row[0], POLICY_KEY))
                        .fetchone()
                    )
                    self._policy = (tuple(row), decode_fact(blob[0], Policy))
                return self._policy[1]
            except (sqlite3.Error, msgspec.MsgspecError, OSError) as error:
                self._fails("policy", error)
                return self._policy[1] if self._policy else None

    def fetch(self, keys: Sequence[str]) -> dict[str, bytes] | Unknown:
        with self._lock:
            try:
                state = self._state()
                if state is None or (datetime.now(UTC) - state.projected_at).total_seconds() > self._stale_after:
                    count_unknown(Unanswered.NO_MARK if state is None else Unanswered.STALE)
                    return UNKNOWN
                return self._fetch(state.generation, list(dict.fromkeys(keys)))
            except sqlite3.Error as error:
                self._fails("fetch", error)
                return UNKNOWN

    def _fetch(self, generation: int, keys: list[str]) -> dict[str, bytes]:
        if not keys:
            return {}
        marks = ",".join("?" * len(keys))
        connection = self._open()
        own = connection.execute(
            f"SELECT key, value FROM own WHERE key IN ({marks}) AND expires_at > ?",
            (*keys, time.time()),
        ).fetchall()
        derived = connection.execute(
            f"SELECT key, value FROM derived WHERE generation = ? AND key IN ({marks}) AND value IS NOT NULL",
            (generation, *keys),
        ).fetchall()
        return {**dict(own), **dict(derived)}

    def claim(self, key: str, value: str, ttl_seconds: float) -> str | Unknown:
        now = time.time()
        with self._lock:
            try:
                connection = self._open()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    row = connection.execute(
                        "SELECT value FROM own WHERE key = ? AND expires_at > ?", (claim_key(key), now)
                    ).fetchone()
                    if row is None:
                        connection.execute(
                            "INSERT OR REPLACE INTO own (key, value, expires_at) VALUES (?, ?, ?)",
                            (claim_key(key), value.encode(), now + ttl_seconds),
                        )
                    connection.execute("COMMIT")
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                return value if row is None else bytes(row[0]).decode()
            except sqlite3.Error as error:
                self._fails("claim", error)
                return UNKNOWN

    def next_turn(self, key: str) -> int | Unknown:
        with self._lock:
            try:
                row = (
                    self._open()
                    .execute(
                        "INSERT INTO turn (key, n) VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET n = n + 1 RETURNING n",
                        (key,),
                    )
                    .fetchall()
                )
                return int(row[0][0])
            except sqlite3.Error as error:
                self._fails("next-turn", error)
                return UNKNOWN

    def note(self, values: dict[str, bytes], ttl_seconds: float) -> None:
        expires_at = time.time() + ttl_seconds
        with self._lock:
            try:
                connection = self._open()
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(
                    "INSERT OR REPLACE INTO own (key, value, expires_at) VALUES (?, ?, ?)",
                    [(key, value, expires_at) for key, value in values.items()],
                )
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._fails("note", error)

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _fails(self, stage: str, error: Exception) -> None:
        count_unknown(Unanswered.ERROR)
        log.warning("directory %s failed: %s", stage, error)
        self._drop()


class LocalDirectoryWriter:
    """The projector's side of the same file.  Raises DirectoryError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection = connect(path, busy_ms=5000, synchronous="NORMAL")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise _broken(path, error) from error
        self._inode = _inode(path)

    def _mark(self) -> tuple[int, int] | None:
        if _inode(self._path) != self._inode:
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
            raise DirectoryError("the directory has no generation yet: rebuild it first")
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
                (generation, change.key, change.seq, change.value),
            )
            last = max(last, change.seq)
        return last

    def begin_rebuild(self) -> int:
        mark = self._mark()
        generation = (mark[0] if mark else 0) + 1
        with _Immediate(self._connection, self._path):
            self._connection.execute("DELETE FROM derived WHERE generation >= ?", (generation,))
        return generation

    def fill(self, generation: int, changes: Iterable[Change]) -> None:
        with _Immediate(self._connection, self._path):
            self._put(generation, changes)

    def finish_rebuild(self, generation: int, seq: int, at: datetime) -> None:
        with _Immediate(self._connection, self._path):
            self._connection.execute(
                "INSERT OR REPLACE INTO mark (id, generation, seq, projected_at) VALUES (1, ?, ?, ?)",
                (generation, seq, at.timestamp()),
            )
            self._connection.execute("DELETE FROM derived WHERE generation <> ?", (generation,))

    def heartbeat(self, at: datetime) -> None:
        with _Immediate(self._connection, self._path):
            self._connection.execute("UPDATE mark SET projected_at = ?", (at.timestamp(),))

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


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
