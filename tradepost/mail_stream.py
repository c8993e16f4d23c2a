# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream of mail between hosts and workers: its keys, fields and sizes, as both sides use them.

| key | holds |
| --- | --- |
| {prefix}:mail | a Redis Stream, consumer group `workers`; one entry is one journal entry, zstd-compressed |
| {prefix}:body:ENTRY:NONCE | a list: the pieces of one large entry's compressed bytes |
| {prefix}:sent:INSTANCE | a hash: what a host has in flight, entry id -> stream id, bytes held, nonce; `#` counts shipments |
| {prefix}:done:INSTANCE | a Redis Stream: what workers have recorded, or can't record, for that host alone |

A shipment and its line in `sent` are written by one script, so that Redis loses both or neither.  An entry leaves `mail`
in the transaction that writes its acknowledgement.  All of it may be lost at any moment: the hosts' disks hold the mail.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

import zstandard

from tradepost.redis_link import key_of
from tradepost.settings import RedisSettings

GROUP = "workers"
# Entries up to this size travel in the stream itself: a worker asks for 50 at once without knowing their sizes.
INLINE_OCTETS = 262_144
PIECE_OCTETS = 4_194_304
# A larger entry is not shipped; it is also the most that a worker unpacks, whatever an entry announces.
OCTETS_LIMIT = 536_870_912
# The field of `sent` that counts shipments; no entry id looks like it.
SHIPMENTS = "#"

_LEVEL = 3
_WINDOW_LIMIT = 1 << 27  # bytes of memory a frame may ask for
_ENTRY_ID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_NONCE = re.compile(r"[0-9a-f]{16}")
_INSTANCE = re.compile(r"[A-Za-z0-9._:@-]{1,255}")
_REASON_CHARACTERS = 500


class BadShipment(ValueError):
    """An entry of the stream that is none of ours, or damaged.  `entry_id` and `instance` are "" where not readable."""

    def __init__(self, text: str, entry_id: str = "", instance: str = "") -> None:
        super().__init__(text)
        self.entry_id = entry_id
        self.instance = instance


class StreamKeys:
    """The keys' names under one prefix."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self.mail = key_of(settings, "mail")

    def done(self, instance: str) -> str:
        return key_of(self._settings, "done", instance)

    def sent(self, instance: str) -> str:
        return key_of(self._settings, "sent", instance)

    def body(self, entry_id: str, nonce: str) -> str:
        return key_of(self._settings, "body", entry_id, nonce)


@dataclass(frozen=True, slots=True)
class Shipment:
    """One entry as it travels.  `octets`: size of the journal file; either `packed` bytes or the `nonce` of a body."""

    entry_id: str
    instance: str
    octets: int
    packed: bytes = b""
    nonce: str = ""

    def fields(self) -> list[str | bytes | int]:
        """Return what XADD is given, names and values in turn."""
        return ["id", self.entry_id, "host", self.instance, "octets", self.octets, *self._content()]

    def _content(self) -> list[str | bytes | int]:
        return ["body", self.nonce] if self.nonce else ["zstd", self.packed]


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What became of entries of one host: recorded for good, or one of them `failed` with a reason."""

    recorded: tuple[str, ...] = ()
    failed: str = ""
    reason: str = ""

    def fields(self) -> dict[str, str]:
        """Return what XADD is given."""
        if self.failed:
            return {"failed": self.failed, "reason": " ".join(self.reason.split())[:_REASON_CHARACTERS]}
        return {"recorded": " ".join(self.recorded)}


def is_entry_id(text: str) -> bool:
    """Is it a ULID?  Anything else from outside must not become part of a path."""
    return _ENTRY_ID.fullmatch(text) is not None


def is_instance(text: str) -> bool:
    """Can it name a host here?"""
    return _INSTANCE.fullmatch(text) is not None


def decode_shipment(fields: Mapping[bytes, bytes]) -> Shipment:
    """Read an entry of `mail`.  Raises BadShipment."""
    entry_id, instance = (fields.get(name, b"").decode("ascii", "replace") for name in (b"id", b"host"))
    if not is_entry_id(entry_id) or not is_instance(instance):
        raise BadShipment("names no journal entry and host")
    octets = fields.get(b"octets", b"")
    nonce = fields.get(b"body", b"").decode("ascii", "replace")
    packed = fields.get(b"zstd", b"")
    if not octets.isdigit() or len(octets) > 12 or bool(nonce) == bool(packed):
        raise BadShipment("has wrong fields", entry_id, instance)
    if nonce and not _NONCE.fullmatch(nonce):
        raise BadShipment("names no body", entry_id, instance)
    limit = OCTETS_LIMIT if nonce else INLINE_OCTETS
    if int(octets) > limit:
        raise BadShipment(f"announces {int(octets)} bytes, of {limit} at most", entry_id, instance)
    return Shipment(entry_id, instance, int(octets), packed, nonce)


def decode_acknowledgement(fields: Mapping[bytes, bytes]) -> Acknowledgement:
    """Read an entry of `done`.  What names no entry is left out: an empty one acknowledges nothing."""
    failed = fields.get(b"failed", b"").decode("ascii", "replace")
    if is_entry_id(failed):
        reason = fields.get(b"reason", b"").decode("utf-8", "replace")[:_REASON_CHARACTERS]
        # It is shown on a terminal.
        return Acknowledgement(failed=failed, reason="".join(c if c.isprintable() else "?" for c in reason))
    names = fields.get(b"recorded", b"").decode("ascii", "replace").split()
    return Acknowledgement(tuple(filter(is_entry_id, names)))


def pack(data: bytes) -> bytes:
    """Return one zstd frame that says how much it holds."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(data)


def pack_pieces(file: BinaryIO, octets: int) -> Iterator[bytes]:
    """Yield one zstd frame in pieces of PIECE_OCTETS; the last may be smaller.  Raises OSError."""
    with zstandard.ZstdCompressor(level=_LEVEL).stream_reader(file, size=octets, closefd=False) as reader:
        while piece := reader.read(PIECE_OCTETS):
            yield piece


def unpack(shipment: Shipment) -> bytes:
    """Return the journal entry of an inline shipment.  Raises BadShipment; takes no more memory than announced."""
    try:
        if zstandard.frame_content_size(shipment.packed) != shipment.octets:
            raise _damaged(shipment, "holds another number of bytes than it announces")
        return zstandard.ZstdDecompressor(max_window_size=_WINDOW_LIMIT).decompress(shipment.packed)
    except zstandard.ZstdError as error:
        raise _damaged(shipment, f"is no zstd frame: {error}") from error


def unpack_pieces(shipment: Shipment, pieces: Iterable[bytes]) -> bytes:
    """Return the journal entry of a body.  Raises BadShipment; takes no more memory than announced and a piece."""
    found = bytearray()
    # A frame is hardly larger than what it holds: who sends more pieces wants to keep us reading.
    most = shipment.octets // PIECE_OCTETS + 2
    source: Any = _Pieces(islice(pieces, most))  # read() is all that is asked of it
    try:
        with zstandard.ZstdDecompressor(max_window_size=_WINDOW_LIMIT).stream_reader(source) as reader:
            while chunk := reader.read(1 << 20):
                found += chunk
                if len(found) > shipment.octets:
                    break
    except zstandard.ZstdError as error:
        raise _damaged(shipment, f"is no zstd frame: {error}") from error
    if len(found) != shipment.octets:
        raise _damaged(shipment, "holds another number of bytes than it announces")
    return bytes(found)


def _damaged(shipment: Shipment, text: str) -> BadShipment:
    return BadShipment(f"arrived damaged: {text}", shipment.entry_id, shipment.instance)


class _Pieces:
    """Pieces as the file that zstandard reads from."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        if size < 0:
            size = len(self._rest)
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def fields_of(entry: Any) -> Mapping[bytes, bytes]:
    """Return an entry's fields from what redis-py returns for one (None: it was deleted meanwhile)."""
    fields: Mapping[bytes, bytes] = entry[1] or {}
    return fields
