# SPDX-License-Identifier: GPL-3.0-or-later
"""The models of category and priority: linear text categorisers over a bag of features, made by spaCy.

Training is spaCy's, from the letters in classifiers/training/ (see training/pipeline.py); at arrival only its linear layer is read, with thinc.  spaCy itself would
cost every milter child 42 MB and half a second, and its own bag-of-words layer keeps every new word of every mail in the
vocabulary for ever.  Features are hashed, and scaled so that a long letter is no surer than a short one.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from murmurhash.mrmr import hash_unicode
from thinc.layers.chain import chain
from thinc.layers.softmax_activation import softmax_activation
from thinc.layers.sparselinear import SparseLinear_v2  # type: ignore[import-not-found]  # a C extension
from thinc.model import Model

# Ideas carry across languages, words don't: they weigh more.  By what stands before the colon.
WEIGHTS = {"k": 16.0, "c": 24.0, "sk": 16.0, "sc": 24.0, "f": 32.0}

Input = tuple[Any, Any, Any]  # keys (uint64), values (float32), lengths (int32): what SparseLinear reads
CATEGORY, PRIORITY = "category", "priority"  # names of the two pipes
_ROWS = 32_768  # features whose weights are at hand; one mail has at most 4,000


class ModelError(RuntimeError):
    """The models can't be loaded; the text says why and how to make one."""


def _code(feature: str) -> tuple[int, float]:
    """Return hash and weight of a feature."""
    key = (hash_unicode(feature, 0) & 0xFFFFFFFF) << 32 | (hash_unicode(feature, 1) & 0xFFFFFFFF)
    kind, colon, _ = feature.partition(":")
    return key, WEIGHTS.get(kind, 1.0) if colon else 1.0


@dataclass(frozen=True, slots=True)
class Bag:
    """Hashed features with their values: square root of the count, weighted.  Divided by `norm` they have length 1."""

    keys: Any  # uint64
    values: Any  # float32
    norm: float


def bag_of(counts: Mapping[str, int]) -> Bag:
    """Hash and weigh counted features."""
    codes = [_code(feature) for feature in counts]
    keys = np.array([key for key, _ in codes], dtype="uint64")
    values = np.sqrt(np.array(list(counts.values()), dtype="float32")) * np.array(
        [weight for _, weight in codes], dtype="float32"
    )
    return Bag(keys, values, float(np.sqrt(values @ values)))


def as_input(bags: Sequence[Bag]) -> Input:
    """Return several bags as one input of the linear layer."""
    keys = np.concatenate([bag.keys for bag in bags])
    values = np.concatenate([bag.values / (bag.norm or 1.0) for bag in bags]).astype("float32")
    return keys, values, np.array([len(bag.keys) for bag in bags], dtype="int32")


def linear_layer(length: int, labels: int | None = None) -> Model[Any, Any]:
    """Return the layer that holds the weights; `length` is a power of 2."""
    layer: Model[Any, Any] = SparseLinear_v2(nO=labels, length=length)
    return layer


def with_softmax(bag: Model[Any, Any], linear: Model[Any, Any]) -> Model[Any, Any]:
    """Return the whole model: features, weights, probabilities.  Training and reading must build the same."""
    return chain(bag, linear, softmax_activation())


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a model thinks: labels with probabilities, most likely first."""

    ranked: tuple[tuple[str, float], ...]

    @property
    def label(self) -> str:
        """The most likely label."""
        return self.ranked[0][0]

    @property
    def confidence(self) -> float:
        """Its calibrated probability."""
        return self.ranked[0][1]

    def of(self, label: str) -> float:
        """Return the probability of one label."""
        return next((share for name, share in self.ranked if name == label), 0.0)


@dataclass(frozen=True, slots=True)
class LinearModel:
    """One loaded model: its linear layer, its labels in the order of the columns, and what its scores are divided by."""

    linear: Model[Any, Any]
    labels: tuple[str, ...]
    temperature: float

    def opinion(self, scores: Any) -> Opinion:
        """Return calibrated probabilities of all labels."""
        scores = scores / self.temperature
        odds = np.exp(scores - scores.max())
        ranked = sorted(zip(self.labels, (odds / odds.sum()).tolist(), strict=True), key=lambda pair: -pair[1])
        return Opinion(tuple(ranked))


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a mail's features weigh together: a sum for each label of both models, and their squared length."""

    sums: Any  # float32, categories then priorities
    square: float

    def plus(self, other: "Weighed") -> "Weighed":
        """Return the sum with features that were not counted yet."""
        return Weighed(self.sums + other.sums, self.square + other.square)


class _Rows:
    """Of the features met lately, the weights in both models: the words of the day are looked up, not computed."""

    def __init__(self, columns: int) -> None:
        self.places: dict[str, int] = {}
        self.weights = np.zeros((_ROWS, columns), dtype="float32")
        self.squares = np.zeros(_ROWS, dtype="float32")


class Models:
    """The two models of one training, and its version.  Safe in several threads and after a fork."""

    def __init__(self, category: LinearModel, priority: LinearModel, version: str) -> None:
        self.version = version
        self._category, self._priority = category, priority
        self._columns = len(category.labels) + len(priority.labels)
        self._biases = np.concatenate([model.linear.get_param("b") for model in (category, priority)])
        self._rows = _Rows(self._columns)
        self._learning = threading.Lock()

    def weigh(self, counts: Mapping[str, int]) -> Weighed:
        """Sum up the weights of counted features."""
        rows = self._rows
        try:
            places = [rows.places[feature] for feature in counts]
        except KeyError:
            rows = self._learn(counts)
            places = [rows.places[feature] for feature in counts]
        numbers = np.fromiter(counts.values(), dtype="float32", count=len(places))
        return Weighed(np.sqrt(numbers) @ rows.weights[places], float(numbers @ rows.squares[places]))

    def category(self, weighed: Weighed) -> Opinion:
        """Say what a mail is about."""
        return self._category.opinion(self._scores(weighed)[: len(self._category.labels)])

    def priority(self, weighed: Weighed) -> Opinion:
        """Say how soon it matters."""
        return self._priority.opinion(self._scores(weighed)[len(self._category.labels) :])

    def _scores(self, weighed: Weighed) -> Any:
        return weighed.sums / (weighed.square**0.5 or 1.0) + self._biases

    def _learn(self, counts: Mapping[str, int]) -> _Rows:
        """Return rows that hold all these features."""
        with self._learning:
            rows = self._rows
            unknown = [feature for feature in counts if feature not in rows.places]
            if len(rows.places) + len(unknown) > _ROWS:
                # Others may still read the old rows; whoever looks next finds the new.
                rows, unknown = _Rows(self._columns), list(counts)[:_ROWS]
            if not unknown:
                return rows  # another thread was faster
            codes = [_code(feature) for feature in unknown]
            alone = (
                np.array([key for key, _ in codes], dtype="uint64"),
                np.array([weight for _, weight in codes], dtype="float32"),
                np.ones(len(codes), dtype="int32"),
            )
            start, end = len(rows.places), len(rows.places) + len(unknown)
            predicted = [model.linear.predict(alone) for model in (self._category, self._priority)]
            rows.weights[start:end] = np.concatenate(predicted, axis=1) - self._biases
            rows.squares[start:end] = alone[1] ** 2
            # Known only now: a reader without the lock never finds a row that is not written yet.
            rows.places.update(zip(unknown, range(start, end), strict=True))
            self._rows = rows
        return rows


def load_models(path: Path | None = None) -> Models:
    """Load the models shipped with the package, or those in the folder `path`.  Raises ModelError."""
    if path is None:
        with as_file(files("classifiers") / "model") as shipped:
            return load_models(shipped)
    try:
        meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
        return Models(_load(path, meta, CATEGORY), _load(path, meta, PRIORITY), str(meta["version"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"the models in {path} can't be loaded ({error!r}); make them with: make model") from error


def _load(path: Path, meta: dict[str, Any], name: str) -> LinearModel:
    labels = tuple(meta["labels"][name])
    linear = linear_layer(int(meta["length"]), len(labels))
    linear.initialize()
    with_softmax(Model("bag_of_features", _no_forward), linear).from_disk(path / name / "model")
    return LinearModel(linear, labels, float(meta["temperatures"][name]))


def _no_forward(model: Model[Any, Any], batch: Any, is_train: bool) -> Any:
    raise NotImplementedError("features are handed to the linear layer itself")
