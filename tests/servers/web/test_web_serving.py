# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost web` as an administrator meets it: it prints where it is, runs once, and refuses in one clear line."""

import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from web_company import Company

from crm_sync.database import Database
from tradepost.settings import Settings

TRADEPOST = str(Path(sys.executable).with_name("tradepost"))


@pytest.fixture
def config(settings: Settings, database: Database, tmp_path: Path) -> Path:
    """A settings file of the test's own folders, with a free port."""
    path = tmp_path / "tradepost.toml"
    write_config(path, settings)
    return path


def write_config(path: Path, settings: Settings, web: str = "port = 0") -> None:
    """Write a settings file with these lines in its [web] table."""
    path.write_text(f'[paths]\nstate = "{settings.paths.state}"\nruntime = "{settings.paths.runtime}"\n[web]\n{web}\n')


def run(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `tradepost web` to its end."""
    command = [TRADEPOST, "--config", str(config), "web", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def served(config: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running `tradepost web` and the address it printed."""
    with subprocess.Popen(
        [TRADEPOST, "--config", str(config), "web"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()[0]
        process.terminate()
        process.communicate(timeout=20)


def test_it_serves_where_it_says_and_ends_by_term(served: tuple[subprocess.Popen[str], str]) -> None:
    process, address = served
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    with urllib.request.urlopen(f"{address}sign-in", timeout=20) as answer:
        assert answer.status == 200
    process.terminate()
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_a_second_one_is_refused(config: Path, served: tuple[subprocess.Popen[str], str]) -> None:
    second = run(config)
    assert second.returncode == 1
    assert re.fullmatch(
        r"tradepost: .*/web\.lock: another web process runs here \(process \d+\); on SQLite exactly one may run, "
        r"stop it first\n",
        second.stderr,
    )


def test_a_port_in_use_is_one_clear_line(config: Path, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write_config(config, settings, f"port = {port}")
        refused = run(config)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"tradepost: [web] 127.0.0.1:{port}: can't listen: Address already in use; end it, or set web.port\n"
    )


@pytest.mark.parametrize(
    ("web", "words"),
    [
        ('port = 0\nhost = "0.0.0.0"', "is not loopback"),
        ('port = 0\nhost = "no.such.host.invalid"', "is no address of this host"),
        ('port = 0\nhost = "192.0.2.7"\nbehind_tls_proxy = true', "can't listen: Cannot assign requested address"),
    ],
)
def test_an_address_that_will_not_do_is_one_clear_line(config: Path, settings: Settings, web: str, words: str) -> None:
    write_config(config, settings, web)
    refused = run(config)
    assert refused.returncode == 1
    assert words in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_proxy_in_front_may_have_it_off_loopback(config: Path, settings: Settings, company: Company) -> None:
    web = 'port = 0\nhost = "0.0.0.0"\nbehind_tls_proxy = true\ntrusted_hosts = ["crm.brightway.example"]'
    write_config(config, settings, web)
    link = run(config, "sign-in-link", "--person", "chen@brightway.example")
    assert link.stdout.startswith("https://crm.brightway.example/sign-in?token=")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("DROP TABLE alembic_version", "the database is empty; run 'tradepost database upgrade'"),
        ("UPDATE alembic_version SET version_num = '9999'", "the schema is too new"),
    ],
)
def test_a_database_that_will_not_do_is_one_clear_line(config: Path, database: Database, harm: str, words: str) -> None:
    with database.writing() as session:
        session.execute(text(harm))
    refused = run(config)
    assert refused.returncode == 1
    assert words in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_without_a_database_it_says_how_to_make_one(config: Path, database: Database) -> None:
    Path(database.name).unlink()
    refused = run(config)
    assert refused.returncode == 1
    assert "'tradepost database upgrade' makes one" in refused.stderr


def test_a_broken_form_key_is_one_clear_line(config: Path, settings: Settings) -> None:
    (settings.paths.state / "web.key").write_bytes(b"short")
    refused = run(config)
    assert refused.returncode == 1
    assert "holds 5 bytes instead of 32; remove it" in refused.stderr


def test_a_link_is_printed_for_a_registered_person_only(config: Path, settings: Settings, company: Company) -> None:
    write_config(config, settings, "port = 8025")
    link = run(config, "sign-in-link", "--person", "Li.Na@brightway.example", "--minutes", "5")
    assert re.fullmatch(r"http://127\.0\.0\.1:8025/sign-in\?token=[\w-]{43}\n", link.stdout)
    based = run(config, "sign-in-link", "--person", "li.na@brightway.example", "--base", "https://crm.example/")
    assert based.stdout.startswith("https://crm.example/sign-in?token=")
    refused = run(config, "sign-in-link", "--person", "nobody@brightway.example")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no such person is registered" in refused.stderr


def test_making_a_link_leaves_nothing_among_the_services_counters(
    config: Path, settings: Settings, company: Company
) -> None:
    """Run by root, it would leave files that the service user can't read."""
    write_config(config, settings, "port = 8025")
    assert run(config, "sign-in-link", "--person", "li.na@brightway.example").returncode == 0
    assert not list(settings.paths.runtime.rglob("*"))


def test_with_a_free_port_the_link_leads_where_it_serves(
    config: Path, company: Company, served: tuple[subprocess.Popen[str], str]
) -> None:
    link = run(config, "sign-in-link", "--person", "li.na@brightway.example").stdout.strip()
    assert link.startswith(served[1])
    with urllib.request.urlopen(link, timeout=20) as answer:
        assert b"li.na@brightway.example" in answer.read()


def test_with_a_free_port_nobody_knows_the_address_before(config: Path, company: Company) -> None:
    refused = run(config, "sign-in-link", "--person", "li.na@brightway.example")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "start it first" in refused.stderr
