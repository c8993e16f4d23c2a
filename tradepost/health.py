# SPDX-License-Identifier: GPL-3.0-or-later
"""Is mail marked, journaled and recorded right now?  Pure: readings in, a judgement with its reasons out."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

# Heartbeats come every second or few; these are several missed ones, so that a busy machine is no alarm.
MILTER_SILENT_SECONDS = 10
WORKER_SILENT_SECONDS = 30
MAILLOG_SILENT_SECONDS = 60
SHIPPER_SILENT_SECONDS = 30
# A mail that waits longer than this in the journal means that the worker does not keep up or is gone.
BACKLOG_SECONDS = 300


class Status(StrEnum):
    """OK; DEGRADED: mail is marked and kept, but late, incomplete or unconfirmed; FAILING: marks or entries are lost."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class JournalReading:
    """The folder: entries waiting, age of the oldest (s), entries in failed/, and whether the reserve is reached."""

    entries: int
    oldest_seconds: float
    failed: int
    is_full: bool


@dataclass(frozen=True, slots=True)
class DirectoryReading:
    """The generation mark: its number, how far it was projected, and how long ago the projector spoke (s)."""

    generation: int
    seq: int
    age_seconds: float
    stale_after_seconds: float


@dataclass(frozen=True, slots=True)
class WorkerReading:
    """The worker's own word: seconds since it, arrival to record of its last mail (s), entries not yet confirmed."""

    silent_seconds: float
    lag_seconds: float
    unconfirmed: int


@dataclass(frozen=True, slots=True)
class ShipperReading:
    """The shipper's own word: seconds since it and since Redis last served it (None: never), entries not shipped, in flight."""

    silent_seconds: float
    unserved_seconds: float | None
    waiting: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class MilterReading:
    """The supervisor's own word: seconds since it, children alive and wanted, longest time in one callback (s)."""

    silent_seconds: float
    children: int
    children_wanted: int
    callback_seconds: float
    watchdog_seconds: float


@dataclass(frozen=True, slots=True)
class ModelReading:
    """What was learned on this site: the number of the model in force (0: none), and whether one can't be used."""

    number: int
    is_refused: bool


@dataclass(frozen=True, slots=True)
class Readings:
    """Everything that was looked at.  None: it never spoke, or could not be read.

    `is_shipping`: mail goes to workers through Redis, which may be on any host.
    """

    version: str
    journal: JournalReading | None
    directory: DirectoryReading | None
    worker: WorkerReading | None
    milter: MilterReading | None
    confirmation: str  # file | journald | assumed
    maillog_silent_seconds: float | None
    is_shipping: bool = False
    shipper: ShipperReading | None = None
    model: ModelReading | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """The judgement: the worst of all reasons, each a sentence for the administrator."""

    status: Status
    reasons: tuple[str, ...]
    readings: Readings

    def as_json(self) -> dict[str, Any]:
        """Return what /healthz shows."""
        return {"status": self.status.value, "reasons": list(self.reasons), **asdict(self.readings)}


def judge(readings: Readings) -> Health:
    """Weigh the readings."""
    failing = [*_milter_fails(readings.milter), *_journal_fails(readings.journal)]
    degraded = [
        *_milter_limps(readings.milter),
        *_journal_waits(readings.journal),
        *_directory_lacks(readings.directory),
        *_worker_lags(readings),
        *_shipper_lags(readings),
        *_log_is_unread(readings),
        *_model_is_refused(readings.model),
    ]
    status = Status.FAILING if failing else Status.DEGRADED if degraded else Status.OK
    return Health(status, (*failing, *degraded), readings)


def _milter_fails(milter: MilterReading | None) -> list[str]:
    if milter is None:
        return ["milter: not running: mail passes unmarked"]
    if milter.silent_seconds > MILTER_SILENT_SECONDS:
        return [f"milter: its supervisor is silent for {milter.silent_seconds:.0f} s"]
    if milter.children == 0:
        return ["milter: no child is alive: mail passes unmarked"]
    return []


def _milter_limps(milter: MilterReading | None) -> list[str]:
    found = []
    if milter and 0 < milter.children < milter.children_wanted:
        found.append(f"milter: {milter.children} of {milter.children_wanted} children are alive")
    if milter and milter.callback_seconds > milter.watchdog_seconds:
        found.append(f"milter: a child is silent for {milter.callback_seconds:.0f} s in a callback")
    return found


def _journal_fails(journal: JournalReading | None) -> list[str]:
    if journal is None:
        return ["journal: can't be read"]
    if journal.is_full:
        return ["journal: its reserve is reached: mail passes marked, but is not journaled"]
    return []


def _journal_waits(journal: JournalReading | None) -> list[str]:
    found = []
    if journal and journal.oldest_seconds > BACKLOG_SECONDS:
        found.append(f"journal: {journal.entries} entries wait, the oldest for {journal.oldest_seconds:.0f} s")
    if journal and journal.failed:
        found.append(f"journal: {journal.failed} entries in failed/: see 'tradepost journal'")
    return found


def _directory_lacks(directory: DirectoryReading | None) -> list[str]:
    if directory is None:
        return ["directory: has no mark: customers and owners are unknown at arrival"]
    if directory.age_seconds > directory.stale_after_seconds:
        return [f"directory: no word from the projector for {directory.age_seconds:.0f} s: all is unknown at arrival"]
    return []


def _worker_lags(readings: Readings) -> list[str]:
    if readings.worker is None:
        return [] if readings.is_shipping else ["worker: not running: mail is journaled, not recorded"]
    if readings.worker.silent_seconds > WORKER_SILENT_SECONDS:
        return [f"worker: silent for {readings.worker.silent_seconds:.0f} s"]
    return []


def _shipper_lags(readings: Readings) -> list[str]:
    shipper = readings.shipper
    if not readings.is_shipping:
        return []
    if shipper is None:
        return ["shipper: not running: mail stays in this host's journal"]
    if shipper.silent_seconds > SHIPPER_SILENT_SECONDS:
        return [f"shipper: silent for {shipper.silent_seconds:.0f} s"]
    waits = f"{shipper.waiting} entries wait in this host's journal"
    if shipper.unserved_seconds is None:
        return [f"shipper: Redis has never served it: {waits}"]
    if shipper.unserved_seconds > SHIPPER_SILENT_SECONDS:
        return [f"shipper: Redis is away or full for {shipper.unserved_seconds:.0f} s: {waits}"]
    return []


def _model_is_refused(model: ModelReading | None) -> list[str]:
    if model is not None and model.is_refused:
        return ["classifier: the site's model can't be used: see the log; 'tradepost classify learn --rollback'"]
    return []


def _log_is_unread(readings: Readings) -> list[str]:
    silent = readings.maillog_silent_seconds
    is_followed = readings.worker is not None or readings.is_shipping
    if is_followed and readings.confirmation != "assumed" and (silent is None or silent > MAILLOG_SILENT_SECONDS):
        since = "has never been read" if silent is None else f"was last read {silent:.0f} s ago"
        return [f"mail log: {since}: new records stay unconfirmed"]
    return []
