# SPDX-License-Identifier: GPL-3.0-or-later
"""Every mistake in the settings is one line that names file, table and key; the pages say what the models say."""

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tradepost.settings import DatabaseSettings, PathSettings, Settings, SettingsError, load_settings, table_models
from tradepost.settings_pages import (
    MANUAL_PAGE,
    MARKDOWN_PAGE,
    describe_settings,
    render_manual,
    render_markdown,
    render_settings,
)

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TRADEPOST_")]:
        monkeypatch.delenv(name)


def mistakes(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "[milter]\nchilden = 2\n", "[milter] has no setting 'childen'; its settings are: socket,", id="key"
        ),
        pytest.param(
            "[miler]\nchildren = 2\n", "there is no table [miler]; tables are: host, paths, milter", id="table"
        ),
        pytest.param("children = 2\n", "there is no table [children]", id="no-table"),
        pytest.param("milter = 2\n", "milter is a table: write [milter]", id="table-as-value"),
        pytest.param("[milter]\nchildren = 0\n", "[milter] children: Input should be greater than", id="too-small"),
        pytest.param(
            "[milter]\nchildren = '2x'\n", "[milter] children: Input should be a valid integer", id="no-number"
        ),
        pytest.param("[milter]\nsocket = 'run/x'\n", "[milter] socket: String should match", id="socket"),
        pytest.param("[milter]\nsocket_mode = '9'\n", "[milter] socket_mode: String should match", id="mode"),
        pytest.param(
            "[milter]\ntrusted_networks = ['10.0.0.1/8']\n",
            "[milter] trusted_networks: 10.0.0.1/8 has host",
            id="network",
        ),
        pytest.param(
            "[milter]\nsoft_deadline_ms = 9000\n", "[milter] soft_deadline_ms must end before watchdog", id="order"
        ),
        pytest.param("[web]\nport = 70000\n", "[web] port: Input should be less than or equal to 65535", id="port"),
        pytest.param("[log]\nlevel = 'LOUD'\n", "[log] level: Input should be 'DEBUG', 'INFO'", id="choice"),
        pytest.param("[worker]\nbatch_ms = inf\n", "[worker] batch_ms: Input should be a finite number", id="infinite"),
        pytest.param(
            "[recording]\nexcluded = 'hr@a.example'\n", "[recording] excluded: Input should be a valid", id="list"
        ),
        pytest.param("[milter\n", "is no TOML: ", id="no-toml"),
    ],
)
def test_mistake_is_one_line_with_file_table_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "tradepost.toml"
    lines = mistakes(path, text)
    assert len(lines) == 1
    assert lines[0].startswith(f"{path}: {said}")


def test_every_mistake_is_named(tmp_path: Path) -> None:
    lines = mistakes(tmp_path / "t.toml", "[web]\nport = -1\nprot = 1\n[metrics]\nport = 'x'\n")
    assert len(lines) == 3


def test_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(b"# \xff\n")
    with pytest.raises(SettingsError, match=r"t\.toml: is no UTF-8 text: .* at byte 2$"):
        load_settings(path)


def test_file_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml: can't be read: No such file or directory$"):
        load_settings(tmp_path / "absent.toml")
    with pytest.raises(SettingsError, match=r"can't be read: Is a directory$"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TRADEPOST_MILTER__CHILDREN", "x", "[milter] children: Input should be a valid integer"),
        ("TRADEPOST_MILTER__BOGUS", "1", "[milter] has no setting 'bogus'"),
        ("TRADEPOST_MILTR__CHILDREN", "1", "there is no table [miltr]"),
        ("TRADEPOST_RECORDING__EXCLUDED", "hr@a.example", 'a list is written as JSON, ["a", "b"]'),
        ("TRADEPOST_RECORDING__EXCLUDED", '"hr@a.example"', 'a list is written as JSON, ["a", "b"]'),
        ("TRADEPOST_MILTER", "3", "milter is a table"),
    ],
)
def test_mistake_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    (tmp_path / "t.toml").touch()
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "t.toml")
    assert str(caught.value).startswith(f"environment: {name}: {said}")


def test_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text("[milter]\nchildren = 3\nstrict = true\n", encoding="utf-8")
    monkeypatch.setenv("TRADEPOST_MILTER__CHILDREN", "4")
    monkeypatch.setenv("TRADEPOST_RECORDING__EXCLUDED", '["hr@a.example"]')
    settings = load_settings(path)
    assert (settings.milter.children, settings.milter.strict) == (4, True)
    assert settings.recording.excluded == ("hr@a.example",)
    assert settings.source == path


def test_file_named_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text("[paths]\nstate = '/srv/tradepost'\n", encoding="utf-8")
    monkeypatch.setenv("TRADEPOST_CONFIG", str(path))
    settings = load_settings()
    assert settings.journal_dir == Path("/srv/tradepost/journal")
    assert settings.database_url == "sqlite:////srv/tradepost/tradepost.sqlite"


def test_the_databases_password_comes_from_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("p@ss/word:1\n", encoding="utf-8")
    secret.chmod(0o600)
    for url in ("postgresql+psycopg://post@db:5433/mail?sslmode=verify-full", "postgresql+psycopg://post@/mail"):
        settings = Settings(database=DatabaseSettings(url=url, password_file=str(secret)))
        assert settings.database_url == url.replace("post@", "post:p%40ss%2Fword%3A1@")


@pytest.mark.parametrize(
    ("url", "mode", "text", "said"),
    [
        ("postgresql://post@db/mail", 0o604, "x", "is open to everybody on this host; chmod 600 it"),
        ("postgresql://post@db/mail", 0o600, "", "is empty"),
        ("postgresql://post:x@db/mail", 0o600, "x", "url must name a user, and no password"),
        ("postgresql://db/mail", 0o600, "x", "url must name a user, and no password"),
    ],
)
def test_a_password_file_that_can_not_be_used_is_named(
    tmp_path: Path, url: str, mode: int, text: str, said: str
) -> None:
    secret = tmp_path / "password"
    secret.write_text(text, encoding="utf-8")
    secret.chmod(mode)
    settings = Settings(database=DatabaseSettings(url=url, password_file=str(secret)))
    with pytest.raises(SettingsError, match=r"^\[database\] password_file: ") as caught:
        print(settings.database_url)
    assert said in str(caught.value)


def test_blobs_may_lie_in_a_folder_that_hosts_share() -> None:
    assert Settings(paths=PathSettings(state=Path("/srv/t"))).blob_dir == Path("/srv/t/blobs")
    assert Settings(paths=PathSettings(blobs="/mnt/mail")).blob_dir == Path("/mnt/mail")


def test_one_file_does_not_leak_into_the_next(tmp_path: Path) -> None:
    for number in (3, 4):
        (tmp_path / f"{number}.toml").write_text(f"[milter]\nchildren = {number}\n", encoding="utf-8")
    three, four = load_settings(tmp_path / "3.toml"), load_settings(tmp_path / "4.toml")
    assert (three.milter.children, four.milter.children) == (3, 4)


def test_shown_differences_are_a_settings_file_with_the_same_meaning(tmp_path: Path) -> None:
    path, again = tmp_path / "t.toml", tmp_path / "again.toml"
    path.write_text(
        '[host]\ninstance = "m\\u00fcx \\\\ \\" \\u007f"\n[milter]\nchildren = 2\nstrict = true\n'
        '[recording]\nexcluded = ["hr@a.example", "b.example"]\n[journal]\nreserve_percent = 2.5\n',
        encoding="utf-8",
    )
    settings = load_settings(path)
    shown = render_settings(settings)
    assert tomllib.loads(shown).keys() == {"host", "milter", "recording", "journal"}
    assert "children" not in shown  # as by default
    again.write_text(shown, encoding="utf-8")
    assert load_settings(again).model_dump() == settings.model_dump()


def test_everything_shown_is_everything(tmp_path: Path) -> None:
    (tmp_path / "t.toml").touch()
    settings = load_settings(tmp_path / "t.toml")
    shown = render_settings(settings, everything=True)
    (tmp_path / "all.toml").write_text(shown, encoding="utf-8")
    assert {table: set(keys) for table, keys in tomllib.loads(shown).items()} == {
        table: set(model.model_fields) for table, model in table_models().items()
    }
    assert load_settings(tmp_path / "all.toml").model_dump() == settings.model_dump()
    assert render_settings(settings) == ""


def test_every_setting_says_what_it_is_for() -> None:
    for item in describe_settings():
        assert item.meaning.endswith("."), f"[{item.table}] {item.key}"


@pytest.mark.parametrize(("page", "render"), [(MARKDOWN_PAGE, render_markdown), (MANUAL_PAGE, render_manual)])
def test_page_is_what_the_models_say(page: Path, render: Callable[[], str]) -> None:
    assert (CHECKOUT / page).read_text(encoding="utf-8") == render(), "run: python -m tradepost.settings_pages"


@pytest.mark.parametrize("page", [MARKDOWN_PAGE, MANUAL_PAGE])
def test_every_setting_is_in_the_page(page: Path) -> None:
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    for table, model in table_models().items():
        section = text.partition(f"[{table}]\n")[2]
        for key in model.model_fields:
            assert f"`{key}`" in section or f"\\fB{key}\\fR" in section, f"[{table}] {key}"
