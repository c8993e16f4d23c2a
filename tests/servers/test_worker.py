# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's order: commit, then acknowledge.  Whatever interrupts it, nothing is lost and nothing counts twice."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from mailroom import BOB, Mail, MailRoom, reply
from record_servers import RecordServer
from sqlalchemy import update
from sqlalchemy.orm import Session

from crm_sync.blobs import BlobError
from crm_sync.database import DatabaseError
from crm_sync.letters import Letter
from crm_sync.models.mail import Arrival, Message
from crm_sync.projector import Projector
from crm_sync.worker import Worker
from postfix.sandbox.processes import wait_until
from tradepost.directory import DirectoryError
from tradepost.journal import Journal
from tradepost.settings import WorkerSettings
from tradepost.sqlite import connect


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


@pytest.fixture
def on_file(tmp_path: Path) -> Iterator[MailRoom]:
    """A room on SQLite, for what can only happen to a file."""
    room = MailRoom(tmp_path)
    yield room
    room.close()


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


class DiesBeforeAcknowledging(Worker):
    def _acknowledge(self, entry_ids: Sequence[str]) -> None:
        raise Killed


class DiesBeforeCommit(Worker):
    def _commit(self, letters: Sequence[Letter]) -> None:
        raise Killed


def test_recorded_entries_leave_the_journal(room: MailRoom) -> None:
    room.record(Mail(), reply(references=("<1@acme.example>",)))
    assert room.journal.waiting() == []
    assert room.journal.depth().failed == 0


@pytest.mark.parametrize("kind", [DiesBeforeAcknowledging, DiesBeforeCommit])
def test_a_worker_killed_around_the_commit_loses_nothing_and_records_once(room: MailRoom, kind: type[Worker]) -> None:
    """Trap 46: the source is deleted only after the commit was durable."""
    again = Mail(message_id="<2@acme.example>", references=("<1@acme.example>",), text="And the price?")
    entries = [room.post(Mail()), room.post(again)]
    with pytest.raises(Killed):
        room.new_worker(kind).step()
    assert room.journal.waiting() == entries
    room.new_worker().drain()
    assert room.journal.waiting() == []
    with room.looking() as look:
        assert look.count(Arrival) == look.count(Message) == 2
        assert len(look.customers()) == 1
        assert look.load(look.assignee(entries[0]) or "") == 1


def test_the_same_entry_again_changes_nothing(room: MailRoom) -> None:
    entry = room.post(Mail(attachment=b"%PDF"))
    path = room.journal.new / entry
    kept = path.read_bytes()
    room.worker.drain()
    with room.looking() as look:
        before = (look.count(Arrival), look.count(Message), look.load(look.assignee(entry) or ""))
    path.write_bytes(kept)
    assert room.new_worker().drain() == 1
    with room.looking() as look:
        assert (look.count(Arrival), look.count(Message), look.load(look.assignee(entry) or "")) == before
    assert room.journal.waiting() == []


def test_a_confirmed_arrival_stays_confirmed_when_its_entry_comes_again(room: MailRoom) -> None:
    entry = room.post(Mail())
    path = room.journal.new / entry
    kept = path.read_bytes()
    room.worker.drain()
    with room.database.writing() as session:
        session.execute(update(Arrival).values(acceptance="confirmed"))
    path.write_bytes(kept)
    room.worker.drain()
    with room.looking() as look:
        assert look.arrival(entry).acceptance == "confirmed"


def test_a_bad_letter_goes_to_failed_with_its_reason_and_its_neighbours_are_recorded(room: MailRoom) -> None:
    good, bad, also_good = (
        room.post(Mail()),
        room.post(Mail(message_id="<2@acme.example>", headers=(("X-Poison", "yes"),))),
        room.post(Mail(message_id="<3@acme.example>", text="More.")),
    )
    room.worker.drain()
    [(entry, reason)] = room.journal.failures()
    assert entry == bad
    assert "this letter can't be taken apart" in reason
    with room.looking() as look:
        assert look.arrival(good).message_id != look.arrival(also_good).message_id


def test_a_torn_entry_goes_to_failed(room: MailRoom) -> None:
    good = room.post(Mail())
    torn = room.post(Mail(message_id="<2@acme.example>"))
    path = room.journal.new / torn
    path.write_bytes(path.read_bytes()[:-10])
    room.worker.drain()
    [(entry, reason)] = room.journal.failures()
    assert (entry, "message bytes" in reason) == (torn, True)
    with room.looking() as look:
        assert look.message(good)


def test_a_letter_that_only_the_database_refuses_is_found_among_its_batch(
    room: MailRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch with one such letter is rolled back whole and recorded again one by one."""
    entries = [room.post(Mail(message_id=f"<{n}@acme.example>", text=f"Mail {n}")) for n in range(5)]
    real = Worker._read_letter

    def spoilt(self: Worker, entry: object) -> Letter:
        letter = real(self, entry)  # type: ignore[arg-type]
        return replace(letter, content_key=None) if letter.arrival.entry_id == entries[2] else letter  # type: ignore[arg-type]

    monkeypatch.setattr(Worker, "_read_letter", spoilt)
    room.worker.drain()
    [(entry, reason)] = room.journal.failures()
    assert entry == entries[2]
    assert "IntegrityError" in reason
    assert "Mail 2" not in reason
    with room.looking() as look:
        assert look.count(Arrival) == 4


def test_a_locked_database_ends_the_worker_with_one_line_and_keeps_the_mail(on_file: MailRoom) -> None:
    entry = on_file.post(Mail())
    other = connect(Path(on_file.database.name), busy_ms=100)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError, match="another program holds the database"):
        on_file.worker.step()
    other.execute("ROLLBACK")
    other.close()
    assert on_file.journal.waiting() == [entry]
    on_file.new_worker().drain()
    with on_file.looking() as look:
        assert look.message(entry)


def test_a_deleted_database_ends_the_worker_and_keeps_the_mail(on_file: MailRoom) -> None:
    entry = on_file.post(Mail())
    Path(on_file.database.name).unlink()
    with pytest.raises(DatabaseError, match="there is no database"):
        on_file.worker.step()
    assert on_file.journal.waiting() == [entry]
    assert list(on_file.journal.failures()) == []


def test_a_blob_store_that_can_not_be_written_is_waited_for(
    room: MailRoom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that ended would be started anew each time, until the stream took its mail for what kills it."""
    monkeypatch.setattr("crm_sync.worker._LONGEST_REST_SECONDS", 0.05)
    entry = room.post(Mail())
    folder = room.blobs.root
    folder.rename(folder.with_name("aside"))
    folder.write_text("a file stands where the folder was")
    worker = room.new_worker()
    running = threading.Thread(target=worker.run)
    running.start()
    try:
        wait_until("a warning", lambda: "attachments can't be stored" in caplog.text, 20)
        assert running.is_alive()
        assert room.journal.waiting() == [entry]
        folder.unlink()
        folder.with_name("aside").rename(folder)
        wait_until("the record", lambda: not room.journal.waiting(), 20)
    finally:
        room.stop.set()
        running.join(timeout=20)
        worker.close()
    with room.looking() as look:
        assert look.message(entry)


def test_a_blob_store_that_can_not_be_written_hinders_the_commit(room: MailRoom) -> None:
    entry = room.post(Mail())
    folder = room.blobs.root
    shutil.rmtree(folder)
    folder.write_text("a file stands where the folder was")
    with pytest.raises(BlobError, match="attachments can't be stored"):
        room.worker.step()
    assert room.journal.waiting() == [entry]
    with room.looking() as look:
        assert look.count(Arrival) == 0


def test_told_to_stop_it_finishes_what_it_read(room: MailRoom) -> None:
    class StopsWhileReading(Worker):
        def _read_letter(self, entry: object) -> Letter:
            room.stop.set()
            return super()._read_letter(entry)  # type: ignore[arg-type]

    first, second = room.post(Mail()), room.post(Mail(message_id="<2@acme.example>"))
    room.new_worker(StopsWhileReading).run()
    assert room.journal.waiting() == [second]
    with room.looking() as look:
        assert look.message(first)


def test_no_commit_holds_more_mails_than_set(tmp_path: Path, server: RecordServer) -> None:
    room = MailRoom(tmp_path, server, settings=WorkerSettings(batch_mails=3, batch_ms=60_000))
    for number in range(7):
        room.post(Mail(message_id=f"<{number}@acme.example>"))
    assert [room.worker.step() for _ in range(4)] == [3, 3, 1, 0]
    room.close()


def test_no_commit_waits_longer_than_set(tmp_path: Path, server: RecordServer) -> None:
    room = MailRoom(tmp_path, server, settings=WorkerSettings(batch_mails=50, batch_ms=1))

    class Slow(Worker):
        def _read_letter(self, entry: object) -> Letter:
            time.sleep(0.005)
            return super()._read_letter(entry)  # type: ignore[arg-type]

    for number in range(3):
        room.post(Mail(message_id=f"<{number}@acme.example>"))
    slow = room.new_worker(Slow)
    assert [slow.step() for _ in range(4)] == [1, 1, 1, 0]
    room.close()


def test_while_many_mails_wait_every_commit_is_full(tmp_path: Path, server: RecordServer) -> None:
    room = MailRoom(tmp_path, server, settings=WorkerSettings(batch_mails=3, batch_ms=1))

    class Slow(Worker):
        def _read_letter(self, entry: object) -> Letter:
            time.sleep(0.005)
            return super()._read_letter(entry)  # type: ignore[arg-type]

    for number in range(8):
        room.post(Mail(message_id=f"<{number}@acme.example>"))
    slow = room.new_worker(Slow)
    assert [slow.step() for _ in range(5)] == [3, 3, 1, 1, 0]
    room.close()


def test_the_follower_is_asked_between_batches_in_its_own_transaction(tmp_path: Path, server: RecordServer) -> None:
    class Confirms:
        polls = 0
        is_open = True

        def close(self) -> None:
            self.is_open = False

        def poll(self, session: Session) -> int:
            self.polls += 1
            return len(
                session.execute(update(Arrival).values(acceptance="confirmed").returning(Arrival.entry_id)).all()
            )

    follower = Confirms()
    room = MailRoom(tmp_path, server, follower=follower)
    [entry] = room.record(Mail())
    assert follower.polls >= 1
    with room.looking() as look:
        assert look.arrival(entry).acceptance == "confirmed"
    room.close()
    assert not follower.is_open


class Hanging(Projector):
    """A directory whose Redis accepts and does not answer."""

    tries = 0

    def step(self) -> int:
        self.tries += 1
        time.sleep(0.6)
        raise DirectoryError("redis://r.example: the directory can't be used: Timeout reading from socket")


def test_records_do_not_wait_for_a_directory_that_hangs(
    on_file: MailRoom, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    projector = Hanging(on_file.database, lambda: pytest.fail("opened"), on_file.now)
    monkeypatch.setattr(on_file, "projector", lambda: projector)
    worker = on_file.new_worker()
    for number in range(5):
        on_file.post(Mail(message_id=f"<{number}@acme.example>"))
        worker.drain()
    assert on_file.journal.waiting() == []
    assert projector.tries == 1
    assert [record.message for record in caplog.records if "redis://" in record.message] == [
        "redis://r.example: the directory can't be used: Timeout reading from socket"
    ]
    caplog.clear()


def test_a_phantom_keeps_its_record_and_its_retry_joins_it(room: MailRoom) -> None:
    """Trap 48: journaled, refused by Postfix, sent again: one message, one lead, the same owner."""
    phantom = room.post(Mail())
    room.worker.drain()
    with room.database.writing() as session:
        session.execute(update(Arrival).values(acceptance="refused"))
    retry = room.post(Mail())
    room.worker.drain()
    with room.looking() as look:
        assert look.message(phantom).id == look.message(retry).id
        assert [look.arrival(entry).acceptance for entry in (phantom, retry)] == ["refused", "pending"]
        assert look.assignee(phantom) == look.assignee(retry) is not None
        assert len(look.customers()) == 1


def test_a_gap_in_the_journal_is_nobodys_cursor(room: MailRoom) -> None:
    """Trap 1: an entry that appears late, with an older id, is recorded all the same."""
    late = room.post(Mail())
    kept = (room.journal.new / late).read_bytes()
    (room.journal.new / late).unlink()
    room.record(Mail(message_id="<2@acme.example>", text="Newer."))
    (room.journal.new / late).write_bytes(kept)
    room.worker.drain()
    with room.looking() as look:
        assert look.message(late)
    assert room.journal.waiting() == []


_SERVE = """
import sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
import mailroom
room = mailroom.MailRoom(Path(sys.argv[3]), url=sys.argv[4])
room.worker.run()
"""


def test_killed_at_random_moments_every_mail_is_recorded_once(tmp_path: Path, server: RecordServer) -> None:
    """SIGKILL from outside, six times, while 120 mails are recorded."""
    room = MailRoom(tmp_path, server)
    entries = [room.post(Mail(message_id=f"<{n}@acme.example>", text=f"Mail {n}")) for n in range(120)]
    here = Path(__file__).parent
    for turn in range(6):
        process = subprocess.Popen(
            (sys.executable, "-c", _SERVE, str(here.parents[1]), str(here), str(tmp_path), room.url)
        )
        deadline = time.monotonic() + 20
        waiting = len(room.journal.waiting())
        while time.monotonic() < deadline and len(room.journal.waiting()) == waiting and waiting:
            time.sleep(0.002)
        time.sleep(0.003 * turn)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    room.new_worker().drain()
    with room.looking() as look:
        assert len({look.message(entry).id for entry in entries}) == len(entries)
        assert look.count(Arrival) == look.count(Message) == len(entries)
        assert len(look.customers()) == 1
    assert Journal(tmp_path / "journal").waiting() == []
    room.close()


def test_answers_of_a_rep_are_his_by_login(room: MailRoom) -> None:
    [entry] = room.record(reply(BOB, missing=(), owner=BOB))
    with room.looking() as look:
        assert look.arrival(entry).login == "bob"
        assert look.arrival(entry).operator_id is not None
