# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail under load while the shared directory is emptied, rebuilt and stopped: nobody's customer gets another owner.

A mark may be missing (unknown is not none); a wrong one may not be there.  TRADEPOST_SOAK=1 goes on for longer.
"""

import os
import smtplib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import cycle
from pathlib import Path

import pytest
import redis
from two_hosts_load import BUYER, KNOWN, SALES

from postfix.sandbox.private_redis import PrivateRedis
from postfix.sandbox.processes import wait_until
from postfix.sandbox.service_stack import ServiceStack
from tradepost.sqlite import connect

MET = [f"met{number}.example" for number in range(20)]  # first written before the faults: theirs is decided
NEW = [f"new{number}.example" for number in range(40)]  # first written amid them
ROUNDS = 6 if os.environ.get("TRADEPOST_SOAK") else 1
PACE_SECONDS = 0.05


class Load:
    """Two threads that send from customers, those we know and those we meet, until told to stop; remembers each mail's domain."""

    def __init__(self, stack: ServiceStack, domains: Sequence[str]) -> None:
        self.sent: dict[str, str] = {}  # queue id -> domain
        self.errors: list[Exception] = []
        self._stack = stack
        self._domains = domains
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(2)]
        for thread in self._threads:
            thread.start()

    def _run(self, thread: int) -> None:
        domains = cycle(self._domains)
        number = 0
        try:
            while not self._stop.is_set():
                with self._stack.postfix.arriving(stranger=BUYER) as session:
                    for _ in range(10):
                        number += 1
                        # Both threads write for the same domains: who comes second finds the claim or the record.
                        domain = next(domains)
                        queue_id = session.send(f"buyer@{domain}", [SALES], letter(domain, f"{thread}-{number}"))
                        self.sent[queue_id] = domain
                        time.sleep(PACE_SECONDS)
        except (OSError, smtplib.SMTPException) as error:  # Postfix is never stopped: then mail was
            self.errors.append(error)

    def finish(self) -> dict[str, str]:
        """Stop; return each mail's domain by its queue id."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self.errors, f"mail was stopped: {self.errors[0]!r}"
        return self.sent


def letter(domain: str, number: str) -> bytes:
    return (
        f"From: Buyer <buyer@{domain}>\r\nTo: {SALES}\r\nSubject: Inquiry {number}\r\n"
        f"Message-ID: <{number}@{domain}>\r\nDate: Mon, 16 Nov 2026 09:00:00 +0000\r\n\r\n"
        "Dear sales team,\r\n\r\nplease quote 500 pcs of your 18 V cordless drill, CIF Hamburg.\r\n"
    ).encode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateRedis]:
    with PrivateRedis(tmp_path / "redis") as server:
        yield server


def owner_mark(stack: ServiceStack, queue_id: str) -> str | None:
    copies = [copy for copy in stack.postfix.delivered(queue_id) if copy.mailbox == SALES]
    return next(iter(copies[0].marks().get("x-tradepost-owner", ())), None)


@pytest.mark.timeout(900)
def test_no_customer_gets_another_owner(make_stack: Callable[..., ServiceStack], server: PrivateRedis) -> None:
    stack = make_stack(parts=("ship", "sync", "milter"), settings={"redis": {"url": server.url}})
    before = Load(stack, MET)

    def is_marked() -> bool:
        """Does a mail that comes now get its owner?"""
        with stack.postfix.arriving(stranger=BUYER) as session:
            queue_id = session.send(
                "tesoreria@ferreteria-bajio.example", [SALES], letter("ferreteria-bajio.example", "x")
            )
        return owner_mark(stack, queue_id) is not None

    wait_until("owners in marks", is_marked, 30, 0.2)
    wait_until("each to be met", lambda: len(set(before.sent.values())) == len(MET) and len(before.sent) > 60, 30)
    sent = before.finish()
    wait_until("those met to be recorded", lambda: recorded(stack) >= sent.keys(), 30)
    load = Load(stack, (*KNOWN, *MET, *NEW))
    for _ in range(ROUNDS):
        with closing(redis.Redis(port=server.port)) as client:
            client.flushall()
        wait_until("owners after all was lost", is_marked, 30, 0.2)
        stack.run("directory", "rebuild")
        wait_until("owners after a rebuild", is_marked, 30, 0.2)
        server.stop()
        time.sleep(2)
        server.start()
        wait_until("owners after Redis was away", is_marked, 30, 0.2)
        time.sleep(10 if ROUNDS > 1 else 2)
    sent |= load.finish()
    stack.postfix.wait_for(sent, 60)
    owners: defaultdict[str, set[str]] = defaultdict(set)
    marked = 0
    for copy in stack.postfix.mailboxes.files(SALES):
        owner = next(iter(copy.marks().get("x-tradepost-owner", ())), None)
        if owner is not None and copy.queue_id in sent:
            owners[sent[copy.queue_id]].add(owner)
            marked += 1
    print(f"{len(sent)} mails, {marked} with an owner")
    assert marked > len(sent) / 5
    wait_until("all to be recorded", lambda: recorded(stack) >= sent.keys(), 60)
    in_force = customers(stack)
    for domain in (*KNOWN, *MET):
        # A domain whose every mail came while all was unknown has no mark at all.
        assert owners[domain] <= in_force[domain], domain
        assert in_force[domain] == {KNOWN.get(domain, *in_force[domain])}
    # Whoever writes first while all is unknown is given to somebody when his mail is recorded, and to one only.
    assert [domain for domain in NEW if len(in_force[domain]) != 1] == []


def recorded(stack: ServiceStack) -> set[str]:
    with closing(connect(stack.settings.paths.state / "tradepost.sqlite", busy_ms=1000, read_only=True)) as database:
        return {queue_id for (queue_id,) in database.execute("SELECT queue_id FROM arrival")}


def customers(stack: ServiceStack) -> dict[str, set[str]]:
    """Return the owners of each domain's customers."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    with closing(connect(stack.settings.paths.state / "tradepost.sqlite", busy_ms=1000, read_only=True)) as database:
        for domain, owner in database.execute(
            "SELECT d.domain, p.email FROM customer_domain d JOIN customer c ON c.id = d.customer_id "
            "JOIN scope s ON s.id = c.scope_id LEFT JOIN person p ON p.id = s.owner_id"
        ):
            found[domain].add(owner)
    return found
