# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL: a server, many workers, any number of web processes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from crm_sync.advisory_locks import MIGRATION, hold_for_transaction, try_to_hold_turn
from crm_sync.database_base import Database, DatabaseConflict, DatabaseError, DatabaseUnavailable, Turn, to_json

# libpq's words.  A server that went away without a word is noticed within 15 s instead of the kernel's quarter of an hour.
_CONNECTION = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "application_name": "tradepost",
    "client_encoding": "utf8",
}
# The server must notice it too, or the locks of a host that was cut off would stay: its own default is two hours.
_SESSION = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "idle_in_transaction_session_timeout": "120s",
    "lock_timeout": "15s",
    "statement_timeout": "60s",
}
_WRITING = {
    "default_transaction_isolation": r"read\ committed",
    # An acknowledgement says that the commit is durable, whatever the server's default.
    "synchronous_commit": "on",
}
# Facts and the number they belong to are read from one snapshot.
_READING = {"default_transaction_isolation": r"repeatable\ read", "default_transaction_read_only": "on"}

# Who waits for his turn asks so often.
_ASK_SECONDS = 1.0


class PostgreSQLDatabase(Database):
    """A database on a server."""

    admits_many_workers = True

    def __init__(self, url: URL) -> None:
        self._url = url
        super().__init__(_shown(url), _engine(url, _WRITING), _engine(url, _READING))

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        with self.explained(), self.writer.begin() as connection:
            # A large table takes its time; workers wait for their tables and try again.
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql("SET LOCAL lock_timeout = '120s'")
            hold_for_transaction(connection, MIGRATION)
            yield connection

    def check_present(self) -> None:
        """Nothing to do: a server says itself when a database is gone."""

    def explain(self, error: DBAPIError) -> DatabaseError | None:
        if isinstance(error.orig, psycopg.errors.ReadOnlySqlTransaction):
            # A connection stays read-only, and at this server, when the primary is another one or writing is allowed again.
            self.writer.dispose()
        return _explain(self.name, error)

    def turn(self, name: str) -> Turn:
        return _SessionTurn(self, name, _engine(self._url, {}, pooled=False))


class _SessionTurn:
    """A lock of a connection of its own, outside transactions: the server frees it when the connection ends."""

    def __init__(self, database: PostgreSQLDatabase, name: str, engine: Engine) -> None:
        self._database = database
        self._name = name
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None
        self._is_held = False
        self._ask_at = 0.0

    def take(self) -> bool:
        if time.monotonic() < self._ask_at:
            return False
        try:
            with self._database.explained():
                if self._connection is None:
                    self._connection = self._engine.connect()
                if self._is_held:
                    self._connection.exec_driver_sql("SELECT 1")  # lost with the connection, should that be gone
                else:
                    self._is_held = try_to_hold_turn(self._connection, self._name)
        except DatabaseError:
            self.release()
            raise
        if not self._is_held:
            self._ask_at = time.monotonic() + _ASK_SECONDS
        return self._is_held

    def release(self) -> None:
        self._is_held = False
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


def open_postgresql(url: URL) -> PostgreSQLDatabase:
    """Connect.  Raises DatabaseError."""
    database = PostgreSQLDatabase(url.set(drivername="postgresql+psycopg"))
    try:
        with database.explained(), database.writer.connect() as connection:
            encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise DatabaseError(
                f"{database.name}: its encoding is {encoding}; make one with 'createdb -E UTF8 -T template0'"
            )
    except DatabaseError:
        database.close()
        raise
    return database


def _shown(url: URL) -> str:
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{user}{url.host or ''}{port}/{url.database or ''}"


def _engine(url: URL, words: dict[str, str], *, pooled: bool = True) -> Engine:
    options = " ".join(f"-c {name}={value}" for name, value in (_SESSION | words).items())
    # What the administrator writes into the URL comes last and wins.
    theirs = {name: value for name, value in url.query.items() if isinstance(value, str)}
    if "options" in theirs:
        options = f"{options} {theirs['options']}"
    arguments: dict[str, Any] = (
        _CONNECTION | {n: v for n, v in theirs.items() if n in _CONNECTION} | {"options": options}
    )
    pool: dict[str, Any] = {"poolclass": QueuePool, "pool_pre_ping": True} if pooled else {"poolclass": NullPool}
    return create_engine(
        url,
        connect_args=arguments,
        json_serializer=to_json,
        json_deserializer=msgspec.json.decode,
        **pool,
    )


# SQLSTATE, or its class, with what it means for an administrator (PostgreSQL manual, appendix A).
_PASSING = {
    "08": "the connection was lost",
    "57014": "a statement took longer than a minute and was ended; the server is overloaded",
    "57P": "the server is being stopped or started",
    "53100": "the server's disk is full; make room, the journal keeps all mail",
    "53300": "the server has no connection left; raise its max_connections or stop programs",
    "53": "the server is out of resources (memory, locks)",
    "55P03": "another transaction holds a lock for longer than 15 s; look into pg_stat_activity",
    "58": "the server's disk failed; look at its log",
    "25006": "it is read-only: a standby, or default_transaction_read_only is on; name the primary in [database] url",
    "25P03": "the transaction stood idle for two minutes and was ended",
}
_CONFLICTS = {"40001", "40P01"}
_LASTING = {
    "42P01": "the schema is not there; run 'tradepost database upgrade'",
    "42703": "the schema is too old; run 'tradepost database upgrade'",
    "42501": "the role has no right to it; the role that tradepost uses must own the tables",
    "3D000": "there is no such database; 'createdb' makes one",
    "28": "the server refuses the role or its password; see [database] url and password_file",
    "XX": "the server reports an internal error; look at its log, it may be damaged",
}
# Connecting fails without a SQLSTATE.  Texts of libpq and of the server's FATAL, where it speaks English.
_CONNECTING = (
    ("password authentication failed", _LASTING["28"], DatabaseError),
    ("no password supplied", _LASTING["28"], DatabaseError),
    ("no pg_hba.conf entry", "the server's pg_hba.conf admits no such connection", DatabaseError),
    ("too many c", _PASSING["53300"], DatabaseUnavailable),
    ("remaining connection slots", _PASSING["53300"], DatabaseUnavailable),
    ("the database system is", _PASSING["57P"], DatabaseUnavailable),
    (
        "certificate",
        "its TLS certificate can't be trusted; see sslmode and sslrootcert in [database] url",
        DatabaseError,
    ),
    ("does not exist", "there is no such role or database; 'createuser' and 'createdb' make them", DatabaseError),
)


def _explain(name: str, error: DBAPIError) -> DatabaseError | None:
    cause = error.orig
    state = (cause.sqlstate if isinstance(cause, psycopg.Error) else None) or ""
    if state in _CONFLICTS:
        return DatabaseConflict(f"{name}: two transactions stood in each other's way; this one is done again")
    for width in (5, 3, 2):
        if meaning := _PASSING.get(state[:width]):
            return DatabaseUnavailable(f"{name}: {meaning}")
        if meaning := _LASTING.get(state[:width]):
            return DatabaseError(f"{name}: {meaning}")
    if state or not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return None
    text = str(cause)
    for words, meaning, kind in _CONNECTING:
        if words in text:
            return kind(f"{name}: {meaning}")
    said = text.partition("\n")[0].removeprefix("connection failed: ")
    return DatabaseUnavailable(f"{name}: the server can't be reached: {said}")
