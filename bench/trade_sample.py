# SPDX-License-Identifier: GPL-3.0-or-later
"""Score the classifiers on labelled raw mails: `python -m bench.trade_sample CORPUS [--errors]`.

CORPUS holds `trade/labels.jsonl` and its mails, `intent.jsonl` (short texts of other trades: a look from outside) and `eml/`
(mails of any kind, which must only be answered).
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

from bench.facts import FACTS, is_right
from bench.facts import Score as FactScore
from bench.figures import Percentiles, PrecisionRecall, percentiles, precision_recall, token_f1
from bench.raw_mails import raw_mails
from classifiers.analyst import TradeAnalyst, load
from classifiers.commands import Result, classify_bytes
from classifiers.training.scores import Guess, Scores, score, share
from tradepost.message import Message
from tradepost.verdict import Priority

_WORTH_TELLING = 0.8  # of the new text: below it `--errors` prints what was read
# What labels of other collections are called here.
_OTHER_NAMES = {"newsletter": "marketing", "auto_reply": "automatic"}


@dataclass(frozen=True, slots=True)
class Case:
    """One mail: what was answered, and its label."""

    result: Result
    truth: dict[str, Any]

    @property
    def guess(self) -> Guess:
        """The category."""
        return Guess(
            self.truth["lang"], self.truth["category"], self.result.labels.category or "", tuple(self.truth["also"])
        )


class SampleScores(TypedDict):
    """`facts`: recall is of those stated in the label, precision of those given."""

    mails: int
    category: Scores
    priority: float
    urgent: PrecisionRecall
    automatic: PrecisionRecall
    language: float
    country_precision: float
    country_coverage: float  # of those that have one
    new_text_f1: float
    signature: float
    facts: dict[str, dict[str, float]]


class EmlScores(TypedDict):
    """Mails of any kind: which got no answer, which took longest, and processor time."""

    mails: int
    unanswered: list[str]
    slowest: str
    ms: Percentiles


def read_cases(analyst: TradeAnalyst, folder: Path) -> Iterator[Case]:
    """Classify every mail of `folder`/labels.jsonl."""
    for line in (folder / "labels.jsonl").read_text(encoding="utf-8").split("\n"):
        if line:
            truth = json.loads(line)
            yield Case(classify_bytes(analyst, truth["file"], (folder / truth["file"]).read_bytes()), truth)


def score_cases(cases: Sequence[Case]) -> SampleScores:
    """Return the figures of answered mails."""
    pairs = [(case.result.labels, case.truth) for case in cases]
    given = [(labels, truth) for labels, truth in pairs if labels.country is not None]
    return {
        "mails": len(cases),
        "category": score([case.guess for case in cases]),
        "priority": share(labels.priority == truth["priority"] for labels, truth in pairs),
        "urgent": precision_recall(
            (labels.priority is Priority.URGENT, truth["priority"] == "urgent") for labels, truth in pairs
        ),
        "automatic": precision_recall((labels.is_automatic, truth["is_automatic"]) for labels, truth in pairs),
        "language": share(labels.language == truth["lang"] for labels, truth in pairs),
        "country_precision": share(labels.country == truth["country"] for labels, truth in given),
        "country_coverage": share(
            labels.country is not None for labels, truth in pairs if truth["country"] is not None
        ),
        "new_text_f1": statistics.mean(
            token_f1(case.result.extract.new_text, case.truth["new_text"]) for case in cases
        ),
        "signature": share(bool(case.result.extract.signature) == case.truth["signature"] for case in cases),
        "facts": {fact: _score_fact(fact, cases) for fact in FACTS},
    }


def _score_fact(fact: str, cases: Sequence[Case]) -> dict[str, float]:
    counts = FactScore()
    for case in cases:
        guess, truth = getattr(case.result.extract, fact), case.truth[fact]
        counts.add(guess, truth, is_right=is_right(fact, guess, truth))
    return counts.figures()


def score_intents(analyst: TradeAnalyst, path: Path) -> Scores:
    """Score the categories of short texts from other trades, each as the text of a mail without a subject."""
    guesses = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line:
            row = json.loads(line)
            labels = analyst.label(Message(text=row["text"]), datetime.now(UTC))
            guesses.append(Guess(row["lang"], _OTHER_NAMES.get(row["label"], row["label"]), labels.category or ""))
    return score(guesses)


def answer_all(analyst: TradeAnalyst, folder: Path) -> EmlScores:
    """Classify every mail below a folder; a mail that raises is named, with what it raised."""
    times: list[tuple[float, str]] = []
    unanswered = []
    for path in raw_mails(folder):
        started = time.process_time()
        try:
            classify_bytes(analyst, path.name, path.read_bytes())
        except Exception as error:  # noqa: BLE001 - the figure is how many mails do this
            unanswered.append(f"{path.relative_to(folder)}: {type(error).__name__}")
        times.append(((time.process_time() - started) * 1e3, str(path.relative_to(folder))))
    return {
        "mails": len(times),
        "unanswered": unanswered,
        "slowest": max(times)[1],
        "ms": percentiles([milliseconds for milliseconds, _ in times]),
    }


def tell_errors(cases: Sequence[Case]) -> Iterator[str]:
    """Say of every mail what was answered wrongly."""
    for case in cases:
        labels, extract, truth = case.result.labels, case.result.extract, case.truth
        wrong = []
        if not case.guess.is_right:
            wrong.append(f"category {labels.category} {labels.confidence} not {truth['category']}")
        if labels.priority != truth["priority"]:
            wrong.append(f"priority {labels.priority} ({labels.priority_reason}) not {truth['priority']}")
        if labels.is_automatic != truth["is_automatic"]:
            wrong.append(f"automatic {labels.is_automatic} ({labels.automatic_reason})")
        if labels.language != truth["lang"]:
            wrong.append(f"language {labels.language} not {truth['lang']}")
        if labels.country != truth["country"]:
            wrong.append(f"country {labels.country} ({labels.country_evidence}) not {truth['country']}")
        if token_f1(extract.new_text, truth["new_text"]) < _WORTH_TELLING:
            wrong.append(f"new text {extract.new_text!r} not {truth['new_text']!r}")
        for fact in FACTS:
            guess = getattr(extract, fact)
            if not is_right(fact, guess, truth[fact]):
                wrong.append(f"{fact} {guess!r} not {truth[fact]!r}")
        if wrong:
            yield f"{truth['file']} [{truth['lang']}] {case.result.message.subject[:50]!r}: {'; '.join(wrong)}"


def main() -> None:
    """Print what is wrong when asked to, then the figures as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--errors", action="store_true", help="print every wrong answer")
    options = parser.parse_args()
    cases = list(read_cases(load(), options.corpus / "trade"))
    if options.errors:
        print(*tell_errors(cases), sep="\n")
    print(json.dumps(score_cases(cases), ensure_ascii=False))


if __name__ == "__main__":
    main()
