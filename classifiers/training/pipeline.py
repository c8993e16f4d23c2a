# SPDX-License-Identifier: GPL-3.0-or-later
"""The category model as a spaCy architecture: what training builds and `spacy.load` reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from spacy.tokens import Doc
from spacy.util import registry
from thinc.layers.chain import chain
from thinc.layers.sparselinear import SparseLinear_v2  # type: ignore[import-not-found]  # a C extension
from thinc.model import Model

from classifiers.linear_model import code_of

Input = tuple[Any, Any, Any]  # keys (uint64), values (float32), lengths (int32): what SparseLinear reads

ARCHITECTURE = "tradepost.BagOfFeatures.v2"
READ = "read"  # key in Doc.user_data


@dataclass(frozen=True, slots=True)
class ReadText:
    """A text as the model reads it.

    keys (uint64) and values (float32) of its counted features, and the place of its words in the space of meaning
    (float32, DIRECTIONS numbers or none), all divided by the length of the values.
    """

    keys: Any
    values: Any
    place: Any

    @classmethod
    def of(cls, counts: dict[str, int], place: Any = ()) -> "ReadText":
        """Return counted features scaled: a value is the square root of the count, weighted; together of length 1."""
        codes = [code_of(feature) for feature in counts]
        values = np.sqrt(np.array(list(counts.values()), dtype="float32"))
        values *= np.array([weight for _, weight in codes], dtype="float32")
        length = float(np.sqrt(values @ values)) or 1.0
        return cls(
            np.array([key for key, _ in codes], dtype="uint64"),
            values / np.float32(length),
            np.asarray(place, dtype="float32") / np.float32(length),
        )


def direction_keys(count: int) -> Any:
    """Return the keys of the first directions of the space of meaning."""
    return np.array([code_of(f"direction.{number}")[0] for number in range(count)], dtype="uint64")


def as_input(texts: Sequence[ReadText]) -> Input:
    """Return several texts as one input of the linear layer."""
    directions = direction_keys(max(len(text.place) for text in texts))
    keys, values = [], []
    for text in texts:
        keys += [text.keys, directions[: len(text.place)]]
        values += [text.values, text.place]
    lengths = np.array([len(text.keys) + len(text.place) for text in texts], dtype="int32")
    return np.concatenate(keys), np.concatenate(values).astype("float32"), lengths


def _forward(
    model: Model[list[Doc], Input], docs: list[Doc], is_train: bool
) -> tuple[Input, Callable[[Input], list[Doc]]]:
    return as_input([doc.user_data[READ] for doc in docs]), lambda _: []


def _shares(model: Model[Any, Any], scores: Any, is_train: bool) -> tuple[Any, Callable[[Any], Any]]:
    """Return softmax, whose way back is that of cross-entropy: what spaCy's loss gives, found minus wanted shares, is the
    gradient of the scores already.  (thinc's softmax_activation would make it the gradient of a squared error.)"""
    return model.ops.softmax(scores), lambda gradient: gradient


@registry.architectures(ARCHITECTURE)  # type: ignore[untyped-decorator]
def build_bag_of_features(length: int, nO: int | None = None) -> Model[Any, Any]:
    """Return the model: what is read beside the Doc, hashed, through one linear layer to a softmax."""
    linear: Model[Any, Any] = SparseLinear_v2(nO=nO, length=length)
    model: Model[Any, Any] = chain(Model("bag_of_features", _forward), linear, Model("shares", _shares))
    if nO is not None:
        model.set_dim("nO", nO)
    model.set_ref("output_layer", linear)
    model.attrs["multi_label"] = False
    return model
