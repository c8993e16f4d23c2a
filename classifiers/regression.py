# SPDX-License-Identifier: GPL-3.0-or-later
"""Logistic regression beside scores that are there already: what a site's model adds to the shipped one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from classifiers.descent import minimise

_MOST_FEATURES = 20_000
_FEWEST_MAILS = 2  # a word of one mail alone teaches nothing about others
_STRENGTH = 0.1  # of the regularisation
# In the base an idea weighs up to 32 times what a word does; a site's own mails are told by their words.  Here a load counts
# by what this power leaves of it.
_EVENNESS = 0.5
# What is common in mail that nobody corrected says little about mail that somebody did: it is learnt as much less.
_RARITY = 2.0
_BIAS = 0.1  # value of the feature that every mail has: labels as such should move little, corrections are no sample
_SMALLEST_WEIGHT = 1e-3


@dataclass(frozen=True, slots=True)
class Row:
    """One mail as one model sees it: codes (uint64), values and loads (float32) of its features, calibrated scores of the
    shipped model and the wanted shares (both one number a label), and how much it counts."""

    codes: Any
    values: Any
    loads: Any
    scores: Any
    target: Any
    weight: float
    is_correction: bool


def fit(rows: Sequence[Row], labels: int) -> tuple[Any, Any, Any]:
    """Return (codes, weights, biases) that make the rows' targets likely, beside scores that are there already.

    L2-regularised logistic regression; float64 inside.
    """
    codes = _worth_learning([row.codes for row in rows if row.is_correction])
    places, values, eases, starts = _sparse(rows, codes)
    eases /= np.sqrt(np.mean(np.add.reduceat((values * eases[places]) ** 2, starts)))
    values = values * eases[places]
    base = np.array([row.scores for row in rows])
    targets = np.array([row.target for row in rows])
    weights = np.array([row.weight for row in rows])[:, None]
    order = np.argsort(places, kind="stable")
    owners = np.repeat(np.arange(len(rows)), np.diff([*starts, len(values)]))[order]
    sorted_values = values[order][:, None]
    met, edges = np.unique(places[order], return_index=True)

    def loss(flat: Any) -> tuple[float, Any]:
        found = flat.reshape(len(codes) + 1, labels)
        scores = base + np.add.reduceat(found[places] * values[:, None], starts)
        scores -= scores.max(axis=1, keepdims=True)
        odds = np.exp(scores)
        total = odds.sum(axis=1, keepdims=True)
        surprise = float(np.sum(weights * targets * (np.log(total) - scores)))
        slopes = weights * (odds / total - targets)
        gradient = _STRENGTH * found
        gradient[met] += np.add.reduceat(slopes[owners] * sorted_values, edges)
        return surprise + 0.5 * _STRENGTH * float(np.sum(found * found)), gradient.ravel()

    found = minimise(loss, np.zeros((len(codes) + 1) * labels)).reshape(len(codes) + 1, labels) * eases[:, None]
    biases = found[-1] * _BIAS
    large = np.abs(found[:-1]).max(axis=1, initial=0.0) >= _SMALLEST_WEIGHT
    return codes[large], found[:-1][large], biases


def _worth_learning(of_mails: Sequence[Any]) -> Any:
    """Return the features that several corrected mails share, ascending; of too many the most frequent."""
    codes, mails = np.unique(np.concatenate(of_mails), return_counts=True)
    shared = codes[mails >= _FEWEST_MAILS]
    if len(shared) > _MOST_FEATURES:
        often = np.argsort(-mails[mails >= _FEWEST_MAILS], kind="stable")[:_MOST_FEATURES]
        shared = np.sort(shared[often])
    return shared


def _sparse(rows: Sequence[Row], codes: Any) -> tuple[Any, Any, Any, Any]:
    """Return (columns, values, ease of each column, first place of each row) of the features among `codes`, and last the
    bias, which every row has."""
    places, values, starts, total = [], [], [], 0
    eases = np.ones(len(codes) + 1)
    elsewhere = np.zeros(len(codes) + 1)
    for row in rows:
        own = np.searchsorted(codes, row.codes)
        known = own < len(codes)
        known[known] = codes[own[known]] == row.codes[known]
        eases[own[known]] = row.loads[known] ** -_EVENNESS
        if not row.is_correction:
            elsewhere[own[known]] += 1
        places += [own[known], np.array([len(codes)])]
        values += [row.values[known], np.array([_BIAS])]
        starts.append(total)
        total += int(known.sum()) + 1
    others = 1 + sum(not row.is_correction for row in rows)
    if others > 1:
        eases *= (np.log(others / (1 + elsewhere)) / np.log(others)) ** _RARITY
    return np.concatenate(places), np.concatenate(values).astype("float64"), eases, np.array(starts)
