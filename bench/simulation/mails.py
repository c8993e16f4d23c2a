# SPDX-License-Identifier: GPL-3.0-or-later
"""One simulated mail: what is sent, and beside it the truth.  `raw` makes the bytes as its program would."""

from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime

from bench.simulation.programs import encoded
from tradepost.verdict import Direction

Mailbox = tuple[str, str]  # (name, address)


@dataclass(slots=True)
class Mail:
    """`links`: earlier mails of its thread to which something in it leads.  `evidence`: what in it says whose it is, as
    (party, key).  The first of `parties` is whose mail it is, the others are as right.
    """

    at: datetime
    direction: Direction
    sender: Mailbox
    to: tuple[Mailbox, ...]
    subject: str
    text: str
    message_id: str
    # The truth.
    parties: tuple[int, ...]
    thread: int
    situations: tuple[str, ...]
    evidence: tuple[tuple[int, str], ...] = ()
    links: tuple["Mail", ...] = ()
    # What else is said on the way.
    cc: tuple[Mailbox, ...] = ()
    reply_to: str = ""
    references: tuple[str, ...] = ()
    in_reply_to: str = ""
    index: bytes = b""
    topic: str = ""
    more: tuple[tuple[str, str], ...] = ()
    envelope_sender: str | None = None
    recipients: tuple[str, ...] = ()
    login: str = ""
    operator: str | None = None
    category: str = "inquiry"
    language: str = "en"
    is_automatic: bool = False
    content_type: str = "text/plain; charset=utf-8"
    is_recorded: bool = True
    written: str = ""  # the new text alone: what an answer quotes
    dated: datetime | None = None  # the Date field, where it is not `at`
    number: int = -1  # in order of arrival, given when it is posted

    def raw(self) -> bytes:
        """Return the message bytes."""
        fields = [
            ("From", _mailboxes((self.sender,))),
            ("To", _mailboxes(self.to)),
            ("Subject", _words(self.subject)),
            ("Date", format_datetime(self.dated or self.at)),
            ("Message-ID", self.message_id),
            ("MIME-Version", "1.0"),
            ("Content-Type", self.content_type),
            ("Content-Transfer-Encoding", "8bit"),
            *self.more,
        ]
        if self.cc:
            fields.append(("Cc", _mailboxes(self.cc)))
        if self.reply_to:
            fields.append(("Reply-To", f"<{self.reply_to}>"))
        if self.in_reply_to:
            fields.append(("In-Reply-To", self.in_reply_to))
        if self.references:
            fields.append(("References", "\r\n ".join(self.references)))
        if self.topic:
            fields.append(("Thread-Topic", _words(self.topic)))
        if self.index:
            fields.append(("Thread-Index", encoded(self.index)))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields if value)
        return head.encode() + b"\r\n" + self.text.replace("\n", "\r\n").encode() + b"\r\n"


def _words(text: str) -> str:
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=900).encode()


def _mailboxes(boxes: tuple[Mailbox, ...]) -> str:
    return ", ".join(
        f'"{name}" <{address}>' if name and name.isascii() else f"{_words(name)} <{address}>".strip()
        for name, address in boxes
    )
