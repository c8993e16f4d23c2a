# SPDX-License-Identifier: GPL-3.0-or-later
"""The root command loads only what is named, and says in one line why it refuses."""

import logging
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tradepost import cli
from tradepost.directory import DirectoryError
from tradepost.errors import Refusal
from tradepost.journal import JournalFull
from tradepost.rules import RuleError
from tradepost.settings import SettingsError
from tradepost.sqlite import UnsafeSQLite

MADE_ROOM = '''
import click
from tradepost.errors import Refusal

ERRORS = {
    "refusal": Refusal("first line\\nsecond line"),
    "file": FileNotFoundError(2, "No such file or directory", "/srv/mail.log"),
    "system": OSError(5, "Input/output error"),
    "bug": KeyError("x"),
}

@click.command()
@click.argument("how")
@click.pass_obj
def fail(invocation, how):
    """Fail in some way."""
    if how in ERRORS:
        raise ERRORS[how]
    click.echo(invocation.settings.milter.children)
'''


@pytest.fixture(autouse=True)
def rooms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    (tmp_path / "made_room.py").write_text(MADE_ROOM, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    points = (
        EntryPoint("fail", "made_room:fail", cli.GROUP),
        EntryPoint("broken", "no_such_room.commands:broken", cli.GROUP),
    )
    monkeypatch.setattr(cli, "entry_points", lambda group: points if group == cli.GROUP else ())
    handlers, level = list(logging.getLogger().handlers), logging.getLogger("tradepost").level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger("tradepost").setLevel(level)
    sys.modules.pop("made_room", None)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tradepost.toml"
    path.write_text("[milter]\nchildren = 3\n", encoding="utf-8")
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.root, arguments)


def test_version() -> None:
    assert run("--version").output == f"tradepost {version('tradepost')}\n"


def test_command_gets_the_settings_of_the_named_file(config: Path) -> None:
    assert run("--config", str(config), "fail", "not").output == "3\n"


def test_file_named_by_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEPOST_CONFIG", str(config))
    assert run("fail", "not").output == "3\n"


def test_refusal_is_its_lines_and_no_traceback() -> None:
    result = run("fail", "refusal")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "tradepost: first line\ntradepost: second line\n"


def test_error_of_a_file_names_the_file() -> None:
    result = run("fail", "file")
    assert (result.exit_code, result.stderr) == (1, "tradepost: /srv/mail.log: No such file or directory\n")


@pytest.mark.parametrize(("how", "kind"), [("bug", KeyError), ("system", OSError)])
def test_bug_keeps_its_traceback(how: str, kind: type[Exception]) -> None:
    assert isinstance(run("fail", how).exception, kind)


def test_broken_room_is_named_and_does_not_break_the_others() -> None:
    result = run("broken")
    assert result.exit_code == 1
    assert result.stderr.startswith("tradepost: the command 'broken' can't be loaded from no_such_room.commands: ")
    assert run("fail", "refusal").exit_code == 1
    shown = run("--help")
    assert shown.exit_code == 0
    assert "Fail in some way." in shown.output
    assert "can't be loaded" in shown.output


def test_unknown_command_is_a_wrong_command_line() -> None:
    result = run("nonsense")
    assert result.exit_code == 2
    assert "No such command 'nonsense'" in result.stderr


def test_wrong_settings_end_with_the_status_for_settings(config: Path) -> None:
    config.write_text("[milter]\nchilden = 3\n[web]\nport = 'x'\n", encoding="utf-8")
    for command in ("check", "show"):
        result = run("--config", str(config), "settings", command)
        assert (result.exit_code, result.stdout) == (78, "")
        lines = result.stderr.splitlines()
        assert len(lines) == 2
        assert all(line.startswith(f"tradepost: {config}: [") for line in lines)


def test_a_redis_that_would_be_refused_is_refused_by_the_check(config: Path) -> None:
    config.write_text(config.read_text(encoding="utf-8") + '[redis]\nurl = "redis://192.0.2.1"\n', encoding="utf-8")

    checked = run("--config", str(config), "settings", "check")

    assert checked.exit_code != 0
    assert "192.0.2.1 is not on loopback" in checked.output


def test_settings_are_checked_and_shown(config: Path) -> None:
    assert run("--config", str(config), "settings", "check").output == f"{config}: ok\n"
    assert run("--config", str(config), "settings", "show").output == "[milter]\nchildren = 3\n"
    everything = run("--config", str(config), "settings", "show", "--all").output
    assert "# Worker processes on the socket.\nchildren = 3\n" in everything


def test_command_that_needs_no_settings_runs_with_wrong_ones(config: Path) -> None:
    config.write_text("[milter", encoding="utf-8")
    assert run("--config", str(config), "fail", "refusal").stderr.startswith("tradepost: first line")


def test_service_refuses_where_its_counts_can_not_be_kept(config: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file stands here", encoding="utf-8")
    config.write_text(f"[paths]\nruntime = '{tmp_path}/run'\n", encoding="utf-8")
    result = run("--config", str(config), "metrics")
    assert result.exit_code == 1
    assert result.stderr == (
        f"tradepost: {tmp_path}/run/metrics: can't be made: Not a directory; make it, or set paths.runtime\n"
    )


@pytest.mark.parametrize(
    ("error", "also"),
    [
        (SettingsError, ValueError),
        (RuleError, ValueError),
        (DirectoryError, RuntimeError),
        (UnsafeSQLite, RuntimeError),
        (JournalFull, OSError),
    ],
)
def test_expected_errors_are_refusals_and_stay_what_they_were(error: type[Exception], also: type[Exception]) -> None:
    assert issubclass(error, Refusal)
    assert issubclass(error, also)
