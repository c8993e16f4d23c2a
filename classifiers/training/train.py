# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the category model: `python -m classifiers.training.train` (make model).

Five folds give the accuracy on letters the model has not seen and the temperature that makes its confidence true; the
model itself then learns from all letters.  The same letters give the same bytes.
"""

import hashlib
import json
import random
import sys
from collections import Counter
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

from classifiers.features import read_features
from classifiers.splitting import split_text
from classifiers.training.pipeline import ARCHITECTURE, FEATURES
from tradepost.verdict import CATEGORIES

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
    category: str
    features: tuple[str, ...]


def read_rows() -> list[Row]:
    """Read every letter of classifiers/training/*.jsonl.  Raises ValueError naming file and line of a bad one."""
    rows = []
    sources = [item for item in files("classifiers.training").iterdir() if item.name.endswith(".jsonl")]
    for source in sorted(sources, key=lambda item: item.name):
        for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
            row = json.loads(line)
            if row["category"] not in CATEGORIES:
                raise ValueError(f"{source.name}:{number}: no category {row['category']!r}")
            text = split_text(row["body"]).new_text or row["body"]
            features = read_features(row["subject"], text, row["attachments"])
            rows.append(Row(row["id"], row["lang"], row["category"], tuple(features)))
    return rows


def train(rows: list[Row], seed: int = SEED) -> Language:
    """Return a pipeline with one text categoriser that has learnt from the rows."""
    fix_random_seed(seed)
    order = random.Random(seed)
    nlp = spacy.blank("xx")
    textcat: Any = nlp.add_pipe(
        "textcat", config={"threshold": 0.0, "model": {"@architectures": ARCHITECTURE, "length": LENGTH}}
    )
    examples = [_example(nlp, row) for row in rows]
    textcat.initialize(lambda: examples, nlp=nlp, labels=list(CATEGORIES))
    optimizer = Adam(LEARN_RATE, L2=0.0, grad_clip=0.0)
    for _ in range(EPOCHS):
        order.shuffle(examples)
        for start in range(0, len(examples), BATCH):
            textcat.update(examples[start : start + BATCH], sgd=optimizer)
    return nlp


def _example(nlp: Language, row: Row) -> Example:
    doc = Doc(nlp.vocab, words=["letter"])  # spaCy learns nothing from an empty Doc; the features are beside it
    doc.user_data[FEATURES] = row.features
    example = Example.from_dict(doc, {"cats": {category: float(category == row.category) for category in CATEGORIES}})
    example.reference.user_data[FEATURES] = row.features
    return example


def logits_of(nlp: Language, rows: list[Row]) -> Any:
    """Return the raw scores, one line a row."""
    model: Any = nlp.get_pipe("textcat").model  # type: ignore[attr-defined]
    docs = [_example(nlp, row).predicted for row in rows]
    return model.get_ref("output_layer").predict(model.layers[0].predict(docs))


def fit_temperature(logits: Any, truth: list[int]) -> float:
    """Return the divisor of the scores under which the letters not seen are least surprising."""

    def surprise(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(truth)), truth]))

    return min((0.2 * 1.05**step for step in range(90)), key=surprise)


def cross_validate(rows: list[Row]) -> tuple[Any, list[int]]:
    """Return the scores of every row by a model that has not seen it, and the true label numbers."""
    order = list(range(len(rows)))
    random.Random(SEED).shuffle(order)
    logits = np.zeros((len(rows), len(CATEGORIES)), dtype="float32")
    for fold in range(FOLDS):
        held_out = order[fold::FOLDS]
        kept = set(order) - set(held_out)
        nlp = train([rows[index] for index in sorted(kept)])
        logits[held_out] = logits_of(nlp, [rows[index] for index in held_out])
    return logits, [CATEGORIES.index(row.category) for row in rows]


def main(target: Path) -> None:
    """Train, report, write the model."""
    rows = read_rows()
    logits, truth = cross_validate(rows)
    guesses = logits.argmax(axis=1)
    print(f"{len(rows)} letters, {len({row.language for row in rows})} languages, {FOLDS} folds")
    print(f"held-out accuracy {np.mean(guesses == truth):.3f}")
    _print_by("category", [row.category for row in rows], guesses == truth)
    _print_by("language", [row.language for row in rows], guesses == truth)
    temperature = fit_temperature(logits, truth)
    nlp = train(rows)
    digest = hashlib.sha256("\n".join(f"{row.id} {row.category} {' '.join(row.features)}" for row in rows).encode())
    nlp.meta.update({"name": "category", "version": f"1.{digest.hexdigest()[:8]}", "temperature": round(temperature, 4), "length": LENGTH,
                     "accuracy": round(float(np.mean(guesses == truth)), 4), "letters": len(rows)})  # fmt: skip
    nlp.to_disk(target)
    print(f"temperature {temperature:.2f}; model {nlp.meta['version']} written to {target}")


def _print_by(what: str, keys: list[str], right: Any) -> None:
    totals = Counter(keys)
    hits = Counter(key for key, is_right in zip(keys, right, strict=True) if is_right)
    print(f"by {what}: " + "  ".join(f"{key} {hits[key] / totals[key]:.2f} ({totals[key]})" for key in sorted(totals)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "model")
