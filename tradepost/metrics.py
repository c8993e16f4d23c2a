# SPDX-License-Identifier: GPL-3.0-or-later
"""Every number this program counts.  Labels are closed sets, all set to 0 at start: the first failure is a change.

Callers use the verbs below; none of them raises or waits, because a number must never cost a mail.  Several processes count
into files (tradepost.metrics_files) that `tradepost metrics` adds up; `share_metrics` must then run before this
module is imported.  Without it each process counts for itself: `tradepost classify` and tests.
"""

import time
from enum import StrEnum
from functools import lru_cache
from itertools import product

from prometheus_client import Counter, Gauge, Histogram

from tradepost.metrics_files import is_ready
from tradepost.verdict import CATEGORIES, Direction, Priority, Verdict


class Stage(StrEnum):
    """Where a failure of ours happened; the mail passed nevertheless."""

    CALLBACK = "callback"  # an exception reached the guard of a milter callback
    PARSE = "parse"
    CLASSIFY = "classify"
    MODEL = "model"  # what the site learned can't be used: the shipped model spoke alone
    RULES = "rules"
    DECIDE = "decide"
    DEADLINE = "deadline"  # the soft deadline passed: marked without classifying
    MARK = "mark"
    JOURNAL = "journal"
    SEEN = "seen"
    RECORD = "record"  # worker, with rollback: the entry is tried again
    EXTRACT = "extract"
    CONFIRM = "confirm"
    PROJECT = "project"
    STREAM = "stream"  # Redis away or full: the journal keeps the mail
    OTHER = "other"


class Unanswered(StrEnum):
    """Why the directory answered unknown."""

    NO_MARK = "no-mark"
    STALE = "stale"
    ERROR = "error"
    SLOW = "slow"


class Restart(StrEnum):
    """Why the supervisor started a milter child anew."""

    WATCHDOG = "watchdog"  # silent in a callback, killed
    SIGNAL = "signal"  # died of a signal we did not send
    EXIT = "exit"  # ended by itself
    STUCK = "stuck"  # a classifying thread did not come back
    RELOAD = "reload"  # SIGHUP


class Sighting(StrEnum):
    """What became of a mail at EOM: the reasons of the seen list."""

    JOURNALED = "journaled"
    ENVELOPE = "envelope"  # recording policy: who wrote to whom and when, no more
    EXCLUDED = "excluded"  # recording policy: none
    JOURNAL_FULL = "journal-full"
    JOURNAL_ERROR = "journal-error"
    REINJECTED = "reinjected"  # carries our own keyed mark
    FAILED = "failed"  # a bug of ours: passed unmarked and not journaled
    OTHER = "other"


class Outcome(StrEnum):
    """What recording an entry did."""

    NEW = "new"
    AGAIN = "again"  # the same entry once more: nothing changed


class Shipped(StrEnum):
    """What became of journal entries on their way to the workers."""

    SHIPPED = "shipped"
    AGAIN = "again"  # lost on the way, shipped once more
    DONE = "done"  # a worker recorded it
    DEAD = "dead"  # no worker can record it: in failed/


class Confirmation(StrEnum):
    """What Postfix said about a journaled mail."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    ASSUMED = "assumed"  # no mail log was given


_CATEGORY_LABELS = (*CATEGORIES, "custom", "none")
_SIGHTINGS = frozenset(sighting.value for sighting in Sighting)
_PRIORITY_LABELS = (*(priority.value for priority in Priority), "none")

_mails = Counter("tradepost_mails_total", "Mails decided at EOM or when sent.", ["direction", "category", "priority"])
_failures = Counter("tradepost_failures_total", "Failures of ours; the mail passed.", ["stage"])
_eom = Histogram(
    "tradepost_eom_seconds",
    "Time spent in EOM.",
    # Budgets at both ends: p50 3 ms, p99 15 ms, a 10 MB mail 100 ms; soft deadline 3 s, content_timeout 12 s.
    buckets=(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 6, 12),
)
_seen = Counter("tradepost_seen_total", "Mails seen at EOM.", ["reason"])
_unknowns = Counter("tradepost_directory_unknowns_total", "Lookups the directory left open.", ["cause"])
_restarts = Counter("tradepost_child_restarts_total", "Milter children started anew.", ["cause"])
_journal_full = Counter("tradepost_journal_full_total", "Mails passed without journal: reserve reached.")
_recorded = Counter("tradepost_recorded_total", "Journal entries recorded.", ["outcome"])
_shunted = Counter("tradepost_shunted_total", "Journal entries put into failed/.")
_shipped = Counter("tradepost_shipped_total", "Journal entries on their way to the workers.", ["outcome"])
_confirmed = Counter("tradepost_confirmations_total", "Entries by Postfix's word.", ["word"])

# livemax: only one process of a host knows each of these, all others hold the 0 they started with.
_worker_lag = Gauge("tradepost_worker_lag_seconds", "Arrival to record, last mail.", multiprocess_mode="livemax")
_unconfirmed = Gauge("tradepost_unconfirmed", "Recorded, not yet confirmed.", multiprocess_mode="livemax")
_worker_at = Gauge("tradepost_worker_heartbeat_seconds", "Unix time of last word.", multiprocess_mode="livemax")
_maillog_at = Gauge("tradepost_maillog_heartbeat_seconds", "Unix time of last look.", multiprocess_mode="livemax")
_milter_at = Gauge("tradepost_milter_heartbeat_seconds", "Unix time of last word.", multiprocess_mode="livemax")
_children = Gauge("tradepost_milter_children", "Milter children alive.", multiprocess_mode="livemax")
_wanted = Gauge("tradepost_milter_children_wanted", "Milter children wanted.", multiprocess_mode="livemax")
_silence = Gauge("tradepost_milter_child_silence_seconds", "Longest time in one callback.", multiprocess_mode="livemax")


_site_model = Gauge("tradepost_site_model", "Site model in force; 0: none.", multiprocess_mode="livemax")
_site_refused = Gauge(
    "tradepost_site_model_refused", "1: it can't be used, the shipped one speaks alone.", multiprocess_mode="livemax"
)
_stream_length = Gauge("tradepost_stream_entries", "Entries in the stream of mail.", multiprocess_mode="livemax")
_stream_pending = Gauge("tradepost_stream_pending", "Of them with a worker.", multiprocess_mode="livemax")
_stream_oldest = Gauge("tradepost_stream_oldest_seconds", "Age of the oldest of them.", multiprocess_mode="livemax")
_ship_waiting = Gauge("tradepost_shipper_waiting_entries", "Entries not shipped yet.", multiprocess_mode="livemax")
_ship_waiting_bytes = Gauge("tradepost_shipper_waiting_bytes", "Bytes of them.", multiprocess_mode="livemax")
_ship_flying = Gauge("tradepost_shipper_in_flight_entries", "Shipped, not acknowledged.", multiprocess_mode="livemax")
_ship_flying_bytes = Gauge(
    "tradepost_shipper_in_flight_bytes", "Bytes Redis holds of them.", multiprocess_mode="livemax"
)
_shipper_at = Gauge("tradepost_shipper_heartbeat_seconds", "Unix time of last word.", multiprocess_mode="livemax")
_served_at = Gauge("tradepost_shipper_served_seconds", "Unix time Redis last served it.", multiprocess_mode="livemax")


def _start_at_zero() -> None:
    """Make every series, so that none appears only with its first failure."""
    for labels in product(Direction, _CATEGORY_LABELS, _PRIORITY_LABELS):
        _mails.labels(*labels)
    for counter, closed in (
        (_failures, Stage),
        (_seen, Sighting),
        (_unknowns, Unanswered),
        (_restarts, Restart),
        (_recorded, Outcome),
        (_confirmed, Confirmation),
        (_shipped, Shipped),
    ):
        for label in closed:
            counter.labels(label.value)


_start_at_zero()

# prometheus-client takes a lock and builds a key for each look at a label set; these two are looked at with every mail.
_mail_series = lru_cache(maxsize=None)(_mails.labels)
_seen_series = lru_cache(maxsize=None)(_seen.labels)


def count_mail(verdict: Verdict) -> None:
    """Count a decided mail.  A category beyond the shipped list counts as `custom`, none at all as `none`."""
    category = verdict.labels.category or "none"
    if category not in _CATEGORY_LABELS:
        category = "custom"
    priority = verdict.labels.priority
    if is_ready():
        _mail_series(verdict.direction.value, category, priority.value if priority else "none").inc()


def count_failure(stage: Stage) -> None:
    """Count a failure that was caught."""
    if is_ready():
        _failures.labels(stage.value).inc()


def observe_eom(seconds: float) -> None:
    """Note how long Postfix waited for the answer to EOM."""
    if is_ready():
        _eom.observe(seconds)


def count_seen(reason: str) -> None:
    """Count a line of the seen list; a reason beyond `Sighting` counts as `other`."""
    if is_ready():
        _seen_series(reason if reason in _SIGHTINGS else Sighting.OTHER.value).inc()


def count_unknown(cause: Unanswered) -> None:
    """Count a lookup that the directory left open."""
    if is_ready():
        _unknowns.labels(cause.value).inc()


def count_restart(cause: Restart) -> None:
    """Count a milter child that was started anew."""
    if is_ready():
        _restarts.labels(cause.value).inc()


def count_journal_full() -> None:
    """Count a mail that passed marked but not journaled."""
    if is_ready():
        _journal_full.inc()


def count_recorded(outcome: Outcome, entries: int = 1) -> None:
    """Count entries whose commit is durable."""
    if is_ready():
        _recorded.labels(outcome.value).inc(entries)


def count_shunted(entries: int = 1) -> None:
    """Count entries put into failed/."""
    if is_ready():
        _shunted.inc(entries)


def count_confirmed(word: Confirmation, entries: int = 1) -> None:
    """Count entries that Postfix's log or queue spoke about."""
    if is_ready():
        _confirmed.labels(word.value).inc(entries)


def report_worker(lag_seconds: float, unconfirmed: int) -> None:
    """The worker is alive: call it every few seconds, also when there is nothing to do."""
    if is_ready():
        _worker_lag.set(lag_seconds)
        _unconfirmed.set(unconfirmed)
        _worker_at.set(time.time())


def report_maillog() -> None:
    """The mail log could be read just now."""
    if is_ready():
        _maillog_at.set(time.time())


def report_milter(children: int, wanted: int, silence_seconds: float) -> None:
    """The supervisor is alive: call it every second.  `silence_seconds`: the longest time a child is in one callback."""
    if is_ready():
        _children.set(children)
        _wanted.set(wanted)
        _silence.set(silence_seconds)
        _milter_at.set(time.time())


def report_site_model(number: int, *, is_refused: bool) -> None:
    """Which site model this process uses (0: none), and whether there is one that it can't use."""
    if is_ready():
        _site_model.set(number)
        _site_refused.set(is_refused)


def count_shipped(outcome: Shipped, entries: int = 1) -> None:
    """Count entries on their way to the workers."""
    if is_ready():
        _shipped.labels(outcome.value).inc(entries)


def report_stream(entries: int, pending: int, oldest_seconds: float) -> None:
    """What a worker sees of the stream of mail."""
    if is_ready():
        _stream_length.set(entries)
        _stream_pending.set(pending)
        _stream_oldest.set(oldest_seconds)


def report_shipper(entries: int, octets: int, in_flight: int, in_flight_octets: int, served_at: float | None) -> None:
    """The shipper is alive: call it every few seconds.  `served_at`: Unix time when Redis last served it; None: never."""
    if is_ready():
        _ship_waiting.set(entries)
        _ship_waiting_bytes.set(octets)
        _ship_flying.set(in_flight)
        _ship_flying_bytes.set(in_flight_octets)
        _served_at.set(served_at or 0.0)
        _shipper_at.set(time.time())
