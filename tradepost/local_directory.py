# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of one host: a SQLite key-value file that milter children read and the projector writes."""

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
# Claims of nobody else's: one that is held and not expired is left as it is, and gives no row back.
_CLAIM = (
    "INSERT INTO own (key, value, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE "
    "SET value = excluded.value, expires_at = excluded.expires_at WHERE own.expires_at <= ?4 RETURNING 1"
)
_HELD = "SELECT value FROM own WHERE key = ? AND expires_at > ?"
_COUNT_UP = "INSERT INTO turn (key, n) VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET n = n + 1 RETURNING n"
# One statement, hence one snapshot: between the mark and the facts the projector may switch generations.
_FETCH = (
    "SELECT 0, generation, projected_at FROM mark "
    "UNION ALL SELECT 1, key, value FROM own WHERE key IN ({keys}) AND expires_at > ?1 "
    "UNION ALL SELECT 2, d.key, d.value FROM mark m JOIN derived d ON d.generation = m.generation "
    "WHERE d.key IN ({keys}) AND d.value IS NOT NULL"
)
# Keys of a look-up are filled up to a multiple of this, so that few statements are ever prepared.
_KEYS_AT_ONCE = 8

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
        self._busy_ms = 0
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
            while not connection.execute(_CLAIM, (own_key, value.encode(), now + ttl_seconds, now)).fetchall():
                held = connection.execute(_HELD, (own_key, now)).fetchall()
                if held:  # else it was removed between the two statements
                    return bytes(held[0][0]).decode()
            return value

        return self._answer("claim", claim)

    def next_turn(self, key: str) -> int | Unknown:
        def count(connection: Any) -> int:
            return int(connection.execute(_COUNT_UP, (storable(key),)).fetchall()[0][0])

        return self._answer("next-turn", count)

    def note(self, values: dict[str, bytes], ttl_seconds: float) -> None:
        def put(connection: Any) -> None:
            expires_at = time.time() + ttl_seconds
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_PUT_OWN, [(storable(key), value, expires_at) for key, value in values.items()])
            connection.execute("COMMIT")

        self._answer("note", put)

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _answer(self, stage: str, ask: Callable[[Any], _T]) -> _T | Unknown:
        try:
            return self._ask(stage, ask)
        except _Unanswered as unanswered:
            count_unknown(unanswered.cause)
            return UNKNOWN

    def _ask(self, stage: str, ask: Callable[[Any], _T]) -> _T:
        """Run `ask` within the deadline.  Raises _Unanswered for whatever hinders it."""
        until = time.monotonic() + self._deadline_seconds
        if not self._lock.acquire(timeout=self._deadline_seconds):
            raise _Unanswered(Unanswered.SLOW)
        try:
            connection = self._open(until)
            self._wait_until(connection, until)
            try:
                return ask(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except (sqlite3.Error, msgspec.MsgspecError, OSError, ValueError, TypeError) as error:
            is_slow = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
            self._tell(stage, error)
            if not is_slow:
                self._drop()
            raise _Unanswered(Unanswered.SLOW if is_slow else Unanswered.ERROR) from error
        finally:
            self._lock.release()

    def _wait_until(self, connection: Any, until: float) -> None:
        """Let SQLite wait for locks as long as is left; a millisecond more or less is not worth telling it."""
        left = _milliseconds_until(until)
        if abs(left - self._busy_ms) > 1:
            connection.execute(f"PRAGMA busy_timeout = {left}")
            self._busy_ms = left

    def _open(self, until: float) -> Any:
        # A file that was deleted or replaced under us answers for ever from its old pages.
        inode = inode_of(self._path)
        if self._connection is not None and inode == self._inode:
            return self._connection
        self._drop()
        if inode is None:
            raise _Unanswered(Unanswered.NO_MARK)
        self._busy_ms = _milliseconds_until(until)
        connection = connect(self._path, busy_ms=self._busy_ms, synchronous="NORMAL", create=False)
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
        asked = {storable(key): key for key in keys}
        now = time.time()
        wanted = [*asked, *[None] * (-len(asked) % _KEYS_AT_ONCE)]
        places = ",".join([f"?{number}" for number in range(2, len(wanted) + 2)])
        rows = connection.execute(_FETCH.format(keys=places), (now, *wanted)).fetchall()
        projected_at = next((row[2] for row in rows if row[0] == 0), None)
        if projected_at is None:
            raise _Unanswered(Unanswered.NO_MARK)
        if now - projected_at > self._stale_after:
            raise _Unanswered(Unanswered.STALE)
        # What the projector says comes last and so replaces what arrival noted itself.
        return {asked[key]: value for part in (1, 2) for place, key, value in rows if place == part}

    def _read_policy(self, connection: Any) -> None:
        rows = connection.execute(
            "SELECT d.generation, d.seq, CASE WHEN d.generation = ? AND d.seq = ? THEN NULL ELSE d.value END "
            "FROM mark m JOIN derived d ON d.generation = m.generation AND d.key = ? AND d.value IS NOT NULL",
            (*self._policy_mark, POLICY_KEY),
        ).fetchall()
        for generation, seq, value in rows:
            if value is not None:
                self._policy = decode_fact(value, Policy)
                self._policy_mark = (generation, seq)


def _read_state(connection: Any) -> DirectoryState | None:
    rows = connection.execute(
        "SELECT generation, seq, projected_at, EXISTS (SELECT 1 FROM derived WHERE generation > mark.generation) FROM mark"
    ).fetchall()
    for generation, seq, projected_at, is_rebuilding in rows:
        return DirectoryState(
            generation, seq, datetime.fromtimestamp(projected_at, UTC), rebuilding=bool(is_rebuilding)
        )
    return None


def _milliseconds_until(until: float) -> int:
    return max(1, int((until - time.monotonic()) * 1000))
