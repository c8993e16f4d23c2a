# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared directory while its Redis is emptied, stopped, slow, full, behind TLS, failed over or spread over a cluster.

What holds throughout: a customer that is known is never answered as none, and no call waits longer than its deadline.
"""

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from certificates import make_certificates
from click.testing import CliRunner
from prometheus_client import REGISTRY

from postfix.sandbox.private_redis import PrivateRedis, PrivateSentinel
from postfix.sandbox.processes import free_port, wait_until
from tradepost import redis_directory, redis_directory_writer
from tradepost.cli import root
from tradepost.directory import POLICY_KEY, UNKNOWN, Change, DirectoryError, claim_key, encode_fact
from tradepost.directory_choice import open_directory, open_directory_writer
from tradepost.local_directory import LocalDirectory
from tradepost.policy import Policy
from tradepost.redis_directory import RedisDirectory
from tradepost.redis_directory_writer import RedisDirectoryWriter
from tradepost.redis_lines import MOST_LINES, RedisLines
from tradepost.redis_link import key_of, open_redis
from tradepost.settings import RedisSettings, load_settings

ANN = "a:ann@far.example"
# What a shared test machine may add to 20 ms now and then; what really waits takes seconds.
GRACE_SECONDS = 0.5
# By each of four threads.
READS = 10_000 if os.environ.get("TRADEPOST_SOAK") else 1000
# As docs/operations.md gives it.
ACL = (
    "~{tradepost}:* resetchannels -@all +@read +@write +@connection +@scripting +@transaction +time -@dangerous +info "
    "+cluster|slots"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateRedis]:
    with PrivateRedis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def client(server: PrivateRedis) -> Iterator[redis.Redis]:
    with closing(redis.Redis(port=server.port)) as client:
        yield client


@pytest.fixture
def settings(server: PrivateRedis) -> RedisSettings:
    return RedisSettings(url=server.url)


@pytest.fixture
def reader(settings: RedisSettings) -> Iterator[RedisDirectory]:
    with closing(RedisDirectory(settings)) as reader:
        yield reader


@pytest.fixture
def writer(settings: RedisSettings) -> Iterator[RedisDirectoryWriter]:
    with closing(RedisDirectoryWriter(settings, settle_seconds=0)) as writer:
        yield writer


def now() -> datetime:
    return datetime.now(UTC)


def rebuild(writer: RedisDirectoryWriter, values: dict[str, bytes], seq: int = 1) -> None:
    generation = writer.begin_rebuild()
    writer.fill(generation, [Change(seq, key, value) for key, value in values.items()])
    writer.finish_rebuild(generation, seq, now())


def answers(reader: RedisDirectory, value: bytes = b"ann") -> bool:
    return reader.fetch([ANN]) == {ANN: value}


def slow_answers() -> float:
    """Return how many calls so far waited until their deadline."""
    return REGISTRY.get_sample_value("tradepost_directory_unknowns_total", {"cause": "slow"}) or 0.0


def follow(reader: RedisDirectory, stop: threading.Event) -> None:
    """Ask as the milter's thread does, only more often."""
    while not stop.wait(0.1):
        reader.policy()


def timed(call: Callable[[], object], calls: int) -> list[float]:
    """Return seconds of each call, of which every one must answer UNKNOWN."""
    taken = []
    for _ in range(calls):
        started_at = time.monotonic()
        assert call() is UNKNOWN
        taken.append(time.monotonic() - started_at)
    return sorted(taken)


# Loss.


def test_emptied_redis_is_unknown_until_it_is_written_anew(
    reader: RedisDirectory, writer: RedisDirectoryWriter, client: redis.Redis
) -> None:
    rebuild(writer, {ANN: b"ann"})
    assert answers(reader)
    client.flushall()
    assert reader.fetch([ANN]) is UNKNOWN
    assert reader.claim("owner:far.example", "li@own.example", 60) is UNKNOWN
    assert reader.next_turn("pool:sales") is UNKNOWN
    assert writer.seq() is None
    with pytest.raises(DirectoryError, match="no generation"):
        writer.heartbeat(now())
    rebuild(writer, {ANN: b"ann"})
    assert answers(reader)


@pytest.mark.parametrize("loss", ["emptied", "restarted"])
def test_promises_are_told_again_after_a_loss(
    loss: str, settings: RedisSettings, server: PrivateRedis, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(RedisDirectory(settings, deadline_ms=100))) for _ in range(3)]
        stop = threading.Event()
        asking = [threading.Thread(target=follow, args=(reader, stop)) for reader in readers[:2]]
        for thread in asking:
            thread.start()
        with closing(RedisDirectoryWriter(settings, settle_seconds=0)) as writer:
            rebuild(writer, {})
        for number in range(450):
            assert readers[number % 2].claim(f"owner:{number}.example", "li@own.example", 60) == "li@own.example"
        assert readers[0].claim("owner:short.example", "li@own.example", 0.01) == "li@own.example"
        if loss == "emptied":
            with closing(redis.Redis(port=server.port)) as client:
                client.flushall()
        else:
            server.stop()
            server.start()
        with closing(RedisDirectoryWriter(settings, settle_seconds=3)) as writer:
            rebuild(writer, {ANN: b"ann"})
            assert readers[2].claim("owner:1.example", "chen@own.example", 60) is UNKNOWN
            assert readers[2].next_turn("pool:sales") is UNKNOWN
            state = readers[2].state()
            assert state is None or state.rebuilding
            rebuild(writer, {ANN: b"ann"})  # another one within this time does not shorten it
            assert readers[2].fetch([ANN]) is UNKNOWN
            wait_until("the generation to come into force", lambda: answers(readers[2]), 10)
            owners = {readers[2].claim(f"owner:{number}.example", "chen@own.example", 60) for number in range(450)}
            assert owners == {"li@own.example"}
            assert readers[2].claim("owner:short.example", "chen@own.example", 60) == "chen@own.example"
            rebuild(writer, {ANN: b"new"})  # nothing was lost: at once
            assert answers(readers[2], b"new")
        stop.set()
        for thread in asking:
            thread.join()


def test_a_generation_lost_alone_is_unknown_not_none(
    reader: RedisDirectory, writer: RedisDirectoryWriter, settings: RedisSettings, client: redis.Redis
) -> None:
    """As an eviction does it: the mark's own key is newer and stays."""
    rebuild(writer, {ANN: b"ann"})
    client.delete(key_of(settings, "dir", "g", "1"))
    assert reader.fetch([ANN]) is UNKNOWN
    assert reader.claim("owner:far.example", "li@own.example", 60) is UNKNOWN
    assert writer.seq() is None


def test_redis_emptied_within_a_rebuild_starts_it_anew(
    settings: RedisSettings, reader: RedisDirectory, writer: RedisDirectoryWriter, client: redis.Redis
) -> None:
    generation = writer.begin_rebuild()
    writer.fill(generation, [Change(1, ANN, b"ann")])
    client.flushall()
    with closing(RedisDirectoryWriter(settings, settle_seconds=0)) as other:
        assert other.begin_rebuild() == generation  # the number alone would not tell
        with pytest.raises(DirectoryError, match="lost the generation"):
            writer.fill(generation, [Change(1, "a:li@far.example", b"li")])
        with pytest.raises(DirectoryError, match="lost the generation"):
            writer.finish_rebuild(generation, 1, now())
    assert reader.fetch([ANN]) is UNKNOWN


def test_a_page_that_got_lost_is_noticed(
    writer: RedisDirectoryWriter, settings: RedisSettings, client: redis.Redis
) -> None:
    """As a failover does it: the new master has less than the old one had acknowledged."""
    generation = writer.begin_rebuild()
    writer.fill(generation, [Change(1, ANN, b"ann")])
    client.hset(key_of(settings, "dir", "g", str(generation)), "=pages", 0)
    with pytest.raises(DirectoryError, match="lost the generation"):
        writer.finish_rebuild(generation, 1, now())


def test_the_later_of_two_rebuilds_stays_in_force(
    settings: RedisSettings, reader: RedisDirectory, writer: RedisDirectoryWriter, client: redis.Redis
) -> None:
    early = writer.begin_rebuild()
    with closing(RedisDirectoryWriter(settings, settle_seconds=0)) as other:
        rebuild(other, {ANN: b"new"}, seq=5)
    writer.fill(early, [Change(3, ANN, b"old")])
    writer.finish_rebuild(early, 3, now())
    assert answers(reader, b"new")
    assert client.exists(key_of(settings, "dir", "g", str(early))) == 0


def test_an_abandoned_generation_goes_by_itself(
    writer: RedisDirectoryWriter, settings: RedisSettings, client: redis.Redis
) -> None:
    generation = writer.begin_rebuild()
    writer.fill(generation, [Change(1, ANN, b"ann")])
    key = key_of(settings, "dir", "g", str(generation))
    assert 0 < client.ttl(key) <= 600
    writer.finish_rebuild(generation, 1, now())
    assert client.ttl(key) == -1


# Older than it was: a failover to a replica that lagged, a restart from an older file.


def fall_back(client: redis.Redis, settings: RedisSettings, seq: int) -> None:
    """Make Redis as it was after change `seq`."""
    number = client.get(key_of(settings, "dir", "mark"))
    assert isinstance(number, bytes)
    client.hset(key_of(settings, "dir", "g", number.decode()), "=seq", seq)


def test_redis_that_fell_back_is_unknown_until_it_caught_up(
    reader: RedisDirectory, writer: RedisDirectoryWriter, settings: RedisSettings, client: redis.Redis
) -> None:
    rebuild(writer, {ANN: b"old"}, seq=5)
    writer.project([Change(6, "a:li@far.example", b"li"), Change(7, ANN, b"ann")], now())
    assert answers(reader)
    fall_back(client, settings, 5)
    assert reader.fetch(["a:new@far.example"]) is UNKNOWN
    with pytest.raises(DirectoryError, match="fell back from change 7 to 5"):
        writer.heartbeat(now())  # it must not say that all is there
    assert writer.seq() == 5  # as the projector asks before it goes on
    writer.project([Change(6, "a:li@far.example", b"li"), Change(7, ANN, b"ann")], now())
    assert answers(reader)


def test_numbers_that_begin_anew_are_believed(reader: RedisDirectory, writer: RedisDirectoryWriter) -> None:
    """A database brought back from a backup counts lower; its directory was rebuilt on purpose."""
    rebuild(writer, {ANN: b"ann"}, seq=900)
    assert answers(reader)
    rebuild(writer, {ANN: b"then"}, seq=5)
    assert answers(reader, b"then")


# Clocks.


@pytest.mark.parametrize("minutes_off", [-10, 10])
def test_a_host_whose_clock_is_off_neither_ages_nor_freshens_the_mark(
    minutes_off: int,
    reader: RedisDirectory,
    settings: RedisSettings,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class WrongClock:
        @staticmethod
        def now(zone: Any) -> datetime:
            return datetime.now(zone) + timedelta(minutes=minutes_off)

    monkeypatch.setattr(redis_directory_writer, "datetime", WrongClock)
    with closing(RedisDirectoryWriter(settings, settle_seconds=0)) as writer:
        generation = writer.begin_rebuild()
        writer.fill(generation, [Change(1, ANN, b"ann")])
        writer.finish_rebuild(generation, 1, WrongClock.now(UTC))
        assert answers(reader)
        state = reader.state()
        assert state is not None
        assert abs((now() - state.projected_at).total_seconds()) < 5
        # The reader's own host is off instead: what it tells is by its own clock.
        monkeypatch.setattr(redis_directory, "datetime", WrongClock)
        state = reader.state()
        assert state is not None
        assert abs((WrongClock.now(UTC) - state.projected_at).total_seconds()) < 5
        client.hset(key_of(settings, "dir", "g", "1"), "=at", int(time.time() - 301) * 1000)
        assert reader.fetch([ANN]) is UNKNOWN
        writer.heartbeat(WrongClock.now(UTC))
        assert answers(reader)


# Deadlines.


def test_stopped_redis_is_unknown_at_once_and_comes_back(
    server: PrivateRedis, reader: RedisDirectory, settings: RedisSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(RedisDirectoryWriter(settings, settle_seconds=0)) as writer:
        rebuild(writer, {ANN: b"ann", POLICY_KEY: encode_fact(Policy(version=7))})
    assert reader.policy() == Policy(version=7)
    server.stop()
    taken = timed(lambda: reader.fetch([ANN]), 500)
    assert statistics.median(taken) < 0.005
    assert taken[-1] < 0.02 + GRACE_SECONDS
    assert reader.policy() == Policy(version=7)
    server.start()
    with closing(RedisDirectoryWriter(settings, settle_seconds=0)) as writer:
        rebuild(writer, {ANN: b"ann"})
    wait_until("the directory to be asked again", lambda: answers(reader), 8)
    assert len(caplog.records) == 1  # not a line for each mail
    assert server.url in caplog.text
    caplog.clear()


def test_redis_away_at_the_start_is_found_later(tmp_path: Path) -> None:
    server = PrivateRedis(tmp_path / "redis")
    settings = RedisSettings(url=server.url)
    with closing(RedisDirectory(settings)) as reader:
        assert reader.fetch([ANN]) is UNKNOWN
        with pytest.raises(DirectoryError, match=rf"^{server.url}: the directory can't be used: .*refused"):
            RedisDirectoryWriter(settings)
        with server:
            with closing(RedisDirectoryWriter(settings, settle_seconds=0)) as writer:
                rebuild(writer, {ANN: b"ann"})
            wait_until("the directory to be found", lambda: answers(reader), 8)


@pytest.mark.parametrize("threads", [1, 16])
def test_slow_redis_costs_a_deadline_then_nothing(
    threads: int, reader: RedisDirectory, writer: RedisDirectoryWriter, client: redis.Redis
) -> None:
    rebuild(writer, {ANN: b"ann"})
    assert answers(reader)
    slow_before = slow_answers()
    client.client_pause(1500)
    end = time.monotonic() + 1.2
    taken: list[float] = []

    def ask() -> None:
        while time.monotonic() < end:
            taken.extend(timed(lambda: reader.fetch([ANN]), 10))
            taken.extend(timed(lambda: reader.claim("owner:far.example", "li@own.example", 60), 10))
            taken.extend(timed(lambda: reader.next_turn("pool:sales"), 10))
            time.sleep(0.02)

    asking = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(taken) >= 200 * threads
    # In the first tenth of a second calls waited and found out; from then on a thread of its own does.
    assert 3 <= slow_answers() - slow_before <= 10 * threads
    assert max(taken) < 0.02 + GRACE_SECONDS
    assert statistics.median(taken) < 0.005
    wait_until("the directory to be asked again", lambda: answers(reader), 8)


def test_one_late_answer_does_not_silence_redis(
    reader: RedisDirectory, writer: RedisDirectoryWriter, client: redis.Redis
) -> None:
    rebuild(writer, {ANN: b"ann"})
    assert answers(reader)
    client.client_pause(100)
    assert reader.fetch([ANN]) is UNKNOWN
    time.sleep(0.2)
    assert answers(reader)


def test_a_line_that_comes_free_wakes_who_waits_for_one(settings: RedisSettings) -> None:
    """Not the opener of lines, which has waited longer and needs none."""
    lines = RedisLines(lambda: open_redis(settings, timeout_seconds=1.0), "x", lambda _: None, name="redis")
    try:
        held = [lines._take(time.monotonic() + 5) for _ in range(MOST_LINES)]
        wait_until("an idle opener", lambda: len(lines._changed._waiters) == 1, 5)  # type: ignore[attr-defined]
        took: list[float] = []

        def ask() -> None:
            began_at = time.monotonic()
            lines.ask(began_at + 5, "PING")
            took.append(time.monotonic() - began_at)

        asking = threading.Thread(target=ask)
        asking.start()
        wait_until("a call", lambda: len(lines._changed._waiters) == 2, 5)  # type: ignore[attr-defined]
        lines._give_back(held.pop())
        asking.join(timeout=10)
        assert took[0] < 1
        for line in held:
            lines._give_back(line)
    finally:
        lines.close()


def test_what_tradepost_never_writes_is_unknown(
    reader: RedisDirectory, writer: RedisDirectoryWriter, client: redis.Redis, settings: RedisSettings
) -> None:
    rebuild(writer, {ANN: b"ann"})
    wait_until("the directory", lambda: answers(reader), 5)
    own_key = key_of(settings, "own", claim_key("acme"))
    client.set(own_key, b"\xff\xfe")
    assert reader.claim("acme", "wang", 60) is UNKNOWN
    client.delete(own_key)
    assert reader.claim("acme", "wang", 60) == "wang"
    number = client.get(key_of(settings, "dir", "mark"))
    assert isinstance(number, bytes)
    client.hset(key_of(settings, "dir", "g", number.decode()), "=seq", "many")
    assert reader.fetch([ANN]) is UNKNOWN


def test_scripts_that_redis_forgot_are_sent_again(
    reader: RedisDirectory, writer: RedisDirectoryWriter, client: redis.Redis
) -> None:
    rebuild(writer, {ANN: b"ann"})
    client.script_flush("SYNC")
    assert answers(reader)
    assert reader.claim("owner:far.example", "li@own.example", 60) == "li@own.example"
    assert writer.project([Change(2, ANN, b"new")], now()) == 2


# Memory.


def test_full_redis_refuses_writing_and_goes_on_answering(
    reader: RedisDirectory, writer: RedisDirectoryWriter, client: redis.Redis
) -> None:
    rebuild(writer, {ANN: b"ann"})
    assert reader.claim("owner:far.example", "li@own.example", 60) == "li@own.example"
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1mb")
    assert answers(reader)
    assert reader.claim("owner:far.example", "chen@own.example", 60) == "li@own.example"
    for number in range(10):
        assert reader.claim(f"owner:{number}.example", "li@own.example", 60) is UNKNOWN
        assert reader.next_turn("pool:sales") is UNKNOWN
    with pytest.raises(DirectoryError, match="used memory > 'maxmemory'"):
        writer.project([Change(2, "a:li@far.example", b"li")], now())
    assert answers(reader)
    client.config_set("maxmemory", "0")
    assert reader.claim("owner:1.example", "chen@own.example", 60) == "chen@own.example"
    assert writer.project([Change(2, "a:li@far.example", b"li")], now()) == 2


def test_redis_that_evicts_is_refused(settings: RedisSettings, client: redis.Redis) -> None:
    client.config_set("maxmemory-policy", "allkeys-lru")
    RedisDirectoryWriter(settings, settle_seconds=0).close()  # without a limit nothing is ever evicted
    client.config_set("maxmemory", "100mb")
    with pytest.raises(DirectoryError, match="set it to noeviction"):
        RedisDirectoryWriter(settings)
    client.config_set("maxmemory-policy", "noeviction")
    RedisDirectoryWriter(settings, settle_seconds=0).close()


# Under load.


def test_no_known_customer_is_ever_none_while_rebuilding(
    settings: RedisSettings, reader: RedisDirectory, writer: RedisDirectoryWriter
) -> None:
    customers = {f"d:{number}.example": b"li" for number in range(2000)}
    rebuild(writer, customers)
    stop = threading.Event()
    wrong: list[object] = []
    answered = [0] * 4

    def read(number: int) -> None:
        while not stop.is_set():
            keys = [f"d:{(500 * number + 7 * answered[number] + step) % 2000}.example" for step in range(10)]
            found = reader.fetch(keys)
            if found is not UNKNOWN:
                answered[number] += 1
                if found != dict.fromkeys(keys, b"li"):
                    wrong.append(found)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    seq = 1
    while seq < 11 or (min(answered) < READS and seq < 300):
        seq += 1
        rebuild(writer, customers, seq)
        writer.project([Change(seq, key, b"li") for key in list(customers)[:300]], now())
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert min(answered) >= READS


# Other shapes of Redis.


def test_tls_and_an_acl_user(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    tls_port = free_port()
    options = {
        "tls-port": str(tls_port),
        "tls-cert-file": str(certificates.certificate),
        "tls-key-file": str(certificates.key),
        "tls-ca-cert-file": str(certificates.authority),
        "tls-auth-clients": "no",
        "user": f"default on >root ~* &* +@all\nuser tradepost on >geheim {ACL}",
    }
    password_file = tmp_path / "password"
    password_file.write_text("geheim\n")
    password_file.chmod(0o600)
    with PrivateRedis(tmp_path / "redis", options=options):
        settings = RedisSettings(
            url=f"rediss://localhost:{tls_port}/0",
            username="tradepost",
            password_file=str(password_file),
            ca_file=str(certificates.authority),
        )
        with (
            closing(RedisDirectory(settings)) as reader,
            closing(RedisDirectoryWriter(settings, settle_seconds=0)) as writer,
        ):
            rebuild(writer, {ANN: b"ann", POLICY_KEY: encode_fact(Policy(version=3))})
            writer.project([Change(2, "a:li@far.example", b"li")], now())
            writer.heartbeat(now())
            assert answers(reader)
            assert reader.policy() == Policy(version=3)
            assert reader.state() is not None
            assert reader.claim("owner:far.example", "li@own.example", 60) == "li@own.example"
            assert reader.next_turn("pool:sales") == 1
            reader.note({"t:1": b"noted"}, 60)
            assert reader.fetch(["t:1"]) == {"t:1": b"noted"}
        with closing(open_redis(settings)) as allowed, pytest.raises(redis.exceptions.NoPermissionError):
            allowed.flushall()
        with pytest.raises(DirectoryError, match="certificate verify failed"):
            RedisDirectoryWriter(settings.model_copy(update={"ca_file": ""}))
        password_file.write_text("falsch\n")
        with pytest.raises(DirectoryError, match="invalid username-password pair") as caught:
            RedisDirectoryWriter(settings)
        assert "falsch" not in str(caught.value)
        with closing(RedisDirectory(settings)) as reader:
            assert reader.fetch([ANN]) is UNKNOWN


def test_sentinel_names_the_new_master(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ExitStack() as stack:
        master = stack.enter_context(PrivateRedis(tmp_path / "master", options={"repl-diskless-sync-delay": "0"}))
        replica = stack.enter_context(
            PrivateRedis(tmp_path / "replica", options={"replicaof": f"127.0.0.1 {master.port}"})
        )
        sentinel = stack.enter_context(PrivateSentinel(tmp_path / "sentinel", master_port=master.port))
        asked = stack.enter_context(closing(redis.Redis(port=sentinel.port)))
        watched: Any = asked
        wait_until("the sentinel to see the replica", lambda: len(watched.sentinel_slaves("mail")) == 1, 20)
        settings = RedisSettings(url=sentinel.url, allow_insecure=True)
        reader = stack.enter_context(closing(RedisDirectory(settings, deadline_ms=100)))
        writer = stack.enter_context(closing(RedisDirectoryWriter(settings, settle_seconds=0)))
        rebuild(writer, {ANN: b"ann"})
        assert answers(reader)
        assert reader.claim("owner:far.example", "li@own.example", 60) == "li@own.example"
        copy: Any = stack.enter_context(closing(redis.Redis(port=replica.port)))
        wait_until("the replica to have it", lambda: bool(copy.get(key_of(settings, "own", "c:owner:far.example"))), 10)
        master.stop()
        assert reader.fetch([ANN]) is UNKNOWN
        wait_until("the new master to be asked", lambda: answers(reader), 20)
        assert reader.claim("owner:far.example", "chen@own.example", 60) == "li@own.example"
        assert writer.project([Change(2, ANN, b"new")], now()) == 2
        assert answers(reader, b"new")
    caplog.clear()


def test_cluster_keeps_the_directory_on_one_node(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ExitStack() as stack:
        options = {"cluster-enabled": "yes", "cluster-node-timeout": "1000"}
        nodes = [stack.enter_context(PrivateRedis(tmp_path / f"node{n}", options=options)) for n in range(3)]
        clients: list[Any] = [stack.enter_context(closing(redis.Redis(port=node.port))) for node in nodes]
        for number, (first, last) in enumerate(((0, 5460), (5461, 10922), (10923, 16383))):
            clients[number].execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            clients[number].execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in nodes[1:]:
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus_port)
        wait_until(
            "the cluster to be one",
            lambda: all(
                info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "3"
                for info in (client.cluster("INFO") for client in clients)
            ),
            30,
        )
        addresses = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        settings = RedisSettings(url=f"redis+cluster://{addresses}", allow_insecure=True)
        reader = stack.enter_context(closing(RedisDirectory(settings, deadline_ms=100)))
        writer = stack.enter_context(closing(RedisDirectoryWriter(settings, settle_seconds=0)))
        rebuild(writer, {ANN: b"ann"})
        rebuild(writer, {ANN: b"ann"}, seq=2)
        assert writer.project([Change(3, "a:li@far.example", b"li")], now()) == 3
        assert answers(reader)
        assert reader.claim("owner:far.example", "li@own.example", 60) == "li@own.example"
        assert reader.next_turn("pool:sales") == 1
        holders = [number for number, client in enumerate(clients) if client.dbsize()]
        assert len(holders) == 1
        # The slot moves, empty, to another node: asked there, its directory is no directory yet.
        old, new = holders[0], (holders[0] + 1) % 3
        slot = clients[0].execute_command("CLUSTER", "KEYSLOT", key_of(settings, "dir", "mark"))
        clients[old].flushall()
        target = clients[new].execute_command("CLUSTER", "MYID")
        for client in clients:
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", target)
        assert reader.fetch([ANN]) is UNKNOWN
        wait_until("the writer to follow", lambda: writer.seq() is None, 10)
        rebuild(writer, {ANN: b"moved"})
        wait_until("the reader to follow", lambda: answers(reader, b"moved"), 15)
        nodes[new].stop()
        assert reader.fetch([ANN]) is UNKNOWN
        with pytest.raises(DirectoryError):
            writer.heartbeat(now())
        for node in nodes:
            node.stop()
        with pytest.raises(DirectoryError, match="can't be used"):
            RedisDirectoryWriter(settings)
        with closing(RedisDirectory(settings)) as late:
            assert late.fetch([ANN]) is UNKNOWN
            nodes[new].start()  # empty, without its slots: an answer, but no directory
            time.sleep(0.5)
            assert late.fetch([ANN]) is UNKNOWN
            assert late.state() is None
    caplog.clear()


# Choice.


def test_the_settings_choose(tmp_path: Path, server: PrivateRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRADEPOST_CONFIG", raising=False)
    path = tmp_path / "tradepost.toml"
    path.write_text(f'[paths]\nstate = "{tmp_path}"\n')
    with closing(open_directory(load_settings(path))) as directory:
        assert isinstance(directory, LocalDirectory)
    path.write_text(f'[paths]\nstate = "{tmp_path}"\n[redis]\nurl = "{server.url}"\n')
    settings = load_settings(path)
    told = CliRunner().invoke(root, ["--config", str(path), "directory", "state"])
    assert (told.exit_code, told.output) == (
        1,
        f"{server.url}: no generation; 'tradepost directory rebuild' writes one\n",
    )
    with closing(RedisDirectoryWriter(settings.redis, settle_seconds=0)) as writer:
        rebuild(writer, {ANN: b"ann"})
    with closing(open_directory(settings)) as directory, closing(open_directory_writer(settings)) as opened:
        assert isinstance(directory, RedisDirectory)
        assert directory.fetch([ANN]) == {ANN: b"ann"}
        assert isinstance(opened, RedisDirectoryWriter)
        assert opened.seq() == 1
    told = CliRunner().invoke(root, ["--config", str(path), "directory", "state"])
    assert told.exit_code == 0
    assert told.output.startswith("generation 1, seq 1, ")
    assert not (tmp_path / "directory.sqlite").exists()
