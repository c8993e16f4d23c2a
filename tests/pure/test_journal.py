# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal keeps every byte, says what it can't read, and stops before the disk is full."""

import dataclasses
import errno
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ulid import ULID

from tradepost.arrival import Arrival, UnreadableEntry, decode_arrival, encode_arrival
from tradepost.envelope import Client, Envelope
from tradepost.journal import HEAD_ROOM, Journal, JournalClosed, JournalFull, Reserve, SeenList, prune_seen, read_seen
from tradepost.verdict import Action, ActionKind, Direction, Labels, Priority, Recording, Verdict

RAW = b"From: ann@far.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n\x00\xff\r\n.\r\n"

texts = st.text(max_size=20)
labels = st.builds(
    Labels,
    category=st.none() | texts,
    confidence=st.none() | st.floats(0, 1),
    priority=st.none() | st.sampled_from(Priority),
    is_automatic=st.booleans(),
    reasons=st.tuples(texts),
)
verdicts = st.builds(
    Verdict,
    direction=st.sampled_from(Direction),
    labels=labels,
    recording=st.sampled_from(Recording),
    contact=st.none() | st.integers(-(2**62), 2**62),
    actions=st.tuples(st.builds(Action, kind=st.sampled_from(ActionKind), name=texts, value=texts)),
    missing=st.tuples(texts),
)
envelopes = st.builds(
    Envelope,
    queue_id=texts,
    sender=texts,
    recipients=st.lists(texts, max_size=5).map(tuple),
    client=st.builds(Client, name=texts, helo=texts, login=texts),
)
arrivals = st.builds(
    Arrival,
    entry_id=st.just("01JD0000000000000000000000"),
    instance=texts,
    arrived_at=st.datetimes(timezones=st.just(UTC)),
    envelope=envelopes,
    verdict=verdicts,
    macros=st.dictionaries(texts, texts, max_size=3),
    version=st.just(1),
)


def arrival(entry_id: str, raw: bytes = RAW, recipients: int = 1) -> Arrival:
    return Arrival(
        entry_id=entry_id,
        instance="mx.own.example",
        arrived_at=datetime(2026, 11, 21, 8, 30, tzinfo=UTC),
        envelope=Envelope("4XyZ", "ann@far.example", tuple(f"rep{n:06}@own.example" for n in range(recipients))),
        verdict=Verdict(Direction.INBOUND, Labels(category="inquiry", priority=Priority.HIGH)),
        raw_bytes=len(raw),
    )


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "journal", Reserve(octets=0, percent=0))
    made.create()
    return made


def write(journal: Journal, raw: bytes = RAW) -> str:
    entry_id = journal.new_id()
    journal.write(arrival(entry_id, raw), [raw])
    return entry_id


def leftovers(journal: Journal) -> list[str]:
    return os.listdir(journal.tmp)


# The first line.


@given(arrivals)
@settings(max_examples=60, deadline=None, database=None)
def test_first_line_survives_the_round_trip(before: Arrival) -> None:
    line = encode_arrival(before)
    assert b"\n" not in line
    assert decode_arrival(line) == before
    assert decode_arrival(line + b" " * 100 + b"\n") == before


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None, database=None)
def test_any_other_line_is_unreadable_and_nothing_else(line: bytes) -> None:
    with pytest.raises(UnreadableEntry):
        decode_arrival(line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b'{"version": 2, "entry_id": "x"}', "version 2, this program reads version 1", id="newer-version"),
        pytest.param(b'{"version": 1}', "entry_id", id="field-missing"),
        pytest.param(b'{"version": 1, "x": ' + b"[" * 100_000, "recursion", id="nested-too-deep"),
        pytest.param(b'{"version": 1, "entry_id": "\xff"}', "utf-8", id="no-utf-8"),
        pytest.param(b"From: ann@far.example", "malformed", id="a-mail"),
    ],
)
def test_unreadable_line_says_why(line: bytes, reason: str) -> None:
    with pytest.raises(UnreadableEntry, match=reason):
        decode_arrival(line)


def test_halves_of_characters_do_not_cost_the_entry(journal: Journal) -> None:
    broken = dataclasses.replace(
        arrival(journal.new_id()), envelope=Envelope("4XyZ", "\udcfc@far.example", ()), macros={"_": "\udcff"}
    )
    journal.write(broken, [RAW])
    read = journal.read(broken.entry_id).arrival
    assert read.envelope.sender == "\\udcfc@far.example"
    assert read.macros == {"_": "\\udcff"}


# Entries.


@given(st.lists(st.binary(max_size=300), max_size=5))
@settings(max_examples=30, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_byte_comes_back(journal: Journal, chunks: list[bytes]) -> None:
    raw = b"".join(chunks)
    entry_id = journal.new_id()
    journal.write(arrival(entry_id, raw), chunks)
    entry = journal.read(entry_id)
    assert entry.raw() == raw
    with entry.open_raw() as file:
        assert file.read() == raw
    assert entry.arrival == arrival(entry_id, raw)
    assert leftovers(journal) == []


@pytest.mark.parametrize("recipients", [1, 8000], ids=["short-head", "head-longer-than-its-room"])
def test_streamed_entry_comes_back(journal: Journal, recipients: int) -> None:
    entry_id = journal.new_id()
    head = arrival(entry_id, RAW * 1000, recipients)
    assert (len(encode_arrival(head)) > HEAD_ROOM) == (recipients > 1)
    draft = journal.draft(entry_id)
    for _ in range(1000):
        draft.write(RAW)
    assert journal.waiting() == []  # not before it is whole
    path = draft.commit(head)
    assert path == journal.new / entry_id
    entry = journal.read(entry_id)
    assert entry.arrival == head
    assert entry.raw() == RAW * 1000
    assert leftovers(journal) == []


def test_abandoned_draft_leaves_nothing(journal: Journal) -> None:
    draft = journal.draft(journal.new_id())
    draft.write(RAW)
    draft.abandon()
    draft.abandon()
    assert leftovers(journal) == []
    assert journal.waiting() == []


def test_folders_are_private(journal: Journal) -> None:
    for folder in (journal.root, journal.tmp, journal.new, journal.failed, journal.seen):
        assert folder.stat().st_mode & 0o777 == 0o700
    entry_id = write(journal)
    assert (journal.new / entry_id).stat().st_mode & 0o077 == 0


def test_ids_wait_in_the_order_of_arrival(journal: Journal) -> None:
    ids = []
    for _ in range(5):
        ids.append(write(journal))
        time.sleep(0.002)  # a ULID counts milliseconds
    assert journal.waiting() == ids
    assert journal.waiting(limit=2) == ids[:2]
    assert journal.waiting(after=ids[2]) == ids[3:]


def test_acknowledging_twice_is_acknowledging_once(journal: Journal) -> None:
    kept, done = write(journal), write(journal)
    journal.acknowledge([done])
    journal.acknowledge([done, "01JD0000000000000000000000"])
    assert journal.waiting() == [kept]
    with pytest.raises(FileNotFoundError):
        journal.read(done)


# Damage.


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def cut_in_head(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero(path: Path) -> None:
    path.write_bytes(b"\0" * 4096)


def swap_id(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(path.name.encode(), b"01JD0000000000000000000000"))


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut, "message bytes"),
        (cut_in_head, "cut short"),
        (grow, "message bytes"),
        (empty, "cut short"),
        (zero, "cut short"),
        (swap_id, "calls itself 01JD0000000000000000000000"),
        (make_folder, "folder"),
    ],
)
def test_damaged_entry_goes_aside_with_its_reason(
    journal: Journal, damage: Callable[[Path], None], reason: str
) -> None:
    entry_id = write(journal)
    damage(journal.new / entry_id)
    with pytest.raises(UnreadableEntry, match=reason) as caught:
        journal.read(entry_id)
    journal.fail(entry_id, str(caught.value))
    assert journal.waiting() == []
    assert list(journal.failures()) == [(entry_id, str(caught.value))]
    assert journal.depth().failed == 1


def test_foreign_file_is_unreadable_and_does_not_hide_the_age(journal: Journal) -> None:
    (journal.new / ".nfs0001").write_bytes(b"whatever\n")
    old = ULID.from_timestamp(time.time() - 600)
    journal.write(arrival(str(old)), [RAW])
    with pytest.raises(UnreadableEntry):
        journal.read(".nfs0001")
    assert journal.depth().entries == 2
    assert 599 < journal.depth().oldest_seconds < 700


def test_failed_entry_is_kept_whole_and_comes_back(journal: Journal) -> None:
    entry_id = write(journal)
    journal.fail(entry_id, "database refused it")
    assert journal.waiting() == []
    journal.retry(entry_id)
    assert journal.waiting() == [entry_id]
    assert list(journal.failures()) == []
    assert os.listdir(journal.failed) == []
    assert journal.read(entry_id).raw() == RAW
    with pytest.raises(FileNotFoundError):
        journal.retry(entry_id)


def test_entry_goes_aside_even_when_its_reason_can_not_be_written(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    entry_id = write(journal)
    (journal.failed / f"{entry_id}.reason").mkdir()  # stands for a full disk: this name can't be written
    journal.fail(entry_id, "database refused it")
    assert (journal.failed / entry_id).exists()
    assert "database refused it" in caplog.text


def test_reason_may_hold_anything(journal: Journal) -> None:
    entry_id = write(journal)
    journal.fail(entry_id, "bad address \udcfc")
    assert list(journal.failures()) == [(entry_id, "bad address \\udcfc")]


def test_sweep_takes_only_what_its_writer_left(journal: Journal) -> None:
    old = journal.draft(journal.new_id())
    fresh = journal.draft(journal.new_id())
    os.utime(next(p for p in journal.tmp.iterdir() if p.name.startswith(old.entry_id)), (1, 1))
    assert journal.sweep() == 1
    assert [name.split(".")[0] for name in leftovers(journal)] == [fresh.entry_id]
    fresh.abandon()
    old.abandon()


# Room.


def test_reserve_is_the_larger_of_octets_and_share() -> None:
    # 1,000,000 blocks of 1,000 octets, of which 60,000 are free: 60 MB of 1 GB.
    stat = os.statvfs_result((1000, 1000, 1_000_000, 60_000, 60_000, 0, 0, 0, 0, 255))
    assert not Reserve(octets=60_000_000, percent=6).is_reached(stat)
    assert Reserve(octets=60_000_001, percent=6).is_reached(stat)
    assert Reserve(octets=0, percent=6.1).is_reached(stat)
    assert Reserve(octets=60_000_000, percent=0).is_reached(stat, extra=1)


def test_below_the_reserve_nothing_is_written(tmp_path: Path) -> None:
    full = Journal(tmp_path / "journal", Reserve(octets=2**62))
    full.create()
    with pytest.raises(JournalFull) as caught:
        write(full)
    assert caught.value.errno == errno.ENOSPC
    assert str(full.root) in str(caught.value)
    with pytest.raises(JournalFull):
        full.draft(full.new_id())
    assert leftovers(full) == []
    assert full.waiting() == []


def test_reserve_reached_while_streaming_stops_the_draft(journal: Journal) -> None:
    draft = journal.draft(journal.new_id())
    journal.reserve = Reserve(octets=2**62)
    for _ in range(3):
        draft.write(b"x" * (1 << 20))
    with pytest.raises(JournalFull):
        draft.write(b"x" * (1 << 20))
    draft.abandon()
    assert leftovers(journal) == []


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_disk_error_leaves_nothing_half_done(journal: Journal, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(OSError, match="No space left"):
            write(journal)
    assert leftovers(journal) == []
    assert journal.waiting() == []


def test_depth_of_an_empty_journal(journal: Journal) -> None:
    depth = journal.depth()
    assert (depth.entries, depth.oldest_seconds, depth.failed) == (0, 0.0, 0)


def test_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file stands here")
    with pytest.raises(OSError, match="journal"):
        Journal(tmp_path / "journal").create()


# The seen list.


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def test_seen_list_keeps_every_eom(tmp_path: Path) -> None:
    seen = SeenList(tmp_path, "mx.own.example")
    seen.note("4XyZ", "01JD0000000000000000000000", "journaled", at(20))
    seen.note("4XyA", "", "excluded", at(21, 8))
    seen.note("4XyB", "", "journal-full", at(21, 9))
    seen.close()
    found = list(read_seen(tmp_path))
    assert [(s.instance, s.queue_id, s.entry_id, s.reason) for s in found] == [
        ("mx.own.example", "4XyZ", "01JD0000000000000000000000", "journaled"),
        ("mx.own.example", "4XyA", "", "excluded"),
        ("mx.own.example", "4XyB", "", "journal-full"),
    ]
    assert [s.queue_id for s in read_seen(tmp_path, at(21, 9))] == ["4XyB"]


@given(queue_id=texts, reason=texts)
@settings(max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_words_stay_in_their_line(tmp_path: Path, queue_id: str, reason: str) -> None:
    folder = tmp_path / Journal(tmp_path).new_id()
    folder.mkdir()
    seen = SeenList(folder, "mx.own.example")
    seen.note(queue_id, "", reason, at(21))
    seen.note("4XyZ", "", "excluded", at(21))
    seen.close()
    found = list(read_seen(folder))
    assert len(found) == 2
    assert found[1].queue_id == "4XyZ"


def test_torn_lines_are_passed_over_and_hide_no_other(tmp_path: Path) -> None:
    seen = SeenList(tmp_path, "mx.own.example")
    seen.note("4XyA", "", "excluded", at(21))
    with open(tmp_path / "20261121", "a", encoding="utf-8") as file:
        file.write("2026-11-21T00:00:00+00:00 mx.own.ex")  # the disk was full here
    seen.note("4XyB", "", "excluded", at(21))
    with open(tmp_path / "20261121", "a", encoding="utf-8") as file:
        file.write("2026-11-21T00:00:00+00:00 mx.own.example 4XyC - excl")
    assert [(s.queue_id, s.reason) for s in read_seen(tmp_path)] == [
        ("4XyA", "excluded"),
        ("4XyB", "excluded"),
    ]
    seen.close()


def test_old_days_go_and_nothing_else(tmp_path: Path) -> None:
    seen = SeenList(tmp_path, "mx.own.example")
    for day in (1, 10, 11, 21):
        seen.note("4XyZ", "", "excluded", at(day))
    seen.close()
    (tmp_path / ".keep").touch()
    assert prune_seen(tmp_path, 10, at(21) + timedelta(hours=5)) == 2
    assert sorted(os.listdir(tmp_path)) == [".keep", "20261111", "20261121"]


def test_a_journal_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(
        JournalClosed, match=r"state/journal: Not a directory; give paths\.state .* to the service user"
    ):
        Journal(tmp_path / "state" / "journal").create()
