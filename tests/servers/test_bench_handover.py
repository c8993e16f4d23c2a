# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of hand-overs runs end to end at its smallest, so that it does not rot; no time is asserted."""

from io import StringIO

from rich.console import Console

from bench.handover import measure_handover, show_handover


def test_customers_go_there_and_back() -> None:
    found = measure_handover(messages=300, customers=10, runs=1, databases=("sqlite",))
    figures = found["databases"]["sqlite"]
    assert figures["customers"] == 10
    assert figures["conversations"] > 0
    assert figures["directory_keys"] > 20
    shown = StringIO()
    show_handover(found, Console(file=shown, width=160))
    assert "to two, by country" in shown.getvalue()
