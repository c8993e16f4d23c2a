# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of the worker runs end to end at its smallest, so that it does not rot; no time is asserted."""

from io import StringIO

import pytest
from rich.console import Console

from bench.worker import DATABASES, measure_worker, show_worker, slowdown


@pytest.mark.parametrize("name", DATABASES)
def test_entries_of_the_milter_are_recorded_over_stored_mail(name: str) -> None:
    found = measure_worker(runs=1, mails=20, stored=(100,), databases=(name,))
    figures = found["databases"][name]
    assert [one["stored"] for one in figures["by_stored"]] == [0, 100]
    assert [filled["rows"]["message"] for filled in figures["filled"]] == [100]
    assert slowdown(figures) == 1  # against itself
    assert (found["two_workers"] is not None) == (name == "postgresql")
    shown = StringIO()
    show_worker(found, Console(file=shown, width=160))
    assert shown.getvalue().count(name) >= 3
