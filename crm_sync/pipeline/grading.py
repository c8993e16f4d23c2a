# SPDX-License-Identifier: GPL-3.0-or-later
"""How complete a customer is, how many points he has, and the grade they come to, each with its reasons.  Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_sync.pipeline.customer_facts import NUMBERS, CustomerFacts


@dataclass(frozen=True, slots=True)
class Point:
    """Points for a fact: from a number on, or for exactly that value."""

    fact: str
    value: str
    points: int


@dataclass(frozen=True, slots=True)
class Scale:
    """Weights, points and bands in force.  `bands`: (grade, points from), the highest first."""

    weights: Mapping[str, int]
    points: Sequence[Point]
    bands: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Score:
    """What a customer comes to.  `grade` None: there are no bands."""

    completeness: int | None  # percent; None: nothing is weighed
    missing: tuple[str, ...]  # fields that count and are empty, the heaviest first
    points: int
    reasons: tuple[Point, ...]
    grade: str | None


def score(facts: CustomerFacts, scale: Scale) -> Score:
    """Weigh what is known of a customer."""
    counted = {field: weight for field, weight in scale.weights.items() if weight > 0}
    whole = sum(counted.values())
    filled = sum(weight for field, weight in counted.items() if field in facts.filled)
    completeness = 100 * filled // whole if whole else None
    missing = sorted((field for field in counted if field not in facts.filled), key=lambda field: -counted[field])
    reasons = _reasons(facts, scale.points, completeness or 0)
    points = sum(reason.points for reason in reasons)
    return Score(completeness, tuple(missing), points, tuple(reasons), _grade(points, scale.bands))


def _reasons(facts: CustomerFacts, points: Sequence[Point], completeness: int) -> list[Point]:
    """Return what gives points: of a number the highest value that is reached."""
    numbers = {**facts.numbers, "completeness": completeness}
    reached: dict[str, Point] = {}
    exact = []
    for point in points:
        if point.fact not in NUMBERS:
            if point.value in facts.values.get(point.fact, ()):
                exact.append(point)
        elif numbers.get(point.fact, 0) >= int(point.value):
            best = reached.get(point.fact)
            if best is None or int(point.value) > int(best.value):
                reached[point.fact] = point
    return sorted((*reached.values(), *exact), key=lambda point: (-point.points, point.fact, point.value))


def _grade(points: int, bands: Sequence[tuple[str, int]]) -> str | None:
    ordered = sorted(bands, key=lambda band: -band[1])
    return next((grade for grade, least in ordered if points >= least), ordered[-1][0] if ordered else None)
