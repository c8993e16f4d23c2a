# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail that arrived, matched to the queue id under which Postfix took it."""

import email
import email.policy
import re
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from pathlib import Path

_ID = re.compile(rb"\bid ([0-9A-Za-z]{6,})")
_TOP_RECEIVED = re.compile(rb"^Received:(?:.*\r?\n)(?:[ \t].*\r?\n)*", re.MULTILINE | re.IGNORECASE)
# virtual(8) puts three lines before it; a mail whose first 8 kB hold no Received field is not Postfix's.
_HEAD = 8192


def queue_id_of(content: bytes) -> str:
    """Return the queue id in the topmost Received field, "" where there is none."""
    received = _TOP_RECEIVED.search(content[:_HEAD])
    found = _ID.search(received[0]) if received else None
    return found[1].decode("ascii") if found else ""


@dataclass(frozen=True)
class MailFile:
    """One file in a Maildir."""

    path: Path
    mailbox: str  # the address it was delivered to

    @cached_property
    def content(self) -> bytes:
        return self.path.read_bytes()

    @cached_property
    def queue_id(self) -> str:
        """Queue id in the topmost Received field: the one under which this Postfix took the mail."""
        return queue_id_of(self.content)

    @cached_property
    def message(self) -> Message:
        """The mail as the standard library reads it; header values come unfolded but still encoded."""
        return email.message_from_bytes(self.content, policy=email.policy.compat32)

    def marks(self) -> dict[str, list[str]]:
        """Return every X-Tradepost-* field: lower-case name -> values in order."""
        marks: dict[str, list[str]] = {}
        for name, value in self.message.items():
            if name.lower().startswith("x-tradepost-"):
                marks.setdefault(name.lower(), []).append(re.sub(r"\s*\n\s*", " ", str(value)).strip())
        return marks


class Mailboxes:
    """All Maildirs below one folder: DOMAIN/LOCAL/new/FILE."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[Path, MailFile] = {}

    def files(self, mailbox: str | None = None) -> list[MailFile]:
        """Return what was delivered so far, everywhere or to one address, oldest first."""
        for path in self._root.glob("*/*/new/*"):
            if path not in self._known:
                domain, local = path.parts[-4:-2]
                self._known[path] = MailFile(path, f"{local}@{domain}")
        found = (file for file in self._known.values() if mailbox is None or file.mailbox == mailbox.lower())
        return sorted(found, key=lambda file: file.path.name)

    def by_queue_id(self, queue_id: str) -> list[MailFile]:
        """Return every copy of one mail."""
        return [file for file in self.files() if file.queue_id == queue_id]
