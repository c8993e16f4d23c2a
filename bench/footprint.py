# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fresh process pays for the classifiers: `python -m bench.footprint FOLDER…` prints one line of JSON.

Seconds until the models are loaded, resident memory then and after each of three rounds over the mails below the folders,
and how long each mail took in that round: the first one meets cold caches.  A process of its own, because whatever was
measured before would count too; it imports no more than it needs.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, cast

from bench.figures import Percentiles, percentiles
from bench.machine import memory
from bench.raw_mails import raw_mails
from tradepost.mime_reading import parse_message

_ROUNDS = 3
_STARTS = 3


class Round(TypedDict):
    """Each mail once: milliseconds of processor time from bytes to labels and facts, megabytes resident afterwards."""

    ms: Percentiles
    rss_mb: float


class Footprint(TypedDict):
    """A process from its start."""

    load_s: float
    rss_loaded_mb: float
    rounds: list[Round]


def measure_footprint(folders: Sequence[Path]) -> Footprint:
    """Start processes that load the classifiers and read the mails; return the one that loaded in the median time.

    Raises CalledProcessError when one fails.
    """
    command = [sys.executable, "-m", "bench.footprint", *map(str, folders)]
    found = [
        cast(Footprint, json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))
        for _ in range(_STARTS)
    ]
    return sorted(found, key=lambda one: one["load_s"])[_STARTS // 2]


def main() -> None:
    """Load, read, report."""
    started = time.perf_counter()
    from classifiers.analyst import load  # its imports are part of what loading costs

    analyst = load()
    load_s = time.perf_counter() - started
    loaded = memory(os.getpid())["rss"]
    from classifiers.reading import shared_reading

    now = datetime.now(UTC)
    mails = [path for folder in sys.argv[1:] for path in raw_mails(Path(folder))]
    rounds: list[Round] = []
    for _ in range(_ROUNDS):
        times = []
        for path in mails:
            began = time.process_time()
            message = parse_message(path.read_bytes())
            reading = shared_reading(message)
            analyst.extract(message, analyst.label(message, now, reading=reading), reading)
            times.append((time.process_time() - began) * 1e3)
        rounds.append({"ms": percentiles(times), "rss_mb": memory(os.getpid())["rss"]})
    footprint: Footprint = {"load_s": load_s, "rss_loaded_mb": loaded, "rounds": rounds}
    print(json.dumps(footprint))


if __name__ == "__main__":
    main()
