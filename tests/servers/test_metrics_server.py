# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes count, some die, and `tradepost metrics` serves the sum and says how all is."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tradepost.journal import Journal
from tradepost.local_directory import LocalDirectoryWriter
from tradepost.metrics_files import ROOM

# A process that counts: each line of its stdin is run, an empty answer says that it was done.
COUNTER = """
import sys
from pathlib import Path
from tradepost.metrics_files import share_metrics
share_metrics(Path(sys.argv[1]))
import os
from tradepost import metrics, metrics_sum
for line in sys.stdin:
    exec(line)
    print(flush=True)
"""


@dataclass
class Counting:
    """One such process."""

    process: "subprocess.Popen[str]"

    def run(self, line: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=30)


@dataclass
class Server:
    """A running `tradepost metrics`."""

    process: "subprocess.Popen[str]"
    url: str

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=")
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def health(self) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tradepost.toml"
    path.write_text(
        f"[paths]\nstate = '{tmp_path}/state'\nruntime = '{tmp_path}/run'\n"
        "[metrics]\nport = 0\n[journal]\nreserve_bytes = 0\nreserve_percent = 0\n",
        encoding="utf-8",
    )
    (tmp_path / "state").mkdir()
    return path


def start_server(config: Path) -> Server:
    process = subprocess.Popen(
        [sys.executable, "-c", "from tradepost.cli import main; main()", "--config", str(config), "metrics"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"serving (http://\S+)/metrics", line)
    assert found, line + process.stderr.read()
    return Server(process, found[1])


@pytest.fixture
def server(config: Path) -> Iterator[Server]:
    running = start_server(config)
    yield running
    running.process.terminate()
    assert running.process.wait(timeout=30) == 0
    assert running.process.stderr is not None
    running.process.stderr.close()


@pytest.fixture
def count(tmp_path: Path) -> Iterator[Callable[[], Counting]]:
    started: list[Counting] = []

    def start() -> Counting:
        process = subprocess.Popen(
            [sys.executable, "-c", COUNTER, str(tmp_path / "run" / "metrics")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(Counting(process))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        for pipe in (each.process.stdin, each.process.stdout):
            assert pipe is not None
            pipe.close()


def test_all_stands_at_zero_before_anybody_counts(server: Server) -> None:
    values = server.metrics()
    assert values['tradepost_failures_total{stage="journal"}'] == 0
    assert values["tradepost_eom_seconds_count"] == 0
    assert values["tradepost_journal_readable"] == 0
    assert values["tradepost_directory_marked"] == 0
    assert sum(name.startswith("tradepost_mails_total{") for name in values) == 3 * 13 * 5


def test_counts_of_living_and_killed_processes_add_up_once(
    server: Server, count: Callable[[], Counting], tmp_path: Path
) -> None:
    milter, worker = count(), count()
    milter.run("metrics.count_journal_full(); metrics.observe_eom(0.002); metrics.report_milter(2, 2, 0.5)")
    worker.run("metrics.count_journal_full(); metrics.observe_eom(20)")
    for killed in (None, milter, worker, None):
        if killed is not None:
            killed.kill()
        values = server.metrics()
        assert values["tradepost_journal_full_total"] == 2
        assert values["tradepost_eom_seconds_count"] == 2
        assert values['tradepost_eom_seconds_bucket{le="12.0"}'] == 1
    # What a dead process said of itself is not true any more, and its files are gone.
    assert values["tradepost_milter_children"] == 0
    assert server.health()[1]["milter"] is None
    names = {path.name for path in (tmp_path / "run" / "metrics").glob("*.db")}
    assert {name for name in names if str(server.process.pid) not in name} == {"counter_gone.db", "histogram_gone.db"}


def test_forked_children_count_into_files_of_their_own(server: Server, count: Callable[[], Counting]) -> None:
    supervisor = count()
    for _ in range(3):
        supervisor.run(
            "pid = os.fork(); pid or (metrics.count_shunted(), os._exit(0)); os.waitpid(pid, 0); metrics_sum.forget_process(pid)"
        )
    supervisor.run("metrics.count_shunted()")
    assert server.metrics()["tradepost_shunted_total"] == 4


def test_process_without_room_counts_nothing_and_goes_on(server: Server, count: Callable[[], Counting]) -> None:
    supervisor = count()
    # A limit on file size stands for a full /run: the files can't be made.
    supervisor.run("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, -1))")
    supervisor.run(
        "pid = os.fork(); pid or (metrics.count_shunted(), metrics.report_milter(1, 1, 0), metrics.observe_eom(1), os._exit(7));"
        " assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7"
    )
    assert server.metrics()["tradepost_shunted_total"] == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("counter_999999.db", b""),
        ("counter_999999.db", b"\xff" * 4096),
        ("counter_999999.db", (4000).to_bytes(8, "little") + b"\x08\0\0\0no json!" + b"\0" * 4000),
        ("histogram_999999.db", (40).to_bytes(8, "little") + (99).to_bytes(4, "little") + b"\0" * 100),
        ("stray.db", b"x"),
        ("summary_1.db", b"\0" * 64),
    ],
    ids=["empty", "nonsense", "no-json", "too-short", "foreign-name", "foreign-kind"],
)
def test_damaged_file_hides_no_other(
    server: Server, count: Callable[[], Counting], tmp_path: Path, name: str, content: bytes
) -> None:
    count().run("metrics.count_shunted()")
    folder = tmp_path / "run" / "metrics"
    (folder / name).write_bytes(content)
    assert server.metrics()["tradepost_shunted_total"] == 1
    assert not (folder / name).exists()
    assert server.metrics()["tradepost_shunted_total"] == 1


def test_a_service_run_by_hand_as_root_leaves_no_file_of_roots(
    server: Server, count: Callable[[], Counting], tmp_path: Path
) -> None:
    folder = tmp_path / "run" / "metrics"
    before = set(folder.iterdir())
    os.chown(folder, 65534, 65534)
    count().run("metrics.count_seen('journaled')")
    assert set(folder.iterdir()) == before


def test_files_have_room_for_every_series(count: Callable[[], Counting], tmp_path: Path) -> None:
    counting = count()
    counting.run("metrics.count_shunted()")
    for kind, octets in ROOM.items():
        path = tmp_path / "run" / "metrics" / f"{kind}_{counting.process.pid}.db"
        used = int.from_bytes(path.read_bytes()[:4], sys.byteorder)
        assert 8 < used < octets * 0.8
        assert path.stat().st_size == octets


def test_health_follows_what_happens(
    server: Server, count: Callable[[], Counting], config: Path, tmp_path: Path
) -> None:
    code, health = server.health()
    assert (code, health["status"]) == (503, "failing")
    assert "journal: can't be read" in health["reasons"]

    journal = Journal(tmp_path / "state" / "journal")
    journal.create()
    writer = LocalDirectoryWriter(tmp_path / "state" / "directory.sqlite")
    writer.finish_rebuild(writer.begin_rebuild(), 5, datetime.now(UTC))
    milter, worker = count(), count()
    milter.run("metrics.report_milter(2, 2, 0.5)")
    worker.run("metrics.report_worker(0.25, 3); metrics.report_maillog()")
    code, health = server.health()
    assert (code, health["status"], health["reasons"]) == (200, "ok", [])
    assert health["version"] == version("tradepost")
    assert health["worker"]["unconfirmed"] == 3
    assert health["worker"]["lag_seconds"] == 0.25
    assert health["milter"]["children"] == 2
    assert health["directory"]["seq"] == 5
    assert health["confirmation"] == "file"

    (journal.failed / journal.new_id()).write_bytes(b"")
    worker.kill()
    code, health = server.health()
    assert (code, health["status"]) == (200, "degraded")
    assert health["reasons"] == [
        "journal: 1 entries in failed/: see 'tradepost journal'",
        "worker: not running: mail is journaled, not recorded",
    ]
    assert server.metrics()["tradepost_journal_failed_entries"] == 1
    writer.close()


def test_confirmation_without_a_log_is_assumed(config: Path) -> None:
    config.write_text(config.read_text(encoding="utf-8") + "[maillog]\nsource = 'none'\n", encoding="utf-8")
    running = start_server(config)
    assert running.health()[1]["confirmation"] == "assumed"
    assert running.metrics()["tradepost_confirmation_assumed"] == 1
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=30) == 0
    assert running.process.stderr is not None
    running.process.stderr.close()


def test_other_paths_are_not_found(server: Server) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server.url}/", timeout=30)
    with caught.value as error:
        assert error.code == 404


def test_silent_client_stops_neither_answers_nor_the_end(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as silent:
        silent.sendall(b"GET /metrics")
        assert server.metrics()
        server.process.terminate()
        started_at = time.monotonic()
        assert server.process.wait(timeout=30) == 0
        assert time.monotonic() - started_at < 8


def test_port_in_use_is_one_clear_line(server: Server, config: Path) -> None:
    port = server.url.rpartition(":")[2]
    config.write_text(config.read_text(encoding="utf-8").replace("port = 0", f"port = {port}"), encoding="utf-8")
    second = subprocess.run(
        [sys.executable, "-c", "from tradepost.cli import main; main()", "--config", str(config), "metrics"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    said = f"[metrics] 127.0.0.1:{port}: can't listen: Address already in use; set metrics.host and metrics.port"
    assert second.stderr == f"tradepost: {said}\n"
