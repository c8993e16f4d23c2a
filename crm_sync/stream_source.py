# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's end of the stream: entries of every host, shared among the workers of one consumer group."""

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import redis

from crm_sync.sources import ReadEntry, SourceUnreachable, Taken
from tradepost.arrival import Arrival
from tradepost.errors import Refusal
from tradepost.host_lock import HostLock
from tradepost.journal import HEAD_LIMIT, read_head
from tradepost.mail_stream import (
    GROUP,
    Acknowledgement,
    BadShipment,
    Shipment,
    StreamKeys,
    decode_shipment,
    fields_of,
    unpack,
    unpack_pieces,
)
from tradepost.metrics import Stage, count_failure, count_shunted, report_stream
from tradepost.patience import Patience
from tradepost.redis_link import REDIS_FAILURES, RedisClient, open_redis, reason_of
from tradepost.settings import RedisSettings, Settings

log = logging.getLogger("tradepost.crm_sync")

# Longer than any batch takes, and than a worker rests between two tries (its database is away).  Who holds entries longer
# all the same is not harmed: both record once.
_CLAIM_IDLE_SECONDS = 60.0
# What we took over and do not hold yet stands among what we hold.
_LOOKED_THROUGH = 1000
# A command blocks for less than a client waits for its answer (open_redis).
_BLOCK_SECONDS = 2.0
# A worker that dies takes down its whole batch.  What came so often is tried alone, so that its neighbours are innocent...
_SUSPECT_DELIVERIES = 2
# ... and what came so often is given up: each of its last deliveries ended with the worker's death.
_LAST_DELIVERY = 5


@dataclass(slots=True)
class _Unpacked:
    """An entry from the stream, unpacked."""

    arrival: Arrival
    _data: bytes
    _offset: int

    def raw(self) -> bytes:
        return self._data[self._offset :]


@dataclass(slots=True)
class _Delivered:
    """An entry of the stream that this worker has.  The same may have been shipped twice: several stream ids."""

    source: "StreamSource"
    shipment: Shipment
    stream_ids: list[bytes]
    bodies: list[str] = field(default_factory=list)

    @property
    def entry_id(self) -> str:
        return self.shipment.entry_id

    def open(self) -> ReadEntry:
        return self.source.unpack(self)


@dataclass(slots=True)
class _Answer:
    """An acknowledgement not written yet, and what it lets Redis forget."""

    instance: str
    said: Acknowledgement
    stream_ids: list[bytes] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)


class StreamSource:
    """The large size: workers anywhere share the stream as consumers of one group.

    `consumer` is this worker's name in it and stays the same over a restart, so that it finds what it held; `slot` is the
    lock that makes the name its own.  While Redis is away nothing is handed out, which is said once in a while; nothing is raised for it.
    """

    def __init__(
        self,
        *,
        connect: Callable[[], RedisClient],
        settings: RedisSettings,
        consumer: str,
        batch: int,
        stop: threading.Event,
        claim_idle_seconds: float = _CLAIM_IDLE_SECONDS,
        slot: HostLock | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        # redis-py's results are unions with awaitables.
        self._client: Any = None
        self._keys = StreamKeys(settings)
        self._consumer = consumer
        self._batch = batch
        self._stop = stop
        self._claim_idle = claim_idle_seconds
        self._slot = slot
        self._clock = clock
        self._patience = Patience(log, clock=clock)
        self._held: dict[str, _Delivered] = {}
        self._held_ids: set[bytes] = set()
        self._ready: deque[_Delivered] = deque()
        self._owed: deque[_Answer] = deque()
        self._has_group = False
        self._has_own = True  # there may be entries pending with us that we do not hold
        self._claim_at = float("-inf")

    # What the worker asks

    def take(self) -> Sequence[Taken]:
        """Return what was delivered: new entries, our own from before, or those of a worker that is gone."""
        if not self._ready:
            self._guarded(lambda: self._fetch(None))
        found = list(self._ready)
        self._ready.clear()
        return found

    def wait(self, seconds: float) -> None:
        """Wait in Redis, which answers as soon as something comes."""
        if self._patience.seconds_left:
            self._stop.wait(min(seconds, self._patience.seconds_left))
        elif not self._ready and not self._guarded(
            lambda: self._fetch(max(1, int(min(seconds, _BLOCK_SECONDS) * 1000)))
        ):
            self._stop.wait(seconds)

    def acknowledge(self, entry_ids: Sequence[str]) -> None:
        """Owe an answer to each host, and write it unless Redis is away."""
        answers: dict[str, _Answer] = {}
        recorded = defaultdict[str, list[str]](list)
        for entry_id in entry_ids:
            if (item := self._let_go(entry_id)) is not None:
                instance = item.shipment.instance
                recorded[instance].append(entry_id)
                answer = answers.setdefault(instance, _Answer(instance, Acknowledgement()))
                answer.stream_ids += item.stream_ids
                answer.bodies += item.bodies
        for instance, answer in answers.items():
            answer.said = Acknowledgement(tuple(recorded[instance]))
            self._owed.append(answer)
        self._guarded(self._settle)

    def fail(self, entry_id: str, reason: str) -> None:
        """Send it back to its host as a dead letter."""
        item = self._let_go(entry_id)
        if item is not None:
            said = Acknowledgement(failed=entry_id, reason=reason)
            self._owed.append(_Answer(item.shipment.instance, said, item.stream_ids, item.bodies))
            self._guarded(self._settle)

    def rewind(self) -> None:
        """Hand out again what we hold.  Redis counts no delivery, and nobody takes over what waits here for the database."""
        self._ready.clear()
        self._ready.extend(self._held.values())
        self._guarded(self._keep)

    def _keep(self) -> None:
        """Say that we are alive: each takeover would count as a delivery, and some of them make a dead letter."""
        if self._held_ids:
            self._client.xclaim(self._keys.mail, GROUP, self._consumer, 0, list(self._held_ids), justid=True)

    def report(self) -> None:
        """Tell the numbers how long the stream is."""
        self._guarded(self._measure)

    def close(self) -> None:
        """Write what is owed if Redis is there, and disconnect."""
        self._guarded(self._settle)
        if self._stop.is_set():
            self._guarded(self._uncount)
        if self._client is not None:
            self._client.close()
        if self._slot is not None:
            self._slot.release()

    def unpack(self, item: _Delivered) -> ReadEntry:
        """Read an entry.  Raises BadShipment, UnreadableEntry, SourceUnreachable, or FileNotFoundError when its bytes are gone."""
        shipment = item.shipment
        if shipment.nonce:
            try:
                data = unpack_pieces(shipment, self._pieces(item))
            except REDIS_FAILURES as error:
                raise SourceUnreachable(f"Redis does not serve: {reason_of(error)}; its mail waits") from error
        else:
            data = unpack(shipment)
        end = data.find(b"\n", 0, HEAD_LIMIT) + 1
        return _Unpacked(read_head(data[:end], shipment.entry_id, len(data)), data, end)

    def _pieces(self, item: _Delivered) -> Iterator[bytes]:
        key = self._keys.body(item.entry_id, item.shipment.nonce)
        number = 0
        while (piece := self._client.lindex(key, number)) is not None:
            number += 1
            yield piece
        # What is missing at the end went while it was read, and is not damage: a mail with damage would become a dead letter.
        if number == 0 or self._client.llen(key) != number:
            # The host finds that it is no longer in the stream, and ships it again.
            self._let_go(item.entry_id)
            self._drop(item.stream_ids)
            raise FileNotFoundError(f"{item.entry_id}: its bytes are gone from Redis")

    def _uncount(self) -> None:
        """We were told to stop: that a mail was with us is not to look as if it had killed us."""
        if not self._held_ids:
            return
        found = self._client.xpending_range(
            self._keys.mail, GROUP, "-", "+", _LOOKED_THROUGH + len(self._held_ids), consumername=self._consumer
        )
        before = defaultdict[int, list[bytes]](list)
        for item in found:
            if item["message_id"] in self._held_ids:
                before[max(0, item["times_delivered"] - 1)].append(item["message_id"])
        for times, stream_ids in before.items():
            self._client.xclaim(self._keys.mail, GROUP, self._consumer, 0, stream_ids, retrycount=times, justid=True)

    # Failures around us

    def _guarded(self, act: Callable[[], None]) -> bool:
        """Do something with Redis unless it is to be left alone; return whether that worked."""
        if self._patience.seconds_left:
            return False
        try:
            if self._client is None:
                self._client = self._connect()
            act()
        except redis.exceptions.OutOfMemoryError:
            self._fail("Redis is full (maxmemory): acknowledgements wait")
            return False
        except REDIS_FAILURES as error:
            # An answer may have been lost on its way to us, with entries in it.
            self._has_own = True
            self._has_group = False
            self._fail(f"Redis does not serve: {reason_of(error)}; mail waits on its hosts")
            return False
        self._patience.succeed("Redis serves again")
        return True

    def _fail(self, text: str) -> None:
        count_failure(Stage.STREAM)
        self._patience.fail(text)

    # Taking

    def _fetch(self, block_ms: int | None) -> None:
        self._settle()
        if not self._has_group:
            self._make_group()
        if self._clock() >= self._claim_at:
            self._claim_at = self._clock() + self._claim_idle / 4
            self._adopt()
        if self._has_own:
            self._take_own()
        if not self._ready:
            self._read_new(block_ms)

    def _make_group(self) -> None:
        try:
            # From the very beginning: what was shipped before the first worker came is not missed.
            self._client.xgroup_create(self._keys.mail, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        self._has_group = True

    def _adopt(self) -> None:
        """Take over what a worker has held too long.  That alone is no delivery."""
        idle = int(self._claim_idle * 1000)
        found = self._client.xautoclaim(self._keys.mail, GROUP, self._consumer, idle, count=100, justid=True)
        claimed = [stream_id for stream_id in found if stream_id not in self._held_ids]
        if claimed:
            self._has_own = True
            log.info("took over %d mails that another worker did not finish", len(claimed))

    def _take_own(self) -> None:
        """Take what is pending with us and not held: from before a restart, or taken over."""
        found = self._client.xpending_range(
            self._keys.mail, GROUP, "-", "+", self._batch + len(self._held_ids), consumername=self._consumer
        )
        fresh = [item for item in found if item["message_id"] not in self._held_ids]
        suspects = [item for item in fresh if item["times_delivered"] >= _SUSPECT_DELIVERIES]
        plain = [item["message_id"] for item in fresh if item["times_delivered"] < _SUSPECT_DELIVERIES]
        if plain:
            self._receive(self._client.xclaim(self._keys.mail, GROUP, self._consumer, 0, plain[: self._batch]))
        elif suspects and not self._held:
            suspect = suspects[0]
            # Asking for its bytes is one more delivery, for this one only.
            got = self._client.xclaim(self._keys.mail, GROUP, self._consumer, 0, [suspect["message_id"]])
            self._receive(got)
            if suspect["times_delivered"] >= _LAST_DELIVERY:
                self._give_up(suspect["times_delivered"])
        elif not fresh:
            self._has_own = False

    def _give_up(self, deliveries: int) -> None:
        for item in list(self._ready):
            count_shunted()
            log.error("%s: came %d times and was never finished: sent back as a dead letter", item.entry_id, deliveries)
            self.fail(item.entry_id, f"was delivered {deliveries} times and never finished: each time the worker died")
        self._ready.clear()

    def _read_new(self, block_ms: int | None) -> None:
        try:
            found = self._ask_for_new(block_ms)
        except redis.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self._make_group()  # Redis was emptied
            found = self._ask_for_new(block_ms)
        for _, entries in found or ():
            self._receive(entries)

    def _ask_for_new(self, block_ms: int | None) -> Any:
        return self._client.xreadgroup(GROUP, self._consumer, {self._keys.mail: ">"}, count=self._batch, block=block_ms)

    def _receive(self, entries: Iterable[Any]) -> None:
        for entry in entries:
            if entry[0] is not None and entry[0] not in self._held_ids:
                self._hold(entry[0], fields_of(entry))

    def _hold(self, stream_id: bytes, fields: Mapping[bytes, bytes]) -> None:
        if not fields:  # deleted while it was pending
            self._drop([stream_id])
            return
        try:
            shipment = decode_shipment(fields)
        except BadShipment as error:
            self._refuse(stream_id, error)
            return
        bodies = [self._keys.body(shipment.entry_id, shipment.nonce)] if shipment.nonce else []
        self._held_ids.add(stream_id)
        held = self._held.get(shipment.entry_id)
        if held is not None:  # shipped twice: one recording answers both
            held.stream_ids.append(stream_id)
            held.bodies += bodies
            return
        item = _Delivered(self, shipment, [stream_id], bodies)
        self._held[shipment.entry_id] = item
        self._ready.append(item)

    def _refuse(self, stream_id: bytes, error: BadShipment) -> None:
        """It is none of ours, or damaged: back to its host if it names one, else it belongs to nobody."""
        count_shunted()
        log.error("stream entry %s %s: %s", stream_id.decode("ascii", "replace"), error.entry_id, error)
        if error.entry_id:
            said = Acknowledgement(failed=error.entry_id, reason=f"its shipment {error}")
            self._owed.append(_Answer(error.instance, said, [stream_id]))
            self._settle()
        else:
            self._drop([stream_id])

    def _let_go(self, entry_id: str) -> _Delivered | None:
        item = self._held.pop(entry_id, None)
        if item is not None:
            self._held_ids.difference_update(item.stream_ids)
        return item

    # Answering

    def _settle(self) -> None:
        """Write what is owed: the answer, and what it lets Redis forget, in one transaction."""
        while self._owed:
            answer = self._owed[0]
            try:
                self._write(answer)
            except redis.exceptions.OutOfMemoryError:
                # A full Redis takes no answer, and stays full until entries go.  These are recorded: a host that misses the
                # answer ships them again, and they are recorded once all the same.
                self._drop(answer.stream_ids, answer.bodies)
                answer.stream_ids, answer.bodies = [], []
                raise
            except redis.ResponseError as error:
                if not reason_of(error).startswith("WRONGTYPE"):
                    raise
                # Something else bears the name of that host's answers; the mail of all others must not wait for it.
                log.error("%s: %s: it gets no answers", self._keys.done(answer.instance), reason_of(error))
                self._drop(answer.stream_ids, answer.bodies)
            self._owed.popleft()

    def _write(self, answer: _Answer) -> None:
        with self._client.pipeline(transaction=True) as pipe:
            pipe.xadd(self._keys.done(answer.instance), answer.said.fields())
            self._forget(pipe, answer.stream_ids, answer.bodies)
            pipe.execute()

    def _drop(self, stream_ids: Sequence[bytes], bodies: Sequence[str] = ()) -> None:
        """Remove entries without an answer."""
        # No transaction: a full Redis refuses to queue anything, also what would empty it.
        with self._client.pipeline(transaction=False) as pipe:
            self._forget(pipe, stream_ids, bodies)
            pipe.execute()

    def _forget(self, pipe: Any, stream_ids: Sequence[bytes], bodies: Sequence[str]) -> None:
        if stream_ids:
            pipe.xack(self._keys.mail, GROUP, *stream_ids)
            pipe.xdel(self._keys.mail, *stream_ids)
        for body in bodies:  # a cluster's pipeline takes one key at a time
            pipe.unlink(body)

    def _measure(self) -> None:
        length = int(self._client.xlen(self._keys.mail))
        pending = self._client.xpending(self._keys.mail, GROUP)["pending"] if self._has_group else 0
        age = self._client.eval(_OLDEST, 1, self._keys.mail)
        report_stream(length, pending, age / 1000)


# KEYS: mail.  Returns the age of the oldest entry in milliseconds of the server's clock, 0 when there is none.
_OLDEST = """
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not first then return 0 end
local now = redis.call('TIME')
return now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(string.match(first[1], '^%d+'))
"""


_SLOTS = 64


def open_stream_source(settings: Settings, stop: threading.Event) -> StreamSource:
    """Wire a worker's end of the stream.  Raises Refusal; a Redis that is away is none, it is waited for."""
    for number in range(1, _SLOTS + 1):
        slot = HostLock.take(settings.paths.state / f"worker.{number}.lock")
        if slot is not None:
            return StreamSource(
                connect=partial(open_redis, settings.redis),
                settings=settings.redis,
                consumer=f"{settings.host.instance}.{number}",
                batch=settings.worker.batch_mails,
                stop=stop,
                slot=slot,
            )
    raise Refusal(f"{settings.paths.state}: {_SLOTS} workers run here already; stop one first")
