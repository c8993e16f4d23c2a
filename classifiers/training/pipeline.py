# SPDX-License-Identifier: GPL-3.0-or-later
"""The category model as a spaCy architecture: what training builds and `spacy.load` reads."""

from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc
from spacy.util import registry
from thinc.model import Model

from classifiers.linear_model import Input, as_input, bag_of, linear_layer, with_softmax

ARCHITECTURE = "tradepost.BagOfFeatures.v1"
FEATURES = "features"  # key in Doc.user_data


def _forward(
    model: Model[list[Doc], Input], docs: list[Doc], is_train: bool
) -> tuple[Input, Callable[[Input], list[Doc]]]:
    return as_input([bag_of(doc.user_data[FEATURES]) for doc in docs]), lambda _: []


@registry.architectures(ARCHITECTURE)  # type: ignore[untyped-decorator]
def build_bag_of_features(length: int, nO: int | None = None) -> Model[Any, Any]:
    """Return the model: features beside the Doc, hashed, through one linear layer to a softmax."""
    linear = linear_layer(length, nO)
    model = with_softmax(Model("bag_of_features", _forward), linear)
    if nO is not None:
        model.set_dim("nO", nO)
    model.set_ref("output_layer", linear)
    model.attrs["multi_label"] = False
    return model
