# SPDX-License-Identifier: GPL-3.0-or-later
"""What words say by their meaning: for each word that the models know, the weights that its neighbours in meaning share.

A linear model learns only the words of its letters, each language by itself.  So in training every word also has the place
that a multilingual encoder gives it (training/encoder.py), and the model learns weights of directions in that space; they
carry from "Rechnung" to "faktura".  As the score is linear in the place, a word's whole share is one row of numbers: the
encoder is needed to make the models, never to use them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from murmurhash.mrmr import hash_unicode

SUBJECT_FACTOR = 2.0  # a word of the subject says as much as four in the text: values go by the square root


def word_of(feature: str) -> tuple[str, float] | None:
    """Return the word whose meaning a feature has, and how much it counts; None: stems, ideas, numbers, parts of words."""
    factor = 1.0
    if feature.startswith("s:"):
        feature, factor = feature[2:], SUBJECT_FACTOR
    first = feature[:1]
    if not first.isalpha() or feature.endswith("~") or ":" in feature or "." in feature:
        return None
    if "\u0e00" <= first < "\u0e80" or "\u1780" <= first < "\u1800":  # Thai, Khmer
        return (feature, factor) if len(feature) == 5 else None
    if "\u3005" <= first <= "\u9fff" and len(feature) != 2:  # kana and Han
        return None
    return feature, factor


def key_of(word: str) -> int:
    """Return the key of a word: 64 bits."""
    return (hash_unicode(word, 0) & 0xFFFFFFFF) << 32 | (hash_unicode(word, 1) & 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Meanings:
    """Rows of weights by word: keys (uint64, ascending), rows (float16, one a key; columns as the model's labels)."""

    keys: Any
    rows: Any

    def of(self, features: Sequence[str]) -> Any:
        """Return the weights that features have by their meaning (float32), zeros where they have none."""
        found = np.zeros((len(features), self.rows.shape[1]), dtype="float32")
        words = [(place, word) for place, feature in enumerate(features) if (word := word_of(feature)) is not None]
        if not words or not len(self.keys):
            return found
        wanted = np.array([key_of(word) for _, (word, _) in words], dtype="uint64")
        places = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        known = self.keys[places] == wanted
        factors = np.array([factor for _, (_, factor) in words], dtype="float32")
        where = np.array([place for place, _ in words])
        found[where[known]] = self.rows[places[known]].astype("float32") * factors[known, None]
        return found


class _Stored(msgspec.Struct):
    keys: bytes
    rows: dict[str, bytes]


def write_meanings(path: Path, keys: Any, rows: dict[str, Any]) -> None:
    """Write the rows of each model beside one list of keys."""
    stored = _Stored(keys.astype("<u8").tobytes(), {name: part.astype("<f2").tobytes() for name, part in rows.items()})
    path.write_bytes(msgspec.msgpack.encode(stored))


def read_meanings(path: Path, labels: dict[str, int]) -> dict[str, Meanings]:
    """Read the rows of each model; `labels` is their number.  Raises OSError, ValueError, msgspec.MsgspecError."""
    stored = msgspec.msgpack.decode(path.read_bytes(), type=_Stored)
    keys = np.frombuffer(stored.keys, dtype="<u8")
    found = {}
    for name, count in labels.items():
        rows = np.frombuffer(stored.rows[name], dtype="<f2").reshape(-1, count)
        if len(rows) != len(keys):
            raise ValueError(f"{name}: {len(rows)} rows do not fit {len(keys)} words")
        found[name] = Meanings(keys, rows)
    return found
