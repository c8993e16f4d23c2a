# SPDX-License-Identifier: GPL-3.0-or-later
"""The mail log as a whole: the current file, what it was rotated to, compressed or not, or systemd's journal."""

import bz2
import gzip
import io
import lzma
import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, BinaryIO, cast

import zstandard

from tradepost.errors import Refusal
from tradepost.journal_follower import COMMAND, MAIL_MATCH
from tradepost.log_files import rotated_files
from tradepost.maillog import LogEvent, LogParser, decode_journal_entry

# A mail may be long on its way in: its first line stands so much earlier than the one that accepts it.
MARGIN = timedelta(hours=1)

Advance = Callable[[int], None]


class CannotCompare(Refusal, RuntimeError):
    """Something that is needed for the comparison can't be read."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of the log, `octets` long as it lies there (compressed)."""

    path: Path
    octets: int
    modified_at: datetime


def find_log_files(path: Path, since: datetime) -> tuple[list[LogFile], bool]:
    """Return what may hold lines since then, oldest first, and whether older files reach back beyond it.

    Raises CannotCompare when there is no log.
    """
    try:
        found = [_described(file) for file in (*rotated_files(path), path) if file.is_file()]
    except OSError as error:
        raise CannotCompare(f"{path.parent}: can't be read: {error.strerror}; run as a user who may") from error
    if not found:
        raise CannotCompare(f'{path}: there is no such mail log; set [maillog] path, or source = "journald"')
    recent = [file for file in found if file.modified_at >= since - MARGIN]
    return recent, len(recent) < len(found)


def _described(path: Path) -> LogFile:
    stat = path.stat()
    return LogFile(path, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))


def read_log_file(file: LogFile, parser: LogParser, advance: Advance) -> Iterator[LogEvent]:
    """Yield the events of one file.  `advance` is told the bytes read so far.  Raises CannotCompare."""
    try:
        with open(file.path, "rb") as raw, _unpacked(file.path, raw) as lines:
            for number, line in enumerate(lines):
                text = line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
                event = parser.parse_line(text, file.modified_at)
                if event is not None:
                    yield event
                if number % 10_000 == 0:
                    advance(raw.tell())
    except PermissionError as error:
        raise CannotCompare(f"{file.path}: no right to read it; run as root or as a member of its group") from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise CannotCompare(f"{file.path}: can't be read: {error}") from error


def first_stamp(file: LogFile, parser: LogParser) -> datetime | None:
    """Return the time of a file's first line, whoever wrote it; None when there is none.  Raises CannotCompare."""
    try:
        with open(file.path, "rb") as raw, _unpacked(file.path, raw) as lines:
            line = next(iter(lines), b"").decode("utf-8", "backslashreplace")
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise CannotCompare(f"{file.path}: can't be read: {error}") from error
    return parser.parse_stamp(line, file.modified_at)


@contextmanager
def _unpacked(path: Path, raw: BinaryIO) -> Iterator[IO[bytes]]:
    match path.suffix:
        case ".gz":
            with gzip.open(raw) as lines:
                yield cast(IO[bytes], lines)
        case ".xz":
            with lzma.open(raw) as lines:
                yield lines
        case ".bz2":
            with bz2.open(raw) as lines:
                yield lines
        case ".zst":
            unpacked = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
            with io.BufferedReader(cast(io.RawIOBase, unpacked)) as lines:
                yield lines
        case _:
            yield raw


def read_journald(parser: LogParser, since: datetime, command: Sequence[str] = COMMAND) -> Iterator[LogEvent]:
    """Yield the events of systemd's journal.  Raises CannotCompare."""
    call = (*command, f"--since=@{since.timestamp():.0f}", MAIL_MATCH)
    try:
        process = subprocess.Popen(call, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise CannotCompare(f"{command[0]}: can't be run: {error.strerror}") from error
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            entry = decode_journal_entry(line)
            event = parser.parse_journal_entry(entry) if entry is not None else None
            if event is not None:
                yield event
        said = process.stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
    if process.returncode != 0:
        raise CannotCompare(f"{command[0]} ended (status {process.returncode}): {said or 'without a word'}")
