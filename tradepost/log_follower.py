# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow a log file through its rotations, each line exactly once, without keeping state of its own.

The caller hands in a position and stores the one it gets back in the transaction that holds the effect of what was
read.  Then a kill at any moment loses nothing and repeats nothing.  Both ways of rotating are followed: rename and
create, copy and truncate.  What was written before the rotation is read to its end first; compressed files are left
alone.
"""

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from tradepost.maillog import LogEvent, LogParser

log = logging.getLogger("tradepost.maillog")

_MARK_BYTES = 256
_NOTHING = "0/0"
_COMPRESSED = frozenset({".gz", ".xz", ".bz2", ".zst", ".lz4"})
_ROTATED = re.compile(r"[.-](\d[\d.-]*)")


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log was read.

    File: `inode`, `offset` in bytes, and `mark` = length and digest of the first bytes, because inodes come again; before
    the first line of a file: `mark` = inode and size of the file after which it comes.  Journal: `mark` = cursor.
    """

    inode: int = 0
    offset: int = 0
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read in one go: events in the order of the log, where reading goes on, and whether more is waiting."""

    events: tuple[LogEvent, ...]
    position: Position
    has_more: bool = False


class LogSource(Protocol):
    """Something that can be followed; `name` is the key of its position."""

    name: str

    def read(self, position: Position) -> Batch:
        """Read what came after that position, a bounded amount, without waiting.  Raises OSError."""
        ...

    def close(self) -> None:
        """Let go of processes and files."""
        ...


def rotated_files(path: Path) -> list[Path]:
    """Return what `path` was rotated to, compressed or not, oldest first: mail.log.2.gz, mail.log.1, mail.log-20260131."""
    found: list[tuple[tuple[str, int], Path]] = []
    for entry in path.parent.iterdir():
        if not entry.name.startswith(path.name) or entry.name == path.name:
            continue
        bare = entry.name.removesuffix(entry.suffix) if entry.suffix in _COMPRESSED else entry.name
        suffix = _ROTATED.fullmatch(bare[len(path.name) :])
        if suffix is not None:
            # A count names the oldest highest, a date the oldest lowest.
            is_count = suffix[1].isdigit() and len(suffix[1]) < 6
            found.append((("", -int(suffix[1])) if is_count else (suffix[1], 0), entry))
    return [entry for _, entry in sorted(found)]


@dataclass(frozen=True, slots=True)
class _LogFile:
    path: Path
    inode: int
    size: int


class FileFollower:
    """Follows one log file.  `chunk_bytes` bounds what one `read` takes into memory."""

    def __init__(self, path: Path, parser: LogParser, chunk_bytes: int = 262_144) -> None:
        self.name = str(path)
        self._path = path
        self._parser = parser
        self._chunk_bytes = chunk_bytes

    def read(self, position: Position) -> Batch:
        """Read on from there.  A missing file is waited for.  Raises OSError (no right to read)."""
        lines, after, has_more = self.read_lines(position)
        now = datetime.now(UTC)
        parse = self._parser.parse_line
        events = tuple(event for line in lines if (event := parse(line, now)) is not None)
        return Batch(events, after, has_more)

    def close(self) -> None:
        """Nothing stays open between two reads."""

    def read_lines(self, position: Position) -> tuple[Sequence[str], Position, bool]:
        """Return complete lines, where to go on, and whether more is waiting."""
        current = _look_at(self._path)
        if current and current.inode == position.inode and _fits(current, position):
            return self._read_file(current, position, is_finished=False)
        files = self._files()
        if files is None:
            return (), position, True  # a rotation is under way: look again
        if position.inode == 0:
            return self._begin(files, position)
        source = self._find(files, position)
        if source is None:
            return self._skip(files, position)
        following = [file for file in files[files.index(source) + 1 :] if file.size]
        lines, after, has_more = self._read_file(source, position, is_finished=bool(following))
        if following and not has_more:
            return lines, Position(mark=_name(source)), True
        return lines, after, has_more

    def _skip(self, files: list[_LogFile], position: Position) -> tuple[Sequence[str], Position, bool]:
        """Go on behind a file that is gone or compressed by now; say so if some of it was not read."""
        archive = next((path for path in rotated_files(self._path) if _unpacks_to(path, position.offset)), None)
        order = [*rotated_files(self._path), self._path]
        behind = order[order.index(archive) + 1 :] if archive else [self._path]
        waiting = [file for file in files if file.path in behind and file.size]
        if not waiting:
            return (), position, False
        if archive is None:
            log.warning(
                "%s: rotated away before it was read to its end; 'tradepost reconcile' fills the gap", self.name
            )
        earlier = files[: files.index(waiting[0])]
        return (), Position(mark=_name(earlier[-1]) if earlier else _NOTHING), True

    def _begin(self, files: list[_LogFile], position: Position) -> tuple[Sequence[str], Position, bool]:
        rotated = [_name(file) for file in files if file.path != self._path]
        newest = rotated[-1] if rotated else _NOTHING
        after = position.mark or newest
        # What the mark names may be compressed or gone by now: then everything left was written after it.
        start = rotated.index(after) + 1 if after in rotated else 0
        for file in files[start:]:
            lines, reached, has_more = self._read_file(file, Position(file.inode), is_finished=file.path != self._path)
            if reached.offset:
                return lines, reached, has_more or file != files[-1]
            if has_more:
                return (), Position(mark=after), True  # renamed or truncated just now
        return (), Position(mark=after), False

    def _files(self) -> list[_LogFile] | None:
        """Return rotated files and the current one, oldest first; None while they are being renamed."""
        first, second = self._look(), self._look()
        if [(file.path, file.inode) for file in first] != [(file.path, file.inode) for file in second]:
            return None
        return second

    def _look(self) -> list[_LogFile]:
        candidates = rotated_files(self._path) if self._path.parent.is_dir() else []
        plain = (path for path in (*candidates, self._path) if path.suffix not in _COMPRESSED)
        return [found for path in plain if (found := _look_at(path)) is not None]

    def _find(self, files: list[_LogFile], position: Position) -> _LogFile | None:
        fitting = [file for file in files if _fits(file, position)]
        for file in fitting:
            if file.inode == position.inode:
                return file
        # Copied and truncated: the copy begins with the same bytes.  Without a mark nothing can be told.
        copies = [file for file in fitting if position.mark and file.path != self._path]
        return copies[-1] if copies else None

    def _read_file(
        self, source: _LogFile, position: Position, *, is_finished: bool
    ) -> tuple[Sequence[str], Position, bool]:
        with _opened(source) as file:
            if file is None:
                return (), position, True
            file.seek(position.offset)
            data = file.read(self._chunk_bytes)
            end = data.rfind(b"\n") + 1
            if len(data) == self._chunk_bytes and not end:
                end = self._pass_over_line(file)
                data = b""
            head = _head(file)
            if not _bears(head, position.mark):
                return (), position, True  # truncated and written anew while it was read
            mark = _mark(head)
            if is_finished and 0 < len(data) < self._chunk_bytes:
                end = len(data)  # nobody will complete the last line any more
            lines = data[:end].decode("utf-8", "backslashreplace").split("\n")
            if not lines[-1]:
                lines.pop()
            has_more = end > 0 and len(data) in (0, self._chunk_bytes)
            return lines, Position(source.inode, position.offset + end, mark), has_more

    def _pass_over_line(self, file: BinaryIO) -> int:
        """Return the bytes up to the end of a line longer than the chunk, 0 while it has none.  Postfix writes none so long."""
        length = self._chunk_bytes
        while more := file.read(self._chunk_bytes):
            end = more.find(b"\n") + 1
            if end:
                return length + end
            length += len(more)
        return 0


def _look_at(path: Path) -> _LogFile | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return _LogFile(path, stat.st_ino, stat.st_size)


@contextmanager
def _opened(source: _LogFile) -> Iterator[BinaryIO | None]:
    """Open the file that was looked at; None when another one bears its name by now."""
    try:
        file = open(source.path, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        yield None
        return
    with file:
        yield file if os.fstat(file.fileno()).st_ino == source.inode else None


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(_MARK_BYTES)


def _mark(head: bytes) -> str:
    return f"{len(head)}:{hashlib.sha256(head).hexdigest()[:16]}" if head else ""


def _bears(head: bytes, mark: str) -> bool:
    """Does a file that begins so begin as the mark says?"""
    length, _, digest = mark.partition(":")
    return not digest or hashlib.sha256(head[: int(length)]).hexdigest()[:16] == digest


def _fits(source: _LogFile, position: Position) -> bool:
    if source.size < position.offset:
        return False
    with _opened(source) as file:
        return file is not None and _bears(_head(file), position.mark)


def _name(source: _LogFile) -> str:
    return f"{source.inode}/{source.size}"


def _unpacks_to(path: Path, size: int) -> bool:
    """Is it a gzip file of so many bytes?  The last four say it, modulo 2**32 (RFC 1952, 2.3.1)."""
    if path.suffix != ".gz":
        return False
    with open(path, "rb") as file:
        file.seek(-min(4, path.stat().st_size), os.SEEK_END)
        return int.from_bytes(file.read(4), "little") == size % 2**32
