# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's ways to fail, and what the worker makes of them: one line, no loss, nothing twice."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from mailroom import Mail, MailRoom, hire
from record_servers import FAST, PostgreSQLServer, nothing
from sqlalchemy import inspect, make_url, text

from crm_sync.database import Database, DatabaseConflict, DatabaseError, DatabaseUnavailable, open_database
from crm_sync.models.mail import Arrival, Message
from crm_sync.models.schema import metadata
from crm_sync.models.search import is_modelled
from crm_sync.schema import check_schema, downgrade_schema, fetch_revision, head_revision, upgrade_schema
from postfix.sandbox.line import Line
from postfix.sandbox.private_postgresql import PrivatePostgreSQL


@pytest.fixture
def url(tmp_path: Path, postgresql: PostgreSQLServer) -> Iterator[str]:
    """A migrated, empty database."""
    made = postgresql.new(tmp_path, nothing)
    yield made
    postgresql.drop(made)


@pytest.fixture
def hired(tmp_path: Path, postgresql: PostgreSQLServer) -> Iterator[str]:
    """A database that knows the company."""
    made = postgresql.new(tmp_path, hire)
    yield made
    postgresql.drop(made)


def administrate(url: str, *statements: str) -> None:
    """Do something to the database as its administrator, past tradepost."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@contextmanager
def working(room: MailRoom) -> Iterator[threading.Thread]:
    """Let the room's worker serve meanwhile."""
    thread = threading.Thread(target=room.worker.run)
    thread.start()
    yield thread
    room.stop.set()
    thread.join(30)
    assert not thread.is_alive()


def eventually(what: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_models_equal_the_migrated_schema(url: str) -> None:
    with closing(open_database(url)) as database, database.reading() as session:
        context = MigrationContext.configure(
            session.connection(), opts={"compare_type": True, "include_name": is_modelled}
        )
        assert compare_metadata(context, metadata) == []


def test_every_step_goes_up_and_down_again(url: str) -> None:
    def names() -> set[str]:
        with database.reading() as session:
            found = inspect(session.connection())
            tables = set(found.get_table_names())
            indexes = {index["name"] or "" for name in tables for index in found.get_indexes(name)}
            return tables | indexes

    with closing(open_database(url)) as database:
        full = names()
        while fetch_revision(database):
            downgrade_schema(database, "-1")
        assert names() == {"alembic_version"}
        with pytest.raises(DatabaseError, match="is empty; run 'tradepost database upgrade'"):
            check_schema(database)
        upgrade_schema(database)
        assert names() == full


def test_two_who_migrate_at_once_do_it_once(url: str) -> None:
    def upgrade() -> None:
        with closing(open_database(url)) as database:
            upgrade_schema(database)

    with closing(open_database(url)) as database:
        downgrade_schema(database, "base")
        both = [threading.Thread(target=upgrade) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert fetch_revision(database) == head_revision()


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"database": "nowhere"}, DatabaseError, "there is no such role or database"),
        ({"username": "nobody"}, DatabaseError, "there is no such role or database"),
        ({"port": 1}, DatabaseUnavailable, "the server can't be reached: .*refused"),
        ({"host": "no.such.host.invalid"}, DatabaseUnavailable, "the server can't be reached: failed to resolve"),
    ],
)
def test_what_can_not_be_opened_is_named_in_a_line(
    url: str, change: dict[str, str | int], kind: type[DatabaseError], said: str
) -> None:
    target = make_url(url).set(**change).render_as_string(hide_password=False)  # type: ignore[arg-type]
    with pytest.raises(DatabaseError, match=said) as caught:
        open_database(target)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


def test_a_wrong_password_is_named_and_not_shown(url: str, tmp_path: Path) -> None:
    with PrivatePostgreSQL(options=FAST) as server:
        administrate(server.url, "CREATE ROLE guest LOGIN PASSWORD 'right'")
        rules = server.folder / "data" / "pg_hba.conf"
        rules.write_text("host all guest 127.0.0.1/32 scram-sha-256\nhost all tradepost 127.0.0.1/32 trust\n")
        administrate(server.url, "SELECT pg_reload_conf()")
        target = make_url(server.url).set(username="guest", password="wrong-secret")
        with pytest.raises(DatabaseError, match="refuses the role or its password") as caught:
            open_database(target.render_as_string(hide_password=False))
        assert "secret" not in str(caught.value)


def test_another_encoding_is_refused(url: str, postgresql: PostgreSQLServer) -> None:
    administrate(url, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    latin = make_url(url).set(database="latin").render_as_string()
    with pytest.raises(DatabaseError, match="its encoding is LATIN1; make one with 'createdb -E UTF8"):
        open_database(latin)
    postgresql.drop(latin)


def settings_of(database: Database) -> dict[str, str]:
    names = ("synchronous_commit", "lock_timeout", "default_transaction_read_only", "transaction_isolation")
    with database.writing() as session:
        return {name: session.execute(text(f"SHOW {name}")).scalar_one() for name in names}


def test_a_commit_is_durable_whatever_the_servers_default(url: str) -> None:
    administrate(url, f"ALTER DATABASE {make_url(url).database} SET synchronous_commit = off")
    with closing(open_database(url)) as database:
        assert settings_of(database) == {
            "synchronous_commit": "on",
            "lock_timeout": "15s",
            "default_transaction_read_only": "off",
            "transaction_isolation": "read committed",
        }
    with closing(open_database(f"{url}?options=-c%20lock_timeout%3D1s")) as database:
        assert settings_of(database)["lock_timeout"] == "1s"


def test_a_reading_session_sees_one_snapshot_and_can_not_write(url: str) -> None:
    with closing(open_database(url)) as database:
        with database.reading() as session:
            assert session.execute(text("SELECT name FROM company")).scalar_one() == ""
            administrate(url, "UPDATE company SET name = 'new'")
            assert session.execute(text("SELECT name FROM company")).scalar_one() == ""
        with pytest.raises(DatabaseError, match="read-only"):
            with database.reading() as session:
                session.execute(text("UPDATE company SET name = 'x'"))


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("53100", DatabaseUnavailable, "the server's disk is full; make room, the journal keeps all mail"),
        ("53200", DatabaseUnavailable, "out of resources"),
        ("53300", DatabaseUnavailable, "raise its max_connections"),
        ("57014", DatabaseUnavailable, "took longer than a minute"),
        ("57P01", DatabaseUnavailable, "being stopped or started"),
        ("55P03", DatabaseUnavailable, "holds a lock"),
        ("25006", DatabaseUnavailable, "it is read-only"),
        ("58030", DatabaseUnavailable, "the server's disk failed"),
        ("40P01", DatabaseConflict, "stood in each other's way"),
        ("40001", DatabaseConflict, "stood in each other's way"),
        ("42501", DatabaseError, "no right"),
        ("XX001", DatabaseError, "may be damaged"),
    ],
)
def test_the_servers_errors_put_no_mail_aside(
    tmp_path: Path, hired: str, code: str, kind: type[DatabaseError], said: str
) -> None:
    fail = f"BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END"
    administrate(
        hired,
        f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ {fail} $$",
        "CREATE TRIGGER fail BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION fail()",
    )
    room = MailRoom(tmp_path, url=hired)
    entry = room.post(Mail())
    with pytest.raises(DatabaseError, match=said) as caught:
        room.worker.step()
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert room.journal.waiting() == [entry]
    assert list(room.journal.failures()) == []
    administrate(hired, "DROP TRIGGER fail ON message")
    room.new_worker().drain()
    with room.looking() as look:
        assert look.message(entry)
    room.close()


@pytest.mark.parametrize("passes_on", [True, False])
def test_a_line_cut_in_the_commit_records_once(tmp_path: Path, hired: str, passes_on: bool) -> None:
    """Nobody can know whether it was committed: the batch is recorded again."""
    with Line(make_url(hired).port or 0) as proxy:
        room = MailRoom(tmp_path, url=make_url(hired).set(port=proxy.port).render_as_string())
        room.worker.step()
        entries = [room.post(Mail(message_id=f"<{n}@acme.example>", text=f"Letter {n}")) for n in range(5)]
        proxy.cut_at(b"COMMIT", passes_on=passes_on)
        with working(room):
            eventually(lambda: room.journal.waiting() == [])
        assert proxy.cuts == 1
        assert list(room.journal.failures()) == []
        with room.looking() as look:
            assert look.count(Arrival) == look.count(Message) == len(entries)
            assert len(look.customers()) == 1
            assert sum(look.load(email) for email in ("ann@own.example", "bob@own.example")) == 5
        room.close()


def test_a_worker_outlives_its_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with PrivatePostgreSQL(options={"fsync": "off"}) as server:
        with closing(open_database(server.url)) as database:
            upgrade_schema(database)
            hire(database)
        room = MailRoom(tmp_path, url=server.url)
        with working(room):
            room.post(Mail())
            eventually(lambda: room.journal.waiting() == [])
            server.stop()
            entry = room.post(Mail(message_id="<2@acme.example>", text="Are you there?"))
            eventually(lambda: "trying again" in caplog.text)
            server.start()
            eventually(lambda: room.journal.waiting() == [])
        with room.looking() as look:
            assert look.message(entry)
        room.close()
    assert len([line for line in caplog.text.splitlines() if "trying again" in line]) <= 3


def test_a_worker_waits_while_nothing_may_be_written(
    tmp_path: Path, hired: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What a connection was told when it began it keeps: the worker must take a new one."""
    name = make_url(hired).database
    administrate(hired, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    room = MailRoom(tmp_path, url=hired)
    entry = room.post(Mail())
    with working(room):
        eventually(lambda: "it is read-only: a standby" in caplog.text)
        assert room.journal.waiting() == [entry]
        # Past this database: here even its administrator may not write.
        administrate(make_url(hired).set(database="postgres").render_as_string(), f"ALTER DATABASE {name} RESET ALL")
        eventually(lambda: room.journal.waiting() == [])
    assert list(room.journal.failures()) == []
    room.close()


def test_a_projector_that_lost_its_line_takes_its_turn_again(tmp_path: Path, hired: str) -> None:
    with closing(open_database(hired)) as one, closing(open_database(hired)) as other:
        mine, theirs = one.turn("x"), other.turn("x")
        assert mine.take()
        assert not theirs.take()
        administrate(
            hired,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database()",
        )
        with pytest.raises(DatabaseUnavailable):
            mine.take()
        assert mine.take()
        mine.release()
        with pytest.raises(DatabaseUnavailable):
            eventually(theirs.take)
        eventually(theirs.take)
        theirs.release()
