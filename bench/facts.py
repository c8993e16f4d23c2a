# SPDX-License-Identifier: GPL-3.0-or-later
"""Score the facts read from labelled letters: `python -m bench.facts PATH... [--errors FACT] [--lang LANG]`.

PATH is a file of labelled letters (JSON lines as in classifiers/training) or a folder of such files.  For each fact, by
language: recall (right of those stated), precision (right of those found) and how many were invented (found, none stated).
Names and words count from a token F1 of 0.6, numbers and codes when they are equal; units when both mean the same.
Most letters' labels hold no company that only the domain of the address names: such a one counts where a label states one.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import percentiles, token_f1
from bench.reading import message_of, read_rows
from classifiers.analyst import TradeAnalyst, load
from classifiers.units import unit_of
from tradepost.analysis import Extract

FACTS = ("person", "company", "phone", "product", "quantity", "unit", "target_price", "currency", "incoterm")
_TEXTS = frozenset(["person", "company", "product"])
_ENOUGH = 0.6


@dataclass(slots=True)
class Score:
    """One fact in the letters of one language."""

    stated: int = 0
    found: int = 0
    right: int = 0
    invented: int = 0

    def add(self, guess: object, truth: object, *, is_right: bool) -> None:
        """Count one letter."""
        self.stated += truth is not None
        self.found += guess is not None
        self.right += is_right and truth is not None
        self.invented += truth is None and guess is not None

    def figures(self) -> dict[str, float]:
        """Return the shares."""
        return {
            "stated": self.stated,
            "recall": self.right / max(self.stated, 1),
            "precision": self.right / max(self.found, 1),
            "invented": self.invented,
        }


def is_right(fact: str, guess: Any, truth: Any) -> bool:
    """Does the answer agree with the label?"""
    if guess is None or truth is None:
        return guess is truth
    if fact in _TEXTS:
        return token_f1(str(guess), str(truth)) >= _ENOUGH
    if fact == "unit":
        return unit_of(str(guess)) == unit_of(str(truth)) or token_f1(str(guess), str(truth)) >= _ENOUGH
    return bool(guess == truth)


def score_rows(
    analyst: TradeAnalyst, rows: Iterable[dict[str, Any]], errors: str = ""
) -> tuple[dict[str, dict[str, Score]], list[float]]:
    """Return the scores by language (and "all") and fact, and the time of each extract in ms; print wrong `errors`."""
    scores: dict[str, dict[str, Score]] = defaultdict(lambda: defaultdict(Score))
    times = []
    for row in rows:
        message = message_of(row)
        started = time.process_time()
        extract = analyst.extract(message)
        times.append(1e3 * (time.process_time() - started))
        truths = row.get("facts") or {}
        for fact in FACTS:
            guess, truth = getattr(extract, fact), truths.get(fact)
            if fact == "company" and truth is None and not any(span.fact == fact for span in extract.spans):
                guess = None  # at most a hint of the domain
            right = is_right(fact, guess, truth)
            for name in (row["lang"], "all"):
                scores[name][fact].add(guess, truth, is_right=right)
            if fact == errors and not right:
                _print_error(row, extract, guess, truth)
    return scores, times


def _print_error(row: dict[str, Any], extract: Extract, guess: object, truth: object) -> None:
    print(
        f"## {row['lang']} {row['category']} {row['from']} {row['subject']!r}: {guess!r} not {truth!r}\n"
        f"{extract.new_text}\n--\n{extract.signature}\n"
    )


def main() -> None:
    """Print a table by language and fact, then the numbers as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--errors", choices=FACTS, default="", help="print the letters in which this fact is wrong")
    parser.add_argument("--lang", default="", help="letters of this language only")
    options = parser.parse_args()
    rows = [row for path in options.paths for row in read_rows(path) if options.lang in ("", row["lang"])]
    scores, times = score_rows(load(), rows, options.errors)
    names = sorted(scores, key=lambda name: (name == "all", name))
    print("language  " + "".join(f"{fact:>21}" for fact in FACTS))
    for name in names:
        cells = (scores[name][fact] for fact in FACTS)
        shares = (
            f"{cell.figures()['recall']:.2f}/{cell.figures()['precision']:.2f} of {cell.stated:4} +{cell.invented}"
            for cell in cells
        )
        print(f"{name:10}" + "".join(f"{share:>21}" for share in shares))
    figures: dict[str, Any] = {
        name: {fact: scores[name][fact].figures() for fact in FACTS if scores[name][fact].stated} for name in names
    }
    print(json.dumps({"letters": len(rows), "extract-ms": percentiles(times), "facts": figures}))


if __name__ == "__main__":
    main()
