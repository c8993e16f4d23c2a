# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a rotated log: which belong to it, in which order, and how one is known again under another name."""

import gzip
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

_COMPRESSED = frozenset({".gz", ".xz", ".bz2", ".zst", ".lz4"})
_ROTATED = re.compile(r"[.-](\d[\d.-]*)")
_MARK_BYTES = 256


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file as it was found; `size` counts the bytes of the log in it, also where it is compressed."""

    path: Path
    inode: int
    size: int

    @property
    def is_archive(self) -> bool:
        return self.path.suffix == ".gz"


def rotated_files(path: Path) -> list[Path]:
    """Return what `path` was rotated to, compressed or not, oldest first: mail.log.2.gz, mail.log.1, mail.log-20260131.

    Raises OSError when the folder can't be read.
    """
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
    paths = {entry for _, entry in found}
    # While a file is compressed both are there, and the new one is not whole yet.
    return [
        entry
        for _, entry in sorted(found)
        if entry.suffix not in _COMPRESSED or entry.with_name(entry.name.removesuffix(entry.suffix)) not in paths
    ]


def look_at(path: Path) -> LogFile | None:
    """Return what lies there; None: nothing, or an archive that is not gzip's or not for us.  Raises OSError."""
    if path.suffix in _COMPRESSED and path.suffix != ".gz":
        return None
    try:
        stat = path.stat()
        if path.suffix != ".gz":
            return LogFile(path, stat.st_ino, stat.st_size)
        with open(path, "rb") as file:
            # RFC 1952, 2.3.1: the last four bytes are the size before compression, modulo 2**32.
            file.seek(max(0, stat.st_size - 4))
            return LogFile(path, stat.st_ino, int.from_bytes(file.read(4), "little"))
    except FileNotFoundError:
        return None
    except PermissionError:
        if path.suffix != ".gz":
            raise
        return None  # an old one that we may not read is no reason to stop


@contextmanager
def opened(file: LogFile) -> Iterator[IO[bytes] | None]:
    """Open the file that was looked at, unpacked; None when another one bears its name by now.  Raises OSError."""
    found = look_at(file.path)
    if found is None or found.inode != file.inode:
        yield None
        return
    with cast(IO[bytes], gzip.open(file.path) if file.is_archive else open(file.path, "rb")) as stream:
        yield stream


def head_of(stream: IO[bytes]) -> bytes:
    """Return the first bytes, by which a file is known again."""
    stream.seek(0)
    return stream.read(_MARK_BYTES)


def mark_of(head: bytes) -> str:
    """Return length and digest of those bytes; empty for none."""
    return f"{len(head)}:{hashlib.sha256(head).hexdigest()[:16]}" if head else ""


def bears(head: bytes, mark: str) -> bool:
    """Does a file that begins so begin as the mark says?"""
    length, _, digest = mark.partition(":")
    return not digest or hashlib.sha256(head[: int(length)]).hexdigest()[:16] == digest
