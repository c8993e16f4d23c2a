# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn how likely a word names goods: a logistic regression over the places that the encoder gives to words.

A word counts for each letter whose labelled product has it, and against for each that only has it elsewhere.  As the score
is linear in the place, it carries to words that no product of the letters has, in every language.  The pieces of words
then learn to add up to the scores: for words that no letter has.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from classifiers.goods_words import parts_of, pieces_of, to_octets
from classifiers.products import PHRASE_WORD

_STEPS = 12
_PENALTY = 3.0
_SCALE = 4.0  # of places of length one, so that the penalty leaves them room
_MOST_FOR = 3.0  # letters that count for one word
_LEAST_WORDS = 3  # a piece of fewer words says nothing of others
_PIECE_STEPS, _PIECE_RATE, _PIECE_PENALTY = 60, 0.15, 2.0
_FARTHEST = 4.0  # from the mean score
TEXT_CHARS = 500


def parts_in(text: str) -> list[str]:
    """Return what is looked up of the words of a text."""
    words = [word for word in PHRASE_WORD.findall(text.lower()) if not word[0].isdigit()]
    return [part for word in words for part in parts_of(word)]


def learn_table(letters: Sequence[tuple[str, str | None]], words: Sequence[str], places: Any) -> bytes:
    """Return the table of `words` and their pieces as it is stored.

    `letters` are text and labelled product of each; `places` (float32, words x directions) say where each word lies.
    """
    scores = learn_words(letters, words, places)
    return to_octets(scores, *learn_pieces(scores))


def learn_words(letters: Iterable[tuple[str, str | None]], words: Sequence[str], places: Any) -> dict[str, float]:
    """Return the score of each of `words`; the arguments are those of `learn_table`."""
    number = {word: row for row, word in enumerate(words)}
    lengths = np.linalg.norm(places, axis=1, keepdims=True)
    columns = np.hstack([places / (lengths + 1e-6) * _SCALE, np.ones((len(words), 1), dtype="float32")])
    rows, yes, no = _count(letters, number)
    weights = _fit(columns[rows].astype("float64"), yes, no)
    return dict(zip(words, (columns @ weights.astype("float32")).tolist(), strict=True))


def learn_pieces(scores: dict[str, float]) -> tuple[dict[str, float], float]:
    """Return what each piece adds to the mean score, and that mean (least squares, Adam)."""
    split = [pieces_of(word) for word in scores]
    seen = Counter(piece for pieces in split for piece in set(pieces))
    known = {piece: column for column, piece in enumerate(sorted(p for p, n in seen.items() if n >= _LEAST_WORDS))}
    pairs = [(row, known[piece]) for row, pieces in enumerate(split) for piece in pieces if piece in known]
    rows, columns = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    wanted = np.array(list(scores.values()))
    middle = float(wanted.mean())
    wanted = np.clip(wanted - middle, -_FARTHEST, _FARTHEST)
    weights, mean, square = (
        np.zeros(len(known)),
        np.zeros(len(known)),
        np.zeros(len(known)),
    )
    for step in range(1, _PIECE_STEPS + 1):
        wrong = np.bincount(rows, weights[columns], minlength=len(split)) - wanted
        slope = np.bincount(columns, wrong[rows], minlength=len(known)) + _PIECE_PENALTY * weights
        mean = 0.9 * mean + 0.1 * slope
        square = 0.99 * square + 0.01 * slope * slope
        weights -= _PIECE_RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return dict(zip(known, weights.tolist(), strict=True)), middle


def _count(letters: Iterable[tuple[str, str | None]], number: dict[str, int]) -> tuple[Any, Any, Any]:
    """Return the rows of the words met, and in how many letters each names goods and doesn't."""
    naming: Counter[str] = Counter()
    other: Counter[str] = Counter()
    for text, product in letters:
        if product is not None:
            named = set(parts_in(product))
            naming.update(named)
            other.update(set(parts_in(text)) - named)
    met = sorted(word for word in naming.keys() | other.keys() if word in number)
    yes = np.minimum([float(naming[word]) for word in met], _MOST_FOR)
    times = np.array([float(other[word]) for word in met])
    return (
        np.array([number[word] for word in met]),
        yes,
        np.minimum(times, 3 + np.sqrt(times)),
    )


def _fit(columns: Any, yes: Any, no: Any) -> Any:
    """Return the weights (Newton's steps of a logistic regression with a quadratic penalty)."""
    weights = np.zeros(columns.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-columns @ weights))
        slope = columns.T @ (yes - (yes + no) * chance) - _PENALTY * weights
        curve = (columns * ((yes + no) * chance * (1 - chance))[:, None]).T @ columns
        weights += np.linalg.solve(curve + _PENALTY * np.eye(len(weights)), slope)
    return weights
