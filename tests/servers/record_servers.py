# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a test keeps its records: a SQLite file or a PostgreSQL database of its own, copied from a prepared one."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from crm_sync.database import Database, open_database
from crm_sync.schema import upgrade_schema
from postfix.sandbox.private_postgresql import PrivatePostgreSQL

# Fills a migrated database.  It is called once: what it leaves is copied for every test.
Prepare = Callable[[Database], None]


class RecordServer(Protocol):
    """Makes databases."""

    name: str

    def new(self, folder: Path, prepare: Prepare) -> str:
        """Return the URL of a fresh database; `folder` is the test's own."""

    def drop(self, url: str) -> None:
        """Throw it away."""


class SQLiteFiles:
    """Databases are files."""

    name = "sqlite"

    def __init__(self) -> None:
        self._prepared: dict[Prepare, bytes] = {}

    def new(self, folder: Path, prepare: Prepare) -> str:
        if prepare not in self._prepared:
            with TemporaryDirectory() as scratch:
                path = Path(scratch) / "db"
                with closing(open_database(f"sqlite:///{path}", create=True)) as database:
                    upgrade_schema(database)
                    prepare(database)
                self._prepared[prepare] = path.read_bytes()
        path = folder / "tradepost.sqlite"
        path.write_bytes(self._prepared[prepare])
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        """The test's folder goes anyway."""


class PostgreSQLServer:
    """Databases of one server, which serves a whole test run."""

    name = "postgresql"

    def __init__(self, server: PrivatePostgreSQL) -> None:
        self.server = server
        self._prepared: dict[Prepare, str] = {}
        self._number = 0

    def new(self, folder: Path, prepare: Prepare) -> str:
        if prepare not in self._prepared:
            template = f"prepared{len(self._prepared)}"
            self._run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(template)))
            with closing(open_database(self.server.url_of(template))) as database:
                upgrade_schema(database)
                prepare(database)
            self._prepared[prepare] = template
        self._number += 1
        name = f"test{self._number}"
        self._run(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(self._prepared[prepare])
            )
        )
        return self.server.url_of(name)

    def drop(self, url: str) -> None:
        name = make_url(url).database
        assert name is not None
        self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(
            host="127.0.0.1", port=self.server.port, user="tradepost", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)


SQLITE = SQLiteFiles()
# What a test run needs is speed: nobody cuts this server's power.
FAST = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}


def nothing(database: Database) -> None:
    """Prepare nothing: the schema alone."""
