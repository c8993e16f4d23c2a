# SPDX-License-Identifier: GPL-3.0-or-later
"""The one line that `make bench` closes with: always the same keys, null where a part failed or was not asked for."""

from collections.abc import Mapping

KEYS = (
    "ratio_worker_paused",
    "ratio_worker_on",
    "ratio_rspamd",
    "inet_over_unix",
    "eom_ms_p50",
    "eom_ms_p99",
    "eom_10mb_ms",
    "classify_ms_p50",
    "worker_sqlite_mails_s",
    "worker_postgresql_mails_s",
    "worker_at_1m_over_empty",
    "two_workers_over_one",
    "milter_rss_mb",
    "worker_rss_mb",
)
# The budgets of docs/design.md: (key, at least or at most, bound).
_BOUNDS: tuple[tuple[str, str, float], ...] = (
    ("ratio_worker_paused", "≥", 0.75),
    ("ratio_worker_on", "≥", 0.55),
    ("inet_over_unix", "≥", 0.9),
    ("eom_ms_p50", "≤", 3),
    ("eom_ms_p99", "≤", 15),
    ("eom_10mb_ms", "≤", 100),
    ("classify_ms_p50", "≤", 0.6),
    ("worker_sqlite_mails_s", "≥", 300),
    ("worker_postgresql_mails_s", "≥", 300),
    ("worker_at_1m_over_empty", "≥", 0.8),
    ("two_workers_over_one", "≥", 1.6),
    ("milter_rss_mb", "≤", 150),
    ("worker_rss_mb", "≤", 250),
)


def make_headline(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Return every key in order, rounded to three significant places behind the point.

    Raises KeyError for a figure whose key is unknown: it would be lost.
    """
    unknown = figures.keys() - set(KEYS)
    if unknown:
        raise KeyError(f"no such key: {', '.join(sorted(unknown))}")
    return {key: round(figures[key], 3) if key in figures else None for key in KEYS}


def judge(headline: Mapping[str, float | None]) -> list[tuple[str, float | None, str, bool | None]]:
    """Return (key, value, bound, whether it holds) for every key with a bound; None: not measured.

    tradepost must also be above rspamd in the same run, which has no bound of its own.
    """
    rows: list[tuple[str, float | None, str, bool | None]] = []
    bounds = [*_BOUNDS]
    rspamd = headline["ratio_rspamd"]
    if rspamd is not None:
        bounds.insert(1, ("ratio_worker_paused", ">", rspamd))
    for key, sign, bound in bounds:
        value = headline[key]
        holds = (
            None
            if value is None
            else value <= bound
            if sign == "≤"
            else value > bound
            if sign == ">"
            else value >= bound
        )
        rows.append((key, value, f"{sign} {bound:g}", holds))
    return rows
