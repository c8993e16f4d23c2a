# SPDX-License-Identifier: GPL-3.0-or-later
"""How right and how fast the classifiers are: on the shipped letters, and on collections of mail where a folder holds them.

The letters are those that the models learned from: what the models say of them (category, urgency) comes from training,
where writers were kept apart; everything else is rules, which were written with these letters in view.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, TypedDict

from rich.console import Console
from rich.table import Table

from bench.acceptance import Verdict, judge
from bench.classify import SAMPLES, MailTimes, show_times, time_mails
from bench.facts import FACTS
from bench.facts import score_rows as score_facts
from bench.footprint import Footprint, measure_footprint
from bench.raw_mails import attacks, raw_mails
from bench.reading import read_rows, score_corpus, score_letters
from bench.second import SecondFigures, is_installed, measure_second
from bench.trade_sample import EmlScores, SampleScores, answer_all, read_cases, score_cases, score_intents
from classifiers.analyst import TradeAnalyst, load
from classifiers.language import LanguageReader
from classifiers.second_opinion import META
from classifiers.training.letters import letter_files
from classifiers.training.scores import Scores
from tradepost.mime_reading import parse_message

_ATTACK_ROUNDS = 2  # the second is warm: what an attacker could have repeated
_ROUNDS = 5  # of the own mails, so that a percentile means something
_ENOUGH = 3  # mails of a group of languages; of fewer, no share is taken for the worst


class LetterScores(TypedDict):
    """The shipped letters.  `category`, `priority`: held out, by writer; None: the model does not say."""

    letters: int
    category: Scores | None
    priority: Scores | None
    combined: Scores | None  # category, together with the second opinion
    by_bound: list[dict[str, float]]  # how often that is asked, and what is right then, by the confidence below which
    reading: dict[str, dict[str, float]]  # by language and "all"
    facts: dict[str, dict[str, dict[str, float]]]  # by language and "all", by fact


class CollectionScores(TypedDict):
    """Collections of mail that are no part of the project; None or {}: not there."""

    sample: SampleScores | None
    second: SecondFigures | None  # the sample with a second opinion, where its encoder is installed
    texts: dict[str, float]  # replies, languages, telephone numbers
    intents: Scores | None
    eml: EmlScores | None


class Accuracy(TypedDict):
    """Everything that was measured."""

    model: str
    letters: LetterScores
    collections: CollectionScores
    times: MailTimes
    sample_times: MailTimes | None
    attack_ms: dict[str, float]
    footprint: Footprint


def measure_accuracy(*, corpus: str = "") -> Accuracy:
    """Measure everything; `corpus` is a folder with collections of mail, "" for none.  Raises NotADirectoryError."""
    folder = Path(corpus) if corpus else None
    if folder is not None and not folder.is_dir():
        raise NotADirectoryError(f"CORPUS={corpus}: is no folder")
    analyst = load()
    mails = [path.read_bytes() for path in raw_mails(SAMPLES)]
    sample = folder / "trade" if folder is not None and (folder / "trade" / "labels.jsonl").is_file() else None
    sample_mails = [path.read_bytes() for path in raw_mails(sample)] if sample is not None else []
    return {
        "model": analyst.models.version,
        "letters": score_shipped(analyst),
        "collections": _score_collections(analyst, folder, sample),
        "times": time_mails(analyst, mails * _ROUNDS),
        "sample_times": time_mails(analyst, sample_mails * _ROUNDS) if sample_mails else None,
        "attack_ms": _time_attacks(analyst),
        "footprint": measure_footprint([SAMPLES, *([sample] if sample is not None else [])]),
    }


def score_shipped(analyst: TradeAnalyst) -> LetterScores:
    """Return the figures of the letters in the package."""
    rows = [row for file in letter_files() for row in read_rows(file)]
    facts, _ = score_facts(analyst, rows)
    model = files("classifiers") / "model"
    held_out, second = _meta(model / "meta.json").get("held_out", {}), _meta(model / META)
    return {
        "letters": len(rows),
        "category": held_out.get("category"),
        "priority": held_out.get("priority"),
        "combined": second.get("held_out"),
        "by_bound": second.get("by_bound", []),
        "reading": score_letters(LanguageReader(), iter(rows)),
        "facts": {
            language: {fact: found[fact].figures() for fact in FACTS if found[fact].stated}
            for language, found in sorted(facts.items())
        },
    }


def _meta(path: Any) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _score_collections(analyst: TradeAnalyst, folder: Path | None, sample: Path | None) -> CollectionScores:
    found: CollectionScores = {"sample": None, "second": None, "texts": {}, "intents": None, "eml": None}
    if sample is not None:
        cases = list(read_cases(analyst, sample))
        found["sample"] = score_cases(cases)
        if is_installed():
            found["second"] = measure_second(analyst, cases, sample)
    if folder is not None and (folder / "reply_split.jsonl").is_file():
        found["texts"] = score_corpus(folder, LanguageReader())
    if folder is not None and (folder / "intent.jsonl").is_file():
        found["intents"] = score_intents(analyst, folder / "intent.jsonl")
    if folder is not None and (folder / "eml").is_dir():
        found["eml"] = answer_all(analyst, folder / "eml")
    return found


def _time_attacks(analyst: TradeAnalyst) -> dict[str, float]:
    """Return the most processor time that arrival spent on each attack, in milliseconds."""
    now = datetime.now(UTC)
    found = {}
    for name, raw in attacks().items():
        message = parse_message(raw)
        times = []
        for _ in range(_ATTACK_ROUNDS):
            began = time.process_time()
            analyst.label(message, now)
            times.append((time.process_time() - began) * 1e3)
        found[name] = max(times)
    return found


def verdicts_of(found: Accuracy) -> list[Verdict]:
    """Return what was wanted beside what was found."""
    sample, letters = found["collections"]["sample"], found["letters"]
    return judge(_of_letters(letters), {**(_of_sample(sample) if sample else {}), **_of_speed(found)})


def _of_letters(letters: LetterScores) -> dict[str, float]:
    reading, facts = letters["reading"].get("all", {}), letters["facts"].get("all", {})
    figures = _of_category(letters["category"])
    priority = letters["priority"]
    if priority is not None:
        urgent = priority["by_label"]["urgent"]
        figures |= {"urgent_recall": urgent["recall"], "urgent_precision": urgent["precision"]}
    if reading:
        figures |= {
            "language": reading["language"],
            "country_precision": reading["country-precision"],
            "country_coverage": reading["country-coverage"],
            "new_text_f1": reading["new-text"],
        }
    return figures | _of_facts(facts)


def _of_sample(sample: SampleScores) -> dict[str, float]:
    return {
        **_of_category(sample["category"]),
        "urgent_recall": sample["urgent"]["recall"],
        "urgent_precision": sample["urgent"]["precision"],
        "automatic_precision": sample["automatic"]["precision"],
        "automatic_recall": sample["automatic"]["recall"],
        "language": sample["language"],
        "country_precision": sample["country_precision"],
        "country_coverage": sample["country_coverage"],
        "new_text_f1": sample["new_text_f1"],
        **_of_facts(sample["facts"]),
    }


def _of_category(scores: Scores | None) -> dict[str, float]:
    if scores is None:
        return {}
    groups = [one["right"] for one in scores["by_group"].values() if one["letters"] >= _ENOUGH]
    return {
        "category": scores["right"],
        "category_macro_f1": scores["macro_f1"],
        **({"category_worst_group": min(groups)} if groups else {}),
    }


def _of_facts(facts: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    wanted = ("phone", "person", "company", "quantity", "target_price", "currency", "incoterm")
    return {fact: facts[fact]["recall"] for fact in wanted if fact in facts}


def _of_speed(found: Accuracy) -> dict[str, float]:
    times = found["sample_times"] or found["times"]
    footprint = found["footprint"]
    return {
        "arrival_ms_p50": times["label_ms"]["p50"],
        "attack_ms_max": max(found["attack_ms"].values()),
        "everything_ms_p50": times["everything_ms"]["p50"],
        "everything_ms_p99": times["everything_ms"]["p99"],
        "load_s": footprint["load_s"],
        "rss_mb": max(one["rss_mb"] for one in footprint["rounds"]),
    }


def show_accuracy(found: Accuracy, console: Console) -> None:
    """Print what was measured, then what was wanted of it."""
    for table in _tables(found):
        console.print(table)
    show_times(found["times"], "the mails of the tests", console)
    if found["sample_times"] is not None:
        show_times(found["sample_times"], "the sample of trade mails", console)
    table = Table("measure", "wanted", "letters", "mails", "", title=f"the classifiers, model {found['model']}")
    for one in verdicts_of(found):
        table.add_row(one.line.key, one.line.bound, _number(one.letters), _number(one.mails), one.word)
    console.print(table)


def _tables(found: Accuracy) -> Iterator[Table]:
    letters, collections = found["letters"], found["collections"]
    second = collections["second"]
    for title, scores in (
        ("category, letters held out by writer", letters["category"]),
        ("category with the second opinion, letters held out by writer", letters["combined"]),
        ("priority, letters held out by writer", letters["priority"]),
        ("category, sample of trade mails", collections["sample"]["category"] if collections["sample"] else None),
        ("category, sample, a second opinion where unsure", second["unsure"] if second is not None else None),
        ("category, sample, a second opinion on every mail", second["always"] if second is not None else None),
        ("category, short texts of other trades", collections["intents"]),
    ):
        if scores is not None:
            yield _scores_table(title, scores)
    if second is not None:
        yield _plain_table(
            "the second opinion",
            {
                "asked, share of the sample": second["asked"],
                **{f"ms a mail, {at}": second["ms"][at] for at in ("p50", "p99", "max")},
                "slowest attack, ms": max(second["attack_ms"].values()),
                "MB of the encoder's process": second["rss_mb"],
            },
        )
    yield _facts_table(letters, collections["sample"])
    if collections["texts"]:
        yield _plain_table("texts of other collections", collections["texts"])
    eml = collections["eml"]
    if eml is not None:
        table = _plain_table("mails of any kind", {"mails": eml["mails"], "unanswered": len(eml["unanswered"])})
        table.add_row(f"slowest, {eml['slowest']}", f"{eml['ms']['max']:.1f} ms")
        yield table
    yield _plain_table("attacks of 40 kB, ms at arrival", found["attack_ms"])
    footprint = found["footprint"]
    table = _plain_table(
        "a fresh process",
        {"seconds to load": footprint["load_s"], "MB after loading": footprint["rss_loaded_mb"]},
    )
    for number, one in enumerate(footprint["rounds"], 1):
        table.add_row(
            f"round {number}", f"{one['rss_mb']:.1f} MB, p50 {one['ms']['p50']:.2f} ms, max {one['ms']['max']:.1f} ms"
        )
    yield table


def _scores_table(title: str, scores: Scores) -> Table:
    table = Table("", "letters", "right", "strict", title=title)
    rows: Sequence[tuple[str, Any]] = (("all", scores), *scores["by_group"].items(), *scores["by_language"].items())
    for name, one in rows:
        table.add_row(name, str(one["letters"]), f"{one['right']:.3f}", f"{one['strict']:.3f}")
    table.add_section()
    for label, of_label in scores["by_label"].items():
        table.add_row(label, str(of_label["letters"]), f"p {of_label['precision']:.2f}", f"r {of_label['recall']:.2f}")
    table.add_row("macro-F1", "", f"{scores['macro_f1']:.3f}", "")
    return table


def _facts_table(letters: LetterScores, sample: SampleScores | None) -> Table:
    table = Table("", "stated", "recall", "precision", "stated", "recall", "precision", title="facts: letters, sample")
    of_letters, of_sample = letters["facts"].get("all", {}), sample["facts"] if sample is not None else {}
    for fact in FACTS:
        cells = [
            [f"{one['stated']:.0f}", f"{one['recall']:.2f}", f"{one['precision']:.2f}"] if one else ["", "", ""]
            for one in (of_letters.get(fact), of_sample.get(fact))
        ]
        table.add_row(fact, *cells[0], *cells[1])
    return table


def _plain_table(title: str, figures: Mapping[str, float]) -> Table:
    table = Table("", "", title=title)
    for name, value in figures.items():
        table.add_row(name, f"{value:.3f}".removesuffix(".000"))
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}".removesuffix(".000")
