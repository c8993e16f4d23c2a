# SPDX-License-Identifier: GPL-3.0-or-later
"""What `postqueue -j` writes, and what it may write instead."""

import sys
import time
from datetime import UTC, datetime

import pytest

from tradepost.mail_queue import QueuedMail, QueueProbe, QueueUnreadable, fetch_queue, parse_queue

LINE = (
    b'{"queue_name": "hold", "queue_id": "4jX6Tb1n8tzJDfw", "arrival_time": 1795300499, "message_size": 294, '
    b'"forced_expire": false, "sender": "ann@buyer.example", "recipients": [{"address": "sales@example.test"}]}\n'
)
AT = datetime(2026, 11, 21, 22, 34, 59, tzinfo=UTC)


def test_a_real_line() -> None:
    assert parse_queue(LINE) == [QueuedMail("hold", "4jX6Tb1n8tzJDfw", AT, "ann@buyer.example")]


def test_an_empty_queue() -> None:
    assert parse_queue(b"") == []


@pytest.mark.parametrize("queue", [b"maildrop", b"corrupt"])
def test_what_is_not_accepted_yet_is_left_out(queue: bytes) -> None:
    assert parse_queue(LINE.replace(b"hold", queue)) == []


def test_a_sender_in_other_bytes() -> None:
    [mail] = parse_queue(LINE.replace(b"ann@", b"ann\xe9@"))
    assert mail.queue_id == "4jX6Tb1n8tzJDfw"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import sys; sys.exit('postqueue: fatal: mail system is down')", "failed: postqueue: fatal: mail system is down"),
        ("import sys; sys.exit(69)", "failed: exit status 69"),
        ("print('Mail queue is empty')", "something else than a queue"),
        ("import time; time.sleep(60)", "no answer in 0.2 s"),
    ],
)  # fmt: skip
def test_no_answer_is_named(script: str, words: str) -> None:
    with pytest.raises(QueueUnreadable, match=words):
        fetch_queue((sys.executable, "-c", script), timeout_seconds=0.2 if "sleep" in script else 20)


def test_a_command_that_is_missing_is_named() -> None:
    with pytest.raises(QueueUnreadable, match="queue_command: '/nonexistent/postqueue -j' can't be run"):
        fetch_queue(("/nonexistent/postqueue", "-j"))


def test_the_probe_waits_for_nobody() -> None:
    probe = QueueProbe((sys.executable, "-c", "import time; time.sleep(60)"), every_seconds=0.3)
    began = time.monotonic()
    assert probe.ask() is None
    assert probe.ask() is None
    assert time.monotonic() - began < 0.3
    time.sleep(0.3)
    with pytest.raises(QueueUnreadable, match=r"no answer in 0\.3 s"):
        probe.ask()
    probe.close()


def test_the_probe_brings_the_answer_later() -> None:
    probe = QueueProbe((sys.executable, "-c", f"print({LINE.decode()!r}, end='')"), every_seconds=30)
    deadline = time.monotonic() + 20
    while (answer := probe.ask()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert [mail.queue_id for mail in answer] == ["4jX6Tb1n8tzJDfw"]
    assert not probe.is_due()
