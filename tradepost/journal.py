# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: one fsynced file per mail, Maildir discipline, and the seen list beside it.

Folders below the root: tmp/ (being written), new/ (durable, not yet acknowledged), failed/ (can never be recorded, each
with a .reason file), seen/ (one line per EOM, a file a day).  An entry is one line of JSON (tradepost.arrival), padded
with spaces where the mail was streamed, and then the raw message bytes.
"""

import errno
import logging
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ulid import ULID

from tradepost.arrival import Arrival, UnreadableEntry, decode_arrival, encode_arrival
from tradepost.errors import Refusal
from tradepost.seen_list import SeenList, Sighting, prune_seen, read_seen

__all__ = [
    "HEAD_LIMIT",
    "HEAD_ROOM",
    "Depth",
    "Draft",
    "Entry",
    "Journal",
    "JournalFull",
    "Reserve",
    "SeenList",
    "Sighting",
    "prune_seen",
    "read_head",
    "read_seen",
    "sync_folder",
]

log = logging.getLogger("tradepost.journal")

# Room kept at the front of a streamed entry for its first line; a longer line costs one copy of the file.
HEAD_ROOM = 128 * 1024
# A first line longer than this is not read: 1,000 recipients of 320 octets and every macro fit several times.
HEAD_LIMIT = 16 * 1024 * 1024


_WAY_OUT = "give paths.state and all below it to the service user (chown -R), and mail waits there unharmed"


class JournalFull(Refusal, OSError):
    """The reserve on the journal's file system is reached: the mail passes marked but not journaled."""


class JournalClosed(Refusal, OSError):
    """The journal's folders can't be made or used; the text names the folder and the way out."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """What must stay free on the file system: the larger of the two."""

    octets: int = 1_073_741_824
    percent: float = 5.0

    def is_reached(self, stat: os.statvfs_result, extra: int = 0) -> bool:
        free = stat.f_bavail * stat.f_frsize - extra
        return free < max(self.octets, stat.f_blocks * stat.f_frsize * self.percent / 100)


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits: entries, bytes of none of them, age of the oldest in seconds (0.0 when empty), failed entries."""

    entries: int
    oldest_seconds: float
    failed: int


class Draft:
    """An entry being written in tmp/.  Use `write` for message bytes, then `commit` once or `abandon`."""

    def __init__(self, journal: "Journal", entry_id: str) -> None:
        self.entry_id = entry_id
        self._journal = journal
        self._path = journal.tmp / f"{entry_id}.{os.getpid()}"
        self._file: BinaryIO | None = open(self._path, "xb", buffering=0)  # noqa: SIM115 - closed by commit or abandon
        self._written = 0
        try:
            _write_all(self._file, b" " * (HEAD_ROOM - 1) + b"\n")
        except OSError:
            self.abandon()
            raise

    def write(self, chunk: bytes) -> None:
        """Append message bytes.  Raises OSError (disk full) and JournalFull; the draft is then still to be abandoned."""
        assert self._file is not None
        view = memoryview(chunk)
        while view:
            view = view[self._file.write(view) :]
        before = self._written >> 22
        self._written += len(chunk)
        if self._written >> 22 != before:  # every 4 MiB
            self._journal.check_room()

    def commit(self, arrival: Arrival) -> Path:
        """Write the first line, fsync, move to new/, fsync the folder.  Durable when it returns."""
        assert self._file is not None
        head = encode_arrival(arrival)
        if len(head) >= HEAD_ROOM:
            return self._commit_long(head)
        os.pwrite(self._file.fileno(), head, 0)
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        return self._journal.publish(self._path, self.entry_id)

    def _commit_long(self, head: bytes) -> Path:
        assert self._file is not None
        self._file.close()
        self._file = None
        copy = self._path.with_suffix(".long")
        try:
            with open(self._path, "rb") as source, open(copy, "xb", buffering=0) as target:
                _write_all(target, head + b"\n")
                source.seek(HEAD_ROOM)
                while chunk := source.read(1 << 20):
                    _write_all(target, chunk)
                os.fsync(target.fileno())
            path = self._journal.publish(copy, self.entry_id)
        except OSError:
            copy.unlink(missing_ok=True)
            raise
        finally:
            self._path.unlink(missing_ok=True)
        return path

    def abandon(self) -> None:
        """Drop what was written.  Safe to call twice and after a failed commit."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._path.unlink(missing_ok=True)


class Entry:
    """One readable entry: its first line and access to the raw message."""

    def __init__(self, path: Path, arrival: Arrival, offset: int) -> None:
        self.path = path
        self.arrival = arrival
        self._offset = offset

    def raw(self) -> bytes:
        """Return the message bytes, complete, CRLF line ends as they came through SMTP."""
        with open(self.path, "rb") as file:
            file.seek(self._offset)
            return file.read()

    def open_raw(self) -> BinaryIO:
        """Open the file at the first message byte, for streaming a large mail."""
        file = open(self.path, "rb")  # noqa: SIM115 - the caller closes it
        file.seek(self._offset)
        return file


class Journal:
    """The folder.  Writers: milter children.  Reader: one worker (or the shipper)."""

    def __init__(self, root: Path, reserve: Reserve | None = None) -> None:
        self.root = root
        self.reserve = reserve or Reserve()
        self.tmp, self.new, self.failed, self.seen = (root / name for name in ("tmp", "new", "failed", "seen"))

    def create(self) -> None:
        """Make the folders, 0700.  Raises JournalClosed."""
        for folder in (self.root, self.tmp, self.new, self.failed, self.seen):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                usable = os.access(folder, os.R_OK | os.W_OK | os.X_OK)
            except OSError as error:
                raise JournalClosed(f"{folder}: {error.strerror}; {_WAY_OUT}") from error
            if not usable:
                raise JournalClosed(f"{folder}: no right to read and write there; {_WAY_OUT}")

    def new_id(self) -> str:
        """Return a fresh entry id: a ULID, sortable by time."""
        return str(ULID())

    def check_room(self, extra: int = 0) -> None:
        """Raise JournalFull when the reserve is reached; `extra` counts bytes about to be written."""
        if self.reserve.is_reached(os.statvfs(self.root), extra):
            raise JournalFull(errno.ENOSPC, "journal reserve reached", str(self.root))

    def draft(self, entry_id: str) -> Draft:
        """Start a streamed entry.  Raises JournalFull or OSError."""
        self.check_room()
        return Draft(self, entry_id)

    def write(self, arrival: Arrival, chunks: Iterable[bytes]) -> Path:
        """Write a whole entry at once; durable when it returns.  Raises JournalFull or OSError, leaving nothing behind."""
        data = b"".join((encode_arrival(arrival), b"\n", *chunks))
        self.check_room(len(data))
        path = self.tmp / f"{arrival.entry_id}.{os.getpid()}"
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
                os.fsync(fd)
            finally:
                os.close(fd)
            return self.publish(path, arrival.entry_id)
        except OSError:
            path.unlink(missing_ok=True)
            raise

    def publish(self, path: Path, entry_id: str) -> Path:
        """Move a finished file from tmp/ to new/ and make the move durable."""
        target = self.new / entry_id
        os.rename(path, target)
        sync_folder(self.new)
        return target

    def waiting(self, limit: int | None = None, after: str = "") -> list[str]:
        """Return ids in new/, oldest first, above `after`."""
        found = sorted(name for name in os.listdir(self.new) if name > after)
        return found if limit is None else found[:limit]

    def read(self, entry_id: str) -> Entry:
        """Read one entry's first line.  Raises FileNotFoundError, OSError, or UnreadableEntry for `fail`."""
        path = self.new / entry_id
        if path.is_dir():
            raise UnreadableEntry("is a folder")
        with open(path, "rb") as file:
            line = file.readline(HEAD_LIMIT)
            arrival = read_head(line, entry_id, os.fstat(file.fileno()).st_size)
        return Entry(path, arrival, len(line))

    def acknowledge(self, entry_ids: Iterable[str]) -> None:
        """Remove entries.  Only after the commit that recorded them is durable; an id already gone is no error."""
        for entry_id in entry_ids:
            (self.new / entry_id).unlink(missing_ok=True)

    def fail(self, entry_id: str, reason: str) -> None:
        """Put an entry aside with its reason; nothing is lost and `retry` brings it back."""
        note = self.failed / f"{entry_id}.reason"
        try:
            note.write_text(reason + "\n", encoding="utf-8", errors="backslashreplace")
        except OSError as error:  # disk full: the entry itself still goes aside, else it would stop all behind it
            log.warning("%s: its reason can't be kept: %s (%s)", entry_id, error, reason)
        os.rename(self.new / entry_id, self.failed / entry_id)
        sync_folder(self.failed)
        sync_folder(self.new)

    def failures(self) -> Iterator[tuple[str, str]]:
        """Yield (entry id, reason) of everything in failed/, oldest first."""
        for name in sorted(os.listdir(self.failed)):
            if not name.endswith(".reason"):
                note = self.failed / f"{name}.reason"
                yield name, note.read_text(encoding="utf-8").strip() if note.exists() else "no reason was kept"

    def retry(self, entry_id: str) -> None:
        """Bring a failed entry back to new/.  Raises FileNotFoundError."""
        os.rename(self.failed / entry_id, self.new / entry_id)
        (self.failed / f"{entry_id}.reason").unlink(missing_ok=True)
        sync_folder(self.new)
        sync_folder(self.failed)

    def sweep(self, older_than_seconds: float = 3600) -> int:
        """Remove drafts whose writer is gone.  Returns how many."""
        removed = 0
        edge = time.time() - older_than_seconds
        for path in self.tmp.iterdir():
            try:
                if path.stat().st_mtime < edge:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # a writer published it meanwhile
        return removed

    def depth(self) -> Depth:
        """Count what waits and how old the oldest is, by its id's own time."""
        names = sorted(os.listdir(self.new))
        born_at = next((at for name in names if (at := _born_at(name)) is not None), None)
        oldest = 0.0 if born_at is None else max(0.0, time.time() - born_at)
        failed = sum(1 for name in os.listdir(self.failed) if not name.endswith(".reason"))
        return Depth(len(names), oldest, failed)


def read_head(line: bytes, entry_id: str, octets: int) -> Arrival:
    """Read the first line of an entry of that many bytes.  Raises UnreadableEntry."""
    if not line.endswith(b"\n"):
        raise UnreadableEntry("first line is cut short")
    arrival = decode_arrival(line)
    size = octets - len(line)
    if size != arrival.raw_bytes:
        raise UnreadableEntry(f"entry holds {size} message bytes, its first line says {arrival.raw_bytes}")
    if arrival.entry_id != entry_id:
        raise UnreadableEntry(f"entry calls itself {arrival.entry_id}")
    return arrival


def sync_folder(folder: Path) -> None:
    """Make a rename or unlink in that folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _born_at(entry_id: str) -> float | None:
    """Return the Unix time in an id; None for the name of a foreign file."""
    try:
        return ULID.from_str(entry_id).timestamp
    except ValueError:
        return None


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
