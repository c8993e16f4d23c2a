# SPDX-License-Identifier: GPL-3.0-or-later
"""The category model as a spaCy architecture: what training builds and `spacy.load` reads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from spacy.tokens import Doc
from spacy.util import registry
from thinc.layers.chain import chain
from thinc.layers.softmax_activation import softmax_activation
from thinc.layers.sparselinear import SparseLinear_v2  # type: ignore[import-not-found]  # a C extension
from thinc.model import Model

from classifiers.linear_model import code_of

Input = tuple[Any, Any, Any]  # keys (uint64), values (float32), lengths (int32): what SparseLinear reads

ARCHITECTURE = "tradepost.BagOfFeatures.v1"
FEATURES = "features"  # key in Doc.user_data


def as_input(letters: Sequence[Mapping[str, int]]) -> Input:
    """Return counted features of several letters as one input of the linear layer.

    A value is the square root of the count, weighted; all values of a letter together have length 1.
    """
    keys, values = [], []
    for counts in letters:
        codes = [code_of(feature) for feature in counts]
        loads = np.sqrt(np.array(list(counts.values()), dtype="float32")) * np.array(
            [weight for _, weight in codes], dtype="float32"
        )
        keys.append(np.array([key for key, _ in codes], dtype="uint64"))
        values.append(loads / (np.sqrt(loads @ loads) or 1.0))
    lengths = np.array([len(letter) for letter in keys], dtype="int32")
    return np.concatenate(keys), np.concatenate(values).astype("float32"), lengths


def _forward(
    model: Model[list[Doc], Input], docs: list[Doc], is_train: bool
) -> tuple[Input, Callable[[Input], list[Doc]]]:
    return as_input([doc.user_data[FEATURES] for doc in docs]), lambda _: []


@registry.architectures(ARCHITECTURE)  # type: ignore[untyped-decorator]
def build_bag_of_features(length: int, nO: int | None = None) -> Model[Any, Any]:
    """Return the model: features beside the Doc, hashed, through one linear layer to a softmax."""
    linear: Model[Any, Any] = SparseLinear_v2(nO=nO, length=length)
    model: Model[Any, Any] = chain(Model("bag_of_features", _forward), linear, softmax_activation())
    if nO is not None:
        model.set_dim("nO", nO)
    model.set_ref("output_layer", linear)
    model.attrs["multi_label"] = False
    return model
