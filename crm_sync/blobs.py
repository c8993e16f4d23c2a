# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes outside SQL: one zstd file per content, named by the SHA-256 of what it holds, durable before the commit."""

import os
import secrets
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import count
from pathlib import Path

import zstandard

from tradepost.errors import Refusal
from tradepost.journal import sync_folder

_LEVEL = 3
_DRAFT_SECONDS = 3600
_WAITERS = 4  # threads that wait for the disk
_MOST_OPEN = 256  # drafts that wait for the disk at once


class BlobError(Refusal, OSError):
    """The blob store can't be written or read.  One line: which file and why."""


class BlobStore:
    """A folder of `ab/abcdef...zst`.  Only after `settle` has returned is everything stored durable.  For one thread.

    Drafts are written by the caller's thread while the kernel sends the earlier ones to the disk, and waited for
    together: writing them in other threads costs more in switches between threads than it saves.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._drafts = root / "tmp"
        self._waiting: dict[str, tuple[int, Path]] = {}  # digest -> descriptor and name of its draft
        self._unsynced: set[Path] = set()  # folders with a new name in them
        # No two writers, on whatever host, call their drafts alike.
        self._writer = secrets.token_hex(8)
        self._numbers = count()
        self._pool = ThreadPoolExecutor(_WAITERS, thread_name_prefix="blobs")
        # Making one costs more than compressing a small mail.
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)

    def create(self) -> None:
        """Make the folders, 0700, and clear what a killed writer left half done.  Raises BlobError.

        What is younger than an hour may be the draft of another worker at work.
        """
        try:
            self._drafts.mkdir(mode=0o700, parents=True, exist_ok=True)
            edge = time.time() - _DRAFT_SECONDS
            with os.scandir(self._drafts) as drafts:
                for draft in drafts:
                    if draft.stat().st_mtime < edge:
                        os.unlink(draft)
            sync_folder(self.root)  # a writer that was killed may have made a folder just before
        except OSError as error:
            raise BlobError(f"{self.root}: can't be made: {error.strerror}") from error

    def path(self, digest: str) -> Path:
        """Return where the bytes of that digest lie."""
        return self.root / digest[:2] / f"{digest}.zst"

    def store(self, data: bytes) -> str:
        """Begin to store bytes and return their digest (64 hex digits).  Raises BlobError."""
        digest = sha256(data).hexdigest()
        if digest not in self._waiting:
            path = self.path(digest)
            self._unsynced.add(path.parent)  # also for a known name: who wrote it may have died before his fsync
            try:
                if not path.exists():  # written whole before it got its name
                    self._waiting[digest] = self._write(data)
                if len(self._waiting) == _MOST_OPEN:
                    self._publish()
            except OSError as error:
                raise self._explained(error) from error
        return digest

    def settle(self) -> None:
        """Wait until everything stored since the last call is durable.  Raises BlobError; nothing may be committed then."""
        try:
            self._publish()
            # One fsync a folder, not a file: a batch shares folders.
            list(self._pool.map(sync_folder, self._unsynced))
            self._unsynced.clear()
        except OSError as error:
            raise self._explained(error) from error

    def _write(self, data: bytes) -> tuple[int, Path]:
        """Write a draft and return its open descriptor and its name."""
        draft = self._drafts / f"{self._writer}.{next(self._numbers)}"
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(self._compressor.compress(data))
            while view:
                view = view[os.write(fd, view) :]
            # Linux begins to write back and returns; that it forgets the pages too does no harm.
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError:
            os.close(fd)
            draft.unlink(missing_ok=True)
            raise
        return fd, draft

    def _publish(self) -> None:
        """Wait for the bytes of every draft, then give it its name.  Of a failure nothing stays behind."""
        waiting, self._waiting = self._waiting, {}
        try:
            list(self._pool.map(os.fsync, [fd for fd, _ in waiting.values()]))
            for digest, (_, draft) in waiting.items():
                self._rename(draft, self.path(digest))
        except OSError:
            _discard(waiting.values())
            raise
        for fd, _ in waiting.values():
            os.close(fd)

    def _rename(self, draft: Path, path: Path) -> None:
        try:
            os.rename(draft, path)
        except FileNotFoundError:  # the first of its folder
            path.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.root)
            os.rename(draft, path)

    def _explained(self, error: OSError) -> BlobError:
        return BlobError(f"{error.filename or self.root}: attachments can't be stored: {error.strerror}")

    def read(self, digest: str) -> bytes:
        """Return the bytes of that digest.  Raises BlobError when they are gone or damaged."""
        path = self.path(digest)
        try:
            with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
                data = reader.read()
        except OSError as error:
            raise BlobError(f"{path}: can't be read: {error.strerror}") from error
        except zstandard.ZstdError as error:
            raise BlobError(f"{path}: is damaged: {error}") from error
        if sha256(data).hexdigest() != digest:
            raise BlobError(f"{path}: is damaged: its bytes have another digest")
        return data

    def close(self) -> None:
        """Forget what was not settled."""
        _discard(self._waiting.values())
        self._waiting.clear()
        self._pool.shutdown()


def _discard(drafts: Iterable[tuple[int, Path]]) -> None:
    for fd, draft in drafts:
        os.close(fd)
        draft.unlink(missing_ok=True)
