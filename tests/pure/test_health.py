# SPDX-License-Identifier: GPL-3.0-or-later
"""Health names what is wrong in a sentence, and is ok only when mail is marked, journaled, recorded and confirmed."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tradepost.health import (
    DirectoryReading,
    JournalReading,
    MilterReading,
    ModelReading,
    Readings,
    ShipperReading,
    Status,
    WorkerReading,
    judge,
)

WELL = Readings(
    version="1.0",
    journal=JournalReading(entries=3, oldest_seconds=2.0, failed=0, is_full=False),
    directory=DirectoryReading(generation=1, seq=10, age_seconds=4.0, stale_after_seconds=300.0),
    worker=WorkerReading(silent_seconds=1.0, lag_seconds=0.2, unconfirmed=2),
    milter=MilterReading(silent_seconds=1.0, children=2, children_wanted=2, callback_seconds=0.1, watchdog_seconds=6.0),
    confirmation="file",
    maillog_silent_seconds=1.0,
    model=ModelReading(number=3, is_refused=False),
)


def change(part: str, **values: Any) -> Readings:
    return replace(WELL, **{part: replace(getattr(WELL, part), **values)})


def test_all_well() -> None:
    health = judge(WELL)
    assert (health.status, health.reasons) == (Status.OK, ())


@pytest.mark.parametrize(
    ("readings", "status", "reason"),
    [
        (replace(WELL, milter=None), "failing", "milter: not running: mail passes unmarked"),
        (change("milter", silent_seconds=11.0), "failing", "milter: its supervisor is silent for 11 s"),
        (change("milter", children=0), "failing", "milter: no child is alive: mail passes unmarked"),
        (change("milter", children=1), "degraded", "milter: 1 of 2 children are alive"),
        (change("milter", callback_seconds=7.0), "degraded", "milter: a child is silent for 7 s in a callback"),
        (replace(WELL, journal=None), "failing", "journal: can't be read"),
        (change("journal", is_full=True), "failing", "journal: its reserve is reached: mail passes marked, but is not journaled"),
        (change("journal", oldest_seconds=301.0), "degraded", "journal: 3 entries wait, the oldest for 301 s"),
        (change("journal", failed=2), "degraded", "journal: 2 entries in failed/: see 'tradepost journal'"),
        (replace(WELL, directory=None), "degraded", "directory: has no mark: customers and owners are unknown at arrival"),
        (
            change("directory", age_seconds=301.0),
            "degraded",
            "directory: no word from the projector for 301 s: all is unknown at arrival",
        ),
        (
            replace(WELL, model=ModelReading(number=0, is_refused=True)),
            "degraded",
            "classifier: the site's model can't be used: see the log; 'tradepost classify learn --rollback'",
        ),
        (replace(WELL, worker=None), "degraded", "worker: not running: mail is journaled, not recorded"),
        (change("worker", silent_seconds=31.0), "degraded", "worker: silent for 31 s"),
        (replace(WELL, maillog_silent_seconds=61.0), "degraded", "mail log: was last read 61 s ago: new records stay unconfirmed"),
        (replace(WELL, maillog_silent_seconds=None), "degraded", "mail log: has never been read: new records stay unconfirmed"),
    ],
)  # fmt: skip
def test_each_trouble_is_named(readings: Readings, status: str, reason: str) -> None:
    health = judge(readings)
    assert (health.status.value, health.reasons) == (status, (reason,))


SHIPPING = replace(
    WELL,
    worker=None,  # on some other host
    is_shipping=True,
    shipper=ShipperReading(silent_seconds=2.0, unserved_seconds=0.1, waiting=12, in_flight=5),
)


@pytest.mark.parametrize(
    ("readings", "reasons"),
    [
        (SHIPPING, ()),
        (replace(SHIPPING, shipper=None), ("shipper: not running: mail stays in this host's journal",)),
        (
            replace(SHIPPING, shipper=ShipperReading(31.0, 31.0, 12, 5)),
            ("shipper: silent for 31 s",),
        ),
        (
            replace(SHIPPING, shipper=ShipperReading(1.0, 45.0, 12, 5)),
            ("shipper: Redis is away or full for 45 s: 12 entries wait in this host's journal",),
        ),
        (
            replace(SHIPPING, shipper=ShipperReading(1.0, None, 12, 0)),
            ("shipper: Redis has never served it: 12 entries wait in this host's journal",),
        ),
        (
            replace(SHIPPING, maillog_silent_seconds=None),
            ("mail log: has never been read: new records stay unconfirmed",),
        ),
        (replace(SHIPPING, worker=WorkerReading(31.0, 0.0, 0)), ("worker: silent for 31 s",)),
    ],
)
def test_a_host_that_ships_needs_a_shipper_and_no_worker(readings: Readings, reasons: tuple[str, ...]) -> None:
    assert judge(readings).reasons == reasons


def test_assumed_confirmation_is_said_and_is_no_trouble() -> None:
    health = judge(replace(WELL, confirmation="assumed", maillog_silent_seconds=None))
    assert health.status is Status.OK
    assert health.as_json()["confirmation"] == "assumed"


def test_worst_reason_decides_and_all_are_told() -> None:
    health = judge(replace(change("journal", failed=1), milter=None, worker=None))
    assert health.status is Status.FAILING
    assert len(health.reasons) == 3
    assert health.reasons[0].startswith("milter:")


def test_shown_as_json() -> None:
    shown = json.loads(json.dumps(judge(WELL).as_json()))
    assert shown["status"] == "ok"
    assert shown["journal"] == {"entries": 3, "oldest_seconds": 2.0, "failed": 0, "is_full": False}
    assert shown["version"] == "1.0"
