# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail to two hosts at once, and the books that are held against it."""

import os
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from crm_sync.reconcile_command import run as compare_books
from postfix.sandbox.processes import wait_until
from postfix.sandbox.sending import Stranger
from postfix.sandbox.two_hosts import Host, TwoHosts

SALES = "sales@brightway.example"
BUYER = Stranger("203.0.113.9", "mail.buyer.example")
# The demo's customers with their owners.
KNOWN = {
    "ferreteria-bajio.example": "li.na@brightway.example",
    "minato-kogu.example": "wang.fang@brightway.example",
    "prairietool.example": "chen.yu@brightway.example",
}
_SESSION_MAILS = 10
# Others use the same processors: what is long done on a quiet machine may take so long.
_SECONDS = 900 if os.environ.get("TRADEPOST_SOAK") else 120


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail that a host took.  `at`: time.monotonic() of the 250."""

    host: int
    queue_id: str
    domain: str
    at: float


def letter(domain: str, word: str) -> bytes:
    """Return an inquiry from a domain; `word` makes it another letter."""
    return (
        f"From: Buyer <buyer@{domain}>\r\nTo: {SALES}\r\nSubject: Inquiry {word}\r\n"
        f"Message-ID: <{word}@{domain}>\r\nDate: Mon, 16 Nov 2026 09:00:00 +0000\r\n\r\n"
        f"Dear sales team,\r\n\r\nplease quote {len(word)} pcs of your 18 V cordless drill {word}, CIF Hamburg.\r\n"
    ).encode()


class Load:
    """A thread for each host that sends until `finish` or `mails` are sent, `pause` seconds between two.

    `domain_of(host, number)` says whose mail it is.  `name` keeps the letters of one load apart from another's.
    """

    def __init__(
        self, two: TwoHosts, name: str, domain_of: Callable[[int, int], str], *, pause: float, mails: int | None = None
    ) -> None:
        self.sent: list[Sent] = []
        self._errors: list[Exception] = []
        self._two = two
        self._name = name
        self._domain_of = domain_of
        self._pause = pause
        self._stop = threading.Event()
        each = [None, None] if mails is None else [mails // 2, mails - mails // 2]
        self._threads = [threading.Thread(target=self._run, args=(host, limit)) for host, limit in enumerate(each)]
        for thread in self._threads:
            thread.start()

    def _run(self, host: int, limit: int | None) -> None:
        number = 0
        postfix = self._two.hosts[host].stack.postfix
        try:
            while not self._stop.is_set() and number != limit:
                with postfix.arriving(stranger=BUYER) as session:
                    for _ in range(_SESSION_MAILS):
                        if self._stop.is_set() or number == limit:
                            break
                        domain = self._domain_of(host, number)
                        content = letter(domain, f"{self._name}-{host}-{number}")
                        queue_id = session.send(f"buyer@{domain}", [SALES], content)
                        self.sent.append(Sent(host, queue_id, domain, time.monotonic()))
                        number += 1
                        self._stop.wait(self._pause)
        except (OSError, smtplib.SMTPException) as error:  # Postfix is never harmed: then mail was stopped
            self._errors.append(error)

    @property
    def is_running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def join(self) -> list[Sent]:
        """Wait until all is sent."""
        for thread in self._threads:
            thread.join()
        assert not self._errors, f"mail was stopped: {self._errors[0]!r}"
        return self.sent

    def finish(self) -> list[Sent]:
        """Stop sending; return what was sent."""
        self._stop.set()
        return self.join()


def anybody(host: int, number: int) -> str:
    """Mail from a customer we know, and from new ones whose mails come to both hosts."""
    return list(KNOWN)[number // 2 % 3] if number % 2 else f"new{number % 60}.example"


def somebody_known(host: int, number: int) -> str:
    return list(KNOWN)[(number + host) % 3]


@contextmanager
def loading(two: TwoHosts, name: str, books: list[Sent], *, pause: float = 0.15) -> Iterator[Load]:
    """Send from anybody while the block runs; what was sent is added to the books."""
    load = Load(two, name, anybody, pause=pause)
    try:
        yield load
    finally:
        books += load.finish()


def differences(host: Host) -> list[str]:
    """Return what reconcile finds at a host, at once."""
    report, _ = compare_books(host.stack.settings, None, 0.0)
    return [f"{found.kind}: {found.queue_id} {found.what}" for found in report.differences]


def check(two: TwoHosts, sent: Sequence[Sent], *, differences: Callable[[Host], list[str]] = differences) -> None:
    """Delivered = recorded = sent, once each; nothing waits, nothing was put aside; reconcile finds nothing.

    `sent` is everything since the hosts were started; `differences` asks reconcile.
    """
    of_host = [{mail.queue_id for mail in sent if mail.host == number} for number in range(2)]
    for host, ids in zip(two.hosts, of_host, strict=True):
        host.stack.postfix.wait_for(ids, _SECONDS)
        assert {copy.queue_id for copy in host.stack.postfix.mailboxes.files(SALES)} == ids, host.instance
    settle(two)
    recorded = Counter(two.query("SELECT instance, queue_id, acceptance FROM arrival"))
    expected = {(two.hosts[mail.host].instance, mail.queue_id, "confirmed") for mail in sent}
    assert recorded == Counter(expected), f"recorded {recorded.total()}, sent {len(sent)}"
    assert [differences(host) for host in two.hosts] == [[], []]


def settle(two: TwoHosts) -> None:
    """Wait until all that was journaled is recorded and confirmed; nothing may have been put aside."""
    try:
        wait_until("the journals to be recorded", lambda: not any(map(waiting, two.hosts)), _SECONDS, 0.05)
        assert [put_aside(host) for host in two.hosts] == [[], []]
        wait_until(
            "confirmation", lambda: not two.query("SELECT 1 FROM arrival WHERE acceptance = 'pending'"), _SECONDS, 0.1
        )
    except BaseException:
        print(last_words(two))
        raise


def waiting(host: Host) -> list[str]:
    """Return what lies in a host's journal."""
    return os.listdir(host.stack.settings.journal_dir / "new")


def put_aside(host: Host) -> list[str]:
    return os.listdir(host.stack.settings.journal_dir / "failed")


def last_words(two: TwoHosts) -> str:
    """Return what workers and shippers said last."""
    parts = [(host, name) for host in two.hosts for name in ("sync", "ship")]
    return "\n".join(f"{host.instance} {name}: {host.stack.part(name).last_words(20)}" for host, name in parts)


def owners(two: TwoHosts) -> dict[tuple[str, str], tuple[str | None, list[str], str | None, str | None]]:
    """Return (instance, queue id) -> the owner that arrival named, the fields it left open, owner of the customer, assignee."""
    rows = two.query(
        "SELECT a.instance, a.queue_id, a.verdict->>'owner', a.verdict->'missing', p.email, q.email FROM arrival a "
        "JOIN message m ON m.id = a.message_id JOIN conversation c ON c.id = m.conversation_id "
        "LEFT JOIN customer k ON k.id = c.customer_id LEFT JOIN scope s ON s.id = k.scope_id "
        "LEFT JOIN person p ON p.id = s.owner_id LEFT JOIN person q ON q.id = c.assignee_id"
    )
    return {(row[0], row[1]): (row[2], row[3] or [], row[4], row[5]) for row in rows}


def owner_marks(two: TwoHosts, sent: Sequence[Sent]) -> dict[Sent, str | None]:
    """Return the owner in each mail's header, as it lies in the pool's mailbox."""
    found: dict[tuple[int, str], str | None] = {}
    for number, host in enumerate(two.hosts):
        for copy in host.stack.postfix.mailboxes.files(SALES):
            found[number, copy.queue_id] = next(iter(copy.marks().get("x-tradepost-owner", ())), None)
    return {mail: found[mail.host, mail.queue_id] for mail in sent}
