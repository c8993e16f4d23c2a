# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare what Postfix accepted with what was seen, journaled and recorded, and name every difference.

Pure: `crm_sync.reconcile_sources` reads the four books, `compare` holds them against each other.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from crm_sync.trails import Trail, Trails
from tradepost.acceptance import CLOCK_SLACK, SHORT_ID_WINDOW, Acceptance, is_reusable
from tradepost.addresses import domain_of
from tradepost.journal import Sighting

# Reasons of the seen list that mean: our fault that there is no entry.
LOST_REASONS = frozenset({"journal-full", "journal-error", "failed"})


class Kind(StrEnum):
    """The four ways in which the books may differ."""

    ACCEPTED_UNSEEN = "accepted-unseen"
    JOURNALED_UNRECORDED = "journaled-unrecorded"
    RECORDED_TWICE = "recorded-twice"
    RECORDED_NOT_ACCEPTED = "recorded-not-accepted"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An entry that still lies in the journal.  `problem`: why it is in failed/ or can't be read, else empty."""

    entry_id: str
    queue_id: str
    arrived_at: datetime
    sender: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A recorded arrival."""

    entry_id: str
    queue_id: str
    arrived_at: datetime
    sender: str
    acceptance: Acceptance


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that is compared.  `log_since`: how far the log reaches back; `recorded`: ids in the ledger at any time."""

    trails: Trails
    log_since: datetime
    sightings: Sequence[Sighting]
    entries: Sequence[JournalEntry]
    ledger: Sequence[LedgerRow]
    recorded: frozenset[str]


@dataclass(frozen=True, slots=True)
class Window:
    """What is looked at: from `since` to `now`, without what is too young to be judged."""

    since: datetime
    now: datetime
    recording_takes: timedelta = timedelta(seconds=60)
    accepting_takes: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.  `sender_domain` is empty for bounces; `entry_id` where there is none."""

    kind: Kind
    queue_id: str
    entry_id: str
    at: datetime
    sender_domain: str
    what: str
    advice: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome, oldest difference first.  `beyond_log`: recorded before the log begins, so not compared."""

    differences: tuple[Difference, ...]
    accepted: int
    seen: int
    recorded: int
    too_early: int
    beyond_log: int

    def counts(self) -> dict[Kind, int]:
        """Return how many differences there are of each kind, 0 included."""
        found = Counter(difference.kind for difference in self.differences)
        return {kind: found[kind] for kind in Kind}


def compare(books: Books, window: Window) -> Report:
    """Hold the books against each other."""
    comparison = _Comparison(books, window)
    differences = sorted(comparison.all(), key=lambda found: (found.at, found.queue_id, found.entry_id))
    return Report(
        tuple(differences),
        accepted=comparison.accepted,
        seen=sum(1 for sighting in books.sightings if sighting.at >= window.since),
        recorded=sum(1 for row in books.ledger if row.arrived_at >= window.since),
        too_early=comparison.too_early,
        beyond_log=comparison.beyond_log,
    )


class _Comparison:
    def __init__(self, books: Books, window: Window) -> None:
        self._books = books
        self._window = window
        self.accepted = 0
        self.too_early = 0
        self.beyond_log = 0

    def all(self) -> Iterator[Difference]:
        yield from self._accepted_unseen()
        yield from self._unrecorded_entries()
        yield from self._lost_sightings()
        yield from self._recorded_twice()
        yield from self._not_accepted()

    def _accepted_unseen(self) -> Iterator[Difference]:
        traces: dict[str, list[datetime]] = defaultdict(list)
        for sighting in self._books.sightings:
            traces[sighting.queue_id].append(sighting.at)
        for entry in self._books.entries:
            traces[entry.queue_id].append(entry.arrived_at)
        for row in self._books.ledger:
            traces[row.queue_id].append(row.arrived_at)
        for trail, until in self._books.trails.all():
            ruling = trail.ruling()
            # Local mail, bounces and what was requeued or came back from a filter do not pass the milter (again).
            if not trail.by_smtp or trail.origin or ruling.acceptance is not Acceptance.CONFIRMED:
                continue
            assert ruling.at is not None
            if ruling.at < self._window.since:
                continue
            self.accepted += 1
            if not _is_seen(trail, until, traces.get(trail.queue_id, ())):
                yield Difference(
                    Kind.ACCEPTED_UNSEEN, trail.queue_id, "", ruling.at, domain_of(trail.sender),
                    "accepted by Postfix, never seen by the milter: unmarked, not recorded",
                    "look for 'milter' warnings in the log at that time; the mail is in its mailbox",
                )  # fmt: skip

    def _unrecorded_entries(self) -> Iterator[Difference]:
        for entry in self._books.entries:
            if entry.entry_id in self._books.recorded:
                continue  # about to be acknowledged
            if not entry.problem and self._window.now - entry.arrived_at < self._window.recording_takes:
                self.too_early += 1
                continue
            yield Difference(
                Kind.JOURNALED_UNRECORDED, entry.queue_id, entry.entry_id, entry.arrived_at, domain_of(entry.sender),
                entry.problem or "waits in the journal",
                f"mend the cause, then 'tradepost journal retry {entry.entry_id}'" if entry.problem else "is 'tradepost sync' running?",
            )  # fmt: skip

    def _lost_sightings(self) -> Iterator[Difference]:
        known = {entry.entry_id for entry in self._books.entries} | self._books.recorded
        recorded = {row.queue_id for row in self._books.ledger}
        for sighting in self._books.sightings:
            is_lost = sighting.reason in LOST_REASONS and sighting.queue_id not in recorded
            is_gone = sighting.entry_id and sighting.entry_id not in known
            if sighting.at < self._window.since or not (is_lost or is_gone):
                continue
            trail = self._books.trails.find(sighting.queue_id, sighting.at)
            if trail is None or trail.ruling().acceptance is not Acceptance.CONFIRMED:
                continue  # refused: nobody has that mail, nobody misses its record
            yield Difference(
                Kind.JOURNALED_UNRECORDED, sighting.queue_id, sighting.entry_id, sighting.at, domain_of(trail.sender),
                f"seen, not journaled: {sighting.reason}" if is_lost
                else f"seen as {sighting.reason}, but neither in the journal nor recorded",
                "the mail is in its mailbox and missing in the records; see the milter's log lines of this queue id",
            )  # fmt: skip

    def _recorded_twice(self) -> Iterator[Difference]:
        first: dict[tuple[str, int], LedgerRow] = {}
        for row in sorted(self._books.ledger, key=lambda row: (row.arrived_at, row.entry_id)):
            key = (row.queue_id, self._life(row))
            before = first.setdefault(key, row)
            if before is row or row.arrived_at < self._window.since:
                continue
            yield Difference(
                Kind.RECORDED_TWICE, row.queue_id, row.entry_id, row.arrived_at, domain_of(row.sender),
                f"one mail, recorded as {before.entry_id} and as {row.entry_id}",
                "please report it with the log lines of this queue id: it must not happen",
            )  # fmt: skip

    def _life(self, row: LedgerRow) -> int:
        """Tell the mails under one short queue id apart; a long one is never given twice."""
        if not is_reusable(row.queue_id):
            return 0
        trail = self._books.trails.find(row.queue_id, row.arrived_at)
        if trail is not None:
            return id(trail)
        return -int(row.arrived_at.timestamp() // SHORT_ID_WINDOW.total_seconds())

    def _not_accepted(self) -> Iterator[Difference]:
        for row in self._books.ledger:
            if row.arrived_at < self._window.since:
                continue
            trail = self._books.trails.find(row.queue_id, row.arrived_at)
            said = trail.ruling().acceptance if trail is not None else Acceptance.PENDING
            if said is Acceptance.PENDING and row.acceptance in (Acceptance.CONFIRMED, Acceptance.REFUSED):
                said = row.acceptance  # the log said so when it was followed
            if said is Acceptance.CONFIRMED:
                continue
            if said is Acceptance.PENDING and row.arrived_at < self._books.log_since:
                self.beyond_log += 1
                continue
            if said is Acceptance.PENDING and self._window.now - row.arrived_at < self._window.accepting_takes:
                self.too_early += 1
                continue
            refusal = trail.refusal if trail is not None else ""
            yield Difference(
                Kind.RECORDED_NOT_ACCEPTED, row.queue_id, row.entry_id, row.arrived_at, domain_of(row.sender),
                f"seen and recorded, then refused: {refusal or 'said the log when it was followed'}"
                if said is Acceptance.REFUSED else "seen and recorded, but Postfix never took it into its queue",
                "nothing to do: it counts in no number" if row.acceptance is not Acceptance.ASSUMED
                else "it was assumed to be accepted; set [maillog] source, so that the log is followed",
            )  # fmt: skip


def _is_seen(trail: Trail, until: datetime | None, traces: Iterable[datetime]) -> bool:
    if not is_reusable(trail.queue_id):
        return any(True for _ in traces)
    start = trail.began_at - CLOCK_SLACK
    return any(start <= at and (until is None or at < until + CLOCK_SLACK) for at in traces)
