# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts with one Redis and one PostgreSQL, and everything between them that can fail, under load.

After each fault: delivered = recorded = sent, once each, and reconcile is clean.  Random choices come from a printed seed,
which TRADEPOST_SEED repeats; TRADEPOST_SOAK=1 takes the full numbers.
"""

import json
import os
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from two_hosts_load import (
    BUYER,
    KNOWN,
    SALES,
    Load,
    Sent,
    anybody,
    check,
    letter,
    loading,
    owner_marks,
    owners,
    somebody_known,
    waiting,
)

from crm_sync.database import open_database
from crm_sync.projector import Projector
from postfix.sandbox.processes import SandboxError, wait_until
from postfix.sandbox.two_hosts import Host, TwoHosts
from tradepost.directory import Change, DirectoryWriter
from tradepost.directory_choice import open_directory_writer

FAULTY = Path(__file__).parent / "faulty.py"
SOAK = bool(os.environ.get("TRADEPOST_SOAK"))
# Between two mails of one host.
PAUSE_SECONDS = 0.15
SIMULTANEOUS_SECONDS = 0.005


@pytest.fixture(scope="module")
def two() -> Iterator[TwoHosts]:
    with TwoHosts(disk_bytes=(2048 if SOAK else 256) * 1024 * 1024) as two:
        yield two


@pytest.fixture(scope="module")
def books() -> list[Sent]:
    """All that was sent to the module's hosts."""
    return []


@pytest.fixture
def dice() -> random.Random:
    seed = int(os.environ.get("TRADEPOST_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
    print(f"seed {seed}")
    return random.Random(seed)


# The faults.  Each is over when its function returns.

Fault = Callable[[TwoHosts, random.Random], None]


def empty_redis(two: TwoHosts, dice: random.Random) -> None:
    with closing(two.ask_redis()) as client:
        client.flushall()


def stop_redis(two: TwoHosts, dice: random.Random) -> None:
    two.redis.stop()
    time.sleep(dice.uniform(1.0, 3.0))
    two.redis.start()


def restart_redis(two: TwoHosts, dice: random.Random) -> None:
    two.redis.stop()
    two.redis.start()


def pause_redis(two: TwoHosts, dice: random.Random) -> None:
    with closing(two.ask_redis()) as client:
        client.client_pause(3000)
    time.sleep(3.0)


def fill_redis(two: TwoHosts, dice: random.Random) -> None:
    with closing(two.ask_redis()) as client:
        client.config_set("maxmemory", 1)
        time.sleep(dice.uniform(1.0, 3.0))
        client.config_set("maxmemory", 0)


def stop_postgresql(two: TwoHosts, dice: random.Random) -> None:
    two.records.stop()
    time.sleep(dice.uniform(0.5, 2.0))
    two.records.start()


def cut_in_commit(two: TwoHosts, dice: random.Random) -> None:
    """Before and after the server got the word, at either host."""
    for passes_on in (True, False):
        for host in two.hosts:
            before = host.to_records.cuts
            host.to_records.cut_at(b"COMMIT", passes_on=passes_on)
            wait_until("a commit", lambda host=host, before=before: host.to_records.cuts > before, 60)  # type: ignore[misc]


def forbid_writing(two: TwoHosts, dice: random.Random) -> None:
    two.administrate("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    time.sleep(dice.uniform(1.0, 3.0))
    # This very session may be read-only too; what it asks for is no write to a table.
    two.administrate("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")


def fill_disk(two: TwoHosts, dice: random.Random) -> None:
    two.fill_disk()
    try:
        with pytest.raises(psycopg.Error):
            two.query("CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 100000)")
        time.sleep(dice.uniform(1.0, 2.0))
    finally:
        two.free_disk()


def silence_redis_line(two: TwoHosts, dice: random.Random) -> None:
    """Nothing comes through and nothing is closed; after a while it all comes, late."""
    host = dice.choice(two.hosts)
    host.to_redis.silence()
    time.sleep(dice.uniform(3.0, 6.0))  # shorter and longer than a client waits
    host.to_redis.mend()


def close_redis_line(two: TwoHosts, dice: random.Random) -> None:
    host = dice.choice(two.hosts)
    host.to_redis.refuse()
    time.sleep(dice.uniform(1.0, 3.0))
    host.to_redis.mend()


def kill_worker(two: TwoHosts, dice: random.Random) -> None:
    kill_and_start(dice.choice(two.hosts), "sync")


def kill_shipper(two: TwoHosts, dice: random.Random) -> None:
    kill_and_start(dice.choice(two.hosts), "ship")


def kill_and_start(host: Host, part: str) -> None:
    host.stack.kill(part)
    host.stack.start(part)  # as systemd would


FAULTS: tuple[Fault, ...] = (
    empty_redis,
    stop_redis,
    restart_redis,
    pause_redis,
    fill_redis,
    stop_postgresql,
    cut_in_commit,
    forbid_writing,
    fill_disk,
    silence_redis_line,
    close_redis_line,
    kill_worker,
    kill_shipper,
)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_under_load_loses_and_doubles_nothing(
    two: TwoHosts, books: list[Sent], fault: Fault, dice: random.Random
) -> None:
    before = len(books)
    with loading(two, fault.__name__, books, pause=PAUSE_SECONDS):
        time.sleep(0.5)
        fault(two, dice)
        time.sleep(0.5)
    assert {mail.host for mail in books[before:]} == {0, 1}
    check(two, books)


# Death at each step

WORKER_STEPS = ("taken", "written", "committed", "answered")
SHIPPER_STEPS = ("shipped", "after-commit", "removed")


@pytest.fixture
def markers() -> Iterator[Path]:
    """Where processes write what killed them; writable by the service user."""
    folder = Path("/var/tmp") / f"tradepost-steps-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o777)
    yield folder
    for marker in folder.iterdir():
        marker.unlink()
    folder.rmdir()


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("part", "steps"), [("sync", WORKER_STEPS), ("ship", SHIPPER_STEPS)])
def test_killed_at_each_step(
    two: TwoHosts, books: list[Sent], markers: Path, part: str, steps: tuple[str, ...]
) -> None:
    """A worker: after it took mails, before and after their commit, after the answer.  A shipper: after each of its steps."""
    stack = two.hosts[0].stack
    with loading(two, f"steps-{part}", books, pause=PAUSE_SECONDS):
        for step in steps:
            stack.stop(part)
            plan = json.dumps({"folder": str(markers), "points": {step: [1.0, 0]}})
            try:
                stack.start(part, script=FAULTY, environment={"TRADEPOST_TEST_FAULTS": plan})
            except SandboxError:  # it died before it was seen to work
                assert not stack.is_running(part)
            wait_until(f"death when {step}", lambda: not stack.is_running(part), 60)
        stack.start(part)
    assert {marker.name.split(".")[0] for marker in markers.iterdir()} == set(steps)
    check(two, books)


# Owners

MAILS, AFTER_FLUSH_SECONDS, REBUILDS_SECONDS = (500, 60.0, 10.0) if SOAK else (100, 7.0, 4.0)


@pytest.mark.timeout(900)
def test_no_mail_of_an_owned_customer_gets_another_owner(two: TwoHosts, books: list[Sent]) -> None:
    """After the directory was emptied, and while it is rebuilt again and again."""
    wait_until("owners in marks", lambda: is_marked(two, books), 60, 0.2)
    seconds = AFTER_FLUSH_SECONDS + REBUILDS_SECONDS
    load = Load(two, "owners", somebody_known, pause=2 * seconds / MAILS, mails=MAILS)
    try:
        time.sleep(0.5)
        flushed_at = time.monotonic()
        empty_redis(two, random.Random())
        time.sleep(AFTER_FLUSH_SECONDS)
        rebuilding_at = time.monotonic()
        rebuilds = rebuild_slowly(two.hosts[0], lambda: load.is_running)
    finally:
        sent = load.join()
        books += sent
    assert len(sent) == MAILS
    check(two, books)
    marks, found = owner_marks(two, sent), owners(two)
    phases = {"before": [0, 0], "after FLUSHALL": [0, 0], "during rebuilds": [0, 0]}  # mails, those without an owner
    for mail in sent:
        right = KNOWN[mail.domain]
        said, missing, customer_owner, assignee = found[two.hosts[mail.host].instance, mail.queue_id]
        assert marks[mail] == said
        assert said in (right, None)
        assert said == right or "owner" in missing
        assert (customer_owner, assignee) == (right, right)
        is_late = (mail.at > flushed_at) + (mail.at > rebuilding_at)
        phase = list(phases.values())[is_late]
        phase[0] += 1
        phase[1] += said is None
    print(f"{len(sent)} mails, {rebuilds} rebuilds; mails and those without an owner: {phases}; none with another")
    assert rebuilds > 1
    assert phases["after FLUSHALL"][0] > MAILS / 3
    assert phases["during rebuilds"][0] > MAILS / 10
    wait_until("owners in marks again", lambda: is_marked(two, books), 60, 0.2)


def rebuild_slowly(host: Host, goes_on: Callable[[], bool]) -> int:
    """Rebuild the directory again and again, each time as slowly as if there were many customers; return how often."""
    settings = host.stack.settings

    def open_slow_writer() -> DirectoryWriter:
        writer = open_directory_writer(settings)
        fill = writer.fill

        def fill_slowly(generation: int, changes: Iterable[Change]) -> None:
            time.sleep(0.5)
            fill(generation, changes)
            time.sleep(0.5)

        writer.fill = fill_slowly  # type: ignore[method-assign]
        return writer

    rebuilds = 0
    with closing(open_database(settings.database_url)) as database:
        projector = Projector(database, open_slow_writer, lambda: datetime.now(UTC))
        with closing(projector):
            while goes_on():
                projector.rebuild()
                rebuilds += 1
    return rebuilds


def is_marked(two: TwoHosts, books: list[Sent]) -> bool:
    """Does a mail that comes now get its owner, at either host?"""
    probes = []
    for number, host in enumerate(two.hosts):
        domain = next(iter(KNOWN))
        with host.stack.postfix.arriving(stranger=BUYER) as session:
            queue_id = session.send(f"buyer@{domain}", [SALES], letter(domain, f"probe-{len(books)}"))
        probes.append(Sent(number, queue_id, domain, time.monotonic()))
        books.append(probes[-1])
        host.stack.postfix.wait_for([queue_id])
    return all(owner_marks(two, probes).values())


TURNS = 200 if SOAK else 30


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("has_redis", [True, False], ids=["redis", "redis-stopped"])
def test_first_mails_of_one_domain_at_two_hosts_make_one_customer_with_one_owner(
    two: TwoHosts, books: list[Sent], has_redis: bool
) -> None:
    wait_until("owners in marks", lambda: is_marked(two, books), 60, 0.2)
    if not has_redis:
        two.redis.stop()
    word = "claimed" if has_redis else "open"
    turns: dict[str, tuple[Sent, Sent]] = {}
    close = attempts = 0
    try:
        while close < TURNS and attempts < 3 * TURNS:
            domain = f"{word}{attempts}.example"
            pair, apart = send_at_once(two, domain)
            turns[domain] = pair
            books += pair
            close += apart <= SIMULTANEOUS_SECONDS
            attempts += 1
    finally:
        if not has_redis:
            two.redis.start()
    assert close >= TURNS, f"only {close} of {attempts} pairs were within 5 ms"
    check(two, books)
    marks = owner_marks(two, [mail for pair in turns.values() for mail in pair])
    found = owners(two)
    customers = two.query(
        "SELECT d.domain, count(DISTINCT k.id), count(DISTINCT c.id) FROM customer_domain d "
        "JOIN customer k ON k.id = d.customer_id LEFT JOIN contact c ON c.customer_id = k.id "
        f"WHERE d.domain ~ '^{word}[0-9]+\\.example$' GROUP BY d.domain"
    )
    assert sorted(customers) == sorted((domain, 1, 1) for domain in turns)
    tally: Counter[str] = Counter()
    for domain, pair in turns.items():
        kept = {found[two.hosts[mail.host].instance, mail.queue_id][2:] for mail in pair}
        assert len(kept) == 1, f"{domain}: {kept}"
        [(owner, assignee)] = kept
        assert owner is not None
        assert assignee == owner
        said = {marks[mail] for mail in pair} - {None}
        assert len(said) <= 1, f"{domain}: {said}"
        tally["both named" if None not in {marks[mail] for mail in pair} else "left open"] += 1
        tally["named another"] += bool(said - {owner})
    print(f"{attempts} pairs, {close} within 5 ms: {dict(tally)}")
    if has_redis:
        assert tally["both named"] > 0
    else:
        assert tally["both named"] == 0


def send_at_once(two: TwoHosts, domain: str) -> tuple[tuple[Sent, Sent], float]:
    """Let both hosts get the end of a mail at the same moment; return the mails and how far apart they were, in seconds."""
    start = threading.Barrier(2)
    ends = [0.0, 0.0]

    def send(number: int) -> Sent:
        with two.hosts[number].stack.postfix.arriving(stranger=BUYER) as session:
            # One contact: the same address at both hosts, two letters.
            session.begin(f"buyer@{domain}", [SALES])
            start.wait(60)
            ends[number] = time.perf_counter()
            queue_id = session.end(letter(domain, f"first-{number}"))
        return Sent(number, queue_id, domain, time.monotonic())

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(send, range(2))
    return (first, second), abs(ends[0] - ends[1])


# Everything at random

RANDOM_MAILS = 10_000 if SOAK else 400


@pytest.mark.timeout(7200)
def test_random_faults(two: TwoHosts, books: list[Sent], dice: random.Random) -> None:
    pause = 0.03 if SOAK else 0.1
    load = Load(two, "random", anybody, pause=pause, mails=RANDOM_MAILS)
    done: Counter[str] = Counter()
    try:
        while load.is_running:
            fault = dice.choice(FAULTS)
            fault(two, dice)
            done[fault.__name__] += 1
            time.sleep(dice.uniform(0.0, 2.0))
    finally:
        sent = load.join()
        books += sent
    print(f"{len(sent)} mails, {done.total()} faults: {dict(done)}")
    assert len(sent) == RANDOM_MAILS
    assert done.total() >= 3
    check(two, books)
    # Whoever was first, a customer has one owner; nobody lost his.
    kept = defaultdict[str, set[str | None]](set)
    found = owners(two)
    for mail in sent:
        kept[mail.domain].add(found[two.hosts[mail.host].instance, mail.queue_id][2])
    assert {domain: owners for domain, owners in kept.items() if len(owners) != 1} == {}
    assert {domain: kept[domain] for domain in KNOWN} == {domain: {owner} for domain, owner in KNOWN.items()}
    assert not any(map(waiting, two.hosts))
