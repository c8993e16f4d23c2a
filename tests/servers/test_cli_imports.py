# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command loads: nothing at arrival waits for a database, and counting in files begins before the first import."""

import subprocess
import sys
from pathlib import Path

import pytest

# Runs the root command, then prints which of the named modules were loaded.
PROBE = """
import sys
from tradepost.cli import root
status = root(sys.argv[2:], standalone_mode=False)
print(*[name for name in sys.argv[1].split(",") if name in sys.modules])
"""


def loaded(watched: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, watched, *arguments], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.splitlines()[-1]


def test_settings_load_no_room(tmp_path: Path) -> None:
    config = tmp_path / "tradepost.toml"
    config.touch()
    watched = "sqlalchemy,flask,spacy,prometheus_client,re2,Milter,crm_sync,admin_web,classifiers"
    assert loaded(watched, "--config", str(config), "settings", "check") == ""


@pytest.mark.parametrize("command", ["milter", "journal"])
def test_arrival_loads_no_database_and_no_web(command: str) -> None:
    watched = "sqlalchemy,alembic,flask,crm_sync,admin_web"
    assert loaded(watched, "--config", "/dev/null", command, "--help") == ""


def test_service_counts_in_files_from_its_first_import(tmp_path: Path) -> None:
    config = tmp_path / "tradepost.toml"
    config.write_text(f"[paths]\nruntime = '{tmp_path}/run'\n[metrics]\nhost = '192.0.2.1'\n", encoding="utf-8")
    assert loaded("tradepost.metrics_server", "--config", str(config), "metrics") == "tradepost.metrics_server"
    assert {path.name.rpartition("_")[0] for path in (tmp_path / "run" / "metrics").glob("*.db")} == {
        "counter",
        "histogram",
        "gauge_livemax",
    }


@pytest.mark.parametrize("command", ["metrics --help", "journal --help"])
def test_help_and_commands_of_an_administrator_leave_no_counts(tmp_path: Path, command: str) -> None:
    config = tmp_path / "tradepost.toml"
    config.write_text(f"[paths]\nruntime = '{tmp_path}/run'\n", encoding="utf-8")
    loaded("os", "--config", str(config), *command.split())
    assert not (tmp_path / "run").exists()
