# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow a log file through its rotations, each line exactly once, without keeping state of its own.

The caller hands in a position and stores the one it gets back in the transaction that holds the effect of what was
read.  Then a kill at any moment loses nothing and repeats nothing.  Both ways of rotating are followed: rename and
create, copy and truncate.  What was written before the rotation is read to its end first, also after gzip packed it.
"""

import gzip
import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol, cast

from tradepost.log_files import LogFile, bears, head_of, look_at, mark_of, opened, rotated_files
from tradepost.maillog import LogEvent, LogParser

log = logging.getLogger("tradepost.maillog")

_NOTHING = "0/0/"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log was read.

    File: `inode`, `offset` in bytes, and `mark` = length and digest of the first bytes, because inodes come again; before
    the first line of a file: `mark` = name of the file after which it comes.  Journal: `mark` = cursor.
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


class FileFollower:
    """Follows one log file.  `chunk_bytes` bounds what one `read` takes into memory."""

    def __init__(self, path: Path, parser: LogParser, chunk_bytes: int = 262_144) -> None:
        self.name = str(path)
        self._path = path
        self._parser = parser
        self._chunk_bytes = chunk_bytes
        # Unpacking begins at the front every time; so the archive just being read stays open.
        self._archive: tuple[int, IO[bytes]] | None = None

    def read(self, position: Position) -> Batch:
        """Read on from there.  A missing file is waited for.  Raises OSError (no right to read)."""
        lines, after, has_more = self.read_lines(position)
        now = datetime.now(UTC)
        parse = self._parser.parse_line
        events = tuple(event for line in lines if (event := parse(line, now)) is not None)
        return Batch(events, after, has_more)

    def close(self) -> None:
        """Close an archive that was not read to its end."""
        if self._archive is not None:
            self._archive[1].close()
            self._archive = None

    def read_lines(self, position: Position) -> tuple[Sequence[str], Position, bool]:
        """Return complete lines, where to go on, and whether more is waiting."""
        current = look_at(self._path)
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
        following = files[files.index(source) + 1 :]
        is_finished = any(file.size for file in following)
        lines, after, has_more = self._read_file(source, position, is_finished=is_finished)
        if is_finished and not has_more:
            return lines, Position(mark=_name(source)), True
        return lines, after, has_more

    def _skip(self, files: list[LogFile], position: Position) -> tuple[Sequence[str], Position, bool]:
        """Go on behind a file that is gone: truncated without a copy, deleted, or packed by something unknown."""
        if not any(file.size for file in files):
            return (), position, False
        log.warning("%s: rotated away before it was read to its end", self.name)
        was_truncated = files[-1].inode == position.inode and len(files) > 1
        return (), Position(mark=_name(files[-2]) if was_truncated else _NOTHING), True

    def _begin(self, files: list[LogFile], position: Position) -> tuple[Sequence[str], Position, bool]:
        rotated = [file for file in files if file.path != self._path]
        after = position.mark or (_name(rotated[-1]) if rotated else _NOTHING)
        # Gone, it was the oldest: all that is left came after it.
        start = next((at for at, file in enumerate(rotated, 1) if _is_named(file, after)), 0)
        for file in files[start:]:
            lines, reached, has_more = self._read_file(file, Position(file.inode), is_finished=file.path != self._path)
            if reached.offset:
                return lines, reached, has_more or file != files[-1]
            if has_more:
                return (), Position(mark=after), True  # renamed or truncated just now
        return (), Position(mark=after), False

    def _files(self) -> list[LogFile] | None:
        """Return rotated files and the current one, oldest first; None while they are being renamed."""
        first, second = self._look(), self._look()
        if [(file.path, file.inode) for file in first] != [(file.path, file.inode) for file in second]:
            return None
        return second

    def _look(self) -> list[LogFile]:
        candidates = rotated_files(self._path) if self._path.parent.is_dir() else []
        found = [look_at(path) for path in (*candidates, self._path)]
        return [file for file in found if file is not None and (file.size or file.path == self._path)]

    def _find(self, files: list[LogFile], position: Position) -> LogFile | None:
        for file in files:
            if file.inode == position.inode and _fits(file, position):
                return file
        # Copied and truncated, or packed: the copy begins with the same bytes.  Without a mark nothing can be told.
        if position.mark:
            for file in reversed(files):
                if file.path != self._path and _fits(file, position):
                    return file
        return None

    def _read_file(
        self, source: LogFile, position: Position, *, is_finished: bool
    ) -> tuple[Sequence[str], Position, bool]:
        if source.is_archive:
            return self._read_archive(source, position)
        with opened(source) as file:
            if file is None:
                return (), position, True
            file.seek(position.offset)
            data = file.read(self._chunk_bytes)
            end = data.rfind(b"\n") + 1
            if len(data) == self._chunk_bytes and not end:
                end = self._pass_over_line(file)
                data = b""
            head = head_of(file)
            if not bears(head, position.mark):
                return (), position, True  # truncated and written anew while it was read
            if is_finished and 0 < len(data) < self._chunk_bytes:
                end = len(data)  # nobody will complete the last line any more
            lines = data[:end].decode("utf-8", "backslashreplace").split("\n")
            if not lines[-1]:
                lines.pop()
            has_more = end > 0 and len(data) in (0, self._chunk_bytes)
            return lines, Position(source.inode, position.offset + end, mark_of(head)), has_more

    def _read_archive(self, source: LogFile, position: Position) -> tuple[Sequence[str], Position, bool]:
        if self._archive is None or self._archive[0] != source.inode or self._archive[1].tell() != position.offset:
            self.close()
            stream = gzip.open(source.path)  # noqa: SIM115 - closed by `close`
            self._archive = (source.inode, cast(IO[bytes], stream))
        file = self._archive[1]
        try:
            mark = position.mark or mark_of(head_of(file))
            if file.tell() != position.offset:
                file.seek(position.offset)
            data = file.readlines(self._chunk_bytes)
            offset = file.tell()
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            log.warning("%s: is damaged, its rest is passed over: %s", source.path, error)
            data, offset = [], position.offset
        if not data:
            self.close()
        lines = [line.decode("utf-8", "backslashreplace").removesuffix("\n") for line in data]
        return lines, Position(source.inode, offset, mark if data else position.mark), bool(data)

    def _pass_over_line(self, file: IO[bytes]) -> int:
        """Return the bytes up to the end of a line longer than the chunk, 0 while it has none.  Postfix writes none so long."""
        length = self._chunk_bytes
        while more := file.read(self._chunk_bytes):
            end = more.find(b"\n") + 1
            if end:
                return length + end
            length += len(more)
        return 0


def _fits(file: LogFile, position: Position) -> bool:
    """Is that the file, or a copy of the file, in which the position lies?"""
    return file.size >= position.offset and bears(_head(file), position.mark)


def _head(file: LogFile) -> bytes:
    try:
        with opened(file) as stream:
            return head_of(stream) if stream is not None else b""
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""  # no archive, or not whole yet


def _name(file: LogFile) -> str:
    return f"{file.inode}/{file.size}/{mark_of(_head(file))}"


def _is_named(file: LogFile, name: str) -> bool:
    """Is that the file so named, be it that it was written to, or packed?"""
    inode, size, mark = name.split("/")
    return (str(file.inode) == inode or str(file.size) == size) and bears(_head(file), mark)
