# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn which place of a letter says a fact: `python -m classifiers.training.facts [PATH...]`.

PATH are files or folders of labelled letters, those of the package without any.  Writes classifiers/data/fact_weights.json:
for each fact the weights of a softmax over the candidates of a letter and "none".  Five folds, no writer in two of them,
say how good the choice is on letters it has not seen.  The same letters give the same weights.
"""

import hashlib
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.entities import ABOUT_GOODS, Letter, letter_of, none_features, prices_of, products_of
from classifiers.goods_words import from_octets, use_goods_words
from classifiers.meanings import word_of
from classifiers.phones import warm_regions
from classifiers.products import PHRASE_WORD
from classifiers.ranking import Features
from classifiers.reading import read_letter
from classifiers.training.encoder import places_of
from classifiers.training.goods_words import TEXT_CHARS, learn_table, parts_in
from classifiers.training.letters import Facts, TrainingLetter, read_letters
from classifiers.training.train import CACHE, read_tasks
from classifiers.writers import company_candidates, fullest_name, person_candidates

FOLDS = 5
STEPS = 400
LEARN_RATE = 0.1
LEAST_LETTERS = 3  # a feature of fewer letters says nothing of others
LEAST_WEIGHT = 0.05
LEAST_LIKENESS = 0.6


@dataclass(frozen=True, slots=True)
class Choice:
    """One letter: the features of each candidate, of "none" first, and which of them are right."""

    writer: str
    features: tuple[Features, ...]
    right: tuple[bool, ...]
    is_stated: bool  # in the letter's label, whether or not a candidate says it


@dataclass(frozen=True, slots=True)
class Task:
    """How the choices of one fact are made; `penalty` keeps weights small.

    Labels leave out many a fact that the letter says, so that "none" is learned too well: `boldness` is taken from it.
    """

    fact: str
    choices: Callable[[Letter, Facts], tuple[tuple[Features, ...], tuple[bool, ...]]]
    penalty: float = 1.0
    boldness: float = 0.7


def read_pairs(paths: Sequence[Path]) -> list[tuple[TrainingLetter, Letter]]:
    """Return each letter whose facts are labelled with what facts are read from.

    Category and language are those of the label: the model that says so at work learned from these very letters.
    """
    warm_regions()
    return [(row, _read(row)) for row in read_letters(paths) if row.facts is not None]


def _read(row: TrainingLetter) -> Letter:
    message = row.message
    reading = read_letter(message)
    country = reading.origin(message, row.lang).country
    return letter_of(message, reading, category=row.category, language=row.lang, country=country)


def quantity_choices(letter: Letter, facts: Facts) -> tuple[tuple[Features, ...], tuple[bool, ...]]:
    """Return the numbers of the letter that may count goods."""
    candidates = [quantity for quantity in letter.quantities if quantity.features]
    right = [facts.quantity is not None and abs(candidate.value - facts.quantity) < 1e-6 for candidate in candidates]
    return _with_none(none_features(letter), [candidate.features for candidate in candidates], right, facts.quantity)


def price_choices(letter: Letter, facts: Facts) -> tuple[tuple[Features, ...], tuple[bool, ...]]:
    """Return the amounts of the letter that may be the price aimed at."""
    candidates = prices_of(letter)
    right = [facts.target_price is not None and abs(one.value - facts.target_price) < 1e-6 for one in candidates]
    return _with_none(none_features(letter), [one.features for one in candidates], right, facts.target_price)


def product_choices(letter: Letter, facts: Facts) -> tuple[tuple[Features, ...], tuple[bool, ...]]:
    """Return the phrases of the letter that may name the product."""
    candidates = products_of(letter) if letter.category in ABOUT_GOODS else []
    right = _likest([one.text for one in candidates], facts.product)
    return _with_none(none_features(letter), [one.features for one in candidates], right, facts.product)


def person_choices(letter: Letter, facts: Facts) -> tuple[tuple[Features, ...], tuple[bool, ...]]:
    """Return the pieces of the letter that may name its writer."""
    pieces = person_candidates(letter.signer)
    return _with_none(
        letter.signer.none_features,
        [piece.features for piece in pieces],
        _likest([fullest_name(piece, pieces).text for piece in pieces], facts.person),
        facts.person,
    )


def company_choices(letter: Letter, facts: Facts) -> tuple[tuple[Features, ...], tuple[bool, ...]]:
    """Return the pieces of the letter that may name the company; the person is the labelled one."""
    pieces = person_candidates(letter.signer)
    named = [
        piece
        for piece, right in zip(pieces, _likest([piece.text for piece in pieces], facts.person), strict=True)
        if right
    ]
    candidates = company_candidates(
        pieces, next((piece for piece in reversed(named) if piece.source != "from"), named[0] if named else None)
    )
    right = _likest([piece.text for piece in candidates], facts.company)
    return _with_none(letter.signer.none_features, [piece.features for piece in candidates], right, facts.company)


def _likest(texts: Sequence[str], truth: str | None) -> list[bool]:
    """Say which texts are most like the label, when they are like enough."""
    if truth is None:
        return [False] * len(texts)
    likeness = [token_f1(text, truth) for text in texts]
    best = max(likeness, default=0.0)
    return [best >= LEAST_LIKENESS and one >= best - 1e-9 for one in likeness]


def _with_none(
    none: Features, features: Iterable[Features], right: Iterable[bool], truth: object
) -> tuple[tuple[Features, ...], tuple[bool, ...]]:
    return (none, *features), (truth is None, *right)


TASKS = (
    Task("person", person_choices, 0.3, boldness=1.0),
    Task("company", company_choices, 0.3, boldness=1.0),
    Task("quantity", quantity_choices, 1.2, boldness=1.5),
    Task("product", product_choices, 2.0, boldness=1.0),
    Task("target_price", price_choices, 0.5, boldness=1.2),
)


class Learner:
    """Learns the weights of one fact."""

    def __init__(self, choices: Sequence[Choice], penalty: float) -> None:
        seen = Counter(name for choice in choices for name in {name for one in choice.features for name in one})
        self.names = sorted(name for name, letters in seen.items() if letters >= LEAST_LETTERS)
        self._columns = {name: column for column, name in enumerate(self.names)}
        self._penalty = penalty
        usable = [choice for choice in choices if any(choice.right)]
        rows, columns, starts = [], [], [0]
        row = 0
        for choice in usable:
            for features in choice.features:
                known = [self._columns[name] for name in features if name in self._columns]
                rows += [row] * len(known)
                columns += known
                row += 1
            starts.append(row)
        self._rows, self._cols = np.array(rows, dtype=np.intp), np.array(columns, dtype=np.intp)
        self._starts = np.array(starts[:-1], dtype=np.intp)
        self._letter = np.repeat(np.arange(len(usable)), np.diff(starts))
        self._right = np.array([right for choice in usable for right in choice.right], dtype=float)

    def learn(self) -> dict[str, float]:
        """Return the weights that make the right candidates likeliest (Adam, all letters a step)."""
        weights = np.zeros(len(self.names))
        mean, square = np.zeros_like(weights), np.zeros_like(weights)
        for step in range(1, STEPS + 1):
            slope = self._slope(weights) + self._penalty * weights
            mean = 0.9 * mean + 0.1 * slope
            square = 0.999 * square + 0.001 * slope * slope
            weights -= LEARN_RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        return {
            name: round(float(weight), 3)
            for name, weight in zip(self.names, weights, strict=True)
            if abs(weight) >= LEAST_WEIGHT
        }

    def _slope(self, weights: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
        scores = np.bincount(self._rows, weights[self._cols], minlength=len(self._right))
        scores -= np.maximum.reduceat(scores, self._starts)[self._letter]
        shares = np.exp(scores)
        shares /= np.add.reduceat(shares, self._starts)[self._letter]
        wanted = shares * self._right
        wanted /= np.maximum(np.add.reduceat(wanted, self._starts)[self._letter], 1e-12)
        slope: np.ndarray[Any, np.dtype[np.float64]] = np.bincount(
            self._cols, (shares - wanted)[self._rows], minlength=len(weights)
        ).astype(np.float64)
        return slope


_TOKEN = re.compile("[\u0e00-\u0e7f\u3040-\u9fff\uac00-\ud7a3]|[^\\W\u0e00-\u0e7f\u3040-\u9fff\uac00-\ud7a3]+")


def token_f1(guess: str, truth: str) -> float:
    """Return the F1 of the bags of words (signs, in scripts without spaces)."""
    one, two = Counter(_TOKEN.findall(guess.lower())), Counter(_TOKEN.findall(truth.lower()))
    return 2 * sum((one & two).values()) / max(sum(one.values()) + sum(two.values()), 1)


def is_shown(truth: str, row: TrainingLetter) -> bool:
    """Does the letter show half of the label's words (signs, in scripts without spaces)?"""
    words = set(_TOKEN.findall(truth.lower()))
    shown = set(_TOKEN.findall(f"{row.sender.partition('<')[0]}\n{row.subject}\n{row.text}".lower()))
    return 2 * len(words & shown) >= len(words)


def fold_of(writer: str) -> int:
    """Return the fold of a writer."""
    return hashlib.sha256(writer.encode()).digest()[0] % FOLDS


def cross_validate(choices: Sequence[Choice], penalty: float, boldness: float) -> dict[str, float]:
    """Return recall and precision on letters of writers that the weights have not met."""
    found = right = stated = possible = stated_right = 0
    for fold in range(FOLDS):
        weights = Learner([choice for choice in choices if fold_of(choice.writer) != fold], penalty).learn()
        for choice in choices:
            if fold_of(choice.writer) != fold:
                continue
            scores = [sum(weights.get(name, 0.0) for name in features) for features in choice.features]
            top = (
                max(range(len(scores)), key=lambda index: (scores[index], -index) if index else (-99.0, 0))
                if len(scores) > 1
                else 0
            )
            stated_right += choice.is_stated and choice.right[top] and top > 0
            scores[0] -= boldness
            best = scores.index(max(scores))
            found += best > 0
            right += best > 0 and choice.right[best]
            stated += choice.is_stated
            possible += any(choice.right[1:])
    return {
        "stated": stated,
        "possible": possible / max(stated, 1),
        "when-stated": stated_right / max(stated, 1),
        "recall": right / max(stated, 1),
        "precision": right / max(found, 1),
    }


def choices_of(task: Task, pairs: Sequence[tuple[TrainingLetter, Letter]]) -> list[Choice]:
    """Return the choices of one fact; letters of robots and absence notes have none."""
    choices = []
    for row, letter in pairs:
        facts = row.facts or Facts()
        truth = getattr(facts, task.fact)
        if isinstance(truth, str) and not is_shown(truth, row):
            continue  # whoever labelled it knew more than the letter says
        features, right = task.choices(letter, facts)
        choices.append(Choice(row.persona, features, right, getattr(facts, task.fact) is not None))
    return choices


def stack_choices(task: Task, pairs: Sequence[tuple[TrainingLetter, Letter]], words: Sequence[str]) -> list[Choice]:
    """Return the choices of one fact with the words of each letter scored by what other writers' letters say.

    Leaves the words scored by what all letters say, as they are at work, and writes that table.  A table that has met the
    letter would be trusted too much; for the same reason words that only this fold has are unknown to it.
    """
    places = places_of(words, CACHE)
    choices = []
    for fold in range(FOLDS):
        others = [pair for pair in pairs if fold_of(pair[0].persona) != fold]
        own = [pair for pair in pairs if fold_of(pair[0].persona) == fold]
        met = {part for _, letter in others for part in parts_in(letter.text)}
        unmet = {part for _, letter in own for part in parts_in(letter.text)} - met
        rows = [row for row, word in enumerate(words) if word not in unmet]
        table = learn_table(_labelled(others), [words[row] for row in rows], places[rows])
        use_goods_words(from_octets(table))
        choices += choices_of(task, own)
    table = learn_table(_labelled(pairs), words, places)
    (_data_folder() / "goods_words.bin").write_bytes(table)
    use_goods_words(from_octets(table))
    return choices


def _labelled(pairs: Sequence[tuple[TrainingLetter, Letter]]) -> list[tuple[str, str | None]]:
    return [
        (letter.text[: letter.head + TEXT_CHARS], row.facts.product)
        for row, letter in pairs
        if row.facts is not None and (row.facts.product is None or is_shown(row.facts.product, row))
    ]


def known_words() -> list[str]:
    """Return the words that the models know: the encoder has been asked for them."""
    features = {feature for row in read_tasks()[0].rows for feature in row.features}
    return sorted({found[0] for found in map(word_of, features) if found is not None})


def count_common_words(pairs: Sequence[tuple[TrainingLetter, Letter]]) -> dict[str, str]:
    """Return, by language, the words that many writers use: in at least one letter of thirty and three."""
    letters: Counter[str] = Counter()
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for row, letter in pairs:
        letters[row.lang] += 1
        seen[row.lang].update({word.lower() for word in PHRASE_WORD.findall(letter.text) if not word[0].isdigit()})
    return {
        language: " ".join(sorted(word for word, count in words.items() if count >= max(3, letters[language] / 30)))
        for language, words in sorted(seen.items())
    }


def main() -> None:
    """Learn every fact, print what the folds say, write the weights."""
    pairs = read_pairs([Path(argument) for argument in sys.argv[1:]])
    folder = _data_folder()
    _write(folder / "common_words.json", count_common_words(pairs))
    weights = {}
    for task in TASKS:
        choices = stack_choices(task, pairs, known_words()) if task.fact == "product" else choices_of(task, pairs)
        figures = cross_validate(choices, task.penalty, task.boldness)
        print(task.fact, " ".join(f"{name} {value:.3f}" for name, value in figures.items()))
        learned = Learner(choices, task.penalty).learn()
        weights[task.fact] = learned | {"none": round(learned.get("none", 0.0) - task.boldness, 3)}
    _write(folder / "fact_weights.json", weights)
    print(f"{sum(map(len, weights.values()))} weights from {len(pairs)} letters")


def _data_folder() -> Path:
    return Path(str(files("classifiers"))) / "data"


def _write(path: Path, table: object) -> None:
    path.write_text(json.dumps(table, ensure_ascii=False, indent=0, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
