# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of throughput runs end to end at its smallest, so that it does not rot; no time is asserted."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bench.letters import Letter, make_letters
from bench.sending import SendingFailed
from bench.stations import Sink, Station, Unmarked
from bench.throughput import measure_throughput, show_throughput


def test_every_mail_of_every_set_up_passes_and_is_seen() -> None:
    found = measure_throughput(rounds=1, mails=20, kinds=("none", "unix"))
    unix = found["stations"]["unix"]
    assert unix["eom_ms"] is not None
    assert unix["eom_ms"]["n"] == 20
    assert unix["processor_ms_per_mail"]["milter"] > 0
    assert unix["to_none"] is not None
    assert unix["to_none"]["median"] == pytest.approx(
        unix["mails_s"]["median"] / found["stations"]["none"]["mails_s"]["median"]
    )
    shown = StringIO()
    show_throughput(found, Console(file=shown, width=160))
    assert "unix" in shown.getvalue()


def test_mails_that_pass_unmarked_are_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sink(tmp_path) as sink, Station("none", sink) as station:
        with pytest.raises(SendingFailed, match="550"):
            station.send([Letter("ann@buyer.example", ("nobody@brightway.example",), b"Subject: x\r\n\r\nx\r\n")])
        # Here should be a milter, and there is none.
        monkeypatch.setattr(station, "kind", "unix")
        with pytest.raises(Unmarked, match="the milter saw 0 of 3 mails"):
            station.send(list(make_letters(3)))
