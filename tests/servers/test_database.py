# SPDX-License-Identifier: GPL-3.0-or-later
"""The database door: what is wrong is said in one line with the way out; the schema goes up and down."""

import os
import pwd
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, select, text

from crm_sync.database import Database, DatabaseError, WorkerLock, open_database
from crm_sync.models.people import Company, Role, RoleRight
from crm_sync.models.schema import metadata
from crm_sync.models.search import is_modelled
from crm_sync.schema import check_schema, downgrade_schema, fetch_revision, head_revision, upgrade_schema
from tradepost.sqlite import connect


def made(path: Path) -> Database:
    database = open_database(f"sqlite:///{path}", create=True, busy_ms=100)
    upgrade_schema(database)
    return database


def test_models_equal_the_migrated_schema(tmp_path: Path) -> None:
    with closing(made(tmp_path / "db")) as database, database.reading() as session:
        context = MigrationContext.configure(
            session.connection(), opts={"compare_type": True, "include_name": is_modelled}
        )
        assert compare_metadata(context, metadata) == []


def test_every_step_goes_up_and_down_again(tmp_path: Path) -> None:
    def tables() -> set[str]:
        with database.reading() as session:
            found = session.scalars(text("SELECT name FROM sqlite_master WHERE type IN ('table', 'index')"))
            return {name for name in found if not name.startswith("sqlite_")}

    with closing(made(tmp_path / "db")) as database:
        full = tables()
        while fetch_revision(database):
            downgrade_schema(database, "-1")
        assert tables() == {"alembic_version"}
        upgrade_schema(database)
        assert tables() == full
        assert fetch_revision(database) == head_revision()


def test_a_fresh_schema_knows_the_roles_and_one_company(tmp_path: Path) -> None:
    with closing(made(tmp_path / "db")) as database, database.reading() as session:
        assert set(session.scalars(select(Role.name))) == {"owner", "manager", "rep", "viewer", "administrator"}
        rights = (
            select(RoleRight.action, RoleRight.reach)
            .where(RoleRight.role == "rep", RoleRight.entity == "message")
            .order_by(RoleRight.action)
        )
        assert session.execute(rights).all() == [("correct", "own"), ("edit", "own"), ("see", "own")]
        assert session.scalars(select(Company.policy_version)).one() == 0


def test_a_missing_database_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="there is no database; 'tradepost database upgrade' makes one"):
        open_database(f"sqlite:///{tmp_path / 'db'}")
    assert not (tmp_path / "db").exists()


def test_an_empty_database_asks_for_the_upgrade(tmp_path: Path) -> None:
    with closing(open_database(f"sqlite:///{tmp_path / 'db'}", create=True)) as database:
        with pytest.raises(DatabaseError, match="is empty; run 'tradepost database upgrade'"):
            check_schema(database)


def test_a_schema_that_is_too_new_is_refused(tmp_path: Path) -> None:
    with closing(made(tmp_path / "db")) as database:
        with database.writing() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(DatabaseError, match=r"too new .9999.*install the tradepost that wrote it"):
            check_schema(database)
        with pytest.raises(DatabaseError, match="9999"):
            upgrade_schema(database)


def test_a_schema_that_is_too_old_asks_for_the_upgrade(tmp_path: Path) -> None:
    with closing(made(tmp_path / "db")) as database:
        downgrade_schema(database, "0001")
        with pytest.raises(DatabaseError, match=r"too old .*run 'tradepost database upgrade'"):
            check_schema(database)


def test_a_locked_database_says_who_could_hold_it(tmp_path: Path) -> None:
    with closing(made(tmp_path / "db")) as database, closing(connect(tmp_path / "db", busy_ms=100)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="another program holds the database"):
            with database.writing() as session:
                session.execute(select(Company))
        other.execute("ROLLBACK")
        with database.writing() as session:
            assert session.scalars(select(Company)).one()


def test_a_deleted_database_is_noticed_before_anything_is_written_into_nowhere(tmp_path: Path) -> None:
    with closing(made(tmp_path / "db")) as database:
        (tmp_path / "db").unlink()
        with pytest.raises(DatabaseError, match="there is no database"):
            with database.writing():
                pass
        (tmp_path / "db").write_bytes(b"")
        with pytest.raises(DatabaseError, match="was replaced while it was in use"):
            with database.writing():
                pass


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"Dear Sirs, please find attached" * 100)
    with pytest.raises(DatabaseError, match="is no SQLite database"):
        open_database(f"sqlite:///{tmp_path / 'db'}")


@pytest.mark.parametrize(
    "url", ["mysql://u:secret@h/d", "postgresql+asyncpg://u:secret@h/d", "sqlite://", "nonsense:secret"]
)
def test_another_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseError, match="write sqlite:////absolute/path") as caught:
        open_database(url)
    assert "secret" not in str(caught.value)


def test_a_reading_session_can_not_write(tmp_path: Path) -> None:
    with closing(made(tmp_path / "db")) as database:
        with pytest.raises(DatabaseError, match="no right to write"):
            with database.reading() as session:
                session.execute(insert(Role).values(name="intruder"))


def test_writing_is_durable_and_waits_for_its_turn(tmp_path: Path) -> None:
    with closing(made(tmp_path / "db")) as database, database.writing() as session:
        driver = session.connection().connection.driver_connection
        assert driver is not None
        pragmas = {name: driver.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
        assert pragmas == {"journal_mode": "wal", "synchronous": 2}
        assert driver.execute("PRAGMA foreign_keys").fetchone()[0] == 1
        assert driver.in_transaction


def test_a_second_worker_is_refused_by_name(tmp_path: Path) -> None:
    with WorkerLock(tmp_path / "worker.lock"):
        with pytest.raises(DatabaseError, match=f"process {os.getpid()}.*exactly one"):
            WorkerLock(tmp_path / "worker.lock")
    WorkerLock(tmp_path / "worker.lock").release()


def _as_nobody(action: Callable[[], str]) -> str:
    """Run an action in a child without rights (root may do everything) and return what it said."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups(())
                os.setgid(pwd.getpwnam("nobody").pw_gid)
                os.setuid(pwd.getpwnam("nobody").pw_uid)
            os.write(writer, action().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o755, 0o000), (0o000, 0o600)])
def test_without_rights_it_says_whose_the_files_must_be(folder_mode: int, file_mode: int) -> None:
    def action() -> str:
        try:
            open_database(f"sqlite:///{folder}/db").close()
        except DatabaseError as error:
            return str(error)
        return "opened"

    with TemporaryDirectory() as name:
        folder = Path(name)
        made(folder / "db").close()
        for path in folder.iterdir():
            path.chmod(file_mode)
        folder.chmod(folder_mode)
        said = _as_nobody(action)
        folder.chmod(0o700)
    assert "no right to open the database; it and its folder must belong to the service user" in said
    assert "\n" not in said
