# SPDX-License-Identifier: GPL-3.0-or-later
"""The models of category and priority: linear text categorisers over a bag of features, made by spaCy.

Training is spaCy's, from the letters in classifiers/training/ (see training/pipeline.py); at arrival only the weights of
its linear layer are read from spaCy's own file.  spaCy and thinc would cost every milter child 50 MB and half a second, and
spaCy's bag-of-words layer keeps every new word of every mail in the vocabulary for ever.  Features are hashed, and scaled
so that a long letter is no surer than a short one.
"""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from murmurhash.mrmr import hash_bytes

from classifiers.meanings import Meanings, key_of, read_meanings
from classifiers.site_model import SiteModel

# Ideas carry across languages, words don't: they weigh more.  By what stands before the colon.
WEIGHTS = {"k": 16.0, "c": 24.0, "sk": 16.0, "sc": 24.0, "f": 32.0}

CATEGORY, PRIORITY = "category", "priority"  # names of the two pipes
MEANINGS = "meanings"  # the file beside them
_ROWS = 32_768  # features whose weights are at hand; one mail has at most 4,000


class ModelError(RuntimeError):
    """The models can't be loaded; the text says why and how to make one."""


def code_of(feature: str) -> tuple[int, float]:
    """Return hash and weight of a feature: what training and reading count by."""
    key = key_of(feature)
    kind, colon, _ = feature.partition(":")
    return key, WEIGHTS.get(kind, 1.0) if colon else 1.0


def feature_scheme() -> str:
    """Return what a site's weights depend on beside the words: how features become codes, and what each kind weighs."""
    samples = ("", "word", *(f"{kind}:word" for kind in sorted(WEIGHTS)))
    return hashlib.sha256(repr([code_of(feature) for feature in samples]).encode()).hexdigest()[:16]


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
    """One loaded model: weights (hash x label, float32), biases, the labels, and what the scores are divided by."""

    weights: Any
    biases: Any
    labels: tuple[str, ...]
    temperature: float
    meanings: Meanings | None = None

    def rows(self, features: Sequence[str], keys: Sequence[int], loads: Any) -> Any:
        """Return the weights of features, whose hashes and loads those are, with what their meaning adds."""
        found = self.hashed_rows(keys) * loads[:, None]
        return found if self.meanings is None else found + self.meanings.of(features)

    def hashed_rows(self, keys: Sequence[int]) -> Any:
        """Return the weights of hashed features, each the sum of two rows (thinc's SparseLinear.v2)."""
        places = [
            [(hash_bytes(key.to_bytes(8, "little"), seed) & 0xFFFFFFFF) % len(self.weights) for key in keys]
            for seed in (0, 1)
        ]
        return self.weights[places[0]] + self.weights[places[1]]

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
        # Behind the labels' columns a feature's load squared: one look for both.
        self.weights = np.zeros((_ROWS, columns + 1), dtype="float32")


class Models:
    """The two models of one training, and its version.  Safe in several threads and after a fork.

    `site` is what this installation learned beside: its weights are added to those of the same feature and label.
    """

    def __init__(
        self, category: LinearModel, priority: LinearModel, version: str, site: SiteModel | None = None
    ) -> None:
        self.base_version = version
        self.version = version if site is None else f"{version}+site.{site.number}"
        self._category, self._priority = category, priority
        self._columns = len(category.labels) + len(priority.labels)
        self._biases = np.concatenate([category.biases, priority.biases])
        self._site = None
        if site is not None:
            # A site's weights are differences of calibrated scores: they fit any base, whatever its temperature.
            temperatures = np.repeat(
                np.array([category.temperature, priority.temperature], dtype="float32"),
                (len(category.labels), len(priority.labels)),
            )
            self._site = site.columns(self.labels, temperatures)
            self._biases = self._biases + self._site.biases
        self._rows = _Rows(self._columns)
        self._learning = threading.Lock()

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns of a sum by name ("category:order"), categories then priorities."""
        pairs = ((CATEGORY, self._category), (PRIORITY, self._priority))
        return tuple(f"{name}:{label}" for name, model in pairs for label in model.labels)

    def with_site(self, site: SiteModel | None) -> "Models":
        """Return the same models with what a site learned beside them (None: without)."""
        return Models(self._category, self._priority, self.base_version, site)

    def weigh(self, counts: Mapping[str, int]) -> Weighed:
        """Sum up the weights of counted features."""
        rows = self._rows
        try:
            places = list(map(rows.places.__getitem__, counts))
        except KeyError:
            rows = self._learn(counts)
            places = list(map(rows.places.__getitem__, counts))
        numbers = np.fromiter(counts.values(), dtype="float32", count=len(places))
        found = rows.weights.take(places, axis=0)
        return Weighed(np.sqrt(numbers) @ found[:, :-1], float(numbers @ found[:, -1]))

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
            keys, weights = zip(*map(code_of, unknown), strict=True)
            start, end = len(rows.places), len(rows.places) + len(unknown)
            loads = np.array(weights, dtype="float32")
            models = (self._category, self._priority)
            alone = np.concatenate([model.rows(unknown, keys, loads) for model in models], axis=1)
            if self._site is not None:
                alone += self._site.rows(keys) * loads[:, None]
            rows.weights[start:end, :-1] = alone
            rows.weights[start:end, -1] = loads**2
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
        meanings = read_meanings(path / MEANINGS, {name: len(meta["labels"][name]) for name in (CATEGORY, PRIORITY)})
        return Models(
            _load(path, meta, CATEGORY, meanings[CATEGORY]),
            _load(path, meta, PRIORITY, meanings[PRIORITY]),
            str(meta["version"]),
        )
    except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise ModelError(f"the models in {path} can't be loaded ({error!r}); make them with: make model") from error


def _load(path: Path, meta: dict[str, Any], name: str, meanings: Meanings) -> LinearModel:
    labels = tuple(meta["labels"][name])
    stored = msgspec.msgpack.decode((path / name / "model").read_bytes())
    names = [node["name"] for node in stored["nodes"]]
    layer = stored["params"][names.index("sparse_linear")]
    weights, biases = _array(layer["W"]), _array(layer["b"])
    # Stored label by label; a feature's weights for all labels lie together here, as they are read.
    by_hash = np.ascontiguousarray(weights.reshape(len(labels), -1).T)
    if by_hash.shape[0] != int(meta["length"]) or biases.shape != (len(labels),):
        raise ValueError(f"{name}: {weights.size} weights do not fit {len(labels)} labels")
    return LinearModel(by_hash, biases, labels, float(meta["temperatures"][name]), meanings)


def _array(stored: dict[bytes, Any]) -> Any:
    """Read an array as thinc's serialiser (srsly.msgpack) writes it."""
    return np.frombuffer(stored[b"data"], dtype=stored[b"type"]).reshape(stored[b"shape"])
