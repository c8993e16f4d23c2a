# SPDX-License-Identifier: GPL-3.0-or-later
"""What every directory promises, whatever holds it: unknown is not none, claims have one winner, rebuilds are atomic."""

import multiprocessing
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from postfix.sandbox.private_redis import PrivateRedis
from tradepost.directory import (
    POLICY_KEY,
    UNKNOWN,
    Change,
    Directory,
    DirectoryError,
    DirectoryWriter,
    claim_key,
    encode_fact,
)
from tradepost.local_directory import LocalDirectory, LocalDirectoryWriter
from tradepost.policy import Policy
from tradepost.redis_directory import RedisDirectory
from tradepost.redis_directory_writer import RedisDirectoryWriter
from tradepost.redis_link import key_of
from tradepost.settings import RedisSettings
from tradepost.sqlite import connect

DEADLINE_MS = 20
# What a shared test machine may add to a deadline; a lookup that really waits takes seconds.
GRACE_SECONDS = 0.5


class Backend(ABC):
    """One kind of directory, and how to hurt it."""

    @abstractmethod
    def reader(self, *, stale_after_seconds: float = 300) -> Directory: ...

    @abstractmethod
    def writer(self) -> DirectoryWriter: ...

    @abstractmethod
    def exists(self) -> bool:
        """Is anything there?"""

    @abstractmethod
    def delete(self) -> None:
        """Lose everything, while it is in use."""

    @abstractmethod
    def garble(self) -> None:
        """Put nonsense in its place."""

    @abstractmethod
    def blocked(self) -> AbstractContextManager[None]:
        """Keep everybody else from writing."""


class LocalBackend(Backend):
    """The SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "directory.sqlite"

    def reader(self, *, stale_after_seconds: float = 300) -> LocalDirectory:
        return LocalDirectory(self.path, deadline_ms=DEADLINE_MS, stale_after_seconds=stale_after_seconds)

    def writer(self) -> LocalDirectoryWriter:
        return LocalDirectoryWriter(self.path)

    def exists(self) -> bool:
        return self.path.exists()

    def delete(self) -> None:
        for path in self._files():
            path.unlink(missing_ok=True)

    def garble(self) -> None:
        self.delete()
        self.path.write_bytes(b"This is a shopping list.\n" * 400)

    @contextmanager
    def blocked(self) -> Iterator[None]:
        connection = connect(self.path, busy_ms=1000)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    def _files(self) -> list[Path]:
        return [self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))]


class RedisBackend(Backend):
    """A Redis of one's own."""

    def __init__(self, server: PrivateRedis) -> None:
        self._client = redis.Redis(port=server.port)
        self._settings = RedisSettings(url=server.url)
        self._mark = key_of(self._settings, "dir", "mark")

    def reader(self, *, stale_after_seconds: float = 300) -> RedisDirectory:
        return RedisDirectory(self._settings, deadline_ms=DEADLINE_MS, stale_after_seconds=stale_after_seconds)

    def writer(self) -> RedisDirectoryWriter:
        return RedisDirectoryWriter(self._settings, settle_seconds=0)

    def exists(self) -> bool:
        return bool(self._client.dbsize())

    def delete(self) -> None:
        self._client.flushall()

    def garble(self) -> None:
        self.delete()
        self._client.set(self._mark, b"This is a shopping list.")

    @contextmanager
    def blocked(self) -> Iterator[None]:
        self._client.client_pause(60_000, all=False)
        try:
            yield
        finally:
            self._client.client_unpause()

    def close(self) -> None:
        self._client.flushall()
        self._client.close()


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    with PrivateRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["local", "redis"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    if request.param == "local":
        yield LocalBackend(tmp_path)
        return
    shared = RedisBackend(request.getfixturevalue("redis_server"))
    yield shared
    shared.close()


@pytest.fixture
def writer(backend: Backend) -> Iterator[DirectoryWriter]:
    opened = backend.writer()
    yield opened
    opened.close()


@pytest.fixture
def reader(backend: Backend) -> Iterator[Directory]:
    opened = backend.reader()
    yield opened
    opened.close()


def now() -> datetime:
    return datetime.now(UTC)


def rebuild_afresh(backend: Backend, values: dict[str, bytes], seq: int = 1) -> None:
    """Write a whole generation as a worker that was just started."""
    writer = backend.writer()
    rebuild(writer, values, seq)
    writer.close()


def rebuild(writer: DirectoryWriter, values: dict[str, bytes], seq: int = 1, at: datetime | None = None) -> int:
    """Write a whole generation."""
    generation = writer.begin_rebuild()
    writer.fill(generation, [Change(seq, key, value) for key, value in values.items()])
    writer.finish_rebuild(generation, seq, at or now())
    return generation


def assert_in_time(started_at: float) -> None:
    assert time.monotonic() - started_at < DEADLINE_MS / 1000 + GRACE_SECONDS


# Unknown is not none.


def test_nothing_there_is_unknown(reader: Directory) -> None:
    assert reader.fetch(["a:ann@far.example"]) is UNKNOWN
    assert reader.claim("owner:far.example", "li@own.example", 60) is UNKNOWN
    assert reader.next_turn("pool:sales") is UNKNOWN
    assert reader.state() is None
    assert reader.policy() is None


def test_asking_does_not_make_a_directory(reader: Directory, backend: Backend) -> None:
    reader.note({"m:1": b"x"}, 60)
    reader.next_turn("pool:sales")
    assert not backend.exists()


def test_no_mark_is_unknown(reader: Directory, writer: DirectoryWriter) -> None:
    assert writer.seq() is None
    assert reader.fetch(["a:ann@far.example"]) is UNKNOWN


def test_first_rebuild_under_way_is_unknown(reader: Directory, writer: DirectoryWriter) -> None:
    generation = writer.begin_rebuild()
    writer.fill(generation, [Change(1, "a:ann@far.example", b"ann")])
    assert reader.fetch(["a:ann@far.example"]) is UNKNOWN
    writer.finish_rebuild(generation, 1, now())
    assert reader.fetch(["a:ann@far.example"]) == {"a:ann@far.example": b"ann"}


def test_marked_and_empty_is_none(reader: Directory, writer: DirectoryWriter) -> None:
    rebuild(writer, {})
    assert reader.fetch(["a:ann@far.example"]) == {}


def test_silent_projector_is_unknown_until_it_speaks(backend: Backend, writer: DirectoryWriter) -> None:
    reader = backend.reader(stale_after_seconds=300)
    rebuild(writer, {"a:ann@far.example": b"ann"}, at=now() - timedelta(seconds=301))
    assert reader.fetch(["a:ann@far.example"]) is UNKNOWN
    writer.heartbeat(now())
    assert reader.fetch(["a:ann@far.example"]) == {"a:ann@far.example": b"ann"}


def test_claims_go_on_while_the_projector_is_silent(reader: Directory, writer: DirectoryWriter) -> None:
    rebuild(writer, {}, at=now() - timedelta(days=1))
    assert reader.claim("owner:far.example", "li@own.example", 60) == "li@own.example"


def test_policy_survives_silence_loss_and_damage(reader: Directory, writer: DirectoryWriter, backend: Backend) -> None:
    policy = Policy(version=3, domains=("own.example",))
    rebuild(writer, {POLICY_KEY: encode_fact(policy)}, at=now() - timedelta(days=1))
    assert reader.policy() == policy
    backend.delete()
    assert reader.policy() == policy
    backend.garble()
    assert reader.policy() == policy


def test_unchanged_policy_is_the_same_object(reader: Directory, writer: DirectoryWriter) -> None:
    rebuild(writer, {POLICY_KEY: encode_fact(Policy(version=1))}, seq=1)
    first = reader.policy()
    writer.project([Change(2, "a:ann@far.example", b"ann")], now())
    assert reader.policy() is first
    writer.project([Change(3, POLICY_KEY, encode_fact(Policy(version=2)))], now())
    assert reader.policy() == Policy(version=2)


def test_policy_of_another_version_leaves_the_one_in_force(reader: Directory, writer: DirectoryWriter) -> None:
    rebuild(writer, {POLICY_KEY: encode_fact(Policy(version=1))}, seq=1)
    assert reader.policy() == Policy(version=1)
    writer.project([Change(2, POLICY_KEY, b"\x91\x01")], now())
    assert reader.policy() == Policy(version=1)


def test_deleted_while_in_use_is_unknown_then_heals(
    reader: Directory, writer: DirectoryWriter, backend: Backend
) -> None:
    rebuild(writer, {"a:ann@far.example": b"old"})
    assert reader.fetch(["a:ann@far.example"]) == {"a:ann@far.example": b"old"}
    backend.delete()
    assert reader.fetch(["a:ann@far.example"]) is UNKNOWN
    with pytest.raises(DirectoryError):
        writer.project([Change(2, "a:ann@far.example", b"lost")], now())
    rebuild_afresh(backend, {"a:ann@far.example": b"new"})
    assert reader.fetch(["a:ann@far.example"]) == {"a:ann@far.example": b"new"}


def test_garbage_is_unknown_to_readers_and_refused_to_writers(reader: Directory, backend: Backend) -> None:
    rebuild_afresh(backend, {"a:ann@far.example": b"old"})
    assert reader.fetch(["a:ann@far.example"]) is not UNKNOWN
    backend.garble()
    assert reader.fetch(["a:ann@far.example"]) is UNKNOWN
    assert reader.claim("owner:far.example", "li@own.example", 60) is UNKNOWN
    with pytest.raises(DirectoryError, match="rebuild"):
        backend.writer()


def test_locked_longer_than_the_deadline_is_unknown_in_time(
    reader: Directory, writer: DirectoryWriter, backend: Backend
) -> None:
    rebuild(writer, {"a:ann@far.example": b"ann"})
    with backend.blocked():
        for ask in (lambda: reader.claim("owner:far.example", "li@own.example", 60), lambda: reader.next_turn("p")):
            started_at = time.monotonic()
            assert ask() is UNKNOWN
            assert_in_time(started_at)
        # Reading waits for nobody.
        assert reader.fetch(["a:ann@far.example"]) == {"a:ann@far.example": b"ann"}
    assert reader.claim("owner:far.example", "li@own.example", 60) == "li@own.example"


def test_threads_of_one_process_keep_the_deadline_together(reader: Directory, backend: Backend) -> None:
    rebuild_afresh(backend, {})
    taken: list[float] = []

    def ask() -> None:
        started_at = time.monotonic()
        assert reader.claim("owner:far.example", "li@own.example", 60) is UNKNOWN
        taken.append(time.monotonic() - started_at)

    with backend.blocked():
        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # One after the other they would need 20 deadlines.
    assert len(taken) == 20
    assert max(taken) < 10 * DEADLINE_MS / 1000 + GRACE_SECONDS


def test_halves_of_characters_are_keys_like_others(reader: Directory, writer: DirectoryWriter) -> None:
    broken = "a:\udcfc@far.example"
    rebuild(writer, {broken: b"somebody"})
    assert reader.fetch([broken, "a:ann@far.example"]) == {broken: b"somebody"}
    assert reader.claim(broken, "li@own.example", 60) == "li@own.example"
    assert reader.next_turn(broken) == 1


# Arrival's own keys.


def test_claim_is_idempotent_and_the_first_wins(reader: Directory, writer: DirectoryWriter) -> None:
    rebuild(writer, {})
    assert reader.claim("owner:far.example", "li@own.example", 60) == "li@own.example"
    assert reader.claim("owner:far.example", "li@own.example", 60) == "li@own.example"
    assert reader.claim("owner:far.example", "chen@own.example", 60) == "li@own.example"
    assert reader.fetch([claim_key("owner:far.example")]) == {claim_key("owner:far.example"): b"li@own.example"}


def test_claim_expires(reader: Directory, writer: DirectoryWriter) -> None:
    rebuild(writer, {})
    assert reader.claim("owner:far.example", "li@own.example", 0.05) == "li@own.example"
    time.sleep(0.06)
    assert reader.fetch([claim_key("owner:far.example")]) == {}
    assert reader.claim("owner:far.example", "chen@own.example", 60) == "chen@own.example"


def _race(backend: Backend, name: str, start: "threading.Barrier", answers: "multiprocessing.Queue[object]") -> None:
    reader = backend.reader()
    start.wait()
    owners: list[object] = []
    for number in range(20):
        owner = reader.claim(f"owner:{number}.example", name, 60)
        while owner is UNKNOWN:  # busy; at arrival the worker would decide
            owner = reader.claim(f"owner:{number}.example", name, 60)
        owners.append(owner)
    turns: list[object] = []
    while len(turns) < 50:
        turn = reader.next_turn("pool:sales")
        if turn is not UNKNOWN:
            turns.append(turn)
    answers.put((owners, turns))


def test_many_processes_one_winner_and_no_turn_twice(backend: Backend, writer: DirectoryWriter) -> None:
    rebuild(writer, {})
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    start = fork.Barrier(4)
    racers = [
        fork.Process(target=_race, args=(backend, f"rep{number}@own.example", start, answers)) for number in range(4)
    ]
    for racer in racers:
        racer.start()
    results = [answers.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join(timeout=60)
        assert racer.exitcode == 0
    assert len({tuple(owners) for owners, _ in results}) == 1
    turns = [turn for _, each in results for turn in each]
    assert len(set(turns)) == len(turns) == 200


def test_notes_are_seen_and_a_derived_key_goes_before_them(reader: Directory, writer: DirectoryWriter) -> None:
    rebuild(writer, {"t:2": b"derived"})
    reader.note({"t:1": b"noted", "t:2": b"noted"}, 60)
    assert reader.fetch(["t:1", "t:2"]) == {"t:1": b"noted", "t:2": b"derived"}


def test_own_keys_survive_a_rebuild_and_expired_ones_go(reader: Directory, writer: DirectoryWriter) -> None:
    rebuild(writer, {})
    reader.note({"t:1": b"noted"}, 60)
    reader.note({"t:2": b"short"}, 0.01)
    assert reader.claim("owner:far.example", "li@own.example", 60) == "li@own.example"
    assert reader.next_turn("pool:sales") == 1
    time.sleep(0.02)
    rebuild(writer, {"a:ann@far.example": b"ann"}, seq=2)
    assert reader.fetch(["t:1", "t:2", "a:ann@far.example"]) == {"t:1": b"noted", "a:ann@far.example": b"ann"}
    assert reader.claim("owner:far.example", "chen@own.example", 60) == "li@own.example"
    assert reader.next_turn("pool:sales") == 2


# Derived keys.


def test_older_sequence_never_replaces_newer(reader: Directory, writer: DirectoryWriter) -> None:
    rebuild(writer, {"a:ann@far.example": b"first"}, seq=5)
    assert writer.project([Change(7, "a:ann@far.example", b"newer")], now()) == 7
    assert writer.project([Change(6, "a:ann@far.example", b"older")], now()) == 7
    assert reader.fetch(["a:ann@far.example"]) == {"a:ann@far.example": b"newer"}
    assert writer.seq() == 7


def test_gone_stays_gone_when_an_older_change_comes_late(reader: Directory, writer: DirectoryWriter) -> None:
    rebuild(writer, {"a:ann@far.example": b"ann"}, seq=5)
    writer.project([Change(7, "a:ann@far.example", None)], now())
    writer.project([Change(6, "a:ann@far.example", b"again")], now())
    assert reader.fetch(["a:ann@far.example"]) == {}


def test_projecting_without_a_generation_is_refused(writer: DirectoryWriter) -> None:
    with pytest.raises(DirectoryError, match="rebuild"):
        writer.project([Change(1, "a:ann@far.example", b"ann")], now())
    with pytest.raises(DirectoryError, match="rebuild"):
        writer.heartbeat(now())


def test_state_tells_generation_sequence_and_time(reader: Directory, writer: DirectoryWriter) -> None:
    at = now()
    rebuild(writer, {"a:ann@far.example": b"ann"}, seq=9, at=at)
    state = reader.state()
    assert state is not None
    assert (state.generation, state.seq, state.rebuilding) == (1, 9, False)
    # Another host's clock may have told it: an age went there, and an age came back.
    assert abs((state.projected_at - at).total_seconds()) < GRACE_SECONDS
    generation = writer.begin_rebuild()
    writer.fill(generation, [Change(9, "a:ann@far.example", b"ann")])
    state = reader.state()
    assert state is not None
    assert (state.generation, state.rebuilding) == (1, True)


def test_rebuild_cut_short_leaves_nothing_behind(reader: Directory, writer: DirectoryWriter, backend: Backend) -> None:
    rebuild(writer, {"a:ann@far.example": b"ann"})
    generation = writer.begin_rebuild()
    writer.fill(generation, [Change(8, f"a:{n}@gone.example", b"x") for n in range(5000)])
    writer.close()  # the worker was killed here
    rebuild_afresh(backend, {"a:ann@far.example": b"new"}, seq=2)
    assert reader.fetch(["a:ann@far.example", "a:1@gone.example"]) == {"a:ann@far.example": b"new"}


def test_readers_never_see_half_a_generation(backend: Backend, writer: DirectoryWriter) -> None:
    keys = [f"a:{number}@far.example" for number in range(300)]
    rebuild(writer, dict.fromkeys(keys, b"0"))
    stop = threading.Event()
    seen: set[bytes] = set()
    torn: list[object] = []

    def read() -> None:
        reader = backend.reader()
        while not stop.is_set():
            found = reader.fetch(keys)
            if found is UNKNOWN or len(found) != len(keys) or len(set(found.values())) != 1:
                torn.append(found)
            else:
                seen.update(found.values())
        reader.close()

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(1, 31):
        rebuild(writer, dict.fromkeys(keys, str(number).encode()), seq=number)
    stop.set()
    thread.join()
    assert torn == []
    assert len(seen) > 3
