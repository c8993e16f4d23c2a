# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes outside SQL: one zstd file per content, named by the SHA-256 of what it holds, durable before the commit."""

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from itertools import count
from pathlib import Path

import zstandard

from tradepost.errors import Refusal
from tradepost.journal import sync_folder

_LEVEL = 3
_WRITERS = 4  # fsync waits for the disk, not for the processor


class BlobError(Refusal, OSError):
    """The blob store can't be written or read.  One line: which file and why."""


class BlobStore:
    """A folder of `ab/abcdef...zst`.  `store` returns at once; only after `settle` is everything stored durable."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._drafts = root / "tmp"
        self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="blobs")
        self._waiting: dict[str, Future[None]] = {}
        self._numbers = count()
        self._local = threading.local()

    def create(self) -> None:
        """Make the folders, 0700, and clear what a killed writer left half done.  Raises BlobError."""
        try:
            self._drafts.mkdir(mode=0o700, parents=True, exist_ok=True)
            for draft in self._drafts.iterdir():
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise BlobError(f"{self.root}: can't be made: {error.strerror}") from error

    def path(self, digest: str) -> Path:
        """Return where the bytes of that digest lie."""
        return self.root / digest[:2] / f"{digest}.zst"

    def store(self, data: bytes) -> str:
        """Begin to store bytes and return their digest (64 hex digits)."""
        digest = sha256(data).hexdigest()
        if digest not in self._waiting:
            self._waiting[digest] = self._pool.submit(self._write, digest, data)
        return digest

    def settle(self) -> None:
        """Wait until everything stored since the last call is durable.  Raises BlobError; nothing may be committed then."""
        waiting, self._waiting = self._waiting, {}
        try:
            for future in waiting.values():
                future.result()
            # One fsync a folder, not a file: a batch shares folders.
            list(self._pool.map(sync_folder, {self.path(digest).parent for digest in waiting}))
        except OSError as error:
            raise BlobError(f"{error.filename or self.root}: attachments can't be stored: {error.strerror}") from error

    def _write(self, digest: str, data: bytes) -> None:
        path = self.path(digest)
        if path.exists():  # written whole before it got its name
            return
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.root)
        draft = self._drafts / f"{os.getpid()}.{next(self._numbers)}"
        try:
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb", buffering=0) as file:
                view = memoryview(self._compressor().compress(data))
                while view:
                    view = view[file.write(view) :]
                os.fsync(file.fileno())
            os.rename(draft, path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def _compressor(self) -> zstandard.ZstdCompressor:
        # A compressor must not be shared between threads; making one costs more than compressing a small mail.
        made = getattr(self._local, "compressor", None)
        if made is None:
            made = self._local.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        assert isinstance(made, zstandard.ZstdCompressor)
        return made

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
        """End the writing threads."""
        self._pool.shutdown()
