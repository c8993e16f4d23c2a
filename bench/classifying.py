# SPDX-License-Identifier: GPL-3.0-or-later
"""Score the classifiers on labelled mails: `python -m bench.classifying [CORPUS] [--errors]`.

CORPUS holds `trade/labels.jsonl` and its mails, and `eml/` with any others (for robustness, speed and memory).
"""

import argparse
import json
import resource
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import token_f1
from classifiers.analyst import TradeAnalyst, load
from classifiers.commands import Result, classify_bytes
from tradepost.mime_reading import parse_message
from tradepost.verdict import Priority

OWN_LETTERS = Path(__file__).parent.parent / "tests" / "mail"
_TEXT_FACTS = ("person", "company", "product", "unit")
_EXACT_FACTS = ("phone", "quantity", "target_price", "currency", "incoterm")


def precision_recall(pairs: list[tuple[bool, bool]]) -> dict[str, float]:
    """Return precision and recall of (guess, truth) pairs."""
    hits = sum(guess and truth for guess, truth in pairs)
    return {
        "precision": hits / max(sum(guess for guess, _ in pairs), 1),
        "recall": hits / max(sum(truth for _, truth in pairs), 1),
    }


def score_fact(name: str, rows: list[tuple[Result, dict[str, Any]]]) -> dict[str, float]:
    """Return precision and recall of one fact; texts count from a word overlap of 0.6."""
    found = stated = right = 0
    for result, label in rows:
        guess, truth = getattr(result.extract, name), label[name]
        found += guess is not None
        stated += truth is not None
        if guess is None or truth is None:
            continue
        right += token_f1(str(guess), str(truth)) >= 0.6 if name in _TEXT_FACTS else guess == truth
    return {"precision": right / max(found, 1), "recall": right / max(stated, 1), "stated": stated}


def score_trade(analyst: TradeAnalyst, folder: Path, *, show_errors: bool) -> dict[str, Any]:
    """Score every label of `folder`/labels.jsonl."""
    rows: list[tuple[Result, dict[str, Any]]] = []
    for line in (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        path = next(folder.rglob(label["file"]))
        rows.append((classify_bytes(analyst, label["file"], path.read_bytes()), label))
    known = [(result, label) for result, label in rows if result.labels.country is not None]
    if show_errors:
        _print_errors(rows)
    return {
        "mails": len(rows),
        "category": _share(r.labels.category in (t["category"], *t["also"]) for r, t in rows),
        "category-strict": _share(r.labels.category == t["category"] for r, t in rows),
        "priority": _share(r.labels.priority == t["priority"] for r, t in rows),
        "urgent": precision_recall(
            [(r.labels.priority is Priority.URGENT, t["priority"] == "urgent") for r, t in rows]
        ),
        "automatic": precision_recall([(r.labels.is_automatic, t["is_automatic"]) for r, t in rows]),
        "language": _share(r.labels.language == t["lang"] for r, t in rows),
        "country": {
            "precision": _share(r.labels.country == t["country"] for r, t in known),
            "coverage": len(known) / len(rows),
        },
        "new-text": statistics.mean(token_f1(r.extract.new_text, t["new_text"]) for r, t in rows),
        "signature": _share(bool(r.extract.signature) == t["signature"] for r, t in rows),
        "facts": {name: score_fact(name, rows) for name in (*_TEXT_FACTS, *_EXACT_FACTS)},
    }


def _share(hits: Any) -> float:
    listed = list(hits)
    return float(sum(listed) / max(len(listed), 1))


def _print_errors(rows: list[tuple[Result, dict[str, Any]]]) -> None:
    for result, label in rows:
        wrong = []
        labels = result.labels
        if labels.category not in (label["category"], *label["also"]):
            wrong.append(f"category {labels.category} {labels.confidence} not {label['category']}")
        if labels.priority != label["priority"]:
            wrong.append(f"priority {labels.priority} ({labels.priority_reason}) not {label['priority']}")
        if labels.country != label["country"]:
            wrong.append(f"country {labels.country} ({labels.country_evidence}) not {label['country']}")
        for name in (*_TEXT_FACTS, *_EXACT_FACTS):
            guess, truth = getattr(result.extract, name), label[name]
            same = (
                token_f1(str(guess), str(truth)) >= 0.6 if name in _TEXT_FACTS and guess and truth else guess == truth
            )
            if not same:
                wrong.append(f"{name} {guess!r} not {truth!r}")
        if wrong:
            print(f"{label['file']} [{label['lang']}] {result.message.subject[:50]!r}: " + "; ".join(wrong))


def measure_speed(analyst: TradeAnalyst, folder: Path) -> dict[str, Any]:
    """Time parsing, label and extract of every mail below `folder`, in ms, and say how memory grew (MB)."""
    times: dict[str, list[float]] = {"parse": [], "label": [], "extract": []}
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix == ".eml" or (path.is_file() and path.suffix not in (".jsonl", ".md", ".toml"))
    )
    memory = []
    for _ in range(3):
        for path in files:
            raw = path.read_bytes()
            start = time.perf_counter()
            message = parse_message(raw)
            parsed = time.perf_counter()
            analyst.label(message, datetime.now(UTC))
            labelled = time.perf_counter()
            analyst.extract(message)
            times["parse"].append((parsed - start) * 1e3)
            times["label"].append((labelled - parsed) * 1e3)
            times["extract"].append((time.perf_counter() - labelled) * 1e3)
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    return {
        "files": len(files),
        "rss-mb-after-each-round": memory,
        **{
            name: {"p50": _at(values, 0.5), "p99": _at(values, 0.99), "max": max(values)}
            for name, values in times.items()
        },
    }


def _at(values: list[float], share: float) -> float:
    return float(sorted(values)[int(len(values) * share)])


def main() -> None:
    """Print tables, then the numbers as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, nargs="?", help="without one only the speed on the project's own letters")
    parser.add_argument("--errors", action="store_true", help="print every wrong answer")
    options = parser.parse_args()
    start = time.perf_counter()
    analyst = load()
    scores: dict[str, Any] = {"load-s": time.perf_counter() - start}
    if options.corpus is None:
        scores["speed-own"] = measure_speed(analyst, OWN_LETTERS)
    else:
        scores["trade"] = score_trade(analyst, options.corpus / "trade", show_errors=options.errors)
        scores["speed-trade"] = measure_speed(analyst, options.corpus / "trade")
        scores["speed-eml"] = measure_speed(analyst, options.corpus / "eml")
    _print(scores)
    print(json.dumps(scores))


def _print(scores: dict[str, Any], indent: str = "") -> None:
    for name, value in scores.items():
        if isinstance(value, dict) and all(isinstance(item, int | float) for item in value.values()):
            print(f"{indent}{name:18}" + "  ".join(f"{key} {item:.3g}" for key, item in value.items()))
        elif isinstance(value, dict):
            print(f"{indent}{name}:")
            _print(value, indent + "  ")
        else:
            print(f"{indent}{name:18}{value:.3g}" if isinstance(value, float) else f"{indent}{name:18}{value}")


if __name__ == "__main__":
    main()
