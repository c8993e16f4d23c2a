# SPDX-License-Identifier: GPL-3.0-or-later
"""Collecting a mail: bytes as they were, memory bounded, disk full survived."""

import errno
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tradepost.arrival import Arrival
from tradepost.envelope import Envelope
from tradepost.journal import Draft, Journal, Reserve
from tradepost.verdict import Direction, Verdict
from tradepost_milter.transaction import Transaction

HEADER = [(b"From", b" a@b.example"), (b"Subject", b"no space"), (b"X-Folded", b" one\n\ttwo"), (b"X-Empty", b"")]
HEADER_BYTES = b"From: a@b.example\r\nSubject:no space\r\nX-Folded: one\r\n\ttwo\r\nX-Empty:\r\n\r\n"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "journal", Reserve(0, 0))
    journal.create()
    return journal


def transaction(journal: Journal, *, head: int = 10, spill: int = 100) -> Transaction:
    found = Transaction(
        "a@b.example", (), head_limit=head, spill_limit=spill, open_draft=lambda: journal.draft(journal.new_id())
    )
    found.fields = list(HEADER)
    return found


def test_a_small_mail_comes_back_byte_for_byte(journal: Journal) -> None:
    mail = transaction(journal)
    mail.add_body(b"hello\r\n")
    mail.add_body(b"world\r\n")
    assert b"".join(mail.raw_chunks()) == HEADER_BYTES + b"hello\r\nworld\r\n"
    assert mail.raw_bytes() == len(HEADER_BYTES) + 14
    assert mail.head() == b"hello\r\nwor"
    assert mail.is_cut()


def test_a_large_mail_is_streamed_and_keeps_only_its_head_in_memory(journal: Journal) -> None:
    mail = transaction(journal)
    body = [bytes([65 + n]) * 40 for n in range(10)]
    for chunk in body:
        mail.add_body(chunk)
    assert mail.draft is not None
    assert mail.head() == b"A" * 10
    envelope = Envelope("Q1", "a@b.example", ("c@d.example",))
    verdict = Verdict(Direction.INBOUND)
    arrival = Arrival(mail.draft.entry_id, "mx", datetime.now(UTC), envelope, verdict, mail.raw_bytes())
    mail.draft.commit(arrival)
    assert journal.read(arrival.entry_id).raw() == HEADER_BYTES + b"".join(body)


def test_a_mail_that_may_not_be_kept_never_touches_the_disk(journal: Journal) -> None:
    mail = transaction(journal)
    mail.may_store = False
    for _ in range(100):
        mail.add_body(b"x" * 40)
    assert mail.draft is None
    assert list(journal.tmp.iterdir()) == []
    assert mail.head() == b"x" * 10


def test_abandoning_leaves_nothing_behind(journal: Journal) -> None:
    mail = transaction(journal)
    mail.add_body(b"x" * 200)
    assert len(list(journal.tmp.iterdir())) == 1
    mail.abandon()
    assert list(journal.tmp.iterdir()) == []


class FullDisk(Draft):
    def write(self, chunk: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_stops_the_streaming_and_is_remembered(journal: Journal) -> None:
    mail = Transaction("", (), head_limit=10, spill_limit=100, open_draft=lambda: FullDisk(journal, journal.new_id()))
    for _ in range(10):
        mail.add_body(b"x" * 40)
    assert mail.spill_error is not None
    assert mail.spill_error.errno == errno.ENOSPC
    assert mail.draft is None
    assert list(journal.tmp.iterdir()) == []
    assert mail.head() == b"x" * 10
