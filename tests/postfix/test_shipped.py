# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a real Postfix that ships its mail: delivered, recorded, confirmed from its own log, and in good health."""

import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from postfix.sandbox.private_redis import PrivateRedis
from postfix.sandbox.processes import wait_until
from postfix.sandbox.sending import Stranger
from postfix.sandbox.service_stack import ServiceStack
from tradepost.sqlite import connect

SALES = "sales@brightway.example"
BUYER = Stranger("203.0.113.9", "mail.buyer.example")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateRedis]:
    with PrivateRedis(tmp_path / "redis") as server:
        yield server


def send(stack: ServiceStack, number: int) -> str:
    content = (
        f"From: ann@buyer.example\r\nTo: {SALES}\r\nSubject: mail {number}\r\n"
        f"Message-ID: <{number}@buyer.example>\r\n\r\nPlease quote {number} pcs.\r\n"
    )
    with stack.postfix.arriving(stranger=BUYER) as session:
        return session.send("ann@buyer.example", [SALES], content.encode())


def acceptances(stack: ServiceStack) -> dict[str, str]:
    records = connect(stack.settings.paths.state / "tradepost.sqlite", busy_ms=5000, read_only=True)
    try:
        return dict(records.execute("SELECT queue_id, acceptance FROM arrival").fetchall())
    finally:
        records.close()


def health(stack: ServiceStack) -> dict[str, Any]:
    with urllib.request.urlopen(f"{stack.metrics_url}/healthz", timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def test_a_host_ships_and_its_mail_is_recorded_and_confirmed(
    make_stack: Callable[..., ServiceStack], server: PrivateRedis
) -> None:
    """The worker follows no log here: a process of its own does, as on a host without a worker."""
    stack = make_stack(parts=("log", "ship", "milter", "metrics"), settings={"redis": {"url": server.url}})
    new = stack.settings.journal_dir / "new"
    sent = [send(stack, number) for number in range(5)]
    with redis.Redis.from_url(server.url) as client:
        wait_until("all to be shipped", lambda: client.xlen("{tradepost}:mail") == 5, 20)
        assert len(os.listdir(new)) == 5  # kept until a worker has them
        stack.start("sync")
        wait_until("the journal to be empty", lambda: not os.listdir(new), 60)
        assert client.xlen("{tradepost}:mail") == 0
    wait_until("confirmation", lambda: acceptances(stack) == dict.fromkeys(sent, "confirmed"), 30)
    report = json.loads(stack.run("reconcile", "--json", "--min-age", "0").stdout)
    assert report["differences"] == []
    deadline = time.monotonic() + 30
    while health(stack)["reasons"] and time.monotonic() < deadline:
        time.sleep(0.2)
    assert health(stack)["reasons"] == []
    # The shipper tells its counts about once a second, so an older reading may still stand here.
    wait_until("nothing to be in flight", lambda: health(stack)["shipper"]["in_flight"] == 0, 30)
    # Redis stops: mail is delivered as before, waits on the host, and goes on when Redis is back, empty.
    server.stop()
    waiting = [send(stack, number) for number in range(5, 10)]
    stack.postfix.wait_for([*sent, *waiting], 60)
    assert len(os.listdir(new)) == 5
    assert stack.is_running("sync")
    assert stack.is_running("ship")
    server.start()
    wait_until("the rest to be recorded", lambda: not os.listdir(new), 60)
    wait_until("confirmation", lambda: acceptances(stack) == dict.fromkeys([*sent, *waiting], "confirmed"), 30)
