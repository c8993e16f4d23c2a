# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail of a shipping host becomes records: commit first, then the acknowledgement, whatever is killed or away meanwhile."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
import redis
from mailroom import Mail, MailRoom
from shipping import Host, Killed

from crm_sync.database import DatabaseUnavailable
from crm_sync.letters import Letter
from crm_sync.models.mail import Arrival, Message
from crm_sync.worker import Worker
from postfix.sandbox.private_redis import PrivateRedis
from tradepost_milter.shipper import Shipper


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    with PrivateRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def look(server: PrivateRedis) -> Iterator[Any]:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def room(tmp_path: Path) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path)
    yield room
    room.close()


@pytest.fixture
def host(server: PrivateRedis, look: Any, room: MailRoom, tmp_path: Path) -> Iterator[Host]:
    """A host that ships the room's journal."""
    host = Host(tmp_path, server.url, "mx.own.example")
    host.journal = room.journal
    yield host
    host.close()


def letters(number: int) -> list[Mail]:
    return [Mail(message_id=f"<{n}@acme.example>", text=f"Mail {n}") for n in range(number)]


def ship_all(host: Host, shipper: Shipper) -> None:
    while host.later(shipper):
        pass


def test_shipped_mail_is_recorded_and_leaves_its_host(host: Host, room: MailRoom, look: Any) -> None:
    entries = [room.post(mail) for mail in letters(5)]
    large = room.post(Mail(message_id="<l@acme.example>", attachment=random.Random(1).randbytes(2_000_000)))
    shipper, worker = host.shipper(), room.new_worker(source=host.source())
    ship_all(host, shipper)
    assert worker.drain() == 6
    ship_all(host, shipper)
    assert room.journal.waiting() == []
    with room.looking() as records:
        assert len({records.message(entry).id for entry in entries}) == 5
        assert records.arrival(large).instance == "mx.own.example"
    worker.close()


class DiesBeforeAcknowledging(Worker):
    def _acknowledge(self, entry_ids: Sequence[str]) -> None:
        raise Killed


class DiesBeforeCommit(Worker):
    def _commit(self, letters: Sequence[Letter]) -> None:
        raise Killed


@pytest.mark.parametrize("kind", [DiesBeforeAcknowledging, DiesBeforeCommit])
def test_killed_around_the_commit_it_records_once(host: Host, room: MailRoom, kind: type[Worker]) -> None:
    entries = [room.post(mail) for mail in letters(3)]
    shipper = host.shipper()
    ship_all(host, shipper)
    with pytest.raises(Killed):
        room.new_worker(kind, host.source()).step()
    ship_all(host, shipper)
    assert room.journal.waiting() == entries
    worker = room.new_worker(source=host.source())
    assert worker.drain() == 3
    ship_all(host, shipper)
    assert room.journal.waiting() == []
    with room.looking() as records:
        assert records.count(Arrival) == records.count(Message) == 3
    worker.close()


def test_a_bad_letter_goes_home_to_failed_and_its_neighbours_are_recorded(host: Host, room: MailRoom) -> None:
    good, bad = room.post(Mail()), room.post(Mail(message_id="<2@acme.example>", headers=(("X-Poison", "yes"),)))
    shipper, worker = host.shipper(), room.new_worker(source=host.source())
    ship_all(host, shipper)
    worker.drain()
    ship_all(host, shipper)
    [(entry, reason)] = room.journal.failures()
    assert (entry, "this letter can't be taken apart" in reason) == (bad, True)
    assert room.journal.waiting() == []
    with room.looking() as records:
        assert records.message(good)
    worker.close()


def test_a_database_that_is_away_is_waited_for(
    host: Host, room: MailRoom, look: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker stays, says it once, asks Redis for nothing anew, and records when the database is back."""
    monkeypatch.setattr("crm_sync.worker._LONGEST_REST_SECONDS", 0.05)
    entries = [room.post(mail) for mail in letters(4)]
    away = threading.Event()
    away.set()
    tries = []

    class Cut(Worker):
        def _commit(self, letters: Sequence[Letter]) -> None:
            tries.append(len(letters))
            if away.is_set():
                raise DatabaseUnavailable("postgresql://x: the server is away")
            super()._commit(letters)

    shipper = host.shipper()
    ship_all(host, shipper)
    worker = room.new_worker(Cut, host.source())
    running = threading.Thread(target=worker.run)
    running.start()
    try:
        deadline = time.monotonic() + 20
        while len(tries) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert room.journal.waiting() == entries
        pending = look.xpending_range(host.keys.mail, "workers", "-", "+", 10)
        assert {item["times_delivered"] for item in pending} == {1}
        away.clear()
        while room.journal.waiting() and time.monotonic() < deadline:
            host.later(shipper)
            time.sleep(0.01)
    finally:
        room.stop.set()
        running.join(timeout=20)
        worker.close()
    assert not running.is_alive()
    assert room.journal.waiting() == []
    assert [record.getMessage() for record in caplog.records if "is away" in record.getMessage()] == [
        "postgresql://x: the server is away; trying again, the mail waits"
    ]
    with room.looking() as records:
        assert records.count(Arrival) == 4


_TRADEPOST = "from tradepost.cli import main; main()"


class Services:
    """`tradepost ship` and `tradepost sync` as processes that can be killed."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.config = folder / "tradepost.toml"
        self.config.write_text(
            f"[host]\ninstance = 'mx.own.example'\n[paths]\nstate = '{folder}'\nruntime = '{folder}/run'\n"
            f"[redis]\nurl = '{url}'\n[maillog]\nsource = 'none'\n",
            encoding="utf-8",
        )
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-c", _TRADEPOST, "--config", str(self.config), name], stderr=log
            )

    def restart(self, name: str) -> None:
        process = self.running[name]
        assert process.poll() is None, self.words(name)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        self.start(name)

    def stop(self) -> list[int]:
        for process in self.running.values():
            process.terminate()
        return [process.wait(timeout=30) for process in self.running.values()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()

    def words(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()


def test_processes_killed_at_random_moments_record_each_mail_once(tmp_path: Path) -> None:
    """kill -9 to shipper and worker, FLUSHALL and a restart of Redis while mail comes: all is recorded, once."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    turns = 100 if os.environ.get("TRADEPOST_SOAK") else 12
    with PrivateRedis(tmp_path / "redis") as server, Services(tmp_path, server.url) as services:
        room = MailRoom(tmp_path)
        entries = []
        services.start("ship")
        services.start("sync")
        for turn in range(turns):
            for number in range(10):
                mail = Mail(message_id=f"<{turn}.{number}@acme.example>", text=f"Mail {turn} {number}")
                entries.append(room.post(mail))
                time.sleep(0.02)
            match turn % 4:
                case 0:
                    services.restart("ship")
                case 1:
                    services.restart("sync")
                case 2:
                    with redis.Redis.from_url(server.url) as client:
                        client.flushall()
                case 3 if turn == 3:
                    server.stop()
                    time.sleep(dice.random())
                    server.start()
            time.sleep(dice.random() * 0.5)
        deadline = time.monotonic() + 60
        while room.journal.waiting() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert room.journal.waiting() == [], services.words("ship") + services.words("sync")
        assert services.stop() == [0, 0]
        with room.looking() as records:
            assert {records.arrival(entry).entry_id for entry in entries} == set(entries)
            assert records.count(Arrival) == records.count(Message) == len(entries)
        assert list(room.journal.failures()) == []
        room.close()


def test_a_second_shipper_is_refused(tmp_path: Path, server: PrivateRedis) -> None:
    with Services(tmp_path, server.url) as services:
        services.start("ship")
        deadline = time.monotonic() + 20
        while "shipping" not in services.words("ship") and time.monotonic() < deadline:
            time.sleep(0.05)
        second = subprocess.run(
            [sys.executable, "-c", _TRADEPOST, "--config", str(services.config), "ship"],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert services.stop() == [0]
    assert second.returncode == 1
    assert f"another shipper runs here (process {services.running['ship'].pid})" in second.stderr


def test_without_redis_there_is_nothing_to_ship(tmp_path: Path) -> None:
    config = tmp_path / "tradepost.toml"
    config.write_text(f"[paths]\nstate = '{tmp_path}'\nruntime = '{tmp_path}/run'\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", _TRADEPOST, "--config", str(config), "ship"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("tradepost: [redis] url: is empty")
