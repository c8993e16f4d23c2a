# SPDX-License-Identifier: GPL-3.0-or-later
"""The private Postfix itself, and the lines that an administrator installs, without our milter."""

import json
import os
import signal
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from postfix.sandbox.private_postfix import PrivatePostfix
from postfix.sandbox.processes import processes_in, wait_until
from postfix.sandbox.sending import Stranger

FORGED = b"Subject: hi\nX-Tradepost-Priority: urgent\nx-TRADEPOST-id: 1\nX-Tradepost-Owner:\n boss\nX-Kept: 1\n\nbody\n"
NESTED = (
    b"Subject: outer\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
    b"--b\nContent-Type: message/rfc822\n\nSubject: inner\nX-Tradepost-Id: history\n\nold\n--b--\n"
)


def test_arrival_is_matched_by_queue_id(postfix: PrivatePostfix) -> None:
    with postfix.arriving(stranger=Stranger("203.0.113.9", "mail.buyer.example")) as session:
        queue_id = session.send(
            "ann@buyer.example", ["sales@brightway.example", "x@catch.example"], b"Subject: a\n\n.\n"
        )
    copies = postfix.delivered(queue_id)
    assert sorted(copy.mailbox for copy in copies) == ["catch-all@catch.example", "sales@brightway.example"]
    assert b"from mail.buyer.example (mail.buyer.example [203.0.113.9])" in copies[0].content
    assert {delivery.status for delivery in postfix.log.deliveries(queue_id)} == {"sent"}


def test_forged_marks_are_stripped_without_a_milter(postfix: PrivatePostfix) -> None:
    queue_id = postfix.arrive("ann@buyer.example", ["sales@brightway.example"], FORGED)
    (copy,) = postfix.delivered(queue_id)
    assert copy.marks() == {}
    assert b"boss" not in copy.content
    assert copy.message["X-Kept"] == "1"


def test_an_attached_mail_keeps_its_header(postfix: PrivatePostfix) -> None:
    queue_id = postfix.arrive("ann@buyer.example", ["sales@brightway.example"], NESTED)
    (copy,) = postfix.delivered(queue_id)
    assert b"X-Tradepost-Id: history" in copy.content


def test_submission_wants_a_login_and_reaches_the_outside(postfix: PrivatePostfix) -> None:
    with postfix.submitting(None) as session, pytest.raises(smtplib.SMTPResponseException) as refusal:
        session.send("li.na@brightway.example", ["ann@buyer.example"], b"Subject: no\n\n.\n")
    assert refusal.value.smtp_code == 554
    with postfix.submitting("li.na") as session:
        queue_id = session.send("sales@brightway.example", ["ann@buyer.example", "sales@brightway.example"], FORGED)
    (copy,) = postfix.delivered(queue_id)
    assert copy.mailbox == "sales@brightway.example"
    assert any("sasl_username=li.na" in line for line in postfix.log.lines(queue_id))
    (departed,) = [mail for mail in postfix.outside.mails() if queue_id.encode() in mail.content]
    assert departed.recipients == ("ann@buyer.example",)
    assert b"x-tradepost" not in departed.content.lower()


def test_a_stranger_may_not_relay(postfix: PrivatePostfix) -> None:
    with postfix.arriving() as session, pytest.raises(smtplib.SMTPResponseException) as refusal:
        session.send("ann@buyer.example", ["bob@elsewhere.example"], b"Subject: no\n\n.\n")
    assert refusal.value.smtp_code in (451, 454, 554)


@pytest.mark.parametrize("service", ["smtpd", "cleanup"])
def test_the_stock_chroot_is_kept(postfix: PrivatePostfix, service: str) -> None:
    with postfix.arriving() as session:
        session.send("ann@buyer.example", ["sales@brightway.example"], b"Subject: a\n\n.\n")

        def roots() -> set[str]:
            return {
                os.readlink(entry / "root")
                for entry in Path("/proc").iterdir()
                if entry.name.isdigit()
                and (entry / "comm").read_text().strip() == service
                and str(postfix.folder) in os.readlink(entry / "cwd")
            }

        # A daemon that master has just started is outside the chroot until it has read its settings.
        wait_until("every daemon in its chroot", lambda: roots() == {str(postfix.site.queue)}, 10)


def test_the_queue_is_shown_and_flushed(postfix: PrivatePostfix) -> None:
    postfix.configure(parameters={"defer_transports": "smtp"})
    queue_id = postfix.submit("li.na", "sales@brightway.example", ["ann@buyer.example"], b"Subject: later\n\n.\n")
    wait_until("deferral", lambda: any(d.status == "deferred" for d in postfix.log.deliveries(queue_id)), 10)
    queued = [json.loads(line) for line in postfix.queue().splitlines()]
    assert [(mail["queue_id"], mail["queue_name"]) for mail in queued] == [(queue_id, "deferred")]
    postfix.configure(parameters={"defer_transports": ""})
    postfix.flush()
    assert postfix.delivered(queue_id) == []
    assert any(mail.recipients == ("ann@buyer.example",) for mail in postfix.outside.mails())
    assert postfix.queue() == ""


def test_starting_and_stopping_twice_is_once() -> None:
    with PrivatePostfix(["sales@brightway.example"], milters=()) as private:
        private.start()
        with private.arriving() as session:
            queue_id = session.send("ann@buyer.example", ["sales@brightway.example"], b"Subject: a\n\n.\n")
        private.delivered(queue_id)
        private.stop()
        private.stop()
        private.start()
        with private.arriving() as session:
            second = session.send("ann@buyer.example", ["sales@brightway.example"], b"Subject: b\n\n.\n")
        assert len(private.delivered(second)) == 1
        folder = private.folder
    assert not folder.exists()
    assert processes_in(folder) == {}


OWNER = """
import sys, time
from postfix.sandbox.private_postfix import PrivatePostfix
with PrivatePostfix(["a@b.example"], milters=(), passwords={"a": "b"}) as private:
    print(private.folder, flush=True)
    time.sleep(20)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_runs_on_after_its_owner_ends(number: signal.Signals) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert owner.stdout is not None
    with owner, owner.stdout:
        folder = Path(owner.stdout.readline().strip())
        assert folder.name.startswith("tradepost-")
        assert {"dovecot", "master", "qmgr"} <= set(processes_in(folder).values())
        owner.send_signal(number)
        owner.wait(20)
    wait_until("end of every process", lambda: processes_in(folder) == {} and not folder.exists(), 15)
