# SPDX-License-Identifier: GPL-3.0-or-later
"""The ids by which a letter says where it belongs: its own, those it answers, those of letters inside it.  Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from tradepost.addresses import address_key
from tradepost.directory import id_digest
from tradepost.header_words import decode_value, parse_addresses, parse_id, parse_ids
from tradepost.message import Message
from tradepost.mime_tree import Fields, header_of, parse_header_block, split_message
from tradepost.thread_index import ThreadIndex, read_thread_index

# A mail that refers to more ids than this is no conversation; the newest ones bind.
REFERENCES_KEPT = 50
# Letters inside a letter (RFC 2046, 5.2.1), and what a bounce gives back of one (RFC 6522, 3).
_ENCLOSED = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")
_ENCLOSED_READ = 5
_ENCLOSED_BYTES = 65_536
_PEOPLE_READ = 50


@dataclass(frozen=True, slots=True)
class LetterIds:
    """Digests of the ids of one letter, and whom the letters inside it were written to."""

    own: str = ""  # of the Message-ID, "" when missing
    references: tuple[str, ...] = ()  # newest first; then those of the letters inside
    thread: ThreadIndex | None = None
    encloses: bool = False  # another letter, or the head of one
    enclosed_recipients: frozenset[str] = frozenset()  # address keys

    @property
    def named(self) -> list[str]:
        """Every id but its own that leads to its conversation."""
        found = list(self.references)
        if self.thread is not None:
            found.append(self.thread.digest)
            if self.thread.is_first:
                found.append(self.thread.first_digest)
        return found

    @property
    def anchors(self) -> set[str]:
        """Every id that leads to its conversation."""
        return {self.own, *self.named} - {""}

    @property
    def asked(self) -> set[str]:
        """Every id to ask for before its conversation can be told."""
        return self.anchors | ({self.thread.first_digest} if self.thread else set())


def read_letter_ids(message: Message) -> LetterIds:
    """Read the ids of a letter that was parsed with the payloads of its parts."""
    enclosed = list(_enclosed(message))
    own = id_digest(message.message_id) if message.message_id else ""
    named = [*message.in_reply_to, *reversed(message.references)]
    for fields in enclosed:
        named += _ids_of(fields)
    digests = (id_digest(one) for one in dict.fromkeys(named) if one)
    references = tuple(digest for digest in dict.fromkeys(digests) if digest != own)[:REFERENCES_KEPT]
    index = message.header("Thread-Index")
    return LetterIds(
        own=own,
        references=references,
        thread=read_thread_index(index) if index else None,
        encloses=bool(enclosed),
        enclosed_recipients=frozenset(key for fields in enclosed for key in _recipients_of(fields)),
    )


def _enclosed(message: Message) -> Iterator[Fields]:
    """Yield the header fields of the letters inside, the first few."""
    found = [part for part in message.parts if part.content_type in _ENCLOSED]
    for part in found[:_ENCLOSED_READ]:
        yield parse_header_block(split_message(part.payload[:_ENCLOSED_BYTES])[0], set())[0]


def _ids_of(fields: Fields) -> list[str]:
    """Return the ids of a letter inside, its own first: that is what is passed on, or came back."""
    own = parse_id(decode_value(header_of(fields, b"message-id")))
    answered = parse_ids(decode_value(header_of(fields, b"in-reply-to")))
    references = parse_ids(decode_value(header_of(fields, b"references")))
    return [own, *answered, *reversed(references)]


def _recipients_of(fields: Fields) -> list[str]:
    named = [
        address.address
        for name in (b"to", b"cc")
        for address in parse_addresses(decode_value(header_of(fields, name)))[:_PEOPLE_READ]
    ]
    return [address_key(address) for address in named if "@" in address]
