# SPDX-License-Identifier: GPL-3.0-or-later
"""From a host's journal through Redis to a worker and back: whatever fails, each entry is on disk until it is recorded."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis
import zstandard
from shipping import Host, Killed, emptied, settle

from crm_sync.stream_source import StreamSource
from postfix.sandbox.private_redis import PrivateRedis
from postfix.sandbox.processes import wait_until
from tradepost.arrival import UnreadableEntry
from tradepost.mail_stream import GROUP, INLINE_OCTETS, PIECE_OCTETS, BadShipment, pack
from tradepost_milter.shipper import Shipper


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    with PrivateRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def look(server: PrivateRedis) -> Iterator[Any]:
    """A client of the tests' own, on an empty server.  (redis-py's results are unions with awaitables.)"""
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "0")
        client.flushall()
        yield client


@pytest.fixture
def host(server: PrivateRedis, look: Any, tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path, server.url)
    yield host
    host.close()


def record(source: StreamSource) -> list[str]:
    """Take what waits, read and acknowledge it; return the ids."""
    taken = source.take()
    for item in taken:
        item.open().raw()
    source.acknowledge([item.entry_id for item in taken])
    return [item.entry_id for item in taken]


def test_an_entry_is_shipped_taken_acknowledged_and_gone(host: Host, look: Any) -> None:
    raw = bytes(range(256)) * 10
    entry = host.post(raw)
    shipper, source = host.shipper(), host.source()
    assert shipper.step() == 1
    assert host.journal.waiting() == [entry]  # on disk until a worker names it
    assert (shipper.in_flight, shipper.bytes_in_flight > 0) == (1, True)
    [taken] = source.take()
    assert taken.open().raw() == raw
    assert taken.open().arrival.instance == host.instance
    source.acknowledge([entry])
    assert shipper.step() == 1
    assert host.journal.waiting() == []
    assert (shipper.in_flight, shipper.bytes_in_flight) == (0, 0)
    assert emptied(look, host.keys, host.instance)


def test_oldest_first_and_each_once(host: Host) -> None:
    entries = [host.post(b"%d" % number) for number in range(120)]
    shipper, source = host.shipper(), host.source()
    for _ in range(5):
        shipper.step()
    assert [entry for _ in range(4) for entry in record(source)] == entries
    shipper.step()
    assert host.journal.waiting() == []


def test_a_large_entry_travels_in_pieces(host: Host, look: Any) -> None:
    raw = random.Random(1).randbytes(PIECE_OCTETS * 2 + 17)  # does not compress
    entry = host.post(raw)
    small = host.post()
    shipper, source = host.shipper(), host.source()
    host.later(shipper, steps=2)
    [body] = look.keys("*body*")
    assert look.llen(body) == 3
    assert look.ttl(body) == -1
    taken = {item.entry_id: item for item in source.take()}
    assert taken[entry].open().raw() == raw
    source.acknowledge([entry, small])
    shipper.step()
    assert emptied(look, host.keys, host.instance)
    assert look.keys("*body*") == []


def test_a_body_that_lost_a_piece_on_its_way_is_not_shipped(host: Host, look: Any) -> None:
    """As when Redis is emptied or fails over between two pieces: a worker would take the rest for damage."""

    class LosesTheLastPiece(Shipper):
        def _ship_now(self, shipments: Any, held: int = 0, pieces: int = 0) -> int:
            if held:
                look.rpop(look.keys("*body*")[0])
            return super()._ship_now(shipments, held, pieces)

    raw = random.Random(3).randbytes(PIECE_OCTETS * 2)
    entry = host.post(raw)
    assert host.shipper(LosesTheLastPiece).step() == 0
    assert look.keys("*") == []
    host.shipper().step()
    [item] = host.source().take()
    assert (item.entry_id, item.open().raw()) == (entry, raw)


def test_a_body_that_goes_while_it_is_read_is_gone_not_damaged(host: Host, look: Any) -> None:
    entry = host.post(random.Random(4).randbytes(PIECE_OCTETS * 2))
    shipper, source = host.shipper(), host.source()
    shipper.step()
    [item] = source.take()
    reader: Any = source
    ask = reader._client.lindex

    def ask_and_empty(key: str, number: int) -> Any:
        found = ask(key, number)
        look.flushall()
        return found

    reader._client.lindex = ask_and_empty
    with pytest.raises(FileNotFoundError):
        item.open()
    reader._client.lindex = ask
    host.later(shipper, steps=3)
    assert list(host.journal.failures()) == []
    assert record(source) == [entry]


class DiesAfterShipping(Shipper):
    def _ship_now(self, shipments: Any, held: int = 0, pieces: int = 0) -> int:
        super()._ship_now(shipments, held, pieces)
        if shipments:
            raise Killed
        return 0


class DiesBeforeShipping(Shipper):
    def _ship_now(self, shipments: Any, held: int = 0, pieces: int = 0) -> int:
        if shipments:
            raise Killed
        return 0


@pytest.mark.parametrize("octets", [100, INLINE_OCTETS + 1])
@pytest.mark.parametrize("kind", [DiesBeforeShipping, DiesAfterShipping])
def test_a_shipper_killed_around_the_hand_over_loses_nothing_and_repeats_nothing(
    host: Host, look: Any, kind: type[Shipper], octets: int
) -> None:
    entry = host.post(random.Random(2).randbytes(octets))
    with pytest.raises(Killed):
        host.shipper(kind).step()
    assert host.journal.waiting() == [entry]
    shipper, source = host.shipper(), host.source()
    shipper.step()
    assert look.xlen(host.keys.mail) == 1
    assert record(source) == [entry]
    shipper.step()
    assert host.journal.waiting() == []
    assert emptied(look, host.keys, host.instance)


def test_a_shipper_killed_between_removing_and_striking_off_goes_on(host: Host, look: Any) -> None:
    entry = host.post()
    host.shipper().step()
    assert record(host.source()) == [entry]

    class DiesBeforeStrikingOff(Shipper):
        def _take_acknowledgements(self) -> int:
            self._journal.acknowledge([entry])
            raise Killed

    with pytest.raises(Killed):
        host.shipper(DiesBeforeStrikingOff).step()
    assert host.journal.waiting() == []
    shipper = host.shipper()
    shipper.step()
    assert shipper.in_flight == 0
    other = host.post()
    host.later(shipper)
    assert record(host.source()) == [other]
    host.later(shipper)
    assert host.journal.waiting() == []
    assert emptied(look, host.keys, host.instance)


def test_a_restarted_shipper_ships_nothing_twice(host: Host, look: Any) -> None:
    for _ in range(30):
        host.post()
    host.shipper().step()
    again = host.shipper()
    for _ in range(3):
        host.later(again)
    assert look.xlen(host.keys.mail) == 30
    assert again.in_flight == 30


def test_what_an_emptied_redis_forgot_is_shipped_again(host: Host, look: Any) -> None:
    entries = [host.post() for _ in range(20)]
    shipper, source = host.shipper(), host.source()
    shipper.step()
    assert len(source.take()) == 20  # a worker has them, unrecorded
    look.flushall()
    assert host.journal.waiting() == entries
    host.later(shipper)
    assert look.xlen(host.keys.mail) == 20
    source.acknowledge(entries[:10])  # what it had recorded meanwhile
    host.later(shipper)
    assert host.journal.waiting() == entries[10:]
    assert record(source) == entries[:10]  # once more; of the others it holds the first shipments still
    source.acknowledge(entries[10:])
    assert record(source) == []
    host.later(shipper, steps=2)
    assert host.journal.waiting() == []
    assert look.xlen(host.keys.mail) == 0


def test_emptied_between_two_shipments_is_noticed(host: Host, look: Any) -> None:
    """The second shipment must not pass for the one that was lost."""
    entries = [host.post()]
    shipper = host.shipper()
    host.later(shipper, steps=2)
    look.flushall()
    entries.append(host.post())
    host.later(shipper, 0.5)  # before it looks again whether it was forgotten
    host.later(shipper, steps=2)
    assert look.xlen(host.keys.mail) == 2
    assert sorted(record(host.source())) == entries


def test_emptied_and_filled_by_another_host_meanwhile_is_noticed(host: Host, look: Any) -> None:
    """Only the count of our own shipments tells: the stream itself is there and not empty."""
    entry = host.post()
    shipper = host.shipper()
    shipper.step()
    look.flushall()
    other = Host(host.folder, host.url, "mx2.own.example")
    other.post()
    other.shipper().step()
    host.later(shipper)
    assert look.xlen(host.keys.mail) == 2
    assert set(record(host.source())) > {entry}
    other.close()


def test_redis_stops_and_comes_back_empty(host: Host, tmp_path: Path) -> None:
    with PrivateRedis(tmp_path / "own") as own:
        ours = Host(tmp_path, own.url, "mx3.own.example")
        first = ours.post()
        shipper, source = ours.shipper(), ours.source()
        shipper.step()
        own.stop()
        second = ours.post()
        assert ours.later(shipper, steps=5) == 0
        assert source.take() == []
        own.start()
        settle(shipper, lambda: ours.later(shipper) == 2)
        taken: list[str] = []
        deadline = time.monotonic() + 15
        while len(taken) < 2 and time.monotonic() < deadline:
            taken += record(source)
            time.sleep(0.02)
        assert taken == [first, second]
        settle(shipper, lambda: ours.later(shipper) > 0 and ours.journal.waiting() == [])
        ours.close()


def test_an_acknowledgement_that_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    with PrivateRedis(tmp_path / "own", options={"appendonly": "yes"}) as own:
        host = Host(tmp_path, own.url)
        entry = host.post()
        shipper, source = host.shipper(), host.source()
        shipper.step()
        assert [item.entry_id for item in source.take()] == [entry]
        own.stop()
        source.acknowledge([entry])  # committed: Redis' absence is no reason to fail
        own.start()
        settle(shipper, lambda: source.take() == [] and host.later(shipper) > 0)
        assert host.journal.waiting() == []
        host.close()


def test_a_full_redis_is_waited_for(host: Host, look: Any) -> None:
    shipper, source = host.shipper(), host.source()
    first = host.post()
    shipper.step()
    [taken] = source.take()
    look.config_set("maxmemory", "1mb")
    second = host.post()
    assert host.later(shipper, steps=5) == 0
    assert host.journal.waiting() == [first, second]
    source.acknowledge([taken.entry_id])  # can't be written now; what it occupies is freed all the same
    assert look.xlen(host.keys.mail) == 0
    look.config_set("maxmemory", "0")
    settle(shipper, lambda: host.later(shipper) > 0 and second in {item.entry_id for item in source.take()})
    source.acknowledge([second])
    settle(shipper, lambda: host.later(shipper) >= 0 and host.journal.waiting() == [])


def test_a_large_entry_does_not_fill_redis_with_pieces_in_vain(host: Host, look: Any) -> None:
    host.post(random.Random(8).randbytes(PIECE_OCTETS * 5))
    look.config_set("maxmemory", look.info("memory")["used_memory"] + PIECE_OCTETS * 3)
    look.config_resetstat()
    assert host.shipper().step() == 0
    assert look.info("commandstats")["cmdstat_rpush"]["calls"] > 0
    assert look.keys("*body*") == []


def test_no_more_bytes_are_in_flight_than_allowed(host: Host, look: Any) -> None:
    bound = 1_048_576
    host.changes = {"in_flight_bytes": bound}
    host.settings = type(host.settings)(url=host.url, in_flight_bytes=bound)
    dice = random.Random(3)
    huge = host.post(dice.randbytes(2 * bound))  # larger than the bound: goes alone
    entries = [huge, *(host.post(dice.randbytes(100_000)) for _ in range(25))]
    shipper, source = host.shipper(), host.source()
    recorded: list[str] = []
    flights = []
    for _ in range(200):
        host.later(shipper)
        flights.append((shipper.in_flight, shipper.bytes_in_flight))
        recorded += record(source)
        if not host.journal.waiting():
            break
    assert sorted(recorded) == entries
    assert recorded[0] == huge
    assert max(octets for number, octets in flights if number > 1) <= bound
    assert max(octets for _, octets in flights) > bound  # the huge one
    assert look.xlen(host.keys.mail) == 0


def test_what_is_lost_on_the_way_is_shipped_again_after_a_while(host: Host, look: Any) -> None:
    """Somebody removed it from the stream, or a worker's acknowledgement was lost after it had freed the entry."""
    entries = [host.post(), host.post(random.Random(4).randbytes(INLINE_OCTETS * 2)), host.post()]
    shipper, source = host.shipper(), host.source()
    shipper.step()
    taken = source.take()
    assert len(taken) == 3
    for stream_id, _ in look.xrange(host.keys.mail)[:2]:
        look.xack(host.keys.mail, GROUP, stream_id)
        look.xdel(host.keys.mail, stream_id)
    host.later(shipper, seconds=host.settings.reship_seconds - 5)
    assert look.xlen(host.keys.mail) == 1
    host.later(shipper, seconds=10)
    assert look.xlen(host.keys.mail) == 3
    assert len(look.keys("*body*")) == 1  # the old one is not left behind
    # Shipped twice, the same worker has both: one recording answers both.
    assert source.take() == []
    source.acknowledge(entries)
    host.later(shipper)
    assert host.journal.waiting() == []
    assert emptied(look, host.keys, host.instance)


def test_what_waits_for_workers_is_not_shipped_again(host: Host, look: Any) -> None:
    """To be moved to the end of the stream every ten minutes would put the oldest mail behind all younger."""
    host.post(), host.post()
    shipper, source = host.shipper(), host.source(batch=1)
    shipper.step()
    assert len(source.take()) == 1  # one is pending, the other unread
    before = [stream_id for stream_id, _ in look.xrange(host.keys.mail)]
    host.later(shipper, seconds=host.settings.reship_seconds + 1, steps=3)
    assert [stream_id for stream_id, _ in look.xrange(host.keys.mail)] == before


def test_an_acknowledgement_of_something_else_removes_nothing(host: Host, look: Any, tmp_path: Path) -> None:
    entry = host.post()
    outside = tmp_path / "precious"
    outside.write_text("x")
    shipper = host.shipper()
    shipper.step()
    done = host.keys.done(host.instance)
    for fields in (
        {"recorded": f"../../precious {outside} 01JD0000000000000000000000"},
        {"failed": "../../precious", "reason": "x"},
        {"failed": "01JD0000000000000000000000", "reason": "x"},
        {"other": "\xff"},
    ):
        look.xadd(done, fields)
    host.later(shipper, steps=2)
    assert look.xlen(done) == 0
    assert outside.exists()
    assert host.journal.waiting() == [entry]
    assert list(host.journal.failed.iterdir()) == []


@pytest.mark.parametrize("line", ["x", "99999999999999999999-0 5 ", "1- 5 ", "1-1 -5 "])
def test_a_spoilt_list_of_what_is_in_flight_stops_nobody(host: Host, look: Any, line: str) -> None:
    entry = host.post()
    sent = host.keys.sent(host.instance)
    look.hset(sent, mapping={"#": "many", entry: line, "../../x": "1-1 5 ", b"\xff": b"\xff"})
    shipper = host.shipper()
    shipper.step()
    assert look.hlen(sent) == 2
    assert record(host.source()) == [entry]
    host.later(shipper)
    assert host.journal.waiting() == []


def test_a_file_that_somebody_took_away_is_struck_off(host: Host, look: Any) -> None:
    entry = host.post()
    shipper = host.shipper()
    shipper.step()
    look.delete(host.keys.mail)
    (host.journal.new / entry).unlink()
    host.later(shipper, seconds=host.settings.reship_seconds + 1, steps=2)
    assert (shipper.in_flight, shipper.bytes_in_flight) == (0, 0)
    assert look.hlen(host.keys.sent(host.instance)) == 1


def test_a_reason_can_not_write_to_the_terminal(host: Host, look: Any) -> None:
    entry = host.post()
    shipper = host.shipper()
    shipper.step()
    look.xadd(host.keys.done(host.instance), {"failed": entry, "reason": b"\x1b[2J gone \xff" + b"x" * 9000})
    host.later(shipper)
    [(_, reason)] = host.journal.failures()
    assert reason.startswith("?[2J gone \N{REPLACEMENT CHARACTER}xxx")
    assert len(reason) == 500


def test_a_dead_letter_goes_home_and_comes_back_on_retry(host: Host) -> None:
    entry, good = host.post(), host.post()
    shipper, source = host.shipper(), host.source()
    shipper.step()
    source.take()
    source.fail(entry, "ValueError: can't be\ntaken apart")
    source.acknowledge([good])
    host.later(shipper)
    assert list(host.journal.failures()) == [(entry, "ValueError: can't be taken apart")]
    assert host.journal.waiting() == []
    host.journal.retry(entry)
    host.later(shipper)
    assert record(source) == [entry]
    host.later(shipper)
    assert host.journal.waiting() == []
    assert list(host.journal.failures()) == []


def test_two_workers_share_and_one_takes_over_from_a_dead_one(host: Host, look: Any) -> None:
    entries = [host.post() for _ in range(40)]
    host.shipper().step()
    dead, living = host.source("dead", batch=10), host.source("living", batch=10, claim_idle_seconds=0.2)
    lost = {item.entry_id for item in dead.take()}
    assert len(lost) == 10
    recorded: list[str] = []
    deadline = time.monotonic() + 10
    while len(recorded) < 40 and time.monotonic() < deadline:
        recorded += record(living)
        time.sleep(0.01)
    assert sorted(recorded) == entries
    pending: Any = look.xpending(host.keys.mail, GROUP)
    assert pending["pending"] == 0


def test_a_restarted_worker_finds_what_it_held_at_once(host: Host) -> None:
    entries = [host.post() for _ in range(3)]
    host.shipper().step()
    assert len(host.source("mx1.1").take()) == 3
    assert record(host.source("mx1.2")) == []
    assert record(host.source("mx1.1")) == entries


def test_what_was_not_recorded_is_handed_out_again_without_a_delivery(host: Host, look: Any) -> None:
    entry = host.post()
    host.shipper().step()
    source = host.source()
    for _ in range(20):  # a database that is away for long
        assert [item.entry_id for item in source.take()] == [entry]
        source.rewind()
    pending: Any = look.xpending_range(host.keys.mail, GROUP, "-", "+", 10)
    assert [item["times_delivered"] for item in pending] == [1]


def test_what_waits_with_a_worker_that_lives_is_not_taken_over(host: Host, look: Any) -> None:
    """The database is away for long, and idle workers stand by: each takeover would count as a death."""
    entry = host.post()
    host.shipper().step()
    source, other = host.source("a", claim_idle_seconds=0.4), host.source("b", claim_idle_seconds=0.4)
    assert [item.entry_id for item in source.take()] == [entry]
    for _ in range(10):
        time.sleep(0.1)
        source.rewind()
        assert [item.entry_id for item in source.take()] == [entry]
        assert other.take() == []
    pending: Any = look.xpending_range(host.keys.mail, GROUP, "-", "+", 10)
    assert [(item["consumer"], item["times_delivered"]) for item in pending] == [(b"a", 1)]
    wait_until("a takeover", lambda: [item.entry_id for item in other.take()] == [entry], 10)


def test_workers_that_are_told_to_stop_were_not_killed_by_their_mail(host: Host, look: Any) -> None:
    """The database is away and the host restarted again and again: no mail becomes a dead letter for that."""
    entries = [host.post() for _ in range(3)]
    host.shipper().step()
    for _ in range(8):
        stop = threading.Event()
        source = host.source(stop=stop)
        assert sorted(item.entry_id for item in source.take()) == entries
        stop.set()
        source.close()
    assert sorted(record(host.source())) == entries
    assert look.keys("*done*") == [host.keys.done(host.instance).encode()]
    host.later(host.shipper())
    assert list(host.journal.failures()) == []


def test_a_long_pause_between_looks_does_not_block_longer_than_a_client_waits(host: Host) -> None:
    source = host.source()
    began_at = time.monotonic()
    source.wait(60)
    entry = host.post()
    host.shipper().step()
    assert time.monotonic() - began_at < 20
    assert record(source) == [entry]  # nothing failed meanwhile


def test_what_redis_declines_is_said_without_the_mail(host: Host, look: Any, caplog: pytest.LogCaptureFixture) -> None:
    look.acl_setuser("blind", enabled=True, nopass=True, categories=["+@all"], commands=["-rpush"], keys=["*"])
    host.settings = host.settings.model_copy(update={"username": "blind", "url": host.url})
    host.post(b"secret words\r\n" * 60_000 + random.Random(7).randbytes(INLINE_OCTETS))
    with caplog.at_level("WARNING"):
        assert host.shipper().step() == 0
    look.acl_deluser("blind")
    assert "Redis does not serve: " in caplog.text
    assert "permission" in caplog.text
    assert "RPUSH" not in caplog.text.replace("'rpush'", "")


def test_an_entry_that_kills_its_workers_becomes_a_dead_letter_and_its_neighbours_are_recorded(host: Host) -> None:
    entries = [host.post() for _ in range(8)]
    poison = entries[3]
    shipper = host.shipper()
    shipper.step()
    recorded: list[str] = []
    for _ in range(10):  # each of them a worker that is started after the one before was killed
        source = host.source()
        with suppress(Killed):
            while taken := source.take():
                if poison in {item.entry_id for item in taken}:
                    raise Killed
                source.acknowledge([item.entry_id for item in taken])
                recorded += [item.entry_id for item in taken]
    assert sorted(recorded) == [entry for entry in entries if entry != poison]
    host.later(shipper)
    [(entry, reason)] = host.journal.failures()
    assert entry == poison
    assert "each time the worker died" in reason


def shipped_by_hand(host: Host, entry: str, **changes: Any) -> dict[Any, Any]:
    data = (host.journal.new / entry).read_bytes()
    return {"id": entry, "host": host.instance, "octets": len(data), "zstd": pack(data)} | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"zstd": b"no zstd at all"},
        {"zstd": b""},
        {"octets": 7},
        {"octets": -7},
        {"octets": "9" * 5000},
        {"octets": INLINE_OCTETS + 1},
        {"zstd": pack(b"\0" * 50_000_000), "octets": 1000},
        {"zstd": pack(b"\0" * 50_000_000), "octets": 50_000_000},
        {"body": "../../x"},
        {"zstd": b"", "body": "*" * 16},
        {"zstd": pack(b"{}\n"), "octets": 3},
        {"zstd": pack(b"no first line"), "octets": 13},
    ],
    ids=str,
)  # fmt: skip
def test_a_damaged_entry_goes_to_failed_and_stops_nobody(host: Host, look: Any, changes: dict[str, Any]) -> None:
    bad, good = host.post(), host.post()
    shipper, source = host.shipper(), host.source()
    look.xadd(host.keys.mail, shipped_by_hand(host, bad, **changes))
    look.xadd(host.keys.mail, shipped_by_hand(host, good))
    recorded = []
    for item in source.take():
        try:
            item.open()
        except (BadShipment, UnreadableEntry) as error:
            source.fail(item.entry_id, str(error))
        else:
            recorded.append(item.entry_id)
    source.acknowledge(recorded)
    assert recorded == [good]
    shipper.step()
    host.later(shipper)
    assert [entry for entry, _ in host.journal.failures()] == [bad]
    assert host.journal.waiting() == []


def test_a_bomb_in_pieces_is_unpacked_no_further_than_announced(host: Host, look: Any) -> None:
    entry = host.post()
    nonce = "0" * 16
    compressor = zstandard.ZstdCompressor().compressobj()
    bomb = compressor.compress(b"\0" * 200_000_000) + compressor.flush()
    look.rpush(host.keys.body(entry, nonce), bomb)
    look.xadd(host.keys.mail, {"id": entry, "host": host.instance, "octets": 300_000, "body": nonce})
    [item] = host.source().take()
    with pytest.raises(BadShipment, match="another number of bytes"):
        item.open()


def test_a_body_of_endless_pieces_is_not_read_to_its_end(host: Host, look: Any) -> None:
    entry = host.post()
    nonce = "0" * 16
    empty_frame = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"void"  # zstd skips it
    look.rpush(host.keys.body(entry, nonce), *([empty_frame] * 1000))
    look.xadd(host.keys.mail, {"id": entry, "host": host.instance, "octets": 300_000, "body": nonce})
    [item] = host.source().take()
    look.config_resetstat()
    with pytest.raises(BadShipment):
        item.open()
    assert look.info("commandstats")["cmdstat_lindex"]["calls"] <= 2


def test_entries_that_are_none_of_ours_are_dropped_and_stop_nobody(host: Host, look: Any) -> None:
    for fields in (
        {"id": "../../etc/passwd", "host": host.instance},
        {"id": "01JD0000000000000000000000", "host": "a b\n"},
        {"hello": b"\xff\xfe"},
    ):
        look.xadd(host.keys.mail, fields)
    entry = host.post()
    host.shipper().step()
    assert record(host.source()) == [entry]
    assert look.xlen(host.keys.mail) == 0
    assert look.keys("*done*") != []


def test_a_host_whose_answers_have_no_place_stops_no_other(host: Host, look: Any, tmp_path: Path) -> None:
    other = Host(tmp_path, host.url, instance="mx2.own.example")
    look.set(host.keys.done(host.instance), "somebody's own")
    source = host.source()
    for each in (host, other):
        entry, shipper = each.post(), each.shipper()
        shipper.step()
        assert record(source) == [entry]
        each.later(shipper)
    assert len(host.journal.waiting()) == 1
    assert other.journal.waiting() == []
    assert look.xlen(host.keys.mail) == 0
    other.close()


def test_a_body_that_is_gone_is_shipped_again(host: Host, look: Any) -> None:
    entry = host.post(random.Random(5).randbytes(INLINE_OCTETS * 2))
    shipper, source = host.shipper(), host.source()
    shipper.step()
    look.delete(*look.keys("*body*"))
    [item] = source.take()
    with pytest.raises(FileNotFoundError):
        item.open()
    host.later(shipper, seconds=host.settings.reship_seconds + 1)
    host.later(shipper)
    assert record(source) == [entry]


def test_foreign_files_and_too_large_entries_stop_nobody(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    (host.journal.new / "note.txt").write_text("an administrator's")
    (host.journal.new / "00000000000000000000000000").mkdir()
    monkeypatch.setattr("tradepost_milter.shipper.OCTETS_LIMIT", 10_000)
    large, good = host.post(b"x" * 20_000), host.post()
    shipper = host.shipper()
    host.later(shipper, steps=3)
    assert record(host.source()) == [good]
    reasons = dict(host.journal.failures())
    assert set(reasons) == {"note.txt", "00000000000000000000000000", large}
    assert "larger than a shipment may be" in reasons[large]


def test_a_file_that_can_not_be_read_stays_and_stops_nobody(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged, good = host.post(), host.post()
    real = open

    def spoilt(path: Any, mode: str = "r") -> Any:
        if Path(path).name == damaged:
            raise OSError(5, "Input/output error", str(path))
        return real(path, mode)

    monkeypatch.setattr("tradepost_milter.shipper.open", spoilt, raising=False)
    shipper = host.shipper()
    host.later(shipper, steps=3)
    source = host.source()
    assert record(source) == [good]
    host.later(shipper)
    assert host.journal.waiting() == [damaged]
    monkeypatch.undo()
    host.later(shipper, seconds=60, steps=2)
    assert record(source) == [damaged]


def test_under_faults_from_a_seed_every_entry_is_taken_and_none_is_left(host: Host, look: Any) -> None:
    """Shippers and workers die, Redis is emptied, entries vanish from the stream: all are acknowledged in the end."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    posted: set[str] = set()
    recorded: set[str] = set()
    shipper = host.shipper()
    sources = [host.source("a", claim_idle_seconds=0.05), host.source("b", claim_idle_seconds=0.05)]
    for turn in range(10_000):
        if turn < 300:
            posted.add(host.post(dice.randbytes(dice.choice((10, 3000, INLINE_OCTETS * 2)))))
            match dice.randrange(40):
                case 0:
                    look.flushall()
                case 1:
                    shipper = host.shipper()
                case 2:
                    sources[dice.randrange(2)] = host.source("ab"[dice.randrange(2)], claim_idle_seconds=0.05)
                case 3:
                    for stream_id, _ in look.xrange(host.keys.mail, count=2):
                        look.xdel(host.keys.mail, stream_id)
        elif not host.journal.waiting():
            break
        host.later(shipper, seconds=dice.choice((0.01, 2, 700)))
        source = dice.choice(sources)
        taken = source.take()
        done = []
        for item in taken:
            with suppress(FileNotFoundError):
                item.open()
                done.append(item.entry_id)
        recorded.update(done)
        if dice.random() < 0.9:
            source.acknowledge(done)
        else:
            source.rewind()
    assert host.journal.waiting() == []
    assert recorded == posted
    assert list(host.journal.failures()) == []


def test_it_ships_within_milliseconds_and_stops_when_told(host: Host, look: Any) -> None:
    stop = threading.Event()
    shipper = Shipper(
        journal=host.journal, connect=host.connect, instance=host.instance, settings=host.settings, stop=stop
    )
    serving = threading.Thread(target=shipper.run)
    serving.start()
    source = host.source()
    source.take()  # makes the group
    waits = []
    try:
        for _ in range(20):
            time.sleep(0.05)
            host.post()
            began_at = time.monotonic()
            while not source.take():
                source.wait(0.2)
                assert time.monotonic() - began_at < 10
            waits.append(time.monotonic() - began_at)
    finally:
        stop.set()
        serving.join(timeout=10)
    assert not serving.is_alive()
    assert sorted(waits)[10] < 0.2, waits


def test_over_a_cluster_all_keys_lie_in_one_slot(tmp_path: Path) -> None:
    """Scripts, transactions and blocking reads work as on a single server."""
    with (
        PrivateRedis(tmp_path / "node", options={"cluster-enabled": "yes"}) as node,
        redis.Redis(port=node.port) as client,
    ):
        look: Any = client
        look.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_until("the cluster", lambda: look.cluster("INFO")["cluster_state"] == "ok", 20)
        host = Host(tmp_path, f"redis+cluster://127.0.0.1:{node.port}", changes={"allow_insecure": True})
        entries = [host.post(), host.post(random.Random(6).randbytes(INLINE_OCTETS * 2))]
        shipper, source = host.shipper(), host.source()
        host.later(shipper, steps=3)
        source.wait(0.01)
        assert record(source) == entries
        source.report()
        bad = host.post()
        host.later(shipper)
        source.take()
        source.fail(bad, "x")
        host.later(shipper, seconds=host.settings.reship_seconds + 1, steps=2)
        assert host.journal.waiting() == []
        assert emptied(look, host.keys, host.instance)
        large = [host.post(random.Random(number).randbytes(INLINE_OCTETS * 2)) for number in range(2)]
        host.later(shipper, steps=3)
        assert [item.entry_id for item in source.take()] == large
        look.config_set("maxmemory", 1)
        source.acknowledge(large)  # can't be said, but two bodies are freed
        assert look.keys("*body*") == []
        look.config_set("maxmemory", 0)
        host.close()
