# SPDX-License-Identifier: GPL-3.0-or-later
"""Every line exactly once, whatever is done to the file while it is read."""

import gzip
import logging
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradepost.log_files import rotated_files
from tradepost.log_follower import FileFollower, Position
from tradepost.maillog import Activated, LogParser

ACTIVE = "Nov 21 22:35:33 mx postfix/qmgr[1]: {}: from=<a@b.example>, size=1, nrcpt=1 (queue active)\n"


class Rotating:
    """A log file, its writer and both kinds of logrotate."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "mail.log"
        self.written: list[str] = []
        self.half = ""

    def write(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)

    def shift(self) -> Path:
        for number in range(30, 0, -1):
            for suffix in ("", ".gz"):
                old = self.path.with_name(f"mail.log.{number}{suffix}")
                if old.exists():
                    old.rename(self.path.with_name(f"mail.log.{number + 1}{suffix}"))
        return self.path.with_name("mail.log.1")

    def do(self, step: str) -> None:
        """One step of writer or logrotate; a rotation in the middle of a line does not happen."""
        if step == "line":
            line = f"line {len(self.written)}"
            self.write(line.removeprefix(self.half) + "\n")
            self.written.append(line)
            self.half = ""
        elif step == "half":
            self.write("" if self.half else "line")
            self.half = "line"
        elif step == "pack":
            for rotated in self.path.parent.glob("mail.log.*[0-9]"):
                rotated.with_name(rotated.name + ".gz").write_bytes(gzip.compress(rotated.read_bytes()))
                rotated.unlink()
        elif self.path.exists() and not self.half:
            target = self.shift()
            if step == "rename":
                self.path.rename(target)
            else:
                shutil.copy(self.path, target)
                os.truncate(self.path, 0)


def drain(follower: FileFollower, position: Position) -> tuple[list[str], Position]:
    """Read until nothing is waiting, a bounded number of times."""
    lines: list[str] = []
    for _ in range(200):
        some, position, has_more = follower.read_lines(position)
        lines += some
        if not some and not has_more:
            return lines, position
    raise AssertionError("the follower never comes to an end")


def follower_of(log: Rotating, chunk_bytes: int = 262_144) -> FileFollower:
    return FileFollower(log.path, LogParser(), chunk_bytes)


@settings(max_examples=3000 if os.environ.get("TRADEPOST_SOAK") else 80, deadline=None)
@given(
    steps=st.lists(st.sampled_from(["line", "line", "half", "rename", "copy", "pack", "read", "read"]), max_size=30),
    chunk_bytes=st.sampled_from([16, 40, 4096]),
)
def test_each_line_comes_exactly_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], chunk_bytes: int
) -> None:
    log = Rotating(tmp_path_factory.mktemp("log"))
    seen, position = drain(follower_of(log), Position())
    follower = follower_of(log, chunk_bytes)
    for step in steps:
        if step == "read":
            some, position, _ = follower.read_lines(position)
            seen += some
        else:
            log.do(step)
    log.do("line")
    rest, _ = drain(follower, position)
    assert seen + rest == log.written


@pytest.mark.parametrize("way", ["rename", "copy"])
def test_a_restart_goes_on_where_the_stored_position_says(tmp_path: Path, way: str) -> None:
    log = Rotating(tmp_path)
    _, position = drain(follower_of(log), Position())
    for step in ("line", "line", way, "line", way, "line"):
        log.do(step)
    lines, after, _ = follower_of(log).read_lines(position)
    again, same, _ = follower_of(log).read_lines(position)  # the transaction was rolled back: nothing was stored
    assert (again, same) == (lines, after)
    rest, end = drain(follower_of(log), after)
    assert [*lines, *rest] == log.written
    assert drain(follower_of(log), end) == ([], end)


def test_a_line_is_kept_back_until_it_is_complete(tmp_path: Path) -> None:
    log = Rotating(tmp_path)
    log.write("whole\nhal")
    lines, position = drain(follower_of(log), Position())
    assert lines == ["whole"]
    log.write("f\n")
    assert drain(follower_of(log), position)[0] == ["half"]


def test_a_missing_file_is_waited_for(tmp_path: Path) -> None:
    log = Rotating(tmp_path / "later")
    shutil.rmtree(tmp_path / "later")
    lines, position = drain(follower_of(log), Position())
    assert lines == []
    log = Rotating(tmp_path / "later")
    for step in ("line", "rename", "line"):
        log.do(step)
    assert drain(follower_of(log), position)[0] == log.written


def test_reading_begins_with_the_current_file(tmp_path: Path) -> None:
    log = Rotating(tmp_path)
    for step in ("line", "rename", "line"):
        log.do(step)
    assert drain(follower_of(log), Position())[0] == ["line 1"]


def test_the_writer_may_go_on_in_the_renamed_file(tmp_path: Path) -> None:
    log = Rotating(tmp_path)
    log.do("line")
    with log.path.open("a") as writer:
        _, position = drain(follower_of(log), Position())
        log.do("rename")
        log.path.touch()  # logrotate's `create`; syslogd gets its HUP later
        lines, position = drain(follower_of(log), position)
        assert lines == []
        writer.write("late\n")
    assert drain(follower_of(log), position)[0] == ["late"]


def test_a_reused_inode_is_no_old_friend(tmp_path: Path) -> None:
    log = Rotating(tmp_path)
    log.do("line")
    _, position = drain(follower_of(log), Position())
    log.path.write_text("another file, longer than the first\n")  # same inode, other bytes, no copy of the old ones
    lines, _ = drain(follower_of(log), position)
    assert lines == ["another file, longer than the first"]


def test_what_was_packed_before_it_was_read_is_unpacked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = Rotating(tmp_path)
    log.do("line")
    seen, position = drain(follower_of(log), Position())
    for step in ("line", "rename", "line", "pack", "rename", "pack", "line"):  # the worker was down for days
        log.do(step)
    rest, _ = drain(follower_of(log), position)
    assert seen + rest == log.written
    assert not caplog.records


def test_what_is_gone_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = Rotating(tmp_path)
    log.do("line")
    _, position = drain(follower_of(log), Position())
    log.path.unlink()
    log.do("line")
    with caplog.at_level(logging.WARNING, "tradepost.maillog"):
        assert drain(follower_of(log), position)[0] == ["line 1"]
    assert "rotated away before it was read to its end" in caplog.text


def test_a_damaged_archive_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = Rotating(tmp_path)
    _, position = drain(follower_of(log), Position())
    archive = tmp_path / "mail.log.1.gz"
    archive.write_bytes(gzip.compress(b"lost\n" * 9000)[:-20])
    log.do("line")
    with caplog.at_level(logging.WARNING, "tradepost.maillog"):
        assert drain(follower_of(log), position)[0][-1] == "line 0"
    assert "is damaged" in caplog.text


def test_a_monstrous_line_costs_no_memory_and_no_neighbour(tmp_path: Path) -> None:
    log = Rotating(tmp_path)
    log.write("before\n" + "x" * 5000)
    lines, position = drain(follower_of(log, 1000), Position())
    assert lines == ["before"]
    log.write("x" * 5000 + "\nafter\n")
    assert drain(follower_of(log, 1000), position)[0] == ["after"]


def test_a_file_without_rights_says_so(tmp_path: Path) -> None:
    (tmp_path / "mail.log").mkdir()  # root may read any file, but nobody a folder
    (tmp_path / "mail.log" / "something").touch()
    with pytest.raises(OSError, match=r"mail\.log"):
        follower_of(Rotating(tmp_path)).read(Position())


def test_events_carry_the_queue_id(tmp_path: Path) -> None:
    log = Rotating(tmp_path)
    log.write(ACTIVE.format("4jX6VF2HxKzJDbS") + "noise\n")
    batch = follower_of(log).read(Position())
    assert [(type(event), event.queue_id) for event in batch.events] == [(Activated, "4jX6VF2HxKzJDbS")]


def test_rotated_files_stand_in_order(tmp_path: Path) -> None:
    names = ["mail.log.10.gz", "mail.log.2.gz", "mail.log.1", "mail.log-20260102", "mail.log-20260101.gz"]
    for name in (*names, "mail.log", "mail.log.old", "mail.logs", "mail.err"):
        (tmp_path / name).touch()
    assert [path.name for path in rotated_files(tmp_path / "mail.log")] == names[:3] + names[:2:-1]
