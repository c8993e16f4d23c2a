# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: run every part one after the other, show tables, keep the figures in bench/results/.

usage: python -m bench [NAME…]        (as root; QUICK=1 in the environment: smaller N, ten minutes)
       python -m bench classifiers [--card FILE]

CORPUS in the environment names a folder with collections of mail for the part `classifiers`; --card writes its figures into
the model card, between two marks.  A part that fails costs only its own figures: the others are shown and kept, its keys are null, the exit status is 1.
"""

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.acceptance import as_json
from bench.accuracy import Accuracy, measure_accuracy, show_accuracy, verdicts_of
from bench.backlog import measure_backlog, show_backlog
from bench.card import write_card
from bench.classify import measure_classify, show_classify
from bench.directory import measure_directory, show_directory
from bench.eom import measure_eom, show_eom, worst
from bench.handover import measure_handover, show_handover
from bench.headline import judge, make_headline
from bench.machine import describe_machine
from bench.memory import greatest, measure_memory, show_memory
from bench.rules import measure_rules, show_rules
from bench.search import measure_search, show_search
from bench.simulation.command import main as simulate
from bench.throughput import measure_throughput, show_throughput
from bench.worker import measure_worker, show_worker, slowdown

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Part:
    """One measurement: how it is taken (`quick` are the arguments for smaller N), shown, and what of it is in the headline."""

    measure: Callable[..., Any]
    show: Callable[[Any, Console], None]
    quick: Mapping[str, Any]
    headline: Callable[[Any], Mapping[str, float]] = lambda _: {}


def _of_throughput(found: Any) -> dict[str, float]:
    stations = found["stations"]
    return {
        "ratio_worker_paused": stations["unix"]["to_none"]["median"],
        "ratio_worker_on": stations["worker"]["to_none"]["median"],
        "ratio_rspamd": stations["rspamd"]["to_none"]["median"],
        "inet_over_unix": stations["inet"]["to_unix"]["median"],
    }


def _of_eom(found: Any) -> dict[str, float]:
    p50, p99 = worst(found, 5_000, 50_000)
    return {"eom_ms_p50": p50, "eom_ms_p99": p99, "eom_10mb_ms": found["by_octets"][10_000_000]["max"]}


def _of_classify(found: Any) -> dict[str, float]:
    return {"classify_ms_p50": found["label_ms"]["p50"]}


def _of_worker(found: Any) -> dict[str, float]:
    databases = found["databases"]
    speeds = {
        f"worker_{name}_mails_s": figures["by_stored"][0]["per_processor_second"]["median"]
        for name, figures in databases.items()
    }
    return {
        **speeds,
        "worker_at_1m_over_empty": min(slowdown(figures) for figures in databases.values()),
        "two_workers_over_one": found["two_workers"]["ratio"]["median"],
    }


def _of_memory(found: Any) -> dict[str, float]:
    return {"milter_rss_mb": greatest(found, "child"), "worker_rss_mb": greatest(found, "sync")}


def _measure_accuracy() -> Accuracy:
    return measure_accuracy(corpus=os.environ.get("CORPUS", ""))


PARTS: dict[str, Part] = {
    "rules": Part(measure_rules, show_rules, {"rounds": 100}),
    "classifiers": Part(_measure_accuracy, show_accuracy, {}),
    "classify": Part(measure_classify, show_classify, {"letters": 600}, _of_classify),
    "eom": Part(
        measure_eom,
        show_eom,
        {"sizes": ((5_000, 300), (20_000, 300), (50_000, 300), (200_000, 100), (1_000_000, 50), (10_000_000, 10))},
        _of_eom,
    ),
    "directory": Part(measure_directory, show_directory, {"calls": 4_000}),
    "throughput": Part(measure_throughput, show_throughput, {"mails": 250}, _of_throughput),
    "backlog": Part(measure_backlog, show_backlog, {"mails": 1_000}),
    "memory": Part(measure_memory, show_memory, {"mails": 2_000}, _of_memory),
    "handover": Part(measure_handover, show_handover, {"messages": 60_000, "runs": 3}),
    "search": Part(measure_search, show_search, {"letters": 50_000, "rounds": 5}),
    "worker": Part(measure_worker, show_worker, {"mails": 300, "stored": (10_000, 100_000)}, _of_worker),
}


def run(names: list[str], *, is_quick: bool, console: Console) -> tuple[dict[str, Any], dict[str, float | None], int]:
    """Run the named parts.  Returns (what is kept, headline, how many failed)."""
    measured: dict[str, Any] = {}
    failed: dict[str, str] = {}
    headline: dict[str, float] = {}
    machine = describe_machine()
    for name in names:
        part = PARTS[name]
        arguments = part.quick if is_quick else {}
        began = time.monotonic()
        console.rule(f"python -m bench {name}")
        try:
            found = part.measure(**arguments)
            part.show(found, console)
            headline |= part.headline(found)
            measured[name] = found
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are measured all the same
            traceback.print_exc()
            failed[name] = f"{type(error).__name__}: {error}"
            console.print(f"{name} failed: {failed[name]}", markup=False)
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        console.print(f"{name}: {time.monotonic() - began:.0f} s; load {load}")
    closing = make_headline(headline)
    kept = {
        "headline": closing,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": is_quick,
        "machine": machine,
        "load_after": list(os.getloadavg()),
        "failed": failed,
        "measured": measured,
    }
    return kept, closing, len(failed)


def show_headline(headline: Mapping[str, float | None], console: Console) -> None:
    """Print what was wanted beside what was measured."""
    table = Table("measure", "wanted", "measured", "", title="against the budgets of docs/design.md")
    words = {True: "held", False: "missed", None: "not measured"}
    for key, value, bound, holds in judge(headline):
        table.add_row(key, bound, "" if value is None else f"{value:g}", words[holds])
    console.print(table)


def main() -> int:
    """Run all parts, or those named on the command line; return the exit status."""
    if sys.argv[1:2] == ["simulate"]:  # judges, where the others measure: no part of `all`
        return simulate(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument(
        "--card", type=Path, metavar="FILE", help="write what `classifiers` measured into the model card"
    )
    options = parser.parse_args()
    names: list[str] = options.names or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(PARTS)}", file=sys.stderr)
        return 64  # EX_USAGE
    console = Console()
    kept, headline, failures = run(names, is_quick=bool(os.environ.get("QUICK")), console=console)
    accuracy = kept["measured"].get("classifiers")
    if names != ["classifiers"]:
        show_headline(headline, console)
    if options.card is not None and accuracy is not None:
        write_card(options.card, accuracy)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"kept in {path}", file=sys.stderr)
    print(json.dumps({**headline, "classifiers": as_json(verdicts_of(accuracy)) if accuracy else None}))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
