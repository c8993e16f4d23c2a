# SPDX-License-Identifier: GPL-3.0-or-later
"""Ship this host's journal to the Redis Stream, and forget an entry once a worker's acknowledgement names it.

An entry stays in new/ until then: new, sent and gone are told apart by the hash `sent`, which Redis keeps beside the
stream and loses with it.  So nothing on disk can say "sent" of what Redis has lost, and a kill at any step repeats at most
one shipment: recording is idempotent by entry id.
"""

import logging
import os
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import redis

from tradepost.journal import Journal
from tradepost.mail_stream import (
    GROUP,
    INLINE_OCTETS,
    OCTETS_LIMIT,
    SHIPMENTS,
    Shipment,
    StreamKeys,
    decode_acknowledgement,
    fields_of,
    is_entry_id,
    pack,
    pack_pieces,
)
from tradepost.metrics import Shipped, Stage, count_failure, count_shipped, report_shipper
from tradepost.patience import Patience
from tradepost.redis_link import REDIS_FAILURES, RedisClient, reason_of
from tradepost.settings import RedisSettings

log = logging.getLogger("tradepost.shipper")

# A mail waits no longer than this for the shipper to look.
_LOOK_SECONDS = 0.02
# A folder with 100,000 entries takes a tenth of a second to list: looking must not become the main work.
_LOOK_SHARE = 0.05
_CHECK_SECONDS = 1.0
_REPORT_SECONDS = 5.0
# Entries and bytes of one script call: Redis serves nobody else meanwhile.
_BATCH = 50
_BATCH_OCTETS = 2_097_152
_ACKNOWLEDGEMENTS = 500
_ASKED_AT_ONCE = 200
# A body is written in several commands; one that no shipment ever named goes by itself.
_DRAFT_SECONDS = 3600

# KEYS: mail, sent, body or none.  ARGV: pieces of the body, then per shipment its entry id, bytes held, nonce, the stream id
# it replaces, number of fields and values, those.  Returns the stream ids and the number of shipments so far.  XADD stands
# first: it is what a full Redis refuses, and nothing must have been changed then.  A body that lost pieces on the way
# (emptied, failed over in between) is not shipped: it would arrive damaged.
_SHIP = """
if KEYS[3] and redis.call('LLEN', KEYS[3]) ~= tonumber(ARGV[1]) then
  redis.call('UNLINK', KEYS[3])
  return redis.error_reply('ERR it lost pieces of a large mail that was being shipped')
end
local ids, at = {}, 2
while at <= #ARGV do
  local entry, held, nonce, before, count = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 4])
  local id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 5, at + 4 + count))
  redis.call('HSET', KEYS[2], entry, id .. ' ' .. held .. ' ' .. nonce)
  redis.call('HINCRBY', KEYS[2], '#', 1)
  if KEYS[3] then redis.call('PERSIST', KEYS[3]) end
  if before ~= '' then redis.call('XDEL', KEYS[1], before) end
  ids[#ids + 1] = id
  at = at + 5 + count
end
return {ids, tonumber(redis.call('HGET', KEYS[2], '#'))}
"""

# KEYS: sent.  Returns the server's time, which the stream ids are made of, and the hash.
_IN_FLIGHT = "return {redis.call('TIME'), redis.call('HGETALL', KEYS[1])}"

# KEYS: mail.  ARGV: group, stream ids.  For each: is it in the stream, and is it pending with a consumer?
_STANDING = """
local found = {}
for at = 2, #ARGV do
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[at], ARGV[at], 1)
  found[#found + 1] = #redis.call('XRANGE', KEYS[1], ARGV[at], ARGV[at])
  found[#found + 1] = pending.err and 0 or #pending
end
return found
"""


@dataclass(slots=True)
class _Sent:
    """One entry in flight.  `octets`: bytes Redis holds of it; `looked_at`: monotonic time it was shipped or looked after."""

    stream_id: bytes
    octets: int
    nonce: str
    looked_at: float


class Shipper:
    """One a host.  `connect` is called until it succeeds; `step` may raise Refusal, nothing else stops it."""

    def __init__(
        self,
        *,
        journal: Journal,
        connect: Callable[[], RedisClient],
        instance: str,
        settings: RedisSettings,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._connect = connect
        # redis-py's results are unions with awaitables.
        self._client: Any = None
        self._instance = instance
        self._settings = settings
        self._stop = stop
        self._clock = clock
        self._keys = StreamKeys(settings)
        self._patience = Patience(log, clock=clock)
        self._sent: dict[str, _Sent] = {}
        self._is_sure = False  # False: Redis must be asked what is in flight
        self._flying = 0  # bytes in flight
        self._shipments = 0
        self._overdue: deque[str] = deque()  # lost on the way: to be shipped again
        self._listed: deque[str] = deque()
        self._list_at = self._check_at = self._report_at = float("-inf")
        self._served_at: float | None = None  # Unix time when Redis last did all that was asked
        self._unreadable: set[str] = set()

    @property
    def in_flight(self) -> int:
        """Entries that Redis holds for us, as far as known."""
        return len(self._sent)

    @property
    def bytes_in_flight(self) -> int:
        return self._flying

    def run(self) -> None:
        """Serve until told to stop."""
        log.info("shipping %s as %s", self._journal.root, self._instance)
        while not self._stop.is_set():
            if self.step() == 0:
                self._stop.wait(_LOOK_SECONDS)

    def step(self) -> int:
        """Take acknowledgements, look after what is in flight, ship.  Returns how many entries moved; 0 while Redis is away."""
        moved = 0
        if not self._patience.seconds_left:
            try:
                moved = self._advance()
                self._served_at = time.time()
                self._patience.succeed("Redis answers again: shipping goes on")
            except redis.exceptions.OutOfMemoryError:
                self._look_anew()
                self._fail("Redis is full (maxmemory): nothing is shipped, this host's journal keeps the mail")
            except REDIS_FAILURES as error:
                self._is_sure = False  # what was asked last may have been done
                self._fail(f"Redis does not serve: {reason_of(error)}; this host's journal keeps the mail")
            except OSError as error:
                self._is_sure = False
                self._fail(f"{error.filename or self._journal.root}: {error.strerror or error}; the mail stays there")
        self._report()
        return moved

    def _fail(self, text: str) -> None:
        count_failure(Stage.STREAM)
        self._patience.fail(text)

    def _advance(self) -> int:
        if self._client is None:
            self._client = self._connect()
        now = self._clock()
        if not self._is_sure:
            self._load()
        elif now >= self._check_at:
            self._check_at = now + _CHECK_SECONDS
            if self._is_forgotten():
                self._load()
            self._look_after()
        return self._take_acknowledgements() + self._ship()

    # What is in flight

    def _load(self) -> None:
        """Learn from Redis what it holds of ours."""
        key = self._keys.sent(self._instance)
        (seconds, microseconds), flat = self._client.eval(_IN_FLIGHT, 1, key)
        now_at = int(seconds) + int(microseconds) / 1e6
        found = dict(zip(flat[::2], flat[1::2], strict=True))
        self._shipments = _count(found.pop(SHIPMENTS.encode(), None))
        sent: dict[str, _Sent] = {}
        gone = []
        for name, value in found.items():
            entry_id = name.decode("ascii", "replace")
            item = _read_sent(value, now_at, self._clock())
            if item is not None and is_entry_id(entry_id) and (self._journal.new / entry_id).exists():
                sent[entry_id] = item
            else:
                gone.append(name)  # acknowledged, and we were killed before it was struck off; or none of ours
        if gone:
            self._client.hdel(key, *gone)
        lost = [entry_id for entry_id in self._sent if entry_id not in sent]
        if lost:
            log.warning("Redis has lost %d mails that were in flight: they are shipped again", len(lost))
            count_shipped(Shipped.AGAIN, len(lost))
        self._sent, self._is_sure = sent, True
        self._flying = sum(item.octets for item in sent.values())
        self._overdue.clear()
        self._look_anew()

    def _look_anew(self) -> None:
        self._listed.clear()
        self._list_at = float("-inf")

    def _is_forgotten(self) -> bool:
        """Emptied, restarted without its data, or another server with older data: the count of shipments tells them all."""
        found = self._client.hget(self._keys.sent(self._instance), SHIPMENTS)
        return _count(found) != self._shipments

    def _look_after(self) -> None:
        """What nobody acknowledged for long: is it still in Redis, unread or with a worker?  Else it is shipped again."""
        edge = self._clock() - self._settings.reship_seconds
        late = []
        for entry_id, item in self._sent.items():  # oldest first, but for those looked after already
            if item.looked_at <= edge and entry_id not in self._overdue:
                late.append((entry_id, item))
                if len(late) == _ASKED_AT_ONCE:
                    break
        if not late:
            return
        last_read = self._last_read()
        found = self._client.eval(_STANDING, 1, self._keys.mail, GROUP, *(item.stream_id for _, item in late))
        for (entry_id, item), is_there, pending in zip(late, found[::2], found[1::2], strict=True):
            if is_there and (pending or _order(item.stream_id) > last_read):
                # Workers are behind or away.  To move it to the end of the stream would put it behind younger mail.
                item.looked_at = self._clock()
            elif (self._journal.new / entry_id).exists():
                self._overdue.append(entry_id)
            else:  # somebody took the file away
                self._client.hdel(self._keys.sent(self._instance), entry_id)
                self._forget(entry_id)

    def _last_read(self) -> tuple[int, int]:
        """Return the place up to which workers have read."""
        try:
            groups = self._client.xinfo_groups(self._keys.mail)
        except redis.ResponseError:  # there is no such stream
            groups = []
        read = [group["last-delivered-id"] for group in groups if group["name"] == GROUP.encode()]
        return _order(read[0]) if read else (0, 0)

    # Acknowledgements

    def _take_acknowledgements(self) -> int:
        if not self._sent:
            return 0
        key = self._keys.done(self._instance)
        answers = self._client.xrange(key, count=_ACKNOWLEDGEMENTS)
        if not answers:
            return 0
        named: list[str] = []
        for answer in answers:
            said = decode_acknowledgement(fields_of(answer))
            if said.failed:
                self._put_aside(said.failed, said.reason)
                named.append(said.failed)
            else:
                self._journal.acknowledge(said.recorded)
                named += said.recorded
                count_shipped(Shipped.DONE, len(self._sent.keys() & set(said.recorded)))
        # No transaction, which a full Redis would refuse; read again after a kill in between, they name nothing any more.
        with self._client.pipeline(transaction=False) as pipe:
            if named:
                pipe.hdel(self._keys.sent(self._instance), *named)
            pipe.xdel(key, *(stream_id for stream_id, _ in answers))
            pipe.execute()
        for entry_id in named:
            self._forget(entry_id)
        return len(named)

    def _put_aside(self, entry_id: str, reason: str) -> None:
        if (self._journal.new / entry_id).exists():
            self._journal.fail(entry_id, reason)
            count_shipped(Shipped.DEAD)
            log.error("%s: can't be recorded and lies in failed/ ('tradepost journal show'): %s", entry_id, reason)

    def _forget(self, entry_id: str) -> None:
        item = self._sent.pop(entry_id, None)
        if item is not None:
            self._flying -= item.octets

    # Shipping

    def _ship(self) -> int:
        """Ship what there is room for, oldest first; return how many."""
        moved = 0
        while self._overdue and not self._stop.is_set():
            entry_id = self._overdue[0]
            if entry_id in self._sent:
                moved += self._ship_all([entry_id])
                count_shipped(Shipped.AGAIN)
            self._overdue.popleft()
        self._list()
        batch: list[str] = []
        planned = 0
        while self._listed and len(batch) < _BATCH and planned < _BATCH_OCTETS:
            entry_id = self._listed[0]
            octets = self._octets(entry_id)
            if octets is not None:
                if self._flying + planned + octets > self._settings.in_flight_bytes and (self._sent or batch):
                    break  # a large one goes when all before it are done: the disk holds it
                batch.append(entry_id)
                planned += octets
            self._listed.popleft()
        return moved + (self._ship_all(batch) if batch else 0)

    def _list(self) -> None:
        began_at = self._clock()
        if self._listed or began_at < self._list_at or self._flying >= self._settings.in_flight_bytes:
            return
        self._listed.extend(entry_id for entry_id in self._journal.waiting() if entry_id not in self._sent)
        ended_at = self._clock()
        self._list_at = ended_at + (ended_at - began_at) / _LOOK_SHARE

    def _octets(self, entry_id: str) -> int | None:
        """Return an entry's size.  None: it can't be shipped (now, or ever: then it lies in failed/)."""
        path = self._journal.new / entry_id
        try:
            octets = path.stat().st_size
        except FileNotFoundError:
            return None  # somebody put it aside meanwhile
        if not is_entry_id(entry_id) or not path.is_file():
            self._put_aside(entry_id, "is no journal entry")
        elif octets > OCTETS_LIMIT:
            self._put_aside(entry_id, f"is larger than a shipment may be: {octets} bytes, of {OCTETS_LIMIT} at most")
        else:
            return octets
        return None

    def _ship_all(self, entry_ids: Sequence[str]) -> int:
        """Ship entries, the small ones together; return how many."""
        inline: list[Shipment] = []
        shipped = 0
        for entry_id in entry_ids:
            try:
                with open(self._journal.new / entry_id, "rb") as file:
                    data = file.read(INLINE_OCTETS + 1)
                    if len(data) <= INLINE_OCTETS:
                        inline.append(Shipment(entry_id, self._instance, len(data), pack(data)))
                    else:
                        file.seek(0)
                        shipped += self._ship_now(inline) + self._ship_body(entry_id, file)
                        inline = []
            except FileNotFoundError:
                continue  # somebody put it aside meanwhile
            except OSError as error:
                self._complain(entry_id, error)
        return shipped + self._ship_now(inline)

    def _complain(self, entry_id: str, error: OSError) -> None:
        """One that can't be read stops nobody behind it; it stays, and is tried at every look."""
        count_failure(Stage.STREAM)
        if entry_id not in self._unreadable:
            self._unreadable.add(entry_id)
            log.error("%s: can't be read, stays in the journal: %s", self._journal.new / entry_id, error.strerror)

    def _ship_body(self, entry_id: str, file: BinaryIO) -> int:
        """Ship an entry by pieces: neither this process nor a command of Redis' ever holds it whole."""
        nonce = secrets.token_hex(8)
        key = self._keys.body(entry_id, nonce)
        held = pieces = 0
        octets = os.fstat(file.fileno()).st_size
        try:
            for piece in pack_pieces(file, octets):
                held += len(piece)
                pieces += 1
                with self._client.pipeline(transaction=True) as pipe:
                    pipe.rpush(key, piece)
                    pipe.expire(key, _DRAFT_SECONDS)
                    pipe.execute()
            return self._ship_now([Shipment(entry_id, self._instance, octets, nonce=nonce)], held, pieces)
        except redis.exceptions.OutOfMemoryError:
            self._client.unlink(key)  # it would be what keeps Redis full, for everybody
            raise

    def _ship_now(self, shipments: Sequence[Shipment], held: int = 0, pieces: int = 0) -> int:
        """Hand over inline shipments, or one body of which Redis holds `held` bytes in `pieces`."""
        if not shipments:
            return 0
        keys = [self._keys.mail, self._keys.sent(self._instance)]
        keys += [self._keys.body(item.entry_id, item.nonce) for item in shipments if item.nonce]
        arguments: list[str | bytes | int] = [pieces]
        for item in shipments:
            before = self._sent.get(item.entry_id)
            if before is not None and before.nonce:
                self._client.unlink(self._keys.body(item.entry_id, before.nonce))  # no worker has it, or it is gone
            fields = item.fields()
            size = held or len(item.packed)
            arguments += [item.entry_id, size, item.nonce, before.stream_id if before else b"", len(fields), *fields]
        stream_ids, count = self._client.eval(_SHIP, len(keys), *keys, *arguments)
        if count != self._shipments + len(shipments):
            self._is_sure = False  # it was emptied since we looked last, and its count began anew
        self._shipments = count
        for item, stream_id in zip(shipments, stream_ids, strict=True):
            self._forget(item.entry_id)
            size = held or len(item.packed)
            self._sent[item.entry_id] = _Sent(stream_id, size, item.nonce, self._clock())
            self._flying += size
            self._unreadable.discard(item.entry_id)
        count_shipped(Shipped.SHIPPED, len(shipments))
        return len(shipments)

    def _waiting(self) -> list[str]:
        """Return what was not shipped yet, oldest first.  Nothing where the folder can't be read: shipping says why."""
        try:
            return [entry_id for entry_id in self._journal.waiting() if entry_id not in self._sent]
        except OSError:
            return []

    def _report(self) -> None:
        now = self._clock()
        if now < self._report_at:
            return
        entries = octets = 0
        for entry_id in self._waiting():
            with suppress(OSError):  # it vanished while we looked
                octets += (self._journal.new / entry_id).stat().st_size
                entries += 1
        report_shipper(entries, octets, self.in_flight, self._flying, self._served_at)
        self._report_at = now + max(_REPORT_SECONDS, (self._clock() - now) / _LOOK_SHARE)


def _count(value: bytes | None) -> int:
    return int(value) if value is not None and value.isdigit() else 0


_STREAM_ID = re.compile(rb"[0-9]{1,19}-[0-9]{1,19}")  # another one, Redis would decline to look for


def _read_sent(value: bytes, now_at: float, now: float) -> _Sent | None:
    """Read a line of `sent`; `now_at` is the server's Unix time, `now` our monotonic one.  None: it is no such line."""
    try:
        stream_id, octets, nonce = value.split(b" ")
        if not _STREAM_ID.fullmatch(stream_id) or not octets.isdigit():
            return None
        age = now_at - _order(stream_id)[0] / 1000
        return _Sent(stream_id, int(octets), nonce.decode("ascii"), now - max(0.0, age))
    except ValueError:
        return None


def _order(stream_id: bytes) -> tuple[int, int]:
    """Return a stream id's place: milliseconds of the server's clock, and a number within."""
    milliseconds, _, number = stream_id.partition(b"-")
    return int(milliseconds), int(number or 0)
