# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the models of category and priority: `python -m classifiers.training.train` (make model).

Five folds give the accuracy on letters the model has not seen and the temperature that makes its confidence true; the
models themselves then learn from all letters.  The same letters give the same bytes.
"""

import hashlib
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from classifiers.features import count_features
from classifiers.linear_model import CATEGORY, PRIORITY, WEIGHTS
from classifiers.priority import find_signs, priority_features
from classifiers.splitting import split_text
from classifiers.training.pipeline import ARCHITECTURE, FEATURES
from tradepost.verdict import CATEGORIES, Priority

SEED = 20
FOLDS = 5
LENGTH = 1 << 16
EPOCHS = 24
BATCH = 32
LEARN_RATE = 0.1


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled letter, read into features."""

    id: str
    language: str
    label: str
    features: dict[str, int]  # with how often each occurs


@dataclass(frozen=True, slots=True)
class Task:
    """One model to make: the pipe's name, its labels, the letters."""

    name: str
    labels: tuple[str, ...]
    rows: tuple[Row, ...]


def read_tasks() -> tuple[Task, Task]:
    """Read every letter of classifiers/training/*.jsonl.  Raises ValueError naming file and line of a bad one."""
    categories: list[Row] = []
    priorities: list[Row] = []
    sources = [item for item in files("classifiers.training").iterdir() if item.name.endswith(".jsonl")]
    for source in sorted(sources, key=lambda item: item.name):
        for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
            row = json.loads(line)
            if row["category"] not in CATEGORIES or row["priority"] not in list(Priority):
                raise ValueError(f"{source.name}:{number}: no such label: {row['category']!r}, {row['priority']!r}")
            text = split_text(row["body"]).new_text or row["body"]
            features = count_features(row["subject"], text, row["attachments"])
            signs = priority_features(row["category"], find_signs(row["subject"], text))
            categories.append(Row(row["id"], row["lang"], row["category"], features))
            priorities.append(Row(row["id"], row["lang"], row["priority"], features | signs))
    return Task(CATEGORY, CATEGORIES, tuple(categories)), Task(PRIORITY, tuple(Priority), tuple(priorities))


def add_pipe(nlp: Language, task: Task, rows: Sequence[Row], seed: int = SEED) -> None:
    """Add a text categoriser that has learnt from the rows."""
    fix_random_seed(seed)
    order = random.Random(seed)
    pipe: Any = nlp.add_pipe(
        "textcat",
        name=task.name,
        config={"threshold": 0.0, "model": {"@architectures": ARCHITECTURE, "length": LENGTH}},
    )
    examples = [_example(nlp, task, row) for row in rows]
    pipe.initialize(lambda: examples, nlp=nlp, labels=list(task.labels))
    optimizer = Adam(LEARN_RATE, L2=0.0, grad_clip=0.0)
    for _ in range(EPOCHS):
        order.shuffle(examples)
        for start in range(0, len(examples), BATCH):
            pipe.update(examples[start : start + BATCH], sgd=optimizer)


def _example(nlp: Language, task: Task, row: Row) -> Example:
    doc = Doc(nlp.vocab, words=["letter"])  # spaCy learns nothing from an empty Doc; the features are beside it
    doc.user_data[FEATURES] = row.features
    example = Example.from_dict(doc, {"cats": {label: float(label == row.label) for label in task.labels}})
    example.reference.user_data[FEATURES] = row.features
    return example


def cross_validate(task: Task) -> tuple[Any, list[int]]:
    """Return the scores of every row by a model that has not seen it, and the true label numbers."""
    order = list(range(len(task.rows)))
    random.Random(SEED).shuffle(order)
    logits = np.zeros((len(order), len(task.labels)), dtype="float32")
    for fold in range(FOLDS):
        held_out = order[fold::FOLDS]
        kept = sorted(set(order) - set(held_out))
        nlp = spacy.blank("xx")
        add_pipe(nlp, task, [task.rows[index] for index in kept])
        model: Any = nlp.get_pipe(task.name).model  # type: ignore[attr-defined]
        docs = [_example(nlp, task, task.rows[index]).predicted for index in held_out]
        logits[held_out] = model.get_ref("output_layer").predict(model.layers[0].predict(docs))
    return logits, [task.labels.index(row.label) for row in task.rows]


def fit_temperature(logits: Any, truth: list[int]) -> float:
    """Return the divisor of the scores under which the letters not seen are least surprising."""

    def surprise(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(truth)), truth]))

    return min((0.2 * 1.05**step for step in range(90)), key=surprise)


def version_of(tasks: Sequence[Task]) -> str:
    """Return the version of the models that these letters, read this way, make: another letter, another version."""
    digest = hashlib.sha256(f"{SEED} {LENGTH} {EPOCHS} {BATCH} {LEARN_RATE} {sorted(WEIGHTS.items())}\n".encode())
    for task in tasks:
        for row in task.rows:
            digest.update(f"{task.name} {row.id} {row.label} {sorted(row.features.items())}\n".encode())
    return f"1.{digest.hexdigest()[:8]}"


def main(target: Path) -> None:
    """Train, report, write the models."""
    nlp = spacy.blank("xx")
    temperatures: dict[str, float] = {}
    accuracies: dict[str, float] = {}
    tasks = read_tasks()
    for task in tasks:
        logits, truth = cross_validate(task)
        right = logits.argmax(axis=1) == truth
        accuracies[task.name] = round(float(np.mean(right)), 4)
        temperatures[task.name] = round(fit_temperature(logits, truth), 4)
        print(f"{task.name}: {len(truth)} letters, {FOLDS} folds, held-out accuracy {accuracies[task.name]:.3f}")
        _print_by("label", [row.label for row in task.rows], right)
        _print_by("language", [row.language for row in task.rows], right)
        add_pipe(nlp, task, task.rows)
    nlp.meta.update({"name": "letters", "version": version_of(tasks), "length": LENGTH,
                     "temperatures": temperatures, "accuracies": accuracies, "letters": len(tasks[0].rows)})  # fmt: skip
    nlp.to_disk(target)
    print(f"models {nlp.meta['version']} written to {target}")


def _print_by(what: str, keys: list[str], right: Any) -> None:
    totals = Counter(keys)
    hits = Counter(key for key, is_right in zip(keys, right, strict=True) if is_right)
    print(
        f"  by {what}: " + "  ".join(f"{key} {hits[key] / totals[key]:.2f} ({totals[key]})" for key in sorted(totals))
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "model")
