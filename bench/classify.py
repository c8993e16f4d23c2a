# SPDX-License-Identifier: GPL-3.0-or-later
"""Time of classifying at arrival: the sample letters of the tests and generated ones, shuffled, each read as the milter reads it."""

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.figures import Percentiles, percentiles
from bench.letters import make_letters
from bench.raw_mails import raw_mails
from tradepost.analysis import Analyst, load_analyst
from tradepost.mime_reading import parse_message

SAMPLES = Path(__file__).parent.parent / "tests" / "mail"
_SIZES = (5_000, 20_000, 50_000)
# More than the second-level cache of a core: what Postfix's processes do to it between two mails.
_ELSEWHERE_OCTETS = 8_000_000


class MailTimes(TypedDict):
    """Milliseconds of processor time a mail, by step; `cold_label_ms`: after the caches were filled with something else."""

    parse_ms: Percentiles
    label_ms: Percentiles
    cold_label_ms: Percentiles
    extract_ms: Percentiles
    everything_ms: Percentiles  # parse, label and extract


class ClassifyTimes(MailTimes):
    """Those of the samples and of letters made for it."""

    samples: int
    letters: int


def time_mails(analyst: Analyst, mails: Sequence[bytes]) -> MailTimes:
    """Time each mail, in this order, once warm and once cold.  Raises ValueError when there is none."""
    times: dict[str, list[float]] = {"parse": [], "label": [], "extract": [], "cold": [], "everything": []}
    now = datetime.now(UTC)
    for raw in mails[:10]:
        analyst.label(parse_message(raw), now)
    for raw in track(mails, "classify", console=Console(stderr=True)):
        began = time.process_time()
        message = parse_message(raw)
        parsed = time.process_time()
        labels = analyst.label(message, now)
        labelled = time.process_time()
        analyst.extract(message, labels)
        ended = time.process_time()
        for name, seconds in (
            ("parse", parsed - began),
            ("label", labelled - parsed),
            ("extract", ended - labelled),
            ("everything", ended - began),
        ):
            times[name].append(seconds * 1e3)
    elsewhere = bytearray(_ELSEWHERE_OCTETS)
    for raw in track(mails, "classify, cold", console=Console(stderr=True)):
        message = parse_message(raw)
        elsewhere[:] = bytes(_ELSEWHERE_OCTETS)
        began = time.process_time()
        analyst.label(message, now)
        times["cold"].append((time.process_time() - began) * 1e3)
    return {
        "parse_ms": percentiles(times["parse"]),
        "label_ms": percentiles(times["label"]),
        "cold_label_ms": percentiles(times["cold"]),
        "extract_ms": percentiles(times["extract"]),
        "everything_ms": percentiles(times["everything"]),
    }


def measure_classify(*, letters: int = 1200, seed: int = 1) -> ClassifyTimes:
    """Classify every sample and so many generated letters, in random order, once warm and once cold."""
    samples = [path.read_bytes() for path in raw_mails(SAMPLES)]
    generated = [
        letter.content for size in _SIZES for letter in make_letters(letters // len(_SIZES), octets=size, seed=seed)
    ]
    # Each sample a few times, so that they weigh something beside the letters.
    mails = [*generated, *samples * max(1, len(generated) // len(samples) // 2)]
    random.Random(seed).shuffle(mails)
    return {**time_mails(load_analyst(), mails), "samples": len(samples), "letters": len(generated)}


def show_classify(times: ClassifyTimes, console: Console) -> None:
    """Print what measure_classify found."""
    show_times(times, f"{times['samples']} samples and {times['letters']} letters, shuffled, one process", console)


def show_times(times: MailTimes, title: str, console: Console) -> None:
    """Print a table, a row a step."""
    table = Table("step", "n", "p50 ms", "p99 ms", "max ms", title=title)
    steps = {
        "label, as at arrival": times["label_ms"],
        "label, caches cold": times["cold_label_ms"],
        "parse": times["parse_ms"],
        "extract, in the worker": times["extract_ms"],
        "everything": times["everything_ms"],
    }
    for name, one in steps.items():
        table.add_row(name, str(one["n"]), *(f"{one[key]:.2f}" for key in ("p50", "p99", "max")))
    console.print(table)
