# SPDX-License-Identifier: GPL-3.0-or-later
"""A second opinion on the category of a mail: a slower reader that knows what sentences mean, for when the first is unsure.

It sees the place that a multilingual encoder gives to subject and new text, and is a logistic regression over it that
learned from the same letters as the first model.  Both together are right more often than either.  It takes tens of
milliseconds: never at arrival, only in the worker and on the command line, and only where the encoder is installed.
"""

import json
import logging
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.analyst import TradeAnalyst
from classifiers.deciding import decide_category
from classifiers.encoder_process import DIRECTIONS, MAX_CHARS, EncoderFailed, EncoderProcess, check_encoder
from classifiers.linear_model import ModelError, Opinion
from classifiers.reading import read_letter
from tradepost.analysis import SecondOpinion
from tradepost.message import Message
from tradepost.patience import Patience

log = logging.getLogger("tradepost.classifiers")

META, WEIGHTS = "second_opinion.json", "second_opinion.bin"  # beside the models
REASON = "second-opinion"
_SUBJECT_SIGNS = 100
_LEAST_SHARE = 1e-9  # keeps the logarithm of a probability that was rounded to nothing
_REST_SECONDS, _LONGEST_REST_SECONDS = 5.0, 600.0  # after an encoder that failed


@dataclass(frozen=True, slots=True)
class SecondModel:
    """Weights (DIRECTIONS x labels, float32), biases, and how much each opinion weighs when both speak."""

    weights: Any
    biases: Any
    labels: tuple[str, ...]
    temperature: float
    shares: tuple[float, float]  # of the first opinion's log-probabilities, of the second's
    version: str

    def opinion(self, place: Any) -> Opinion:
        """Return calibrated probabilities for a text that lies there."""
        return self._ranked((place @ self.weights + self.biases) / self.temperature)

    def together(self, first: Opinion, second: Opinion) -> Opinion:
        """Return what both say."""
        return self._ranked(self.shares[0] * self._logarithms(first) + self.shares[1] * self._logarithms(second))

    def _logarithms(self, opinion: Opinion) -> Any:
        by_label = dict(opinion.ranked)
        return np.log(np.maximum([by_label.get(label, 0.0) for label in self.labels], _LEAST_SHARE))

    def _ranked(self, scores: Any) -> Opinion:
        odds = np.exp(scores - scores.max())
        ranked = sorted(zip(self.labels, (odds / odds.sum()).tolist(), strict=True), key=lambda pair: -pair[1])
        return Opinion(tuple(ranked))


def text_of(subject: str, words: str) -> str:
    """Return what the encoder reads of a mail: the beginning, so much that it costs about a hundred of its tokens.

    A letter of an alphabet is a quarter of a token, any other sign nearly one.  More text was tried: it is slower and no
    righter.
    """
    text = f"{subject[:_SUBJECT_SIGNS]}\n{words[:MAX_CHARS]}"
    weight = 0
    for place, sign in enumerate(text):
        weight += 1 if sign < "\u0300" or "\u036f" < sign < "\u2e80" else 3
        if weight > MAX_CHARS:
            return text[:place]
    return text


def load_second_model(path: Path | None = None) -> SecondModel:
    """Load the model shipped with the package, or that in the folder `path`.  Raises ModelError."""
    if path is None:
        with as_file(files("classifiers") / "model") as shipped:
            return load_second_model(shipped)
    try:
        meta = json.loads((path / META).read_text(encoding="utf-8"))
        labels = tuple(meta["labels"])
        stored = np.frombuffer((path / WEIGHTS).read_bytes(), dtype="<f4").reshape(DIRECTIONS + 1, len(labels))
        first, second = meta["shares"]
        return SecondModel(
            stored[:-1], stored[-1], labels, float(meta["temperature"]), (float(first), float(second)), meta["version"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"the second opinion in {path} can't be loaded ({error!r}); make it with: make model"
        ) from error


class SecondReader:
    """Implements `tradepost.analysis.Consultant`.  For one thread."""

    def __init__(self, analyst: TradeAnalyst, model: SecondModel, encoder: EncoderProcess) -> None:
        self._analyst = analyst
        self._model = model
        self._encoder = encoder
        self._patience = Patience(log, first=_REST_SECONDS, longest=_LONGEST_REST_SECONDS)

    def consult(self, message: Message, *, sender: str | None = None) -> SecondOpinion | None:
        """Weigh both opinions and the evidence around them; None where the encoder does not answer."""
        if self._patience.seconds_left:
            return None
        reading = read_letter(message, sender)
        words = reading.words_that_count
        try:
            place = self._encoder.encode(text_of(message.subject, words))
        except EncoderFailed as error:
            self._patience.fail(f"no second opinion: {error}")
            return None
        self._patience.succeed("second opinions are given again")
        second = self._model.opinion(place)
        together = self._model.together(self._analyst.opinion(message, words), second)
        decision = decide_category(message, reading.automation, together, words)
        return SecondOpinion(
            category=second.label,
            confidence=round(second.confidence, 3),
            model=self._model.version,
            decided=decision.category,
            decided_confidence=round(decision.confidence, 3),
            reasons=(*decision.reasons, REASON),
        )

    def close(self) -> None:
        """End the encoder."""
        self._encoder.close()


def load(analyst: TradeAnalyst) -> SecondReader:
    """Load the model; the encoder starts with the first mail.  Raises EncoderMissing, ModelError."""
    check_encoder()
    return SecondReader(analyst, load_second_model(), EncoderProcess())
