# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of the benchmark: spreads, percentiles, ratios round by round, likeness of texts."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypedDict

_TOKEN = re.compile(
    r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)


class Spread(TypedDict):
    """Least, median and greatest of n values."""

    n: int
    least: float
    median: float
    greatest: float


class Percentiles(TypedDict):
    """How n single times, in milliseconds, are spread."""

    n: int
    p50: float
    p99: float
    max: float


class PrecisionRecall(TypedDict):
    """Of those guessed, and of those true, how many are both; 0 of nothing."""

    guessed: int
    true: int
    precision: float
    recall: float


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of repeated measurements.  Raises ValueError when there is none."""
    if not values:
        raise ValueError("nothing was measured")
    return {"n": len(values), "least": min(values), "median": statistics.median(values), "greatest": max(values)}


def percentiles(milliseconds: Sequence[float]) -> Percentiles:
    """Return percentiles by nearest rank: each is a time that was measured.  Raises ValueError when there is none."""
    if not milliseconds:
        raise ValueError("nothing was measured")
    ordered = sorted(milliseconds)
    return {"n": len(ordered), "p50": percentile(ordered, 50), "p99": percentile(ordered, 99), "max": ordered[-1]}


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the percentile of sorted values by nearest rank."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def ratios(these: Sequence[float], to: Sequence[float]) -> list[float]:
    """Return the ratio of each round: what disturbed the machine in a round disturbed both sides of it.

    Raises ValueError when the rounds are not the same number.
    """
    return [one / other for one, other in zip(these, to, strict=True)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the least-squares slope of (x, y): how fast memory grows.  Fewer than two x: 0."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope


def precision_recall(pairs: Iterable[tuple[bool, bool]]) -> PrecisionRecall:
    """Return precision and recall of (guess, truth) pairs."""
    counts = Counter(pairs)
    hits = counts[True, True]
    guessed, true = hits + counts[True, False], hits + counts[False, True]
    return {
        "guessed": guessed,
        "true": true,
        "precision": hits / guessed if guessed else 0.0,
        "recall": hits / true if true else 0.0,
    }


def token_f1(guess: str, truth: str) -> float:
    """Return the F1 of the bags of words (signs, in scripts without spaces)."""
    one, two = Counter(_TOKEN.findall(guess.lower())), Counter(_TOKEN.findall(truth.lower()))
    if not one and not two:
        return 1.0
    return float(2 * sum((one & two).values()) / (sum(one.values()) + sum(two.values())))
