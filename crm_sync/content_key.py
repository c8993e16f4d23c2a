# SPDX-License-Identifier: GPL-3.0-or-later
"""Which arrivals carry the same letter: a digest over what its writer wrote, not over what the way added.  Pure."""

from hashlib import sha256
from typing import Protocol

from tradepost.message import Message, Part


def content_key(message: Message) -> str:
    """Return 64 hex digits.  `message` must hold the payloads of its parts.

    Trace fields and X-Tradepost marks are left out, transfer encodings are decoded and line ends of text are levelled:
    the same letter to two pools, through a list or a content filter, gives the same key.
    """
    digest = sha256()
    for claim in (message.message_id, message.from_.address, message.header("Date") or "", message.subject):
        _add(digest, " ".join(claim.split()).encode("utf-8", "surrogateescape"))
    for part in message.parts:
        _add(digest, part.content_type.encode())
        _add(digest, _level(part))
    if not message.parts:
        _add(digest, message.text.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


def _add(digest: _Digest, data: bytes) -> None:
    # The length first, so that no two lists of values run together into the same bytes.
    digest.update(len(data).to_bytes(8, "big"))
    digest.update(data)


def _level(part: Part) -> bytes:
    if not part.content_type.startswith("text/"):
        return part.payload
    # Relays re-encode text and some add or drop white space at line ends and the last line end (RFC 2045, 6.7).
    lines = part.payload.replace(b"\r\n", b"\n").split(b"\n")
    return b"\n".join(line.rstrip() for line in lines).rstrip(b"\n")
