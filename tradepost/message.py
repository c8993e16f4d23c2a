# SPDX-License-Identifier: GPL-3.0-or-later
"""One letter, read out of its bytes.  Hostile input never raises: what is wrong with it becomes a defect on the result."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of a header field: what the header claims, decoded.  `address` is lower-cased, without brackets."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf MIME part.  `octets` counts decoded bytes; `payload` is the decoded content (empty when not asked for)."""

    number: str  # "1", "2.1": the IMAP part number (RFC 3501, 6.4.5)
    content_type: str  # lower-case "type/subtype"
    filename: str = ""  # decoded (RFC 2231, RFC 2047), without folders or control characters
    octets: int = 0
    inline: bool = False
    content_id: str = ""
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Message:
    """A parsed mail.

    `fields` holds every header field in order as (name as written, unfolded value decoded to text).  `text` is the plain
    text of the body (text/plain, else HTML turned into text), `html` the HTML source when there was one.  `truncated` is
    set when only the beginning of the mail was read.  `defects` are short kebab-case names.
    """

    fields: tuple[tuple[str, str], ...] = ()
    subject: str = ""
    from_: Address = Address("")
    sender: Address = Address("")
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    date: datetime | None = None  # aware, as the sender's clock said
    message_id: str = ""  # with angle brackets, "" when missing
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()  # oldest first, as in the header
    text: str = ""
    html: str = ""
    parts: tuple[Part, ...] = ()
    attachments: tuple[Part, ...] = ()
    truncated: bool = False
    defects: tuple[str, ...] = ()
    enclosed_from: Address | None = None  # who wrote the first letter that is attached (message/rfc822)

    def header(self, name: str) -> str | None:
        """Return the first field of that name (case-insensitive), or None."""
        return next(self.headers(name), None)

    def headers(self, name: str) -> Iterator[str]:
        """Yield every field of that name (case-insensitive), in order."""
        wanted = name.lower()
        return (value for key, value in self.fields if key.lower() == wanted)
