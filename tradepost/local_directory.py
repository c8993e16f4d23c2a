# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of one host: a SQLite key-value file that milter children read and the projector writes."""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tradepost.directory import (
    POLICY_KEY,
    UNKNOWN,
    DirectoryState,
    Unknown,
    claim_key,
    decode_fact,
    storable,
)
from tradepost.local_directory_writer import LocalDirectoryWriter, inode_of
from tradepost.metrics import Unanswered, count_unknown
from tradepost.policy import Policy
from tradepost.sqlite import connect, sqlite3

__all__ = ["LocalDirectory", "LocalDirectoryWriter"]

log = logging.getLogger("tradepost.directory")

_T = TypeVar("_T")

_PUT_OWN = "INSERT OR REPLACE INTO own (key, value, expires_at) VALUES (?, ?, ?)"
_OF_THESE = "IN (SELECT value FROM json_each(?))"

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
        own_key = storable(claim_key(key))

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
                (storable(key),),
            ).fetchall()
            return int(rows[0][0])

        return self._answer("next-turn", count, begin="BEGIN IMMEDIATE")

    def note(self, values: dict[str, bytes], ttl_seconds: float) -> None:
        def put(connection: Any) -> None:
            expires_at = time.time() + ttl_seconds
            connection.executemany(_PUT_OWN, [(storable(key), value, expires_at) for key, value in values.items()])

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
        inode = inode_of(self._path)
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
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # moving pages and its fsync are the projector's work
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
        asked = {storable(key): key for key in keys}
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
