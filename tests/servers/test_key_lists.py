# SPDX-License-Identifier: GPL-3.0-or-later
"""Any number of keys are one parameter, found by an index, and none of them is mistaken for another."""

from contextlib import closing
from pathlib import Path

import pytest
from record_servers import SQLiteFiles, nothing
from sqlalchemy import event, select

from crm_sync.bulk_rows import insert_rows
from crm_sync.database import Database, open_database
from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.customers import Scope
from crm_sync.models.mail import Blob

OCTETS = select(Blob.octets).where(among_keys(Blob.sha256)).order_by(Blob.octets)
KINDS = select(Scope.kind).where(among_keys(Scope.id)).order_by(Scope.id)


@pytest.mark.parametrize(
    ("keys", "octets"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["a", 'b"{},\\'], [1, 2], id="list"),
        pytest.param({"商", "unknown"}, [3], id="set"),
        pytest.param(["a" * 70], [], id="longer than the column"),
        pytest.param([*map(str, range(70_000)), "a"], [1], id="more than a statement has parameters"),
    ],
)
def test_words_are_found(database: Database, keys: list[str], octets: list[int]) -> None:
    names = ("a", 'b"{},\\', "商", "a" * 64)
    with database.writing() as session:
        rows = [{"sha256": name, "octets": number} for number, name in enumerate(names, 1)]
        insert_rows(session.connection(), table(Blob), rows)
        assert list(session.scalars(OCTETS, {"keys": keys})) == octets


def test_numbers_are_found(database: Database) -> None:
    far = 2**40
    with database.writing() as session:
        rows = [{"id": key, "kind": str(key)} for key in (1, 2, far)]
        insert_rows(session.connection(), table(Scope), rows)
        assert list(session.scalars(KINDS, {"keys": {2, 3, far}})) == ["2", str(far)]


def test_any_number_of_keys_is_the_same_statement(database: Database) -> None:
    asked: list[str] = []
    event.listen(database.writer, "before_cursor_execute", lambda *heard: asked.append(heard[2]))
    with database.writing() as session:
        for number in (0, 1, 50):
            session.execute(KINDS, {"keys": range(number)}).all()
    assert len({one for one in asked if "scope" in one}) == 1


def test_sqlite_looks_keys_up(tmp_path: Path) -> None:
    with closing(open_database(SQLiteFiles().new(tmp_path, nothing))) as database, database.reading() as session:
        connection = session.connection()
        for statement in (OCTETS, KINDS):
            question = f"EXPLAIN QUERY PLAN {statement.compile(dialect=connection.dialect)}"
            plan = [str(row[3]) for row in connection.exec_driver_sql(question, ("[]",))]
            assert [step for step in plan if step.startswith("SEARCH")]
            assert not [step for step in plan if step.startswith("SCAN") and "json_each" not in step]
