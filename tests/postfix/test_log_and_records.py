# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real Postfix accepts, refuses and drops behind our milter, and what the records make of it."""

import json
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crm_sync.database import open_database
from crm_sync.models.mail import Arrival
from postfix.sandbox.company import COMPANY_FILE, RULES_FILE, read_company
from postfix.sandbox.private_postfix import PrivatePostfix
from postfix.sandbox.processes import SandboxError, find_program, free_port, wait_until
from postfix.sandbox.sending import Stranger
from postfix.sandbox.service_stack import ServiceStack

SALES = "sales@brightway.example"
BUYER = Stranger("203.0.113.9", "mail.buyer.example")
NONE_OF_ALL = {
    "accepted-unseen": 0,
    "journaled-unrecorded": 0,
    "recorded-twice": 0,
    "recorded-not-accepted": 0,
}


@dataclass
class House:
    """The stack, and what a test does with it."""

    stack: ServiceStack

    def send(self, subject: str, sender: str = "ann@buyer.example") -> str:
        """Send a mail from outside; return its queue id."""
        content = f"From: {sender}\nTo: {SALES}\nSubject: {subject}\n\nPlease quote 500 pcs.\n".encode()
        with self.stack.postfix.arriving(stranger=BUYER) as session:
            return session.send(sender, (SALES,), content)

    def refused(self, subject: str) -> str:
        """Send a mail that is refused or dropped; return the queue id that the log names for it."""
        before = self.ids_of_clients()
        try:
            self.send(subject)
        except smtplib.SMTPResponseException:
            pass
        [queue_id] = self.ids_of_clients() - before
        return queue_id

    def ids_of_clients(self) -> set[str]:
        lines = self.stack.postfix.site.log.read_text("utf-8", "replace").splitlines()
        return {line.split("]: ", 1)[1].split(":", 1)[0] for line in lines if "]: 4" in line and ": client=" in line}

    def acceptance(self, queue_id: str) -> list[str]:
        """What the ledger says about a queue id, by a fresh connection."""
        database = open_database(self.stack.settings.database_url)
        try:
            with database.reading() as session:
                return list(session.scalars(select(Arrival.acceptance).where(Arrival.queue_id == queue_id)))
        finally:
            database.close()

    def wait_for(self, queue_id: str, acceptance: str, seconds: float = 10) -> float:
        """Return the seconds until the ledger says so."""
        began = time.monotonic()
        try:
            wait_until(f"{queue_id} {acceptance}", lambda: self.acceptance(queue_id) == [acceptance], seconds)
        except SandboxError as error:
            said = self.stack.part("sync").log.read_text("utf-8", "replace")
            raise AssertionError(f"{error}; it is {self.acceptance(queue_id)}; the worker said:\n{said}") from None
        return time.monotonic() - began

    def reconcile(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run the command as root, who may list a private Postfix's queue."""
        done = subprocess.run(
            self.stack.runtime.command("reconcile", "--json", *arguments),
            env=self.stack.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stderr
        return done.returncode, json.loads(done.stdout)

    def postfix(self, name: str, *arguments: str) -> None:
        """Run one of Postfix's commands on the private one."""
        command = [find_program(name, "postfix"), "-c", str(self.stack.postfix.site.config), *arguments]
        subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    company, port = read_company(), free_port()
    script = Path(__file__).with_name("later_milter.py")
    later = subprocess.Popen([sys.executable, str(script), f"inet:{port}@127.0.0.1"], stderr=subprocess.DEVNULL)
    private = PrivatePostfix(
        company.mailboxes,
        hostname=f"mx.{company.domains[0]}",
        milters=("tradepost", f"inet:127.0.0.1:{port}"),
    )
    try:
        with private, ServiceStack(private, company=COMPANY_FILE, rules=RULES_FILE, parts=("sync", "milter")) as stack:
            yield House(stack)
    finally:
        later.terminate()
        later.wait(10)


def test_the_books_of_a_day(house: House) -> None:
    accepted = [house.send(f"offer {number}") for number in range(3)]
    refused = {word: house.refused(word) for word in ("REFUSE", "DEFER", "DROP")}
    held = house.send("HOLD")
    with socket.create_connection(("127.0.0.1", house.stack.postfix.site.smtp_port)) as client:
        for line in ("EHLO x", "MAIL FROM:<gone@x.example>", f"RCPT TO:<{SALES}>", "DATA", "Subject: half"):
            client.sendall(f"{line}\r\n".encode())
            time.sleep(0.05)
    for queue_id in (*accepted, held):
        assert house.wait_for(queue_id, "confirmed") < 5
    for queue_id in refused.values():
        house.wait_for(queue_id, "refused")
    status, report = house.reconcile("--min-age", "0")
    assert status == 1
    assert {found["queue_id"]: found["what"].partition(": ")[2] for found in report["differences"]} == {
        refused["REFUSE"]: "milter-reject at END-OF-MESSAGE",
        refused["DEFER"]: "milter-reject at END-OF-MESSAGE",
        refused["DROP"]: "milter-discard at END-OF-MESSAGE",
    }
    assert report["counts"] == NONE_OF_ALL | {"recorded-not-accepted": 3}


def test_a_requeued_mail_is_no_second_one(house: House) -> None:
    held = house.send("HOLD for a while")
    house.wait_for(held, "confirmed")
    house.postfix("postsuper", "-r", held)
    house.postfix("postkick", "public", "pickup", "W")  # which else looks once a minute
    wait_until("release", lambda: f"orig_id={held}" in house.stack.postfix.site.log.read_text(), 20)
    time.sleep(1)
    assert house.acceptance(held) == ["confirmed"]
    _, report = house.reconcile("--min-age", "0")
    assert report["counts"]["accepted-unseen"] == report["counts"]["recorded-twice"] == 0


def test_postfix_rotates_its_log_under_the_follower(house: House) -> None:
    sent: list[str] = []
    log = house.stack.postfix.site.log
    for number in range(12):
        sent.append(house.send(f"before and after {number}"))
        if number % 4 == 3:
            time.sleep(1.1)  # the name of the old log has a second's resolution
            house.postfix("postfix", "logrotate")
            house.postfix("postlog", "the first line makes the file")
            wait_until("log", log.exists, 10)
            log.chmod(0o644)  # postlogd makes it for root alone
    for queue_id in sent:
        house.wait_for(queue_id, "confirmed", 20)
    rotated = [path for path in log.parent.iterdir() if path.name.startswith(log.name) and path != log]
    assert len(rotated) == 3
    _, report = house.reconcile("--min-age", "0")
    assert not {found["queue_id"] for found in report["differences"]} & set(sent)
    assert report["beyond_log"] == 0


def test_a_running_house_shows_no_difference(house: House) -> None:
    _, before = house.reconcile()
    stop, sent = threading.Event(), list[str]()

    def keep_sending() -> None:
        while not stop.is_set():
            sent.append(house.send("while the books are read"))

    sender = threading.Thread(target=keep_sending)
    sender.start()
    try:
        reports = [house.reconcile()[1] for _ in range(3)]
    finally:
        stop.set()
        sender.join()
    assert len(sent) > 20
    assert [report["differences"] for report in reports] == [before["differences"]] * 3


def test_mail_that_passed_while_a_part_was_off_is_named(house: House) -> None:
    house.stack.stop("milter")
    unseen = house.send("nobody looks")
    house.stack.start("milter")
    house.stack.stop("sync")
    unrecorded = house.send("nobody records")
    wait_until("queue", lambda: house.stack.postfix.log.is_removed(unrecorded), 20)
    _, report = house.reconcile("--min-age", "0")
    found = {
        (item["kind"], item["queue_id"]) for item in report["differences"] if item["kind"] != "recorded-not-accepted"
    }
    assert found == {("accepted-unseen", unseen), ("journaled-unrecorded", unrecorded)}
    house.stack.start("sync")
    house.wait_for(unrecorded, "confirmed")  # the log had spoken long before
    _, report = house.reconcile("--min-age", "0")
    assert report["counts"]["journaled-unrecorded"] == 0


def test_a_killed_worker_confirms_each_mail_once(house: House) -> None:
    sent: list[str] = []
    for _ in range(4):
        sent += [house.send("under way") for _ in range(5)]
        house.stack.kill("sync")
        house.stack.start("sync")
    for queue_id in sent:
        house.wait_for(queue_id, "confirmed")
    _, report = house.reconcile("--min-age", "0")
    assert report["counts"]["recorded-twice"] == 0
    assert not {found["queue_id"] for found in report["differences"]} & set(sent)
