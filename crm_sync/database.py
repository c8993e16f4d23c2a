# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door to the records: an SQLAlchemy URL says which database it is, SQLite or PostgreSQL."""

from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from crm_sync.database_base import Database, DatabaseConflict, DatabaseError, DatabaseUnavailable
from crm_sync.postgresql_database import open_postgresql
from crm_sync.sqlite_database import BUSY_MS, WorkerLock, open_sqlite

__all__ = ["Database", "DatabaseConflict", "DatabaseError", "DatabaseUnavailable", "WorkerLock", "open_database"]

_FORMS = "write sqlite:////absolute/path or postgresql+psycopg://user@host/database"


def open_database(url: str, *, busy_ms: int = BUSY_MS, create: bool = False) -> Database:
    """Open the database of an SQLAlchemy URL.  `create` allows an SQLite file that does not exist yet.

    Raises DatabaseError.  Whether its schema fits is asked by `crm_sync.schema.check_schema`.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        # Not shown: what can't be taken apart may hold a password anywhere.
        raise DatabaseError(f"[database] url: is no SQLAlchemy URL; {_FORMS}") from error
    match parsed.get_backend_name():
        case "sqlite" if parsed.database:
            return open_sqlite(Path(parsed.database), busy_ms=busy_ms, create=create)
        case "postgresql" if parsed.database and parsed.drivername in ("postgresql", "postgresql+psycopg"):
            return open_postgresql(parsed)
    shown = parsed.render_as_string(hide_password=True)
    raise DatabaseError(f"[database] url: {shown} is not supported; {_FORMS}")
