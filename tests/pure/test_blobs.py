# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes get their name when they are durable, once, and a disk that fails leaves nothing half done."""

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_sync.blobs import BlobError, BlobStore


@pytest.fixture
def blobs(tmp_path: Path) -> Iterator[BlobStore]:
    store = BlobStore(tmp_path / "blobs")
    store.create()
    yield store
    store.close()


def _drafts(blobs: BlobStore) -> list[str]:
    return os.listdir(blobs.root / "tmp")


def test_what_was_settled_can_be_read(blobs: BlobStore) -> None:
    digest = blobs.store(b"an offer")
    assert not blobs.path(digest).exists()  # the name says: whole and on the disk

    blobs.settle()

    assert blobs.read(digest) == b"an offer"
    assert blobs.path(digest).stat().st_mode & 0o777 == 0o600
    assert _drafts(blobs) == []


def test_the_same_bytes_are_written_once(blobs: BlobStore) -> None:
    digests = [blobs.store(b"a logo") for _ in range(3)]
    blobs.settle()
    inode = blobs.path(digests[0]).stat().st_ino

    assert {blobs.store(b"a logo"), *digests} == {digests[0]}
    blobs.settle()

    assert blobs.path(digests[0]).stat().st_ino == inode


def test_a_mail_of_a_thousand_parts_needs_no_thousand_open_files(blobs: BlobStore) -> None:
    before = len(os.listdir("/proc/self/fd"))
    digests = []
    for number in range(1000):
        digests.append(blobs.store(b"%d" % number))
        assert len(os.listdir("/proc/self/fd")) < before + 270
    blobs.settle()

    assert len(os.listdir("/proc/self/fd")) <= before
    assert [blobs.read(digest) for digest in digests] == [b"%d" % number for number in range(1000)]


def test_a_disk_that_fails_leaves_nothing_and_a_later_try_succeeds(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    digest = blobs.store(b"an offer")
    with monkeypatch.context() as failing:
        failing.setattr(os, "fsync", full)
        with pytest.raises(BlobError, match="attachments can't be stored: No space left on device"):
            blobs.settle()
    assert not blobs.path(digest).exists()
    assert _drafts(blobs) == []

    assert blobs.store(b"an offer") == digest
    blobs.settle()

    assert blobs.read(digest) == b"an offer"


def test_a_folder_that_vanished_is_said_at_once(blobs: BlobStore) -> None:
    (blobs.root / "tmp").rmdir()

    with pytest.raises(BlobError, match="attachments can't be stored"):
        blobs.store(b"an offer")


def test_a_new_worker_clears_dead_drafts_and_leaves_those_of_its_neighbour(blobs: BlobStore) -> None:
    long_ago = time.time() - 7200
    dead = blobs.root / "tmp" / "dead.0"
    dead.write_bytes(b"")
    os.utime(dead, (long_ago, long_ago))
    digest = blobs.store(b"an offer")

    neighbour = BlobStore(blobs.root)
    neighbour.create()
    other = neighbour.store(b"an order")
    assert len(_drafts(blobs)) == 2
    blobs.settle()
    neighbour.settle()
    neighbour.close()

    assert (blobs.read(digest), blobs.read(other)) == (b"an offer", b"an order")
    assert _drafts(blobs) == []


def test_closed_without_settling_nothing_stays(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    blobs.create()
    blobs.store(b"an offer")

    blobs.close()

    assert _drafts(blobs) == []
