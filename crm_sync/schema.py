# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema's version: bring it up or down, and refuse one that this program does not know."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.orm import Session

from crm_sync.database import Database, DatabaseError

_MIGRATIONS = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def head_revision() -> str:
    """Return the revision this program is written for."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def fetch_revision(database: Database) -> str | None:
    """Return the revision of a database, None when it holds no schema yet.  Raises DatabaseError."""
    with database.reading() as session:
        return _revision(session)


def _revision(session: Session) -> str | None:
    return MigrationContext.configure(session.connection()).get_current_revision()


def check_schema(database: Database) -> None:
    """Raise DatabaseError when the schema is missing, older or newer than this program."""
    found, wanted = fetch_revision(database), head_revision()
    if found == wanted:
        return
    if found is None:
        raise DatabaseError(f"{database.name}: the database is empty; run 'tradepost database upgrade'")
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found in known:
        raise DatabaseError(
            f"{database.name}: the schema is too old ({found}, this program needs {wanted}); "
            "run 'tradepost database upgrade'"
        )
    raise DatabaseError(
        f"{database.name}: the schema is too new ({found}, this program knows up to {wanted}); "
        "install the tradepost that wrote it, or restore the backup made before the upgrade"
    )


def upgrade_schema(database: Database, revision: str = "head") -> None:
    """Bring the schema up.  One transaction: it is whole or untouched.  Raises DatabaseError."""
    _migrate(database, revision, command.upgrade)


def downgrade_schema(database: Database, revision: str) -> None:
    """Take the schema down to a revision, `base` for nothing; what newer tables held is lost.  Raises DatabaseError."""
    _migrate(database, revision, command.downgrade)


def _migrate(database: Database, revision: str, move: Callable[[Config, str], None]) -> None:
    config = _config()
    with database.migrating() as connection:
        config.attributes["connection"] = connection
        try:
            move(config, revision)
        except CommandError as error:
            raise DatabaseError(f"{database.name}: {error}; 'tradepost database check' says more") from error
