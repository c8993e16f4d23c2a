# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the records, as an administrator types them: one line says what is wrong, the status says that it is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mailroom import Mail
from record_servers import PostgreSQLServer, nothing
from sqlalchemy import select, text
from ulid import ULID

from crm_sync.database import open_database
from crm_sync.models.mail import Arrival
from crm_sync.models.people import Person
from tradepost.arrival import Arrival as Seen
from tradepost.envelope import Envelope
from tradepost.journal import Journal, Reserve
from tradepost.local_directory import LocalDirectory
from tradepost.sqlite import connect
from tradepost.verdict import Direction, Labels, Verdict

TRADEPOST = str(Path(sys.executable).with_name("tradepost"))
COMPANY = """
[company]
name = "Own"
domains = ["own.example"]
[[person]]
email = "ann@own.example"
[[pool]]
name = "sales"
addresses = ["sales@own.example"]
members = ["ann@own.example"]
[[rule]]
id = "urgent-subject"
when = { field = "subject", op = "contains", value = "urgent" }
then = [{ action = "set_priority", value = "urgent" }]
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A settings file, a company file, nothing else."""
    (tmp_path / "tradepost.toml").write_text(
        f'[paths]\nstate = "{tmp_path / "state"}"\nruntime = "{tmp_path / "run"}"\n[host]\ninstance = "mx"\n'
        '[maillog]\nsource = "none"\n[worker]\npoll_ms = 20\n'
    )
    (tmp_path / "company.toml").write_text(COMPANY)
    return tmp_path


@pytest.fixture
def run(site: Path) -> Run:
    def start(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            (TRADEPOST, "--config", str(site / "tradepost.toml"), *words),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return start


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    """Return the one line on stderr of a command that refused."""
    assert done.returncode == 1, done
    [line] = done.stderr.splitlines()
    return line


def post(site: Path) -> str:
    journal = Journal(site / "state" / "journal", Reserve(0, 0))
    journal.create()
    raw = Mail().raw()
    at = datetime.now(UTC)
    verdict = Verdict(direction=Direction.INBOUND, labels=Labels(category="inquiry"), missing=("owner",))
    envelope = Envelope("4abc", "buyer@acme.example", ("sales@own.example",))
    entry_id = str(ULID())
    journal.write(Seen(entry_id, "mx", at, envelope, verdict, len(raw)), (raw,))
    return entry_id


def arrivals(site: Path) -> list[str]:
    with closing(open_database(f"sqlite:///{site / 'state' / 'tradepost.sqlite'}")) as database:
        with database.reading() as session:
            return list(session.scalars(select(Arrival.entry_id)))


@pytest.fixture
def worker(site: Path, run: Run) -> Iterator["subprocess.Popen[str]"]:
    """A worker that serves, on a database with a company."""
    assert run("database", "upgrade").returncode == 0
    assert run("directory", "apply", str(site / "company.toml")).returncode == 0
    process = subprocess.Popen(
        (TRADEPOST, "--config", str(site / "tradepost.toml"), "sync"), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert "recording" in process.stderr.readline()
    yield process
    process.kill()
    process.wait()
    process.stderr.close()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "nothing happened for 20 s"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "words",
    [("database", "check"), ("sync", "--once"), ("directory", "show"), ("rules", "list"), ("directory", "rebuild")],
)
def test_without_a_database_every_command_says_how_to_make_one(run: Run, words: tuple[str, ...]) -> None:
    assert "'tradepost database upgrade' makes one" in refused(run(*words))


def test_upgrade_apply_show_downgrade(run: Run, site: Path) -> None:
    assert "schema none ->" in run("database", "upgrade").stdout
    assert run("database", "upgrade").returncode == 0
    assert "fits this program" in run("database", "check").stdout
    dry = run("directory", "apply", "--dry-run", str(site / "company.toml")).stdout
    assert "+ person ann@own.example" in dry
    assert run("directory", "apply", str(site / "company.toml")).stdout == dry
    assert run("directory", "apply", str(site / "company.toml")).stdout == "nothing to change\n"
    assert "pool sales sales@own.example" in run("directory", "show").stdout
    assert "urgent-subject" in run("rules", "list").stdout
    assert "policy 2" in run("directory", "state").stdout
    assert "database downgrade" not in run("database", "downgrade", "base", "--yes").stderr
    assert "is empty" in refused(run("database", "check"))


def test_what_is_applied_is_known_to_the_milter_at_once(run: Run, site: Path) -> None:
    run("database", "upgrade")
    run("directory", "apply", str(site / "company.toml"))
    with closing(LocalDirectory(site / "state" / "directory.sqlite", deadline_ms=1000)) as directory:
        policy = directory.policy()
    assert policy is not None
    assert policy.is_own("sales@own.example")
    assert [rule.id for rule in policy.rules] == ["urgent-subject"]


def test_a_file_with_a_mistake_is_refused_whole(run: Run, site: Path) -> None:
    run("database", "upgrade")
    (site / "company.toml").write_text(COMPANY.replace('op = "contains"', 'op = "resembles"'))
    line = refused(run("directory", "apply", str(site / "company.toml")))
    assert "urgent-subject" in line
    assert "resembles" in line
    with closing(open_database(f"sqlite:///{site / 'state' / 'tradepost.sqlite'}")) as database:
        with database.reading() as session:
            assert session.scalars(select(Person)).all() == []


def test_rules_are_checked_without_a_database(run: Run, site: Path) -> None:
    rules = site / "rules.toml"
    rules.write_text('[[rule]]\nid = "a"\nwhen = { field = "subject", op = "matches", value = "(" }\nthen = []\n')
    assert "'a'" in refused(run("rules", "check", str(rules)))
    rules.write_text(COMPANY[COMPANY.index("[[rule]]") :])
    assert "1 rules, all can be used" in run("rules", "check", str(rules)).stdout


def test_the_directory_says_when_it_can_not_answer(run: Run) -> None:
    run("database", "upgrade")
    done = run("directory", "state")
    assert done.returncode == 1
    assert "'tradepost directory rebuild' writes one" in done.stdout
    assert "rebuilt:" in run("directory", "rebuild").stdout
    assert run("directory", "state").returncode == 0


def test_once_records_what_waits_and_ends(run: Run, site: Path) -> None:
    run("database", "upgrade")
    entry = post(site)
    assert run("sync", "--once").stdout == "recorded: 1\n"
    assert run("sync", "--once").stdout == "recorded: 0\n"
    assert arrivals(site) == [entry]


def test_a_second_worker_is_refused(run: Run, worker: "subprocess.Popen[str]") -> None:
    line = refused(run("sync", "--once"))
    assert f"another worker runs here (process {worker.pid})" in line


def test_told_to_end_the_worker_ends_well(worker: "subprocess.Popen[str]", site: Path) -> None:
    entry = post(site)
    wait_for(lambda: arrivals(site) == [entry])
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert Journal(site / "state" / "journal").waiting() == []


def test_a_locked_database_is_waited_for_and_said(worker: "subprocess.Popen[str]", site: Path) -> None:
    held = connect(site / "state" / "tradepost.sqlite", busy_ms=1000)
    held.execute("BEGIN IMMEDIATE")
    entry = post(site)
    assert worker.stderr is not None
    said = next(line for line in worker.stderr if "another program holds" in line)
    assert said.endswith("trying again, the mail waits\n")
    assert Journal(site / "state" / "journal").waiting() == [entry]
    held.execute("ROLLBACK")
    held.close()
    wait_for(lambda: arrivals(site) == [entry])
    assert worker.poll() is None


@pytest.mark.parametrize("harm", ["deleted", "too new"])
def test_what_ends_a_worker_is_said_in_one_line_and_no_mail_is_lost(
    worker: "subprocess.Popen[str]", site: Path, harm: str, run: Run
) -> None:
    path = site / "state" / "tradepost.sqlite"
    if harm == "deleted":
        path.rename(path.with_suffix(".away"))
    else:
        os.kill(worker.pid, signal.SIGTERM)
        worker.wait(20)
        with closing(open_database(f"sqlite:///{path}")) as database, database.writing() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    entry = post(site)
    if harm == "too new":
        said = refused(run("sync", "--once"))
    else:
        assert worker.wait(30) == 1
        assert worker.stderr is not None
        said = [line for line in worker.stderr.read().splitlines() if line.startswith("tradepost: ")][-1]
    wanted = {"deleted": "there is no database", "too new": "too new (9999"}
    assert wanted[harm] in said
    assert Journal(site / "state" / "journal").waiting() == [entry]


def test_the_same_commands_serve_postgresql(site: Path, run: Run, postgresql: PostgreSQLServer) -> None:
    url = postgresql.new(site, nothing)
    with (site / "tradepost.toml").open("a", encoding="utf-8") as file:
        file.write(f'[database]\nurl = "{url}"\n')
    assert "schema -> none" in run("database", "downgrade", "base", "--yes").stdout
    assert "the database is empty; run 'tradepost database upgrade'" in refused(run("sync", "--once"))
    assert "schema none -> " in run("database", "upgrade").stdout
    assert "fits this program" in run("database", "check").stdout
    assert "+ pool sales" in run("directory", "apply", str(site / "company.toml")).stdout
    post(site)
    assert run("sync", "--once").stdout == "recorded: 1\n"
    with closing(open_database(url)) as database, database.reading() as session:
        assert len(session.scalars(select(Arrival.entry_id)).all()) == 1
    postgresql.drop(url)
    assert "there is no such role or database" in refused(run("sync", "--once"))
