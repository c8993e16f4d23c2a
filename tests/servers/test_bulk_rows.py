# SPDX-License-Identifier: GPL-3.0-or-later
"""Many rows go out in one statement, and arrive as they were; keys are known before their rows are written."""

from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from record_servers import PostgreSQLServer, nothing
from sqlalchemy import Connection, event, insert, select
from sqlalchemy.exc import DataError, IntegrityError, StatementError

from crm_sync.bulk_rows import insert_rows
from crm_sync.database import Database, open_database
from crm_sync.models.base import table
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Contact, Customer, Scope
from crm_sync.models.mail import Blob
from crm_sync.models.service import DirectoryChange
from crm_sync.new_keys import NewKeys

AT = datetime(2026, 3, 1, 23, 30, 0, 123456, timezone(timedelta(hours=-5)))


def happening(number: int, **other: Any) -> dict[str, Any]:
    return {"cause_id": f"C{number}", "step": "opened", "at": AT, "details": {"number": number}} | other


def happenings(connection: Connection) -> list[tuple[str, datetime, dict[str, Any]]]:
    rows = connection.execute(select(Event.cause_id, Event.at, Event.details).order_by(Event.id))
    return [(cause, at, details) for cause, at, details in rows]


def add_scope(connection: Connection) -> int:
    return connection.execute(insert(Scope).returning(Scope.id), {"kind": "customer"}).scalar_one()


def test_rows_arrive_as_they_were_and_in_their_order(database: Database) -> None:
    rows = [happening(number, step='"\\ü\n商\u2028') for number in (2, 3, 1)]
    with database.writing() as session:
        insert_rows(session.connection(), table(Event), rows)
        insert_rows(session.connection(), table(Event), [])
        assert happenings(session.connection()) == [(f"C{n}", AT.astimezone(UTC), {"number": n}) for n in (2, 3, 1)]
        assert set(session.scalars(select(Event.step))) == {'"\\ü\n商\u2028'}


def test_octets_arrive_as_they_were(database: Database) -> None:
    values = [bytes(range(256)), b"", None, b"\xff\xfe"]
    with database.writing() as session:
        rows = [{"key": str(number), "value": value} for number, value in enumerate(values)]
        insert_rows(session.connection(), table(DirectoryChange), rows)
        assert list(session.scalars(select(DirectoryChange.value).order_by(DirectoryChange.seq))) == values


def test_a_column_that_is_not_named_gets_its_default(database: Database) -> None:
    with database.writing() as session:
        insert_rows(session.connection(), table(Blob), [{"sha256": "a" * 64, "octets": 1}])
        assert session.scalars(select(Blob.codec)).one() == "zstd"


def test_what_is_there_stays_where_only_the_missing_is_asked_for(database: Database) -> None:
    def blobs(octets: int, *keys: str) -> list[dict[str, Any]]:
        return [{"sha256": key, "octets": octets, "codec": "zstd"} for key in keys]

    with database.writing() as session:
        insert_rows(session.connection(), table(Blob), blobs(1, "a", "b"), missing=True)
        insert_rows(session.connection(), table(Blob), blobs(2, "b", "c"), missing=True)
        found = session.execute(select(Blob.sha256, Blob.octets).order_by(Blob.sha256)).all()
    assert [tuple(row) for row in found] == [("a", 1), ("b", 1), ("c", 2)]


def test_a_nul_inside_json_is_kept(database: Database) -> None:
    rows = [happening(1, details={"said": "a\0b"}), happening(2, details={"said": r"\u0000"})]
    with database.writing() as session:
        insert_rows(session.connection(), table(Event), rows)
        assert [details for *_, details in happenings(session.connection())] == [row["details"] for row in rows]


def test_a_time_without_zone_is_refused(database: Database) -> None:
    with pytest.raises((ValueError, StatementError), match="has no time zone"), database.writing() as session:
        insert_rows(session.connection(), table(Event), [happening(1), happening(2, at=AT.replace(tzinfo=None))])


def test_a_key_that_is_taken_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.writing() as session:
        insert_rows(session.connection(), table(Event), [happening(1), happening(1)])


def test_text_longer_than_its_column_is_refused(tmp_path: Path, postgresql: PostgreSQLServer) -> None:
    with closing(open_database(postgresql.new(tmp_path, nothing))) as database:
        with pytest.raises(DataError), database.writing() as session:
            insert_rows(session.connection(), table(Event), [happening(1, step="x" * 41)])


def test_fifty_rows_are_one_statement(database: Database) -> None:
    counted: list[str] = []
    event.listen(database.writer, "before_cursor_execute", lambda *heard: counted.append(heard[2]))
    with database.writing() as session:
        insert_rows(session.connection(), table(Event), [happening(number) for number in range(50)])
        assert [statement for statement in counted if "INSERT" in statement] == [counted[-1]]


def test_keys_are_new_and_never_given_twice(database: Database) -> None:
    with database.writing() as session:
        connection = session.connection()
        taken = add_scope(connection)
        keys = NewKeys(connection, 2)
        drawn = [keys.take(Scope) for _ in range(5)]
        assert len({*drawn, taken}) == 6
        assert drawn == sorted(drawn)
        insert_rows(connection, table(Scope), [{"id": key, "kind": "customer"} for key in drawn])
    with database.writing() as session:
        connection = session.connection()
        later = add_scope(connection)
        assert later not in drawn
        assert NewKeys(connection, 1).take(Scope) > later
        assert [NewKeys(connection, 1).take(model) for model in (Customer, Contact)]


def test_two_workers_draw_different_keys(tmp_path: Path, postgresql: PostgreSQLServer) -> None:
    with closing(open_database(postgresql.new(tmp_path, nothing))) as database:
        with database.writing() as one, database.writing() as other:
            keys = [NewKeys(session.connection(), 3) for session in (one, other)]
            drawn = [draw.take(Contact) for draw in (*keys, *keys)]
        assert len(set(drawn)) == 4
