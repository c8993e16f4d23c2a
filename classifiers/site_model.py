# SPDX-License-Identifier: GPL-3.0-or-later
"""What one installation learned from corrections: a few weights beside the shipped model, and the file they are kept in.

A file holds hashed features and numbers, no word of any mail.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np

from tradepost.errors import Refusal
from tradepost.learning import Score

MAX_FEATURES = 40_000
_MAX_LABELS = 64
_MAX_WEIGHT = 50.0  # e^50: surer than sure
_FORM = "tradepost-site-model"
_FORM_VERSION = 1
_LABEL = re.compile(r"(?:category|priority):[a-z0-9][a-z0-9-]{0,39}")


class SiteModelError(Refusal, ValueError):
    """A site's model can't be read, written or used.  One line: which file, why, and the way out."""


@dataclass(frozen=True)
class SiteModel:
    """One learned model.

    `labels` name the columns ("category:order").  `codes` are 64-bit codes of features (uint64, ascending), `weights`
    their rows (float32, features x labels), `biases` one number a label; all are differences of calibrated scores, which
    are added to those of the base.  `scheme` says how features became codes, `base` which model it was learned beside,
    `lessons` is the digest of the corrections that it learned from.  `follows` is the number of the model that was in force
    before it (0: the shipped one alone).
    """

    number: int
    base: str
    scheme: str
    made_at: datetime
    corrections: int
    lessons: str
    labels: tuple[str, ...]
    codes: Any
    weights: Any
    biases: Any
    scores: tuple[Score, ...] = ()
    follows: int = 0

    def columns(self, labels: Sequence[str], scale: Any) -> "SiteColumns":
        """Return the weights in the order of a base's labels, times `scale` (one number a label); what it lacks is 0."""
        weights = np.zeros((len(self.codes), len(labels)), dtype="float32")
        biases = np.zeros(len(labels), dtype="float32")
        for column, label in enumerate(labels):
            if label in self.labels:
                own = self.labels.index(label)
                weights[:, column], biases[column] = self.weights[:, own], self.biases[own]
        return SiteColumns(self.codes, weights * scale, biases * scale)


@dataclass(frozen=True, slots=True)
class SiteColumns:
    """A site's weights, laid out for one base: what is looked up at arrival."""

    codes: Any
    weights: Any
    biases: Any

    def rows(self, keys: Sequence[int]) -> Any:
        """Return the weights of feature codes, one row each; of one that was not learned, zeros."""
        wanted = np.array(keys, dtype="uint64")
        if not len(self.codes):
            return np.zeros((len(wanted), self.weights.shape[1]), dtype="float32")
        places = np.minimum(np.searchsorted(self.codes, wanted), len(self.codes) - 1)
        return self.weights[places] * (self.codes[places] == wanted)[:, None]


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file holds; arrays as little-endian bytes."""

    number: int
    base: str
    scheme: str
    made_at: datetime
    corrections: int
    lessons: str
    labels: list[str]
    codes: bytes
    weights: bytes
    biases: bytes
    scores: list[Score]
    follows: int = 0


def encode_site_model(model: SiteModel) -> bytes:
    """Return the bytes of a file: form, version, checksum, content."""
    content = msgspec.msgpack.encode(
        _Stored(
            number=model.number,
            base=model.base,
            scheme=model.scheme,
            made_at=model.made_at,
            corrections=model.corrections,
            lessons=model.lessons,
            labels=list(model.labels),
            codes=model.codes.astype("<u8").tobytes(),
            weights=model.weights.astype("<f4").tobytes(),
            biases=model.biases.astype("<f4").tobytes(),
            scores=list(model.scores),
            follows=model.follows,
        )
    )
    return msgspec.msgpack.encode((_FORM, _FORM_VERSION, sha256(content).digest(), content))


def decode_site_model(data: bytes) -> SiteModel:
    """Read a file's bytes.  Raises ValueError, in words, for everything that is not a whole and sane model."""
    try:
        form, version, checksum, content = msgspec.msgpack.decode(data, type=tuple[str, int, bytes, bytes])
        if form != _FORM:
            raise ValueError("is no site model")
        if version != _FORM_VERSION:
            raise ValueError(f"has form {version}, this program reads {_FORM_VERSION}")
        if sha256(content).digest() != checksum:
            raise ValueError("is damaged: its checksum is wrong")
        return _as_model(msgspec.msgpack.decode(content, type=_Stored))
    except (msgspec.MsgspecError, OverflowError) as error:
        # What it says may quote the file.
        said = "".join(sign if sign.isprintable() else "?" for sign in str(error))
        raise ValueError(f"is no site model ({said[:200]})") from error


def _as_model(stored: _Stored) -> SiteModel:
    count, columns = len(stored.codes) // 8, len(stored.labels)
    if stored.number < 1 or stored.made_at.tzinfo is None:
        raise ValueError("has no number or no date")
    if columns > _MAX_LABELS or len(set(stored.labels)) != columns or not all(map(_LABEL.fullmatch, stored.labels)):
        raise ValueError("names labels that can't be")
    if count > MAX_FEATURES:
        raise ValueError(f"holds more than {MAX_FEATURES} features")
    if (len(stored.codes), len(stored.weights), len(stored.biases)) != (count * 8, count * columns * 4, columns * 4):
        raise ValueError("holds arrays that do not fit each other")
    codes = np.frombuffer(stored.codes, dtype="<u8").astype("uint64")
    weights = np.frombuffer(stored.weights, dtype="<f4").astype("float32").reshape(count, columns)
    biases = np.frombuffer(stored.biases, dtype="<f4").astype("float32")
    if not np.all(codes[1:] > codes[:-1]):
        raise ValueError("holds features out of order")
    # NaN compares as false: also what is no number is refused.
    if not np.all(np.abs(weights) <= _MAX_WEIGHT) or not np.all(np.abs(biases) <= _MAX_WEIGHT):
        raise ValueError("holds weights out of bounds")
    return SiteModel(
        stored.number,
        stored.base,
        stored.scheme,
        stored.made_at.astimezone(UTC),
        stored.corrections,
        stored.lessons,
        tuple(stored.labels),
        codes,
        weights,
        biases,
        tuple(stored.scores),
        stored.follows,
    )
