# SPDX-License-Identifier: GPL-3.0-or-later
"""The real `tradepost` command with faults built in, run by tests in place of it: the product carries no fault points.

TRADEPOST_TEST_FAULTS holds JSON: {"folder": where marker files go, "points": {name: [probability, seed]}}.  A fault point
that fires writes a marker file `NAME.PID.N` (its content: the queue or entry id) and kills its process with SIGKILL.
Words in a subject steer the classifier: SLEEP sleeps, GRIND holds the GIL, CRASH raises, FILL fills the disk on which the
plan's file "filler" lies.
"""

import json
import os
import random
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import tradepost.analysis
import tradepost.cli
from tradepost.analysis import Analyst, Extract
from tradepost.message import Message
from tradepost.verdict import Labels

_LONG = 60.0


class FaultPoints:
    """Decides when to die, from a printed seed, and leaves a marker of where."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._folder = Path(plan["folder"])
        self._points: dict[str, list[float]] = plan.get("points", {})
        self._random: dict[str, random.Random] = {}
        self._fired = 0

    def reach(self, name: str, what: str) -> None:
        """Die here, or not."""
        if name not in self._points:
            return
        probability, seed = self._points[name]
        # Seeded anew in each process and for each point, or all would fall at the same mail.
        dice = self._random.setdefault(name, random.Random(f"{seed} {name} {os.getpid()}"))
        if dice.random() < probability:
            self._fired += 1
            (self._folder / f"{name}.{os.getpid()}.{self._fired}").write_text(what, encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)


class MoodyAnalyst:
    """An analyst whose behaviour the subject of a mail steers."""

    def __init__(self, real: Analyst, filler: Path) -> None:
        self._real = real
        self._filler = filler

    def label(self, message: Message, now: datetime, *, sender: str | None = None) -> Labels:
        """Sleep, grind, crash, or do the work."""
        if "SLEEP" in message.subject:
            time.sleep(_LONG)
        if "GRIND" in message.subject:
            re.match(r"(a+)+$", "a" * 60 + "b")  # holds the GIL for longer than anybody waits
        if "CRASH" in message.subject:
            raise RuntimeError("a classifier that crashes")
        if "FILL" in message.subject:
            fill_disk(self._filler)
        return self._real.label(message, now, sender=sender)

    def extract(self, message: Message, labels: Labels | None = None) -> Extract:
        """Do the work."""
        return self._real.extract(message, labels)

    def refresh(self) -> None:
        """Learn."""
        self._real.refresh()


def fill_disk(filler: Path) -> None:
    """Take the last page of a file system."""
    with filler.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(b"x" * 4096)
            except OSError:
                return


def _plant(points: FaultPoints, filler: Path) -> None:
    real = tradepost.analysis.load_analyst
    tradepost.analysis.load_analyst = lambda site=None: MoodyAnalyst(real(site), filler)
    _plant_in_milter(points)
    _plant_in_journal(points)
    _plant_in_stream(points)
    _plant_in_shipper(points)


def _plant_in_milter(points: FaultPoints) -> None:
    from tradepost_milter.session import Session

    edit, add = Session._edit, Session.addheader

    def edit_after_journal(self: Any, actions: Any) -> None:
        points.reach("after-journal", self._queue_id())
        self.edits_done = 0
        edit(self, actions)
        points.reach("before-answer", self._queue_id())

    def add_then_die(self: Any, *args: Any) -> Any:
        result = add(self, *args)
        self.edits_done += 1
        if self.edits_done == 2:
            points.reach("between-edits", self._queue_id())
        return result

    Session._edit = edit_after_journal  # type: ignore[method-assign]
    Session.addheader = add_then_die  # type: ignore[assignment,method-assign]


def _plant_in_journal(points: FaultPoints) -> None:
    from tradepost.journal import Journal

    acknowledge: Callable[[Journal, Iterable[str]], None] = Journal.acknowledge

    def acknowledge_or_die(self: Journal, entry_ids: Iterable[str]) -> None:
        wanted = list(entry_ids)
        if wanted:
            points.reach("after-commit", wanted[0])
        acknowledge(self, wanted)
        if wanted:
            points.reach("removed", wanted[0])

    Journal.acknowledge = acknowledge_or_die  # type: ignore[method-assign]


def _plant_in_stream(points: FaultPoints) -> None:
    """Between two steps of a worker that the stream feeds: take, write, commit, answer."""
    import crm_sync.worker
    from crm_sync.recording import record_letters
    from crm_sync.stream_source import StreamSource

    take, acknowledge = StreamSource.take, StreamSource.acknowledge

    def take_then_die(self: StreamSource) -> Any:
        taken = take(self)
        if taken:
            points.reach("taken", taken[0].entry_id)
        return taken

    def write_then_die(session: Any, view: Any, letters: Any, now: datetime) -> int:
        new = record_letters(session, view, letters, now)
        points.reach("written", letters[0].arrival.entry_id)
        return new

    def answer_between_deaths(self: StreamSource, entry_ids: Sequence[str]) -> None:
        points.reach("committed", entry_ids[0])
        acknowledge(self, entry_ids)
        points.reach("answered", entry_ids[0])

    StreamSource.take = take_then_die  # type: ignore[method-assign]
    crm_sync.worker.record_letters = write_then_die  # type: ignore[attr-defined]
    StreamSource.acknowledge = answer_between_deaths  # type: ignore[method-assign]


def _plant_in_shipper(points: FaultPoints) -> None:
    """After a shipment; what a shipper does next is the journal's."""
    from tradepost_milter.shipper import Shipper

    ship = Shipper._ship_all

    def ship_then_die(self: Shipper, entry_ids: Sequence[str]) -> int:
        shipped = ship(self, entry_ids)
        if shipped:
            points.reach("shipped", entry_ids[0])
        return shipped

    Shipper._ship_all = ship_then_die  # type: ignore[method-assign]


if __name__ == "__main__":
    plan = json.loads(os.environ["TRADEPOST_TEST_FAULTS"])
    _plant(FaultPoints(plan), Path(plan.get("filler", "/nonexistent")))
    sys.argv[0] = "tradepost"
    tradepost.cli.main()
