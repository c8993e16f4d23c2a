# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes write one journal and one seen list at once, and some are killed."""

import multiprocessing
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

from tradepost.arrival import Arrival
from tradepost.envelope import Envelope
from tradepost.journal import Journal, Reserve, SeenList, read_seen
from tradepost.verdict import Direction, Verdict

WRITERS = 4
LINES = 250


def write_entries(root: Path, instance: str, count: int) -> None:
    """Write entries and seen lines as a milter child does."""
    journal = Journal(root, Reserve(octets=0, percent=0))
    seen = SeenList(journal.seen, instance)
    for number in range(count):
        entry_id = journal.new_id()
        raw = f"Subject: {instance} {number}\r\n\r\n".encode() + b"x" * (number % 7000)
        arrival = Arrival(
            entry_id,
            instance,
            datetime.now(UTC),
            Envelope(f"Q{number}", "ann@far.example", ()),
            Verdict(Direction.INBOUND),
            raw_bytes=len(raw),
        )
        if number % 2:
            draft = journal.draft(entry_id)
            draft.write(raw)
            draft.commit(arrival)
        else:
            journal.write(arrival, [raw])
        seen.note(f"Q{number}", entry_id, "journaled")


def test_no_line_and_no_entry_is_lost_or_mixed(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.create()
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=write_entries, args=(tmp_path, f"mx{n}", LINES)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=120)
        assert writer.exitcode == 0
    sightings = list(read_seen(journal.seen))
    assert len(sightings) == WRITERS * LINES
    assert {(s.instance, s.queue_id) for s in sightings} == {
        (f"mx{n}", f"Q{line}") for n in range(WRITERS) for line in range(LINES)
    }
    assert sorted(s.entry_id for s in sightings) == journal.waiting()
    for entry_id in journal.waiting():
        entry = journal.read(entry_id)
        assert entry.raw().startswith(f"Subject: {entry.arrival.instance} ".encode())


def test_killed_writer_leaves_only_whole_entries(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.create()
    fork = multiprocessing.get_context("fork")
    for _ in range(5):
        writer = fork.Process(target=write_entries, args=(tmp_path, "mx", 100_000))
        writer.start()
        before = len(journal.waiting())
        while len(journal.waiting()) < before + 20:
            time.sleep(0.005)
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(timeout=30)
    waiting = journal.waiting()
    for entry_id in waiting:
        journal.read(entry_id).raw()  # raises for half an entry
    # Journaled comes before seen: at most the last mail of each killed writer lacks its line.
    missing = set(waiting) - {s.entry_id for s in read_seen(journal.seen)}
    assert len(missing) <= 5
    time.sleep(0.01)
    journal.sweep(older_than_seconds=0)
    assert os.listdir(journal.tmp) == []
