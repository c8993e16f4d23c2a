# SPDX-License-Identifier: GPL-3.0-or-later
"""Every number starts at 0 and counts under a label of a closed set."""

from itertools import product

import pytest
from prometheus_client import REGISTRY

from tradepost import metrics
from tradepost.metrics import Confirmation, Outcome, Restart, Sighting, Stage, Unanswered
from tradepost.verdict import CATEGORIES, Direction, Labels, Priority, Verdict


def value(name: str, **labels: str) -> float:
    """Return a sample; a series that was never made is an error."""
    found = REGISTRY.get_sample_value(name, labels)
    assert found is not None, f"{name}{labels} does not exist"
    return found


def test_every_series_is_there_before_anything_happened() -> None:
    made = {(sample.name, *sample.labels.values()) for metric in REGISTRY.collect() for sample in metric.samples}
    wanted: set[tuple[str, ...]] = {
        ("tradepost_mails_total", *labels)
        for labels in product(Direction, (*CATEGORIES, "custom", "none"), (*Priority, "none"))
    }
    wanted |= {("tradepost_failures_total", stage) for stage in Stage}
    wanted |= {("tradepost_seen_total", sighting) for sighting in Sighting}
    wanted |= {("tradepost_directory_unknowns_total", unanswered) for unanswered in Unanswered}
    wanted |= {("tradepost_child_restarts_total", restart) for restart in Restart}
    wanted |= {("tradepost_recorded_total", outcome) for outcome in Outcome}
    wanted |= {("tradepost_confirmations_total", word) for word in Confirmation}
    for name in ("journal_full_total", "shunted_total", "unconfirmed", "worker_lag_seconds", "milter_children"):
        wanted.add((f"tradepost_{name}",))
    assert wanted - made == set()


@pytest.mark.parametrize(
    ("category", "priority", "counted"),
    [
        ("order", Priority.HIGH, ("order", "high")),
        ("tender", Priority.LOW, ("custom", "low")),
        (None, None, ("none", "none")),
    ],
)
def test_mail_counts_under_its_labels(
    category: str | None, priority: Priority | None, counted: tuple[str, str]
) -> None:
    labels = {"direction": "inbound", "category": counted[0], "priority": counted[1]}
    before = value("tradepost_mails_total", **labels)
    metrics.count_mail(Verdict(Direction.INBOUND, Labels(category=category, priority=priority)))
    assert value("tradepost_mails_total", **labels) == before + 1


def test_reason_beyond_the_list_counts_as_other() -> None:
    before = value("tradepost_seen_total", reason="other")
    metrics.count_seen("ann@far.example")
    assert value("tradepost_seen_total", reason="other") == before + 1
    assert REGISTRY.get_sample_value("tradepost_seen_total", {"reason": "ann@far.example"}) is None


def test_eom_buckets_stand_at_the_budgets() -> None:
    before = value("tradepost_eom_seconds_bucket", le="0.003")
    metrics.observe_eom(0.003)
    assert value("tradepost_eom_seconds_bucket", le="0.003") == before + 1
    for edge in ("0.015", "0.1", "3.0", "12.0"):
        value("tradepost_eom_seconds_bucket", le=edge)


def test_each_verb_counts_its_number() -> None:
    shunted, full = value("tradepost_shunted_total"), value("tradepost_journal_full_total")
    recorded = value("tradepost_recorded_total", outcome="new")
    confirmed = value("tradepost_confirmations_total", word="accepted")
    failed = value("tradepost_failures_total", stage="classify")
    restarted = value("tradepost_child_restarts_total", cause="watchdog")
    metrics.count_shunted()
    metrics.count_journal_full()
    metrics.count_recorded(Outcome.NEW, 50)
    metrics.count_confirmed(Confirmation.ACCEPTED, 2)
    metrics.count_failure(Stage.CLASSIFY)
    metrics.count_restart(Restart.WATCHDOG)
    assert value("tradepost_shunted_total") == shunted + 1
    assert value("tradepost_journal_full_total") == full + 1
    assert value("tradepost_recorded_total", outcome="new") == recorded + 50
    assert value("tradepost_confirmations_total", word="accepted") == confirmed + 2
    assert value("tradepost_failures_total", stage="classify") == failed + 1
    assert value("tradepost_child_restarts_total", cause="watchdog") == restarted + 1
