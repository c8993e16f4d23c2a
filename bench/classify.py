# SPDX-License-Identifier: GPL-3.0-or-later
"""Time of classifying at arrival: the sample letters of the tests and generated ones, shuffled, each read as the milter reads it."""

import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.figures import Percentiles, percentiles
from bench.letters import make_letters
from tradepost.analysis import load_analyst
from tradepost.mime_reading import parse_message

SAMPLES = Path(__file__).parent.parent / "tests" / "mail"
_SIZES = (5_000, 20_000, 50_000)
# More than the second-level cache of a core: what Postfix's processes do to it between two mails.
_ELSEWHERE_OCTETS = 8_000_000


class ClassifyTimes(TypedDict):
    """Milliseconds: `label` in a loop over other mails each time, `cold` after the caches were filled with something else."""

    samples: int
    letters: int
    parse_ms: Percentiles
    label_ms: Percentiles
    cold_label_ms: Percentiles
    extract_ms: Percentiles


def measure_classify(*, letters: int = 1200, seed: int = 1) -> ClassifyTimes:
    """Classify every sample and so many generated letters, in random order, once warm and once cold."""
    analyst = load_analyst()
    samples = [path.read_bytes() for path in sorted(SAMPLES.glob("*.eml"))]
    generated = [
        letter.content for size in _SIZES for letter in make_letters(letters // len(_SIZES), octets=size, seed=seed)
    ]
    # Each sample a few times, so that they weigh something beside the letters.
    mails = [*generated, *samples * max(1, len(generated) // len(samples) // 2)]
    random.Random(seed).shuffle(mails)
    elsewhere = bytearray(_ELSEWHERE_OCTETS)
    parse: list[float] = []
    label: list[float] = []
    cold: list[float] = []
    extract: list[float] = []
    now = datetime.now(UTC)
    for content in samples[:10]:
        analyst.label(parse_message(content), now)
    for raw in track(mails, "classify", console=Console(stderr=True)):
        began = time.perf_counter()
        message = parse_message(raw)
        parse.append((time.perf_counter() - began) * 1e3)
        began = time.perf_counter()
        labels = analyst.label(message, now)
        labelled = time.perf_counter()
        analyst.extract(message, labels)
        extract.append((time.perf_counter() - labelled) * 1e3)
        label.append((labelled - began) * 1e3)
    for raw in track(mails, "classify, cold", console=Console(stderr=True)):
        message = parse_message(raw)
        elsewhere[:] = bytes(_ELSEWHERE_OCTETS)
        began = time.perf_counter()
        analyst.label(message, now)
        cold.append((time.perf_counter() - began) * 1e3)
    return {
        "samples": len(samples),
        "letters": len(generated),
        "parse_ms": percentiles(parse),
        "label_ms": percentiles(label),
        "cold_label_ms": percentiles(cold),
        "extract_ms": percentiles(extract),
    }


def show_classify(times: ClassifyTimes, console: Console) -> None:
    """Print what measure_classify found."""
    title = f"{times['samples']} samples and {times['letters']} letters, shuffled, one process"
    table = Table("step", "n", "p50 ms", "p99 ms", "max ms", title=title)
    steps = {
        "label, as at arrival": times["label_ms"],
        "label, caches cold": times["cold_label_ms"],
        "parse": times["parse_ms"],
        "extract, in the worker": times["extract_ms"],
    }
    for name, one in steps.items():
        table.add_row(name, str(one["n"]), *(f"{one[key]:.2f}" for key in ("p50", "p99", "max")))
    console.print(table)
