# SPDX-License-Identifier: GPL-3.0-or-later
"""Outlook's Thread-Index: which thread a letter belongs to, also where Outlook drops References (MS-OXOMSG, 2.2.1.3).

The value is base64 of a header of 22 bytes (1, five bytes of time, a GUID) and of five bytes more for every answer.  All
letters of a thread share the header; the first one is the header alone.
"""

import binascii
from dataclasses import dataclass
from hashlib import blake2b

_HEADER_BYTES = 22
_CHILD_BYTES = 5
_RESERVED = 1  # the first byte
_GUID_AT = 6
# A thread of 800 answers; what is longer is no thread.
_LONGEST = 5_600


@dataclass(frozen=True, slots=True)
class ThreadIndex:
    """Where a letter stands in its thread.  Both digests are 128 bits as hex, and no Message-ID has the same."""

    digest: str  # of the header, shared by the whole thread
    first_digest: str  # stands for the thread's first letter, whether this is it or not
    is_first: bool


def read_thread_index(value: str) -> ThreadIndex | None:
    """Return what a Thread-Index field says; None for what Outlook never wrote."""
    text = "".join(value.split())
    if not text.isascii() or len(text) > _LONGEST:
        return None
    try:
        index = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return None
    children = len(index) - _HEADER_BYTES
    header = index[:_HEADER_BYTES]
    # A GUID of one byte repeated was filled in by a program that has none.
    if children < 0 or children % _CHILD_BYTES or header[0] != _RESERVED or len(set(header[_GUID_AT:])) == 1:
        return None
    return ThreadIndex(_digest(b"thread", header), _digest(b"thread-first", header), children == 0)


def _digest(what: bytes, header: bytes) -> str:
    return blake2b(header, digest_size=16, person=what).hexdigest()
