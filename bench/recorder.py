# SPDX-License-Identifier: GPL-3.0-or-later
"""One sync worker as a process of its own, that records when told to: python -m bench.recorder SETTINGS

For each line on standard input it records all that waits and answers with one line of JSON.  What was put aside because it
could not be recorded does not count as recorded.
"""

import json
import logging
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from bench.machine import peak_mb
from crm_sync.commands import make_worker, ready_database
from tradepost.journal import Journal
from tradepost.settings import load_settings


def main(path: Path) -> None:
    """Serve until standard input ends."""
    # As in production: a line is written for each mail.
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    settings = load_settings(path)
    journal = Journal(settings.journal_dir)
    with (
        ready_database(settings) as database,
        closing(make_worker(settings, database, threading.Event())) as worker,
    ):
        for _ in sys.stdin:
            put_aside = journal.depth().failed
            wall, processor = time.perf_counter(), time.process_time()
            taken = worker.drain()
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            answer = {
                "recorded": taken - (journal.depth().failed - put_aside),
                "wall_seconds": wall,
                "processor_seconds": processor,
                "peak_mb": peak_mb(),
            }
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
