# SPDX-License-Identifier: GPL-3.0-or-later
"""Who wrote the letter that a mail passes on: attached whole, or below the header block that mail programs put there.  Pure.

The block is known by its shape, in any language: a label and an address, with more labels and a year in the lines after it.
"""

import re

from tradepost.header_words import parse_addresses
from tradepost.lists import read_lists
from tradepost.message import Address, Message

_MOST_CHARS = 20_000
_LONGEST_LINE = 500
_BLOCK_LINES = 8
_LABELS = 3
_PREFIXES = frozenset(read_lists("forwards")["prefixes"])
_PREFIX = re.compile(r"\s*([^\W\d_][^:：]{0,20})[:：]")
_LABELLED = re.compile(r"[ \t>*]*[^\W\d_][^:：@]{0,20}\*?[:：]")
_YEAR = re.compile(r"(?:19|20)\d\d")
_MAILTO = re.compile(r"\[mailto:([^\]\s]+)\]", re.IGNORECASE)
_REPLIES = 3


def is_passed_on(subject: str) -> bool:
    """Does the subject say that the letter is passed on?  "Re: Fwd: x" says so too."""
    for _ in range(_REPLIES):
        found = _PREFIX.match(subject)
        if found is None:
            return False
        if found[1].strip().lower() in _PREFIXES:
            return True
        subject = subject[found.end() :]
    return False


def forwarded_writer(message: Message) -> Address | None:
    """Return who wrote the letter that the mail passes on; None: it passes none on, or does not say whose."""
    if message.enclosed_from is not None and "@" in message.enclosed_from.address:
        return message.enclosed_from
    found = _block(message.text) if is_passed_on(message.subject) else None
    return found[0] if found else None


def forwarded_text(message: Message) -> str:
    """Return what stands below the header block of the letter that is passed on, "" where there is none."""
    found = _block(message.text)
    return found[1] if found else ""


def _block(text: str) -> tuple[Address, str] | None:
    """Return the writer that the first header block names, and the text below it."""
    lines = [line[:_LONGEST_LINE].strip() for line in text[:_MOST_CHARS].split("\n")]
    for number, line in enumerate(lines):
        if "@" not in line or _LABELLED.match(line) is None:
            continue
        block = lines[number : number + _BLOCK_LINES]
        labels = sum(_LABELLED.match(below) is not None for below in block)
        if labels >= _LABELS and any(_YEAR.search(below) for below in block[1:]):
            writer = _address_in(line)
            return (writer, "\n".join(_below(lines[number:]))) if writer else None
    return None


def _below(lines: list[str]) -> list[str]:
    head = next((number for number, line in enumerate(lines) if not line or _LABELLED.match(line) is None), len(lines))
    return lines[head:]


def _address_in(line: str) -> Address | None:
    value = re.split("[:：]", line, maxsplit=1)[1].strip(" \t*;；")
    # Outlook writes: From: Ann Lee [mailto:ann@buyer.example]
    value = _MAILTO.sub(r"<\1>", value) if "<" not in value else value
    found = [one for one in parse_addresses(value) if "@" in one.address]
    return found[0] if found else None
