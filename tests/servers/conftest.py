# SPDX-License-Identifier: GPL-3.0-or-later
"""Both databases: a test that asks for `server` runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from record_servers import FAST, SQLITE, PostgreSQLServer, RecordServer, nothing

from crm_sync.database import Database, open_database
from postfix.sandbox.private_postgresql import PrivatePostgreSQL


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLServer]:
    """One PostgreSQL for the whole run."""
    with PrivatePostgreSQL(options=FAST) as server:
        yield PostgreSQLServer(server)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> RecordServer:
    """Where the records are kept."""
    if request.param == "sqlite":
        return SQLITE
    made = request.getfixturevalue("postgresql")
    assert isinstance(made, PostgreSQLServer)
    return made


@pytest.fixture
def database(tmp_path: Path, server: RecordServer) -> Iterator[Database]:
    """An empty database with its schema, in turn on each of both."""
    url = server.new(tmp_path, nothing)
    with closing(open_database(url)) as database:
        yield database
    server.drop(url)
