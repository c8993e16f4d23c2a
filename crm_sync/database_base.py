# SPDX-License-Identifier: GPL-3.0-or-later
"""What every database behind the door offers: transactions, and errors that an administrator understands."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from tradepost.errors import Refusal


class DatabaseError(Refusal, RuntimeError):
    """The database can't be used.  One line: which one, the cause, the way out."""


class DatabaseUnavailable(DatabaseError):
    """It can't be used now: server away, disk full, read-only, lock held.  The same again may succeed."""


class DatabaseConflict(DatabaseUnavailable):
    """Two transactions stood in each other's way and this one gave in (deadlock, serialization): do it again at once."""


class Turn(Protocol):
    """What one process at a time may do, among all that use the database; the next takes over when it ends or dies."""

    def take(self) -> bool:
        """Is it ours?  Ask before every piece of work.  Raises DatabaseError."""

    def release(self) -> None:
        """Leave it to the others."""


class Database(ABC):
    """A writing and a reading engine.  Sessions are handed out as transactions: left well they commit, else roll back.

    `name` says in messages which database is meant, without its password.
    """

    # May several workers record into it at a time?
    admits_many_workers: bool

    def __init__(self, name: str, writer: Engine, reader: Engine) -> None:
        self.name = name
        self.writer = writer
        self._reader = reader

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a writing transaction.  Durable once left.  Raises DatabaseError."""
        self.check_present()
        with self.explained(), Session(self.writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a transaction that sees one snapshot, can't write and waits for no writer.  Raises DatabaseError."""
        self.check_present()
        with self.explained(), Session(self._reader, expire_on_commit=False) as session, session.begin():
            yield session

    @abstractmethod
    def migrating(self) -> AbstractContextManager[Connection]:
        """Open the transaction of a migration, one at a time.  Raises DatabaseError; nothing is kept then."""

    @abstractmethod
    def check_present(self) -> None:
        """Raise DatabaseError when what is open is no longer the database that bears the name."""

    @abstractmethod
    def turn(self, name: str) -> Turn:
        """Return what is needed to take turns at something; nothing is taken yet."""

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what the driver says about server, lock and disk into a DatabaseError; other errors pass unchanged.

        A violated constraint passes too: it speaks of the rows.
        """
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise self.explain(error) or error from error

    @abstractmethod
    def explain(self, error: DBAPIError) -> DatabaseError | None:
        """Say what an error of the driver means; None when it speaks of the rows."""

    def close(self) -> None:
        """Release both engines."""
        self.writer.dispose()
        self._reader.dispose()


def to_json(value: object) -> str:
    """Encode what a JSON column holds: our frozen types too."""
    return msgspec.json.encode(value).decode()
