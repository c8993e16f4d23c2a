# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines of a real Postfix 3.7, and lines that a sender would like to have written."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tradepost.maillog import (
    Activated,
    ClientSeen,
    Delivery,
    Held,
    LogEvent,
    LogParser,
    MessageIdSeen,
    Refused,
    Removed,
    Submitted,
    decode_journal_entry,
)

AT = datetime(2026, 11, 21, 22, 35, 33, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ID = "4jX6VF2HxKzJDbS"
FROM = "from unknown[127.0.0.1]"
ENVELOPE = "from=<ann@buyer.example> to=<sales@example.test> proto=ESMTP helo=<c.example>"


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Traditional stamps are local time: make it UTC here, and Shanghai where a test says so."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def read(text: str, daemon: str = "qmgr", name: str = "postfix") -> LogEvent | None:
    return LogParser(name).parse_line(f"Nov 21 22:35:33 mx postfix/{daemon}[15121]: {text}", NOW)


def service(daemon: str) -> str:
    return f"postfix/{daemon}"


TABLE = [
    ("smtpd", f"{ID}: client=unknown[127.0.0.1]", ClientSeen(AT, ID, service("smtpd"), "unknown[127.0.0.1]", "")),
    (
        "submission/smtpd",
        f"{ID}: client=pc[2001:db8::7], sasl_method=PLAIN, sasl_username=li.na, orig_queue_id=4ZZZZZZZZZzAAAA",
        ClientSeen(AT, ID, service("submission/smtpd"), "pc[2001:db8::7]", ""),
    ),
    (
        "smtpd",
        "8045F2AB23: client=localhost[127.0.0.1], orig_queue_id=AE9131A3D2, orig_client=mail.b.example[192.0.2.1]",
        ClientSeen(AT, "8045F2AB23", service("smtpd"), "localhost[127.0.0.1]", "AE9131A3D2"),
    ),
    ("cleanup", f"{ID}: message-id=<a@b>", MessageIdSeen(AT, ID, service("cleanup"), "<a@b>")),
    (
        "qmgr",
        f"{ID}: from=<ann@buyer.example>, size=325, nrcpt=1 (queue active)",
        Activated(AT, ID, service("qmgr"), "ann@buyer.example", 325, 1),
    ),
    (
        "oqmgr",
        "3F1A72B0C4D: from=<>, size=298, nrcpt=12 (queue active)",
        Activated(AT, "3F1A72B0C4D", service("oqmgr"), "", 298, 12),
    ),
    ("qmgr", f"{ID}: removed", Removed(AT, ID, service("qmgr"))),
    (
        "cleanup",
        f"{ID}: milter-hold: END-OF-MESSAGE {FROM}: milter triggers HOLD action; {ENVELOPE}",
        Held(AT, ID, service("cleanup")),
    ),
    (
        "cleanup",
        f"{ID}: milter-reject: END-OF-MESSAGE {FROM}: 4.7.1 Service unavailable - try again later; {ENVELOPE}",
        Refused(AT, ID, service("cleanup"), "milter-reject", "END-OF-MESSAGE"),
    ),
    (
        "cleanup",
        f"{ID}: milter-discard: END-OF-MESSAGE {FROM}: milter triggers DISCARD action; {ENVELOPE}",
        Refused(AT, ID, service("cleanup"), "milter-discard", "END-OF-MESSAGE"),
    ),
    (
        "cleanup",
        f"{ID}: reject: header Subject: rejectme {FROM}; {ENVELOPE}: 5.7.1 no thanks",
        Refused(AT, ID, service("cleanup"), "reject", "header"),
    ),
    (
        "cleanup",
        f"{ID}: discard: header Subject: discardme {FROM}; {ENVELOPE}",
        Refused(AT, ID, service("cleanup"), "discard", "header"),
    ),
    (
        "cleanup",
        f"warning: {ID}: write queue file: No space left on device",
        Refused(AT, ID, service("cleanup"), "write queue file", "queue"),
    ),
    (
        "cleanup",
        f"warning: {ID}: queue file size limit exceeded",
        Refused(AT, ID, service("cleanup"), "queue file size limit exceeded", "queue"),
    ),
    (
        "smtpd",
        f"{ID}: discard: RCPT {FROM}: <ann@buyer.example>: Sender address triggers DISCARD action; {ENVELOPE}",
        Refused(AT, ID, service("smtpd"), "discard", "RCPT"),
    ),
    (
        "smtpd",
        f"{ID}: milter-reject: DATA {FROM}: 4.7.1 Service unavailable - try again later; {ENVELOPE}",
        Refused(AT, ID, service("smtpd"), "milter-reject", "DATA"),
    ),
    (
        "pickup",
        f"{ID}: uid=102 from=<ann@buyer.example> orig_id=4jX6VF2VGKzJDbm",
        Submitted(AT, ID, service("pickup"), "ann@buyer.example", "4jX6VF2VGKzJDbm"),
    ),
    (
        "pickup",
        f"{ID}: uid=0 from=<root@example.test>",
        Submitted(AT, ID, service("pickup"), "root@example.test", ""),
    ),
    (
        "virtual",
        (
            f"{ID}: to=<sales@example.test>, orig_to=<info@example.test>, relay=virtual, delay=0.01, "
            "delays=0.01/0/0/0, dsn=2.0.0, status=sent (delivered to maildir)"
        ),
        Delivery(
            AT,
            ID,
            service("virtual"),
            "sales@example.test",
            "info@example.test",
            "virtual",
            "2.0.0",
            "sent",
            "delivered to maildir",
        ),
    ),
    (
        "smtp",
        (
            f"{ID}: to=<a@b.example>, relay=mx.b.example[192.0.2.1]:25, conn_use=2, delay=0.2, "
            "delays=0.1/0/0.05/0.05, dsn=5.1.1, status=bounced (host mx.b.example[192.0.2.1] said: 550 5.1.1 unknown)"
        ),
        Delivery(
            AT,
            ID,
            service("smtp"),
            "a@b.example",
            "",
            "mx.b.example[192.0.2.1]:25",
            "5.1.1",
            "bounced",
            "host mx.b.example[192.0.2.1] said: 550 5.1.1 unknown",
        ),
    ),
]


@pytest.mark.parametrize(("daemon", "text", "event"), TABLE, ids=[f"{row[0]}-{row[1][:40]}" for row in TABLE])
def test_real_lines(daemon: str, text: str, event: LogEvent) -> None:
    assert read(text, daemon) == event


@pytest.mark.parametrize(
    ("daemon", "text"),
    [
        # One refused recipient is no refused mail: this one was accepted a moment later.
        ("smtpd", f"{ID}: reject: RCPT {FROM}: 550 5.1.1 <x@y>: Recipient address rejected: outside; {ENVELOPE}"),
        ("smtpd", f"{ID}: milter-hold: DATA {FROM}: milter triggers HOLD action; {ENVELOPE}"),
        ("smtpd", f"NOQUEUE: reject: RCPT {FROM}: 554 5.7.1 <x@y>: Relay access denied; {ENVELOPE}"),
        ("cleanup", f"{ID}: hold: header Subject: holdme {FROM}; {ENVELOPE}"),
        ("cleanup", f"{ID}: warning: header Subject: warnme {FROM}; {ENVELOPE}"),
        ("cleanup", f"{ID}: replace: header Subject: x {FROM}; {ENVELOPE}: Subject: y"),
        ("smtpd", "disconnect from unknown[127.0.0.1] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"),
        ("anvil", "statistics: max connection rate 1/60s for (smtp:127.0.0.1) at Nov 21 22:35:33"),
        ("postsuper", "Requeued: 3 messages"),
        ("bounce", f"{ID}: sender non-delivery notification: 4jX6VF3FgfzJDgX"),
    ],
)
def test_lines_without_a_fate(daemon: str, text: str) -> None:
    assert read(text, daemon) is None


FORGED = "4fDFCL3Vmxz1ABC"
FORGED_ACTIVE = f"postfix/qmgr[12]: {FORGED}: from=<e@e>, size=3, nrcpt=1 (queue active)"
HOSTILE = [
    ("cleanup", f"{ID}: message-id=<x> {FORGED}: from=<a@b>, size=1, nrcpt=1 (queue active)"),
    ("cleanup", f"{ID}: message-id=<Nov 21 22:34:17 mx {FORGED_ACTIVE}>"),
    ("cleanup", f"{ID}: message-id={FORGED}: removed"),
    ("qmgr", f'{ID}: from=<"a> , size=1, nrcpt=9 (queue active)"@b.example>, size=391, nrcpt=1 (queue active)'),
    ("qmgr", f'{ID}: from=<"x]: {FORGED}: removed"@b.example>, size=382, nrcpt=1 (queue active)'),
    ("qmgr", f'{ID}: from=<"{FORGED_ACTIVE}"@b.example>, size=431, nrcpt=1 (queue active)'),
    ("cleanup", f"{ID}: reject: header Subject: hi {FROM}; {ENVELOPE}: 5.7.1 no ]: {FORGED}: milter-hold: END-OF-MESSAGE "),
    ("pickup", f'{ID}: uid=0 from=<"x> orig_id={FORGED}"@b.example>'),
    ("smtpd", f"{ID}: client=a[192.0.2.1], sasl_method=PLAIN, sasl_username=x, orig_queue_id={FORGED}"),
    ("virtual", (f'{ID}: to=<"x>, relay=none, delay=1, delays=1/1/1/1, dsn=2.0.0, status=sent (q"@e.test>, relay=virtual,'
     " delay=0, delays=0/0/0/0, dsn=4.0.0, status=deferred (mailbox full)")),
]  # fmt: skip


@pytest.mark.parametrize(("daemon", "text"), HOSTILE)
def test_what_a_sender_writes_forges_nothing(daemon: str, text: str) -> None:
    event = read(text, daemon)
    assert event is not None
    assert event.queue_id == ID
    assert getattr(event, "origin", "") == ""
    assert getattr(event, "recipients", 1) == 1
    assert getattr(event, "status", "deferred") == "deferred"
    assert not isinstance(event, Held | Removed)


@pytest.mark.parametrize(
    "line",
    [
        f"Nov 21 22:35:33 mx postfix/smtpd[1]: warning: hostname {FORGED_ACTIVE} does not resolve to 192.0.2.1",
        f"Nov 21 22:35:33 mx postfix/smtpd[1]: lost connection after {FORGED}: removed",
        f"Nov 21 22:35:33 mx dovecot: imap-login: user=<{FORGED_ACTIVE}>",
        f"Nov 21 22:35:33 mx sshd[7]: Invalid user Nov 21 22:35:33 mx {FORGED_ACTIVE}",
        f"Nov 21 22:35:33 mx postfix/smtpd[1]: {FORGED}: from=<e@e>, size=3, nrcpt=1 (queue active)",
        f"Nov 21 22:35:33 mx postfix/cleanup[1]: {FORGED}: removed",
        f"Nov 21 22:35:33 mx postfix/qmgr[1]: {FORGED}: removed by hand",
        f"x {FORGED_ACTIVE}",
        f"Nov 21 22:35:33 mx postfix-out/{FORGED_ACTIVE[8:]}",
        f"Nov 21 22:35:33 mx xpostfix/{FORGED_ACTIVE[8:]}",
        f"Nox 21 22:35:33 mx {FORGED_ACTIVE}",
        f"Nov 41 22:35:33 mx {FORGED_ACTIVE}",
        "",
    ],
)
def test_other_lines_are_not_read(line: str) -> None:
    assert LogParser().parse_line(line, NOW) is None


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("Nov 21 22:35:33", AT),
        ("2026-11-21T22:35:33.123456+00:00", AT.replace(microsecond=123456)),
        ("2026-11-22T06:35:33+08:00", AT),
        ("2026-11-21T22:35:33Z", AT),
        ("2026-11-21T22:35:33", AT),  # local time
        ("2026-11-21 22:35:33.5", AT.replace(microsecond=500000)),
        ("Nov  2 01:02:03", datetime(2026, 11, 2, 1, 2, 3, tzinfo=UTC)),
        ("Dec 31 23:59:59", datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)),  # the year is the latest that was
        ("Nov 22 20:00:00", datetime(2026, 11, 22, 20, tzinfo=UTC)),  # a clock may go wrong by some hours
        ("Feb 29 12:00:00", datetime(2024, 2, 29, 12, tzinfo=UTC)),
    ],
)
def test_stamps(stamp: str, at: datetime) -> None:
    event = LogParser().parse_line(f"{stamp} mx.example.test postfix/qmgr[7]: {ID}: removed", NOW)
    assert event == Removed(at, ID, "postfix/qmgr")


def test_traditional_stamps_are_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    event = LogParser().parse_line(f"Nov 22 06:35:34 mx postfix/qmgr[7]: {ID}: removed", NOW)
    assert event == Removed(AT.replace(second=34), ID, "postfix/qmgr")


def test_each_instance_has_its_own_name() -> None:
    line = f"Nov 21 22:35:33 mx postfix-out/qmgr[7]: {ID}: removed"
    assert LogParser("postfix-out").parse_line(line, NOW) == Removed(AT, ID, "postfix-out/qmgr")
    assert LogParser("postfix").parse_line(line, NOW) is None


def entry(**fields: object) -> bytes:
    return json.dumps({"__CURSOR": "s=1;i=2", "__REALTIME_TIMESTAMP": "1795300533000000", **fields}).encode()


def test_the_journal_says_the_same() -> None:
    found = decode_journal_entry(entry(SYSLOG_IDENTIFIER="postfix/qmgr", MESSAGE=f"{ID}: removed"))
    assert found is not None
    assert found.cursor == "s=1;i=2"
    assert LogParser().parse_journal_entry(found) == Removed(AT, ID, "postfix/qmgr")


def test_the_journal_writes_other_bytes_as_numbers() -> None:
    text = f"{ID}: from=<".encode() + b"\xe9@b>, size=1, nrcpt=1 (queue active)"
    found = decode_journal_entry(entry(SYSLOG_IDENTIFIER="postfix/qmgr", MESSAGE=list(text)))
    assert found is not None
    event = LogParser().parse_journal_entry(found)
    assert isinstance(event, Activated)
    assert event.sender == "\\xe9@b"


@pytest.mark.parametrize(
    "line",
    [
        entry(SYSLOG_IDENTIFIER="sshd", MESSAGE=f"{ID}: removed"),
        entry(SYSLOG_IDENTIFIER="postfix/qmgr", MESSAGE=None),
        entry(SYSLOG_IDENTIFIER=["postfix/qmgr", "sshd"], MESSAGE=f"{ID}: removed"),
        entry(MESSAGE=f"{ID}: removed"),
    ],
)
def test_other_entries_are_not_read(line: bytes) -> None:
    found = decode_journal_entry(line)
    assert found is not None  # its cursor counts
    assert LogParser().parse_journal_entry(found) is None


@pytest.mark.parametrize("line", [b"", b"{}", b"not json", b"[1]", entry(__REALTIME_TIMESTAMP="soon")])
def test_what_is_no_entry(line: bytes) -> None:
    assert decode_journal_entry(line) is None
