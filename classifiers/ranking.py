# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing one of several places in a letter that may say a fact, or none of them, by named features and their weights.

The weights (data/fact_weights.json) are those of a softmax over the candidates and "none", learned from labelled letters
by `python -m classifiers.training.facts`.  Each feature is a short name, so that a choice can be explained and corrected.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Protocol, TypeVar

Features = tuple[str, ...]


class Candidate(Protocol):
    """A place in a letter that may say the fact."""

    @property
    def features(self) -> Features:
        """What is known of it."""


_Candidate = TypeVar("_Candidate", bound=Candidate)


@cache
def read_weights() -> dict[str, dict[str, float]]:
    """Return the weight of each feature, by fact; empty for a fact that none was learned for."""
    raw = files("classifiers").joinpath("data/fact_weights.json").read_text(encoding="utf-8")
    weights: dict[str, dict[str, float]] = json.loads(raw)
    return weights


class Chooser:
    """What was learned of one fact."""

    def __init__(self, fact: str) -> None:
        self._weights = read_weights().get(fact, {})

    def score(self, features: Iterable[str]) -> float:
        """Return the sum of the weights."""
        return sum(filter(None, map(self._weights.get, features)))

    def choose(self, candidates: Sequence[_Candidate], none: Iterable[str] = ()) -> _Candidate | None:
        """Return the likeliest candidate, None when nothing is likelier; `none` are the features of there being none."""
        best, best_score = None, self.score(none)
        for candidate in candidates:
            score = self.score(candidate.features)
            if score > best_score:
                best, best_score = candidate, score
        return best
