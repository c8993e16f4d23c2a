# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the models of category and priority: `python -m classifiers.training.train` (make model).

Folds that share no writer give the accuracy on letters the model has not seen, the temperature that makes its confidence
true, and offsets by which no label is preferred; the models themselves then learn from all letters.  The same letters give the same models.
"""

import hashlib
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from rich.progress import track
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from classifiers.features import count_features
from classifiers.linear_model import CATEGORY, MEANINGS, PRIORITY, WEIGHTS, LinearModel
from classifiers.meanings import SUBJECT_FACTOR, key_of, word_of, write_meanings
from classifiers.priority import find_signs, priority_features
from classifiers.splitting import split_text
from classifiers.training.encoder import DIRECTIONS, ENCODER, places_of
from classifiers.training.expressions import read_expressions
from classifiers.training.letters import read_letters
from classifiers.training.pipeline import ARCHITECTURE, READ, ReadText, direction_keys
from classifiers.training.scores import Guess, Scores, score
from tradepost.verdict import CATEGORIES, Priority

SEED = 20
FOLDS = 5
LENGTH = 1 << 17
STEPS = 60  # each over all letters
SHARES = 3  # an expression is seen in one of so many steps: a letter says more
LEARN_RATE = 0.1
INVERSE_STRENGTH = 8.0  # of the regularisation
ALSO = 4  # in one of so many steps a letter is seen under a label that is acceptable too
OFFSET_STEPS = 400  # by then no offset moves any more
MEANING = 30.0  # how much the meaning of a word counts beside the word
_COMMON = 0.05  # a word in so many texts has half its meaning: "the" has none
CACHE = Path(__file__).parents[2] / ".cache" / "words.npz"


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text, read into features."""

    id: str
    language: str
    writer: str  # "" for an expression: it is nobody's letter
    label: str
    also: tuple[str, ...]
    features: dict[str, int]  # with how often each occurs


@dataclass(frozen=True, slots=True)
class Task:
    """One model to make: the pipe's name, its labels, the texts."""

    name: str
    labels: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A row as the model reads it: under its label, and under each that is acceptable too."""

    row: Row
    example: Example
    also: tuple[Example, ...]

    def at(self, step: int) -> Example:
        """Return what a step sees."""
        if self.also and step % ALSO == ALSO - 1:
            return self.also[step // ALSO % len(self.also)]
        return self.example


class Space:
    """The space of meaning: the words of the corpus, and where each lies, by how much it counts."""

    def __init__(self, words: Sequence[str], places: Any) -> None:
        self.words = tuple(words)
        self.places = places
        self._numbers = {word: number for number, word in enumerate(words)}

    @classmethod
    def of(cls, texts: Sequence[dict[str, int]], cache: Path) -> "Space":
        """Ask the encoder for every word of the texts; what occurs everywhere counts little."""
        seen = Counter(word for counts in texts for word in {found[0] for found in map(word_of, counts) if found})
        words = sorted(seen)
        common = np.array([seen[word] / len(texts) for word in words], dtype="float32")
        return cls(words, places_of(words, cache) * (MEANING * _COMMON / (_COMMON + common))[:, None])

    def place(self, counts: dict[str, int], met: frozenset[str] | None = None) -> Any:
        """Return where a text lies (float32, DIRECTIONS), by the words that were `met`, None: all."""
        found = [(word, count) for feature, count in counts.items() if (word := word_of(feature)) is not None]
        if met is not None:
            found = [(word, count) for word, count in found if word[0] in met]
        known = [(self._numbers[word], factor * count**0.5) for (word, factor), count in found if word in self._numbers]
        if not known:
            return np.zeros(DIRECTIONS, dtype="float32")
        numbers, factors = zip(*known, strict=True)
        return np.array(factors, dtype="float32") @ self.places[list(numbers)]

    def rows(self, model: LinearModel) -> Any:
        """Return what each word's meaning weighs in a model (float32, words x labels)."""
        return self.places @ model.hashed_rows(direction_keys(DIRECTIONS).tolist())


def read_tasks() -> tuple[Task, Task]:
    """Read every letter and expression of classifiers/training.  Raises LetterError naming a bad one."""
    categories: list[Row] = []
    priorities: list[Row] = []

    def add(name: str, language: str, writer: str, category: str, also: Sequence[str], priority: Priority | None,
            subject: str, text: str, filenames: Sequence[str] = (), sent: datetime | None = None) -> None:  # fmt: skip
        features = count_features(subject, text, filenames)
        categories.append(Row(name, language, writer, category, tuple(also), features))
        if priority is not None:
            signs = priority_features(category, find_signs(subject, text, sent))
            priorities.append(Row(name, language, writer, priority, (), features | signs))

    for letter in read_letters():
        text = split_text(letter.text).new_text or letter.text
        add(letter.id, letter.lang, letter.persona, letter.category, letter.also, letter.priority, letter.subject, text,
            letter.attachments, letter.date)  # fmt: skip
    for expression in read_expressions():
        add(expression.name, expression.name.partition(":")[0], "", expression.category, (), expression.priority, "",
            expression.text)  # fmt: skip
    return Task(CATEGORY, CATEGORIES, tuple(categories)), Task(PRIORITY, tuple(Priority), tuple(priorities))


def lessons_of(nlp: Language, task: Task, place: Callable[[dict[str, int]], Any]) -> list[Lesson]:
    """Return all rows as spaCy's examples."""
    lessons = []
    for row in task.rows:
        doc = Doc(nlp.vocab, words=["letter"])  # spaCy learns nothing from an empty Doc; what is read is beside it
        doc.user_data[READ] = ReadText.of(row.features, place(row.features))
        also = tuple(_example(doc, task, label) for label in row.also)
        lessons.append(Lesson(row, _example(doc, task, row.label), also))
    return lessons


def _example(doc: Doc, task: Task, wanted: str) -> Example:
    example = Example.from_dict(doc, {"cats": {label: float(label == wanted) for label in task.labels}})
    example.reference.user_data[READ] = doc.user_data[READ]
    return example


def add_pipe(nlp: Language, task: Task, lessons: Sequence[Lesson], *, what: str = "") -> None:
    """Add a text categoriser that has learnt the lessons: logistic regression, every step over all letters."""
    fix_random_seed(SEED)
    pipe: Any = nlp.add_pipe(
        "textcat",
        name=task.name,
        config={"threshold": 0.0, "model": {"@architectures": ARCHITECTURE, "length": LENGTH}},
    )
    letters = [lesson for lesson in lessons if lesson.row.writer]
    expressions = [lesson for lesson in lessons if not lesson.row.writer]
    pipe.initialize(lambda: [lessons[0].example], nlp=nlp, labels=list(task.labels))
    strength = 1.0 / (INVERSE_STRENGTH * (len(letters) + len(expressions) / SHARES))
    optimizer = Adam(LEARN_RATE, beta1=0.9, beta2=0.99, eps=1e-6, L2=strength, L2_is_weight_decay=False, grad_clip=0.0)
    for step in track(range(STEPS), description=f"{task.name} {what}", transient=True):
        optimizer.learn_rate = LEARN_RATE * (1 - step / STEPS)
        seen = (*letters, *expressions[step % SHARES :: SHARES])
        pipe.update([lesson.at(step) for lesson in seen], sgd=optimizer)


def folds_of(rows: Iterable[Row]) -> dict[str, int]:
    """Return the fold of each writer: nobody's letters are in two."""
    writers = sorted({row.writer for row in rows if row.writer})
    random.Random(SEED).shuffle(writers)
    return {writer: number % FOLDS for number, writer in enumerate(writers)}


def words_of(rows: Iterable[Row]) -> frozenset[str]:
    """Return the words of the texts that have a meaning."""
    return frozenset(found[0] for row in rows for found in map(word_of, row.features) if found is not None)


def cross_validate(task: Task, lessons: Sequence[Lesson], place: Callable[..., Any]) -> tuple[Any, list[Row]]:
    """Return the scores of every letter by a model that has met neither it nor its writer, and the letters.

    Of a mail from outside the model knows the meaning of those words only that stand in its letters: so a letter held out
    lies where those of its words lie that others use too (`place`: Space.place).
    """
    folds = folds_of(task.rows)
    letters = [lesson for lesson in lessons if lesson.row.writer]
    logits = np.zeros((len(letters), len(task.labels)), dtype="float32")
    for fold in range(FOLDS):
        nlp = spacy.blank("xx")
        known = [lesson for lesson in lessons if folds.get(lesson.row.writer) != fold]
        add_pipe(nlp, task, known, what=f"fold {fold + 1} of {FOLDS}")
        model: Any = nlp.get_pipe(task.name).model  # type: ignore[attr-defined]
        held_out = [number for number, lesson in enumerate(letters) if folds[lesson.row.writer] == fold]
        met = words_of(lesson.row for lesson in known)
        docs = [Doc(nlp.vocab, words=["letter"]) for _ in held_out]
        for doc, number in zip(docs, held_out, strict=True):
            features = letters[number].row.features
            doc.user_data[READ] = ReadText.of(features, place(features, met))
        logits[held_out] = model.get_ref("output_layer").predict(model.layers[0].predict(docs))
    return logits, [lesson.row for lesson in letters]


def fit_temperature(logits: Any, truth: Any) -> float:
    """Return the divisor of the scores under which the letters not seen are least surprising."""

    def surprise(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(truth)), truth]))

    return min((0.2 * 1.05**step for step in range(90)), key=surprise)


def fit_offsets(logits: Any, truth: Any, temperature: float) -> Any:
    """Return what to add to the scores of each label so that letters not seen get it as often as they bear it.

    A label whose words are many and plain (inquiry) is else found too often, one told by its goods (support) too seldom.
    """
    scaled = logits / temperature
    wanted = np.bincount(truth, minlength=logits.shape[1]) / len(truth)
    offsets = np.zeros(logits.shape[1], dtype="float32")
    for _ in range(OFFSET_STEPS):
        odds = np.exp(scaled + offsets - (scaled + offsets).max(axis=1, keepdims=True))
        offsets -= 2 * ((odds / odds.sum(axis=1, keepdims=True)).mean(axis=0) - wanted)
    return offsets * temperature


def balance(task: Task, logits: Any, rows: Sequence[Row]) -> tuple[Any, Any, float]:
    """Return the scores with offsets, those of a fold from the other folds; the offsets from all; and the temperature."""
    truth = np.array([task.labels.index(row.label) for row in rows])
    temperature = fit_temperature(logits, truth)
    folds = folds_of(rows)
    of_row = np.array([folds[row.writer] for row in rows])
    balanced = logits.copy()
    for fold in range(FOLDS):
        others = of_row != fold
        balanced[~others] += fit_offsets(logits[others], truth[others], temperature)
    return balanced, fit_offsets(logits, truth, temperature), fit_temperature(balanced, truth)


def judge(task: Task, logits: Any, rows: Sequence[Row]) -> Scores:
    """Return how often letters not seen were judged right."""
    found = (task.labels[number] for number in logits.argmax(axis=1))
    return score([Guess(row.language, row.label, label, row.also) for row, label in zip(rows, found, strict=True)])


def version_of(tasks: Sequence[Task]) -> str:
    """Return the version of the models that these texts, read this way, make: another letter, another version."""
    settings = (
        SEED,
        LENGTH,
        STEPS,
        SHARES,
        LEARN_RATE,
        INVERSE_STRENGTH,
        ALSO,
        OFFSET_STEPS,
        MEANING,
        _COMMON,
        SUBJECT_FACTOR,
        ENCODER,
    )
    digest = hashlib.sha256(f"{settings} {sorted(WEIGHTS.items())}\n".encode())
    for task in tasks:
        for row in task.rows:
            digest.update(f"{task.name} {row.id} {row.label} {row.also} {sorted(row.features.items())}\n".encode())
    return f"2.{digest.hexdigest()[:8]}"


def main(target: Path) -> None:
    """Train, report, write the models."""
    nlp = spacy.blank("xx")
    tasks = read_tasks()
    space = Space.of([row.features for row in tasks[0].rows], CACHE)
    print(f"{len(space.words)} words have a meaning")
    temperatures: dict[str, float] = {}
    held_out: dict[str, Scores] = {}
    meanings: dict[str, Any] = {}
    for task in tasks:
        lessons = lessons_of(nlp, task, space.place)
        logits, rows = cross_validate(task, lessons, space.place)
        logits, offsets, temperature = balance(task, logits, rows)
        temperatures[task.name] = round(temperature, 4)
        held_out[task.name] = judge(task, logits, rows)
        _print_judgement(task.name, held_out[task.name])
        add_pipe(nlp, task, lessons, what="from all")
        layer = nlp.get_pipe(task.name).model.get_ref("output_layer")  # type: ignore[attr-defined]
        layer.set_param("b", layer.get_param("b") + offsets)
        weights = layer.get_param("W").reshape(len(task.labels), -1).T
        meanings[task.name] = space.rows(LinearModel(weights, layer.get_param("b"), task.labels, 1.0))
    nlp.meta.update({"name": "letters", "version": version_of(tasks), "length": LENGTH, "encoder": ENCODER,
                     "temperatures": temperatures, "held_out": held_out, "letters": held_out[CATEGORY]["letters"],
                     "accuracies": {name: found["strict"] for name, found in held_out.items()}})  # fmt: skip
    nlp.to_disk(target)
    keys = np.array([key_of(word) for word in space.words], dtype="uint64")
    order = np.argsort(keys)
    write_meanings(target / MEANINGS, keys[order], {name: rows[order] for name, rows in meanings.items()})
    print(f"models {nlp.meta['version']} written to {target}")


def _print_judgement(name: str, found: Scores) -> None:
    print(
        f"{name}: {found['letters']} letters, {FOLDS} folds without a common writer: {found['strict']:.3f}, "
        f"with acceptable labels {found['right']:.3f}, macro-F1 {found['macro_f1']:.3f}"
    )
    for label, one in found["by_label"].items():
        print(f"  {label}: precision {one['precision']:.2f}, recall {one['recall']:.2f} ({one['letters']})")
    for what in ("group", "language"):
        shares = found[f"by_{what}"]  # type: ignore[literal-required]
        print(
            f"  by {what}: " + "  ".join(f"{key} {one['right']:.2f} ({one['letters']})" for key, one in shares.items())
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "model")
