# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that knows engines, dialects and what their errors mean."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from tradepost.errors import Refusal
from tradepost.sqlite import connect, sqlite3

BUSY_MS = 5000


class DatabaseError(Refusal, RuntimeError):
    """The database can't be used.  One line: which one, the cause, the way out."""


class Database:
    """A writing and a reading engine.  Sessions are handed out as transactions: left well they commit, else roll back."""

    def __init__(self, url: str, path: Path, writer: Engine, reader: Engine) -> None:
        self.url = url
        self.path = path
        self.writer = writer
        self._reader = reader
        self._inode: tuple[int, int] | None = None

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a writing transaction (BEGIN IMMEDIATE).  Durable once left.  Raises DatabaseError."""
        self.check_present()
        with explained(self.path), Session(self.writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a transaction that can't write and waits for no writer.  Raises DatabaseError."""
        self.check_present()
        with explained(self.path), Session(self._reader, expire_on_commit=False) as session, session.begin():
            yield session

    def check_present(self) -> None:
        """Raise DatabaseError when the file was deleted or replaced: SQLite would write on into nowhere."""
        found = _inode(self.path)
        if found is None:
            raise _missing(self.path)
        if self._inode is not None and found != self._inode:
            raise DatabaseError(f"{self.path}: the database was replaced while it was in use; start tradepost again")
        self._inode = found

    def close(self) -> None:
        """Release both engines."""
        self.writer.dispose()
        self._reader.dispose()


def open_database(url: str, *, busy_ms: int = BUSY_MS, create: bool = False) -> Database:
    """Open the database of an SQLAlchemy URL.  `create` allows a file that does not exist yet.

    Raises DatabaseError.  Whether its schema fits is asked by `crm_sync.schema.check_schema`.
    """
    path = _sqlite_path(url)
    if not create:
        _refuse_missing(path)
    if create:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(f"{path.parent}: can't be made: {error.strerror}") from error
    database = Database(url, path, _engine(path, busy_ms, read_only=False), _engine(path, busy_ms, read_only=True))
    with explained(path), database.writer.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        database.check_present()
    return database


def _sqlite_path(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseError(f"[database] url: {url!r} is no SQLAlchemy URL; write sqlite:////absolute/path") from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        shown = parsed.render_as_string(hide_password=True)
        raise DatabaseError(f"[database] url: {shown} is not supported here; write sqlite:////absolute/path")
    return Path(parsed.database)


def _engine(path: Path, busy_ms: int, *, read_only: bool) -> Engine:
    def open_file() -> Any:
        return connect(path, busy_ms=busy_ms, read_only=read_only)

    engine = create_engine(
        "sqlite://",
        module=sqlite3,
        creator=open_file,
        poolclass=None,
        json_serializer=_to_json,
        json_deserializer=msgspec.json.decode,
    )
    # A deferred transaction that reads first and writes later fails at once when another writer came between.
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


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
# Beginnings of SQLite's own texts, each with what it means for an administrator.
_CAUSES = (
    (
        "database is locked",
        "another program holds the database for longer than {busy} s; end it (fuser {path}) and try again",
    ),
    ("file is not a database", "the file is no SQLite database; restore a backup or move the file away"),
    ("database disk image is malformed", "the database is damaged; restore a backup"),
    ("unable to open database file", _NO_RIGHT),
    (
        "attempt to write a readonly database",
        "no right to write; the database and its folder must belong to the service user",
    ),
    ("database or disk is full", "the disk is full; make room and start again, the journal keeps all mail"),
    ("disk I/O error", "the disk failed or its file system is read-only; look at the kernel's log"),
    ("no such table", "the schema is not there; run 'tradepost database upgrade'"),
    ("no such column", "the schema is too old; run 'tradepost database upgrade'"),
)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the driver says about file, lock and disk into a DatabaseError; a violated constraint passes unchanged."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise _explain(path, str(error.orig)) or error from error
    except sqlite3.Error as error:
        raise _explain(path, str(error)) or error from error


def _explain(path: Path, text: str) -> DatabaseError | None:
    for beginning, meaning in _CAUSES:
        if beginning in text:
            return DatabaseError(f"{path}: {meaning.format(path=path, busy=BUSY_MS // 1000)}")
    return None


class WorkerLock:
    """Exactly one worker, and one web process, use a SQLite database.  The kernel frees the lock when the process dies."""

    def __init__(self, path: Path, kind: str = "worker") -> None:
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
            raise DatabaseError(
                f"{path}: another {kind} runs here (process {holder}); on SQLite exactly one may run, stop it first"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next worker in.  The file stays: removing it would let two hold two files of one name."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
