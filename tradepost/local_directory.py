# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of one host: a SQLite key-value file that milter children read and the projector writes."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

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

_T = TypeVar("_T")

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

_PUT_OWN = "INSERT OR REPLACE INTO own (key, value, expires_at) VALUES (?, ?, ?)"
_OF_THESE = "IN (SELECT value FROM json_each(?))"

# Rows of an old generation deleted in one transaction: a claim at arrival must not wait behind all of them.
_SLICE = 2000
# A broken directory is met by every mail; one line in so long tells it.
_SILENCE_SECONDS = 60


class _Unanswered(Exception):
    """The file is fine or absent, but can't answer now; `cause` says why."""

    def __init__(self, cause: Unanswered) -> None:
        super().__init__(cause.value)
        self.cause = cause


class LocalDirectory:
    """Reader and claimer: one per process, opened after the fork; callbacks run in threads, so every call holds a lock.

    It never makes the file: that is the projector's, and an empty one would answer for it.  A call ends within
    `deadline_ms`, waiting for the thread lock, opening and SQLite's locks included.
    """

    def __init__(self, path: Path, *, deadline_ms: int = 20, stale_after_seconds: float = 300) -> None:
        self._path = path
        self._deadline_seconds = deadline_ms / 1000
        self._stale_after = stale_after_seconds
        self._lock = threading.Lock()
        self._connection: Any = None
        self._inode: tuple[int, int] | None = None
        self._policy: Policy | None = None
        self._policy_mark = (-1, -1)  # generation and seq of the policy at hand
        self._told_at: dict[str, float] = {}

    def state(self) -> DirectoryState | None:
        try:
            return self._ask("state", _read_state)
        except _Unanswered:
            return None

    def policy(self) -> Policy | None:
        try:
            self._ask("policy", self._read_policy)
        except _Unanswered:
            pass  # the one at hand stays: whose domains are ours does not change by the minute
        return self._policy

    def fetch(self, keys: Sequence[str]) -> dict[str, bytes] | Unknown:
        return self._answer("fetch", lambda connection: self._read_facts(connection, keys))

    def claim(self, key: str, value: str, ttl_seconds: float) -> str | Unknown:
        own_key = _storable(claim_key(key))

        def claim(connection: Any) -> str:
            now = time.time()
            row = connection.execute(
                "SELECT value FROM own WHERE key = ? AND expires_at > ?", (own_key, now)
            ).fetchone()
            if row is not None:
                return bytes(row[0]).decode()
            connection.execute(_PUT_OWN, (own_key, value.encode(), now + ttl_seconds))
            return value

        return self._answer("claim", claim, begin="BEGIN IMMEDIATE")

    def next_turn(self, key: str) -> int | Unknown:
        def count(connection: Any) -> int:
            rows = connection.execute(
                "INSERT INTO turn (key, n) VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET n = n + 1 RETURNING n",
                (_storable(key),),
            ).fetchall()
            return int(rows[0][0])

        return self._answer("next-turn", count, begin="BEGIN IMMEDIATE")

    def note(self, values: dict[str, bytes], ttl_seconds: float) -> None:
        def put(connection: Any) -> None:
            expires_at = time.time() + ttl_seconds
            connection.executemany(_PUT_OWN, [(_storable(key), value, expires_at) for key, value in values.items()])

        self._answer("note", put, begin="BEGIN IMMEDIATE")

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _answer(self, stage: str, read: Callable[[Any], _T], begin: str = "BEGIN") -> _T | Unknown:
        try:
            return self._ask(stage, read, begin)
        except _Unanswered as unanswered:
            count_unknown(unanswered.cause)
            return UNKNOWN

    def _ask(self, stage: str, read: Callable[[Any], _T], begin: str = "BEGIN") -> _T:
        """Run `read` in one transaction, within the deadline.  Raises _Unanswered for whatever hinders it."""
        until = time.monotonic() + self._deadline_seconds
        if not self._lock.acquire(timeout=self._deadline_seconds):
            raise _Unanswered(Unanswered.SLOW)
        try:
            return self._transact(self._open(until), read, begin, until)
        except (sqlite3.Error, msgspec.MsgspecError, OSError, ValueError, TypeError) as error:
            is_slow = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
            self._tell(stage, error)
            if not is_slow:
                self._drop()
            raise _Unanswered(Unanswered.SLOW if is_slow else Unanswered.ERROR) from error
        finally:
            self._lock.release()

    def _transact(self, connection: Any, read: Callable[[Any], _T], begin: str, until: float) -> _T:
        connection.execute(f"PRAGMA busy_timeout = {_milliseconds_until(until)}")
        # One snapshot: between the mark and the facts the projector may switch generations.
        connection.execute(begin)
        try:
            result = read(connection)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return result

    def _open(self, until: float) -> Any:
        # A file that was deleted or replaced under us answers for ever from its old pages.
        inode = _inode(self._path)
        if self._connection is not None and inode == self._inode:
            return self._connection
        self._drop()
        if inode is None:
            raise _Unanswered(Unanswered.NO_MARK)
        connection = connect(self._path, busy_ms=_milliseconds_until(until), synchronous="NORMAL", create=False)
        # The projector makes the tables right after the file, the last one last.
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'turn'").fetchone() is None:
            connection.close()
            raise _Unanswered(Unanswered.NO_MARK)
        self._connection, self._inode = connection, inode
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            try:
                self._connection.close()
            except sqlite3.Error:
                pass
        self._connection = None
        self._policy_mark = (-1, -1)  # another file may number its changes the same

    def _tell(self, stage: str, error: Exception) -> None:
        now = time.monotonic()
        if now - self._told_at.get(stage, -_SILENCE_SECONDS) >= _SILENCE_SECONDS:
            self._told_at[stage] = now
            log.warning("%s: %s: %s", self._path, stage, error)

    def _read_facts(self, connection: Any, keys: Sequence[str]) -> dict[str, bytes]:
        row = connection.execute("SELECT generation, projected_at FROM mark").fetchone()
        if row is None:
            raise _Unanswered(Unanswered.NO_MARK)
        generation, projected_at = row
        now = time.time()
        if now - projected_at > self._stale_after:
            raise _Unanswered(Unanswered.STALE)
        asked = {_storable(key): key for key in keys}
        wanted = json.dumps(list(asked))
        own = connection.execute(f"SELECT key, value FROM own WHERE key {_OF_THESE} AND expires_at > ?", (wanted, now))
        found = dict(own.fetchall())
        derived = connection.execute(
            f"SELECT key, value FROM derived WHERE generation = ? AND key {_OF_THESE} AND value IS NOT NULL",
            (generation, wanted),
        )
        found.update(derived.fetchall())
        return {asked[key]: value for key, value in found.items()}

    def _read_policy(self, connection: Any) -> None:
        row = connection.execute(
            "SELECT d.generation, d.seq, CASE WHEN d.generation = ? AND d.seq = ? THEN NULL ELSE d.value END "
            "FROM mark m JOIN derived d ON d.generation = m.generation AND d.key = ? AND d.value IS NOT NULL",
            (*self._policy_mark, POLICY_KEY),
        ).fetchone()
        if row is not None and row[2] is not None:
            self._policy = decode_fact(row[2], Policy)
            self._policy_mark = (row[0], row[1])


def _read_state(connection: Any) -> DirectoryState | None:
    row = connection.execute("SELECT generation, seq, projected_at FROM mark").fetchone()
    if row is None:
        return None
    newer = connection.execute("SELECT 1 FROM derived WHERE generation > ? LIMIT 1", (row[0],)).fetchone()
    return DirectoryState(row[0], row[1], datetime.fromtimestamp(row[2], UTC), rebuilding=newer is not None)


def _milliseconds_until(until: float) -> int:
    return max(1, int((until - time.monotonic()) * 1000))


def _storable(key: str) -> str:
    """Return the key as SQLite can hold it: addresses from broken mail hold halves of characters."""
    return key if key.isascii() else key.encode("utf-8", "backslashreplace").decode()


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
                (generation, _storable(change.key), change.seq, change.value),
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


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
