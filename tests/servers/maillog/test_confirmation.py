# SPDX-License-Identifier: GPL-3.0-or-later
"""Seen becomes accepted or refused, whichever of log line and record comes first, and once only."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, text

from crm_sync.confirmation import Confirmer, make_confirmer
from crm_sync.host_follower import HostFollower, follow_only
from crm_sync.models.maillog import MaillogEvidence
from tradepost.journal_follower import JournalFollower
from tradepost.log_follower import FileFollower
from tradepost.mail_queue import QueueProbe
from tradepost.maillog import LogParser
from tradepost.settings import HostSettings, MailLogSettings, Settings

INSTANCE = "mx.example.test"
LONG = "4jX6VF2HxKzJDbS"
OTHER = "4jX6VF2KkCzJDbm"
SHORT = "8045F2AB23"
NOW = datetime.now(UTC).replace(microsecond=0)

Make = Callable[..., Confirmer]


@pytest.fixture
def make(mail_log: Any) -> Iterator[Make]:
    """Make confirmers that follow the log file; each stands for a worker just started."""
    made: list[Confirmer] = []

    def follow(**kwargs: Any) -> Confirmer:
        made.append(Confirmer(INSTANCE, FileFollower(mail_log.path, LogParser()), **kwargs))
        return made[-1]

    yield follow
    for confirmer in made:
        confirmer.close()


@pytest.fixture(autouse=True)
def _now() -> None:
    """Take the time anew: when these tests run, minutes may have passed since they were collected."""
    globals()["NOW"] = datetime.now(UTC).replace(microsecond=0)


def poll(confirmer: Confirmer, ledger: Any) -> int:
    with ledger.database.writing() as session:
        return confirmer.poll(session)


def accepted(mail_log: Any, queue_id: str) -> datetime:
    at: datetime = mail_log.active(queue_id)
    return at


def held(mail_log: Any, queue_id: str) -> datetime:
    at: datetime = mail_log.end_of_message(queue_id, "milter-hold")
    return at


def rejected(mail_log: Any, queue_id: str) -> None:
    mail_log.end_of_message(queue_id, "milter-reject")


def discarded(mail_log: Any, queue_id: str) -> None:
    mail_log.end_of_message(queue_id, "milter-discard")


def not_written(mail_log: Any, queue_id: str) -> None:
    mail_log.write("cleanup", f"warning: {queue_id}: write queue file: No space left on device")


def held_then_rejected(mail_log: Any, queue_id: str) -> None:
    held(mail_log, queue_id)
    rejected(mail_log, queue_id)


def one_recipient_refused(mail_log: Any, queue_id: str) -> datetime:
    mail_log.write("smtpd", f"{queue_id}: reject: RCPT from x[192.0.2.1]: 550 5.1.1 <x@y>: no; from=<a@b> to=<x@y>")
    return accepted(mail_log, queue_id)


def said_nothing(mail_log: Any, queue_id: str) -> None:
    mail_log.client(queue_id)
    mail_log.write("smtpd", "lost connection after DATA (39 bytes) from mail.b.example[192.0.2.1]")


STORIES = [
    (accepted, "confirmed"),
    (held, "confirmed"),
    (one_recipient_refused, "confirmed"),
    (rejected, "refused"),
    (discarded, "refused"),
    (not_written, "refused"),
    (held_then_rejected, "refused"),
    (said_nothing, "pending"),
]


@pytest.mark.parametrize("queue_id", [LONG, SHORT])
@pytest.mark.parametrize(("story", "acceptance"), STORIES)
@pytest.mark.parametrize("record_first", [True, False])
def test_order_does_not_matter(
    ledger: Any, mail_log: Any, make: Make, story: Callable[[Any, str], Any], acceptance: str, record_first: bool,
    queue_id: str,
) -> None:  # fmt: skip
    confirmer = make()
    poll(confirmer, ledger)
    if record_first:
        entry_id = ledger.record(queue_id, mail_log.at)
        at = story(mail_log, queue_id)
        poll(confirmer, ledger)
    else:
        at = story(mail_log, queue_id)
        poll(confirmer, ledger)
        entry_id = ledger.record(queue_id, mail_log.at)
        poll(confirmer, ledger)
    assert ledger.acceptance(entry_id) == (acceptance, at if acceptance == "confirmed" else None)
    assert poll(confirmer, ledger) == 0


def test_a_refusal_after_the_hold_takes_the_word_back(ledger: Any, mail_log: Any, make: Make) -> None:
    entry_id = ledger.record(LONG, mail_log.at)
    confirmer = make()
    held(mail_log, LONG)
    assert poll(confirmer, ledger) == 1
    rejected(mail_log, LONG)
    assert poll(confirmer, ledger) == 1
    assert ledger.acceptance(entry_id) == ("refused", None)


def test_other_queue_ids_and_instances_stay_pending(ledger: Any, mail_log: Any, make: Make) -> None:
    entry_id = ledger.record(LONG, mail_log.at)
    mail_log.accept(OTHER)
    mail_log.path.write_text(
        mail_log.path.read_text() + mail_log.path.read_text().replace("postfix/", "postfix-out/").replace(OTHER, LONG)
    )
    assert poll(make(), ledger) == 0
    assert ledger.acceptance(entry_id) == ("pending", None)


def test_a_kill_before_the_commit_misses_and_repeats_nothing(ledger: Any, mail_log: Any, make: Make) -> None:
    entry_id = ledger.record(LONG, mail_log.at)
    mail_log.accept(LONG)
    confirmer = make()

    with ledger.database.writing() as session:
        assert confirmer.poll(session) == 1
        session.rollback()  # killed before the commit
    assert ledger.acceptance(entry_id) == ("pending", None)
    assert poll(confirmer, ledger) == 1  # the same process goes on
    assert poll(make(), ledger) == 0  # a new one goes on from the stored position
    assert ledger.acceptance(entry_id)[0] == "confirmed"


KILLED = """
import os, signal, sys
from crm_sync.confirmation import Confirmer
from crm_sync.database import open_database
from tradepost.log_follower import FileFollower
from tradepost.maillog import LogParser
from pathlib import Path
with open_database(sys.argv[1]).writing() as session:
    changed = Confirmer("mx.example.test", FileFollower(Path(sys.argv[2]), LogParser())).poll(session)
    print(changed, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_kill_9_between_effect_and_commit(ledger: Any, mail_log: Any, make: Make) -> None:
    poll(make(), ledger)
    entries = [ledger.record(f"4jX6VF2HxKzJDb{letter}", mail_log.at) for letter in "ABC"]
    for letter in "ABC":
        mail_log.accept(f"4jX6VF2HxKzJDb{letter}")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, ledger.url, str(mail_log.path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "3\n"), killed.stderr
    assert [ledger.acceptance(entry)[0] for entry in entries] == ["pending"] * 3
    assert poll(make(), ledger) == 3
    assert poll(make(), ledger) == 0


def test_an_idle_look_walks_open_arrivals_only(ledger: Any, mail_log: Any, make: Make) -> None:
    """With a million recorded mails a look every 200 ms may not read them all."""
    asked: list[tuple[str, Any]] = []
    confirmer = make(queue=QueueProbe(("true",)))
    poll(confirmer, ledger)

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: Any) -> None:
        asked.append((statement, parameters))

    event.listen(ledger.database.writer, "before_cursor_execute", note)
    try:
        poll(confirmer, ledger)
    finally:
        event.remove(ledger.database.writer, "before_cursor_execute", note)
    plans = []
    with ledger.database.writing() as session:
        explain = "EXPLAIN QUERY PLAN"
        if session.connection().dialect.name == "postgresql":
            explain = "EXPLAIN"
            session.execute(text("SET LOCAL enable_seqscan = off"))  # of an empty table it would read the one page
        for statement, parameters in asked:
            if "FROM arrival" in statement:
                plan = session.connection().exec_driver_sql(f"{explain} {statement}", parameters)
                plans.append(" ".join(row[-1] for row in plan))
    assert plans
    assert all("ix_arrival_open" in plan for plan in plans), plans


def test_lines_around_a_rotation_are_read_by_the_next_worker(ledger: Any, mail_log: Any, make: Make) -> None:
    poll(make(), ledger)
    first, second, third = (ledger.record(f"4jX6VF2HxKzJDb{letter}", mail_log.at) for letter in "ABC")
    mail_log.accept("4jX6VF2HxKzJDbA")
    assert poll(make(), ledger) == 1
    mail_log.accept("4jX6VF2HxKzJDbB")
    mail_log.path.rename(mail_log.path.with_name("mail.log.1"))
    mail_log.accept("4jX6VF2HxKzJDbC")
    assert poll(make(), ledger) == 2
    assert [ledger.acceptance(entry)[0] for entry in (first, second, third)] == ["confirmed"] * 3


def test_copy_and_truncate_loses_nothing(ledger: Any, mail_log: Any, make: Make) -> None:
    first, second = (ledger.record(f"4jX6VF2HxKzJDb{letter}", mail_log.at) for letter in "AB")
    mail_log.client("4jX6VF2HxKzJDbA")
    poll(make(), ledger)
    mail_log.active("4jX6VF2HxKzJDbA")
    shutil.copy(mail_log.path, mail_log.path.with_name("mail.log.1"))
    os.truncate(mail_log.path, 0)
    mail_log.active("4jX6VF2HxKzJDbB")
    assert poll(make(), ledger) == 2
    assert ledger.acceptance(first)[0] == ledger.acceptance(second)[0] == "confirmed"


def test_a_requeued_mail_speaks_for_the_first_one(ledger: Any, mail_log: Any, make: Make) -> None:
    entry_id = ledger.record(LONG, mail_log.at)
    mail_log.write("cleanup", f"{LONG}: hold: header Subject: x from y[192.0.2.1]; from=<a@b> to=<c@d> proto=ESMTP")
    confirmer = make()
    assert poll(confirmer, ledger) == 0  # an access rule's hold may still be followed by a refusal
    mail_log.write("pickup", f"{OTHER}: uid=102 from=<ann@b.example> orig_id={LONG}")
    mail_log.write("pickup", f"4jX6VF2KkCzJDbn: uid=102 from=<ann@b.example> orig_id={OTHER}")
    assert poll(confirmer, ledger) == 0
    at = mail_log.active("4jX6VF2KkCzJDbn")
    assert poll(confirmer, ledger) == 1
    assert ledger.acceptance(entry_id) == ("confirmed", at)


def test_a_reused_queue_id_speaks_for_the_mail_of_its_time(ledger: Any, mail_log: Any, make: Make) -> None:
    phantom = ledger.record(SHORT, NOW - timedelta(hours=5))
    accepted_one = ledger.record(SHORT, NOW - timedelta(minutes=3))
    refused_one = ledger.record(SHORT, NOW)
    mail_log.active(SHORT, NOW - timedelta(minutes=3))
    mail_log.end_of_message(SHORT, "milter-reject", NOW)
    assert poll(make(), ledger) == 2
    assert ledger.acceptance(phantom) == ("pending", None)
    assert ledger.acceptance(accepted_one)[0] == "confirmed"
    assert ledger.acceptance(refused_one)[0] == "refused"


def test_retries_leave_one_piece_of_evidence(ledger: Any, mail_log: Any, make: Make) -> None:
    confirmer = make()
    for minute in range(3):
        mail_log.active(LONG, NOW + timedelta(minutes=minute))
        poll(confirmer, ledger)
    with ledger.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(MaillogEvidence)) == 1


def test_old_evidence_is_forgotten(ledger: Any, mail_log: Any, make: Make) -> None:
    mail_log.active(LONG, NOW - timedelta(days=6))
    mail_log.active(OTHER, NOW - timedelta(days=8))
    poll(make(), ledger)

    def kept() -> list[str]:
        with ledger.database.reading() as session:
            return list(session.scalars(select(MaillogEvidence.queue_id)))

    assert kept() == [LONG]
    poll(make(clock=lambda: NOW + timedelta(days=2)), ledger)
    assert kept() == []


def test_a_log_of_any_length_is_read_piece_by_piece(ledger: Any, mail_log: Any, make: Make) -> None:
    at = mail_log.at.isoformat()
    with mail_log.path.open("w") as file:
        for number in range(20_000):
            file.write(
                f"{at} mx postfix/qmgr[7]: 4jX6VF2Hx{number:05d}zAA: from=<a@b>, size=1, nrcpt=1 (queue active)\n"
            )
    last = ledger.record("4jX6VF2Hx19999zAA", mail_log.at)
    confirmer = make()
    for _ in range(20):
        started = time.process_time()
        poll(confirmer, ledger)
        assert time.process_time() - started < 5
        if ledger.acceptance(last)[0] == "confirmed":
            break
    assert ledger.acceptance(last)[0] == "confirmed"


def test_a_log_that_can_not_be_read_is_named_once(
    ledger: Any, mail_log: Any, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    mail_log.path.mkdir()
    (mail_log.path / "x").touch()
    confirmer = make()
    assert poll(confirmer, ledger) == 0
    assert poll(confirmer, ledger) == 0
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        f"{mail_log.path}: Is a directory; nothing is confirmed until it can be read"
    ]


def test_without_a_log_arrivals_are_assumed_after_a_while(ledger: Any) -> None:
    old = ledger.record(LONG, NOW - timedelta(minutes=11))
    young = ledger.record(OTHER, NOW - timedelta(minutes=9))
    settings = Settings(
        host=HostSettings(instance=INSTANCE), maillog=MailLogSettings(source="none", assume_after_seconds=600)
    )
    confirmer = make_confirmer(settings)
    assert poll(confirmer, ledger) == 1
    assert ledger.acceptance(old) == ("assumed", NOW - timedelta(minutes=11))
    assert ledger.acceptance(young) == ("pending", None)
    assert poll(confirmer, ledger) == 0


QUEUE = """
import json
print(json.dumps({"queue_name": "hold", "queue_id": "%s", "arrival_time": %d, "sender": "ann@b.example"}))
"""


def test_mail_that_waits_in_the_queue_is_confirmed_without_a_word_in_the_log(
    ledger: Any, mail_log: Any, make: Make, tmp_path: Path
) -> None:
    at = NOW - timedelta(minutes=5)
    entry_id = ledger.record(LONG, at)
    missing = ledger.record(OTHER, at)
    mail_log.client(LONG, at)
    command = tmp_path / "postqueue.py"
    command.write_text(QUEUE % (LONG, at.timestamp()))
    confirmer = make(queue=QueueProbe((sys.executable, str(command)), every_seconds=5))
    deadline = time.monotonic() + 20
    while ledger.acceptance(entry_id)[0] == "pending" and time.monotonic() < deadline:
        poll(confirmer, ledger)
        time.sleep(0.02)
    assert ledger.acceptance(entry_id) == ("confirmed", at)
    assert ledger.acceptance(missing) == ("pending", None)


def test_a_queue_that_can_not_be_listed_is_named_once(
    ledger: Any, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.record(LONG, NOW - timedelta(minutes=5))
    script = "import sys; sys.exit('postqueue: fatal: Queue report unavailable')"
    confirmer = make(queue=QueueProbe((sys.executable, "-c", script), every_seconds=0.2))
    for _ in range(40):
        assert poll(confirmer, ledger) == 0
        time.sleep(0.02)
    [warning] = [record.getMessage() for record in caplog.records]
    assert "Queue report unavailable; what the log leaves open stays unconfirmed" in warning


JOURNALCTL = """
import json, sys, time
after = next((int(word.split("=")[1]) for word in sys.argv if word.startswith("--after-cursor=")), -1)
assert "--follow" in sys.argv and "SYSLOG_FACILITY=2" in sys.argv
for number, line in enumerate(open(sys.argv[1])):
    if number > after:
        print(json.dumps({"__CURSOR": str(number), "__REALTIME_TIMESTAMP": "%d",
            "SYSLOG_IDENTIFIER": "postfix/qmgr", "MESSAGE": line.rstrip()}), flush=True)
time.sleep(60)
"""


def until(confirmer: Confirmer, ledger: Any, entry_id: str) -> None:
    deadline = time.monotonic() + 20
    while ledger.acceptance(entry_id)[0] == "pending":
        assert time.monotonic() < deadline
        poll(confirmer, ledger)
        time.sleep(0.02)


def test_the_journal_is_followed_from_the_stored_cursor(ledger: Any, tmp_path: Path) -> None:
    script, lines = tmp_path / "journalctl.py", tmp_path / "lines"
    script.write_text(JOURNALCTL % int(NOW.timestamp() * 1_000_000))
    lines.write_text(f"{LONG}: from=<a@b>, size=1, nrcpt=1 (queue active)\n{LONG}: removed\n")
    first, second = ledger.record(LONG, NOW), ledger.record(OTHER, NOW)
    command = (sys.executable, str(script), str(lines))
    confirmer = Confirmer(INSTANCE, JournalFollower(LogParser(), command))
    until(confirmer, ledger, first)
    confirmer.close()
    with lines.open("a") as file:
        file.write(f"{OTHER}: from=<a@b>, size=1, nrcpt=1 (queue active)\n")
    confirmer = Confirmer(INSTANCE, JournalFollower(LogParser(), command))
    until(confirmer, ledger, second)
    confirmer.close()


def test_what_was_rolled_back_is_asked_of_the_journal_again(ledger: Any, tmp_path: Path) -> None:
    script, lines = tmp_path / "journalctl.py", tmp_path / "lines"
    script.write_text(JOURNALCTL % int(NOW.timestamp() * 1_000_000))
    lines.write_text(f"{LONG}: from=<a@b>, size=1, nrcpt=1 (queue active)\n")
    entry_id = ledger.record(LONG, NOW)
    confirmer = Confirmer(
        INSTANCE, JournalFollower(LogParser(), (sys.executable, str(script), str(lines)), restart_seconds=0)
    )
    changed = 0
    while not changed:
        with ledger.database.writing() as session:
            changed = confirmer.poll(session)
            session.rollback()
        time.sleep(0.02)
    assert ledger.acceptance(entry_id)[0] == "pending"
    until(confirmer, ledger, entry_id)
    confirmer.close()


def test_a_journal_that_can_not_be_read_is_named(ledger: Any, caplog: pytest.LogCaptureFixture) -> None:
    script = "import sys; sys.exit('No journal files were opened due to insufficient permissions.')"
    confirmer = Confirmer(INSTANCE, JournalFollower(LogParser(), (sys.executable, "-c", script)))
    deadline = time.monotonic() + 20
    while not caplog.records and time.monotonic() < deadline:
        poll(confirmer, ledger)
        time.sleep(0.02)
    assert "insufficient permissions" in caplog.text
    confirmer.close()


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_worker_of_another_host_whose_clock_is_off_records_after_the_log_has_spoken(
    ledger: Any, mail_log: Any, make: Make, minutes: int
) -> None:
    """The record bears the other host's time; it is found within seconds all the same."""
    now = NOW
    confirmer = make(clock=lambda: now)
    at = mail_log.active(LONG)
    poll(confirmer, ledger)
    now += timedelta(seconds=30)
    poll(confirmer, ledger)
    entry_id = ledger.record(LONG, mail_log.at, recorded_at=now + timedelta(minutes=minutes))
    now += timedelta(seconds=6)
    poll(confirmer, ledger)
    assert ledger.acceptance(entry_id) == ("confirmed", at)


def test_each_host_follows_its_own_log_and_confirms_its_own_arrivals(
    ledger: Any, mail_log: Any, make: Make, tmp_path: Path
) -> None:
    """Two hosts may even give the same queue id; what one's log says means nothing for the other's mail."""
    here = ledger.record(SHORT, mail_log.at)
    there = ledger.record(SHORT, mail_log.at, instance="mx2.example.test")
    other_log = tmp_path / "mail2.log"
    other_log.write_text("")
    other = Confirmer("mx2.example.test", FileFollower(other_log, LogParser()))
    confirmer = make()
    mail_log.active(SHORT)
    poll(other, ledger)
    poll(confirmer, ledger)
    assert [ledger.acceptance(entry_id)[0] for entry_id in (here, there)] == ["confirmed", "pending"]
    shutil.copyfile(mail_log.path, other_log)
    poll(other, ledger)
    assert ledger.acceptance(there)[0] == "confirmed"
    other.close()


def test_one_process_of_a_host_follows_and_another_takes_over(
    ledger: Any, mail_log: Any, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_sync.host_follower._ASK_SECONDS", 0.0)
    lock = tmp_path / "maillog.lock"
    first, second = HostFollower(make(), lock), HostFollower(make(), lock)
    entries = [ledger.record(queue_id, mail_log.at) for queue_id in (LONG, OTHER)]
    mail_log.active(LONG)
    with ledger.database.writing() as session:
        assert [first.poll(session), second.poll(session)] == [1, 0]
    mail_log.active(OTHER)
    with ledger.database.writing() as session:
        assert second.poll(session) == 0
    first.close()  # or killed: the kernel frees the lock
    with ledger.database.writing() as session:
        assert second.poll(session) == 1
    assert {ledger.acceptance(entry_id)[0] for entry_id in entries} == {"confirmed"}
    second.close()


def test_a_host_without_a_worker_follows_its_log(ledger: Any, mail_log: Any, make: Make, tmp_path: Path) -> None:
    stop = threading.Event()
    entry_id = ledger.record(LONG, mail_log.at)
    mail_log.active(LONG)
    follower = HostFollower(make(), tmp_path / "maillog.lock")
    following = threading.Thread(target=follow_only, args=(follower, ledger.database, stop))
    following.start()
    try:
        deadline = time.monotonic() + 20
        while ledger.acceptance(entry_id)[0] != "confirmed" and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        stop.set()
        following.join(timeout=20)
        follower.close()
    assert ledger.acceptance(entry_id)[0] == "confirmed"
