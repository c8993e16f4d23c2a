# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite: one file, one worker, one web process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from crm_sync.database_base import Database, DatabaseError, DatabaseUnavailable, Turn, to_json
from tradepost.sqlite import connect, sqlite3

BUSY_MS = 5000


class SQLiteDatabase(Database):
    """A file.  Every writing transaction begins IMMEDIATE, the reading engine can't write."""

    admits_many_workers = False

    def __init__(self, path: Path, busy_ms: int) -> None:
        super().__init__(str(path), _engine(path, busy_ms, read_only=False), _engine(path, busy_ms, read_only=True))
        self.path = path
        self._inode: tuple[int, int] | None = None

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        with self.explained(), self.writer.connect() as connection:
            # Rebuilding a table drops the old one; with foreign keys on, that would delete what refers to it.  The
            # switch is void inside a transaction, so it is thrown on the raw connection before one begins.
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("PRAGMA foreign_keys=OFF")
            try:
                with connection.begin():
                    yield connection
                    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                    if broken:
                        raise DatabaseError(f"{self.name}: the migration would leave {len(broken)} dangling rows")
            finally:
                raw.execute("PRAGMA foreign_keys=ON")

    def check_present(self) -> None:
        """Raise DatabaseError when the file was deleted or replaced: SQLite would write on into nowhere."""
        found = _inode(self.path)
        if found is None:
            raise _missing(self.path)
        if self._inode is not None and found != self._inode:
            raise DatabaseError(f"{self.path}: the database was replaced while it was in use; start tradepost again")
        self._inode = found

    def turn(self, name: str) -> Turn:
        return _NobodyElse()

    @contextmanager
    def explained(self) -> Iterator[None]:
        try:
            with super().explained():
                yield
        except sqlite3.Error as error:  # of the raw connection
            raise self._explain(str(error)) or error from error

    def explain(self, error: DBAPIError) -> DatabaseError | None:
        return self._explain(str(error.orig))

    def _explain(self, text: str) -> DatabaseError | None:
        for beginning, meaning in _CAUSES:
            if beginning in text:
                kind = DatabaseUnavailable if beginning in _PASSING else DatabaseError
                return kind(f"{self.path}: {meaning.format(path=self.path, busy=BUSY_MS // 1000)}")
        return None


class _NobodyElse:
    """There is one worker."""

    def take(self) -> bool:
        return True

    def release(self) -> None:
        pass


def open_sqlite(path: Path, *, busy_ms: int, create: bool) -> SQLiteDatabase:
    """Open a file; `create` allows one that does not exist yet.  Raises DatabaseError."""
    if not create:
        _refuse_missing(path)
    if create:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(f"{path.parent}: can't be made: {error.strerror}") from error
    database = SQLiteDatabase(path, busy_ms)
    with database.explained(), database.writer.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        database.check_present()
    return database


def _engine(path: Path, busy_ms: int, *, read_only: bool) -> Engine:
    def open_file() -> Any:
        return connect(path, busy_ms=busy_ms, read_only=read_only)

    engine = create_engine(
        "sqlite://",
        module=sqlite3,
        creator=open_file,
        poolclass=None,
        json_serializer=to_json,
        json_deserializer=msgspec.json.decode,
    )
    # A deferred transaction that reads first and writes later fails at once when another writer came between.
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _refuse_missing(path: Path) -> None:
    try:
        os.stat(path)
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise DatabaseError(f"{path}: {_NO_RIGHT}") from error


def _missing(path: Path) -> DatabaseError:
    return DatabaseError(
        f"{path}: there is no database; 'tradepost database upgrade' makes one, a backup brings it back"
    )


_NO_RIGHT = "no right to open the database; it and its folder must belong to the service user"
_LOCKED, _FULL = "database is locked", "database or disk is full"
# Beginnings of SQLite's own texts, each with what it means for an administrator.
_CAUSES = (
    (
        _LOCKED,
        "another program holds the database for longer than {busy} s; end it (fuser {path}) and try again",
    ),
    ("file is not a database", "the file is no SQLite database; restore a backup or move the file away"),
    ("database disk image is malformed", "the database is damaged; restore a backup"),
    ("unable to open database file", _NO_RIGHT),
    (
        "attempt to write a readonly database",
        "no right to write; the database and its folder must belong to the service user",
    ),
    (_FULL, "the disk is full; make room, the journal keeps all mail"),
    ("disk I/O error", "the disk failed or its file system is read-only; look at the kernel's log"),
    ("no such table", "the schema is not there; run 'tradepost database upgrade'"),
    ("no such column", "the schema is too old; run 'tradepost database upgrade'"),
)
_PASSING = (_LOCKED, _FULL)


class WorkerLock:
    """Exactly one worker, and one web process, use a SQLite database.  The kernel frees the lock when the process dies."""

    def __init__(self, path: Path, kind: str = "worker", why: str = "on SQLite exactly one may run") -> None:
        """Take the lock.  Raises DatabaseError when another process of that kind has it."""
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DatabaseError(f"{path}: can't be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._fd, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise DatabaseError(f"{path}: another {kind} runs here (process {holder}); {why}, stop it first") from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next worker in.  The file stays: removing it would let two hold two files of one name."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
