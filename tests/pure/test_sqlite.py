# SPDX-License-Identifier: GPL-3.0-or-later
"""Every SQLite file is opened safely: by a library that can't corrupt it, in WAL mode, under its real name."""

from pathlib import Path

import pytest

from tradepost import sqlite
from tradepost.sqlite import OLDEST_SAFE, UnsafeSQLite, connect, sqlite3


def test_library_is_safe() -> None:
    assert sqlite3.sqlite_version_info >= OLDEST_SAFE


def test_unsafe_library_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sqlite, "OLDEST_SAFE", (99, 0, 0))
    with pytest.raises(UnsafeSQLite, match=r"can corrupt a database .*; install pysqlite3"):
        connect(tmp_path / "x.sqlite", busy_ms=10)


@pytest.mark.parametrize("name", ["plain.sqlite", "what?mode=ro#50%.sqlite", "档案.sqlite"])
def test_opened_under_its_name_in_wal_mode(tmp_path: Path, name: str) -> None:
    connection = connect(tmp_path / name, busy_ms=10)
    assert (tmp_path / name).exists()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    connection.close()


def test_file_is_not_made_when_not_asked(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        connect(tmp_path / "absent.sqlite", busy_ms=10, create=False)
    assert list(tmp_path.iterdir()) == []


def test_reader_can_not_write(tmp_path: Path) -> None:
    writer = connect(tmp_path / "x.sqlite", busy_ms=10)
    writer.execute("CREATE TABLE t (n INTEGER)")
    reader = connect(tmp_path / "x.sqlite", busy_ms=10, read_only=True)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("INSERT INTO t VALUES (1)")
    reader.close()
    writer.close()
