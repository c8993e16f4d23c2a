# SPDX-License-Identifier: GPL-3.0-or-later
"""The category model: a spaCy text categoriser over a bag of features, linear, trained from classifiers/training/.

spaCy's own bag-of-words layer counts the words of a Doc, and every new word stays in the vocabulary for ever: a milter
would grow without end.  This layer hashes the features itself, the same way, and scales by length, so that a long
letter is no surer than a short one.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from math import sqrt
from pathlib import Path
from typing import Any, cast

import numpy as np
import spacy
from spacy.language import Language
from spacy.strings import get_string_id
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Model, SparseLinear_v2, chain, softmax_activation
from thinc.types import Floats2d

ARCHITECTURE = "tradepost.BagOfFeatures.v1"
FEATURES = "features"  # key in Doc.user_data
# Concept and keyword features carry across languages, words don't: they weigh more.
_WEIGHTS = {"k:": 3.0, "ks": 3.0, "k-": 2.0, "f:": 4.0, "c:": 4.0, "cs": 4.0}

Bag = tuple[Any, Any, Any]  # keys (uint64), values (float32), lengths (int32): what SparseLinear reads


class ModelError(RuntimeError):
    """The category model can't be loaded; the text says why and how to make one."""


_hash = lru_cache(maxsize=65_536)(get_string_id)


def bag_of(features: Sequence[str]) -> tuple[list[int], list[float]]:
    """Return hashed features and their values: square root of the count, weighted, the whole of length 1."""
    counts = Counter(features)
    values = [sqrt(count) * _WEIGHTS.get(feature[:2], 1.0) for feature, count in counts.items()]
    norm = sqrt(sum(value * value for value in values)) or 1.0
    return [_hash(feature) for feature in counts], [value / norm for value in values]


def as_input(bags: Sequence[tuple[list[int], list[float]]]) -> Bag:
    """Return several bags as one input of the linear layer."""
    keys = np.array([key for bag in bags for key in bag[0]], dtype="uint64")
    values = np.array([value for bag in bags for value in bag[1]], dtype="float32")
    return keys, values, np.array([len(bag[0]) for bag in bags], dtype="int32")


def _forward(model: Model[list[Doc], Bag], docs: list[Doc], is_train: bool) -> tuple[Bag, Callable[[Bag], list[Doc]]]:
    return as_input([bag_of(doc.user_data[FEATURES]) for doc in docs]), lambda _: []


@registry.architectures(ARCHITECTURE)  # type: ignore[untyped-decorator]
def build_bag_of_features(length: int, nO: int | None = None) -> Model[list[Doc], Floats2d]:
    """Return the model: features of the Doc, hashed, through one linear layer to a softmax.  `length` is a power of 2."""
    bag: Model[list[Doc], Bag] = Model("bag_of_features", _forward)
    linear: Model[Any, Any] = SparseLinear_v2(nO=nO, length=length)
    model: Model[Any, Any] = chain(bag, linear, softmax_activation())
    if nO is not None:
        model.set_dim("nO", nO)
    model.set_ref("output_layer", linear)
    model.attrs["multi_label"] = False
    return cast("Model[list[Doc], Floats2d]", model)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the model thinks: categories with probabilities, most likely first."""

    ranked: tuple[tuple[str, float], ...]

    @property
    def category(self) -> str:
        """The most likely category."""
        return self.ranked[0][0]

    @property
    def confidence(self) -> float:
        """Its calibrated probability."""
        return self.ranked[0][1]


class CategoryModel:
    """A loaded model.  Thread-safe: predicting only reads weights."""

    def __init__(self, nlp: Language) -> None:
        pipe = nlp.get_pipe("textcat")
        self._labels: tuple[str, ...] = tuple(cast(Any, pipe).labels)
        self._linear: Model[Any, Any] = cast(Any, pipe).model.get_ref("output_layer")
        self._temperature = float(nlp.meta["temperature"])
        self.version = str(nlp.meta["version"])

    def judge(self, features: Sequence[str]) -> Opinion:
        """Return calibrated probabilities of all categories."""
        logits = self._linear.predict(as_input([bag_of(features)]))[0] / self._temperature
        odds = np.exp(logits - logits.max())
        ranked = sorted(zip(self._labels, (odds / odds.sum()).tolist(), strict=True), key=lambda pair: -pair[1])
        return Opinion(tuple(ranked))


def load_model(path: Path | None = None) -> CategoryModel:
    """Load the model shipped with the package, or the one in `path`.  Raises ModelError."""
    try:
        if path is not None:
            return CategoryModel(spacy.load(path))
        with as_file(files("classifiers") / "model") as shipped:
            return CategoryModel(spacy.load(shipped))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"the category model can't be loaded ({error}); make one with: make model") from error
