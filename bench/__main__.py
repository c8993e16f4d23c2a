# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: run every benchmark one after the other, show its tables, keep its figures in bench/results/.

QUICK=1 in the environment takes smaller numbers.
"""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
QUICK = ["--quick"] if os.environ.get("QUICK") else []
BENCHMARKS: dict[str, list[str]] = {
    "rules": ["bench.rules"],
    "classifying": ["bench.classifying"],
    "worker": ["bench.worker", *QUICK],
    "throughput": ["bench.throughput", *QUICK],
}


def run(name: str, words: list[str]) -> object:
    """Run one benchmark; return what its last line says as JSON.  Raises SystemExit when it fails."""
    print(f"== {name}", flush=True)
    done = subprocess.run([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True, check=False)
    *tables, last = done.stdout.rstrip().splitlines() or [""]
    print("\n".join(tables), flush=True)
    if done.returncode != 0:
        sys.exit(f"{name} failed with status {done.returncode}")
    return json.loads(last)


def main() -> None:
    """Run all, or those named on the command line."""
    wanted = sys.argv[1:] or list(BENCHMARKS)
    figures: dict[str, object] = {"python": platform.python_version(), "cores": os.cpu_count()}
    figures |= {name: run(name, BENCHMARKS[name]) for name in wanted}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    line = json.dumps(figures)
    path.write_text(line + "\n", encoding="utf-8")
    print(f"kept in {path}", file=sys.stderr)
    print(line)


if __name__ == "__main__":
    main()
