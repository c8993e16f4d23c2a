# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock among processes: taken once, free when its holder lets go, and never refused for want of disk."""

import os
from pathlib import Path

import pytest

from tradepost.host_lock import HostLock, lock_holder


def test_one_has_it_and_the_next_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = HostLock.take(path)
    assert held is not None
    with held:
        assert lock_holder(path) == str(os.getpid())
        assert HostLock.take(path) is None
    again = HostLock.take(path)
    assert again is not None
    again.release()


def test_on_a_full_disk_it_is_taken_without_a_name(tmp_path: Path) -> None:
    """The worker that can't start leaves the journal as full as it is."""
    (tmp_path / "lock").symlink_to("/dev/full")
    held = HostLock.take(tmp_path / "lock")
    assert held is not None
    held.release()


def test_where_nothing_can_be_opened_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        HostLock.take(tmp_path / "nowhere" / "lock")
