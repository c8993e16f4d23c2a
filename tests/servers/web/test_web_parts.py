# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at the other parts: fresh within seconds, and no reason for a page to fail."""

from pathlib import Path

import pytest

from admin_web.parts import GOOD_FOR_SECONDS, Parts
from tradepost.journal import Journal
from tradepost.settings import Settings


def test_a_look_is_good_for_a_moment(settings: Settings) -> None:
    settings.metrics_dir.mkdir()
    journal = Journal(settings.journal_dir)
    journal.create()
    now = [0.0]
    parts = Parts(settings, lambda: now[0])
    first = parts.read()
    assert first.journal is not None
    assert first.journal.entries == 0
    (journal.new / "01M7VZJ6K03FQJVNJPZYX184D1").write_bytes(b"")
    assert parts.read() is first
    now[0] += GOOD_FOR_SECONDS + 0.1
    later = parts.read()
    assert later.journal is not None
    assert later.journal.entries == 1


def test_what_cannot_be_read_is_said_and_nothing_raised(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    reading = Parts(settings).read()  # no folder of counters, no journal: nothing was ever started here
    assert (reading.journal, reading.worker, reading.milter, reading.directory) == (None, None, None, None)
    assert "can't be looked at" in caplog.text


def test_a_foreign_file_among_the_counters_hides_the_parts_but_no_page(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.metrics_dir.mkdir()
    (settings.metrics_dir / "counter_1.db").mkdir()
    assert Parts(settings).read().worker is None
    assert "can't be looked at" in caplog.text
