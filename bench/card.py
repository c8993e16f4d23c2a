# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the model card: tables in Markdown, written between two marks, so that nobody types a figure."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.acceptance import Verdict
from bench.accuracy import Accuracy, CollectionScores, LetterScores, verdicts_of
from bench.facts import FACTS
from bench.figures import Percentiles
from classifiers.training.scores import Scores

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


class CardError(ValueError):
    """The file is no model card; the text says what is missing."""


def write_card(path: Path, found: Accuracy) -> None:
    """Replace what stands between the marks.  Raises CardError, OSError."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise CardError(f"{path}: has no place for figures; it stands between {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n{render_figures(found)}\n{END}{after}", encoding="utf-8")


def render_figures(found: Accuracy) -> str:
    """Return the tables."""
    return "\n\n".join(_sections(found))


def _sections(found: Accuracy) -> Iterator[str]:
    letters, sample = found["letters"], found["collections"]["sample"]
    yield f"Model {found['model']}, {letters['letters']} letters" + (
        f", a sample of {sample['mails']} trade mails." if sample is not None else "."
    )
    yield "### Wanted and found"
    yield _table(("measure", "wanted", "letters", "sample, speed", ""), map(_verdict_cells, verdicts_of(found)))
    yield from _category_sections(letters, found["collections"])
    yield from _reading_sections(letters, found["collections"])
    yield from _speed_sections(found)


def _category_sections(letters: LetterScores, collections: CollectionScores) -> Iterator[str]:
    sample, second = collections["sample"], collections["second"]
    for title, scores in (
        ("Category, letters held out by writer", letters["category"]),
        ("Category with the second opinion, letters held out by writer", letters["combined"]),
        ("Priority, letters held out by writer", letters["priority"]),
        ("Category, sample of trade mails", sample["category"] if sample is not None else None),
        ("Category, sample, a second opinion where unsure", second["unsure"] if second is not None else None),
        ("Category, sample, a second opinion on every mail", second["always"] if second is not None else None),
        ("Category, short texts of other trades", collections["intents"]),
    ):
        if scores is not None:
            yield f"### {title}"
            yield from _scores_tables(scores)
    if letters["by_bound"]:
        yield "### A second opinion below which confidence: letters held out by writer"
        yield _table(
            ("asked below", "share of the letters", "right then"),
            ((f"{one['below']:.1f}", _share(one["asked"]), _share(one["right"])) for one in letters["by_bound"]),
        )


def _reading_sections(letters: LetterScores, collections: CollectionScores) -> Iterator[str]:
    yield "### Splitting, language, country, telephone: letters"
    yield _reading_table(letters["reading"])
    yield "### Facts: letters, by language (recall / precision)"
    yield _facts_table(letters["facts"])
    if (sample := collections["sample"]) is not None:
        yield "### Facts: sample of trade mails"
        yield _table(
            ("fact", "stated", "recall", "precision", "given though not stated"),
            (
                (
                    fact,
                    f"{one['stated']:.0f}",
                    _share(one["recall"]),
                    _share(one["precision"]),
                    f"{one['invented']:.0f}",
                )
                for fact, one in sample["facts"].items()
            ),
        )
    if collections["texts"]:
        yield "### Texts of other collections"
        yield _table(("collection", "score"), ((name, _share(value)) for name, value in collections["texts"].items()))


def _speed_sections(found: Accuracy) -> Iterator[str]:
    yield "### Speed, ms a mail"
    yield _table(("step", "n", "p50", "p99", "max"), _time_rows(found))
    if (second := found["collections"]["second"]) is not None:
        yield (
            f"A second opinion took {second['ms']['p50']:.0f} ms a mail (p99 {second['ms']['p99']:.0f}, the slowest attack "
            f"{max(second['attack_ms'].values()):.0f}); its process holds {second['rss_mb']:.0f} MB. Below the default bound of "
            f"confidence it is asked about {second['asked']:.0%} of the sample."
        )
    footprint = found["footprint"]
    rounds = ", ".join(f"{one['rss_mb']:.0f}" for one in footprint["rounds"])
    yield (
        f"A fresh process loads in {footprint['load_s']:.2f} s and holds {footprint['rss_loaded_mb']:.0f} MB; after each round "
        f"over {footprint['rounds'][0]['ms']['n']} mails {rounds} MB."
    )


def _verdict_cells(one: Verdict) -> tuple[str, ...]:
    return one.line.key.replace("_", " "), one.line.bound, _figure(one.letters), _figure(one.mails), one.word


def _scores_tables(scores: Scores) -> Iterator[str]:
    yield (
        f"{scores['letters']} in all: {_share(scores['right'])} right with the accepted alternatives, "
        f"{_share(scores['strict'])} without, macro-F1 {_share(scores['macro_f1'])}."
    )
    yield _table(
        ("label", "n", "precision", "recall", "F1"),
        (
            (label, str(one["letters"]), _share(one["precision"]), _share(one["recall"]), _share(one["f1"]))
            for label, one in scores["by_label"].items()
        ),
    )
    for what, shares in (("group", scores["by_group"]), ("language", scores["by_language"])):
        if len(shares) > 1:
            yield _table(
                (what, "n", "right", "strict"),
                (
                    (name, str(one["letters"]), _share(one["right"]), _share(one["strict"]))
                    for name, one in shares.items()
                ),
            )


def _reading_table(reading: Mapping[str, Mapping[str, float]]) -> str:
    columns = ("new-text", "language", "country-precision", "country-coverage", "phone")
    return _table(
        ("language", "n", "new text F1", "language", "country: precision", "country: coverage", "telephone"),
        (
            (name, f"{one['letters']:.0f}", *(_share(one[column]) for column in columns))
            for name, one in reading.items()
        ),
    )


def _facts_table(facts: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    return _table(
        ("language", *FACTS),
        (
            (
                name,
                *(
                    f"{_share(of[fact]['recall'])} / {_share(of[fact]['precision'])} ({of[fact]['stated']:.0f})"
                    if fact in of
                    else ""
                    for fact in FACTS
                ),
            )
            for name, of in facts.items()
        ),
    )


def _time_rows(found: Accuracy) -> Iterator[tuple[str, ...]]:
    sources = {"mails of the tests": found["times"], "sample": found["sample_times"]}
    steps = {
        "arrival": "label_ms",
        "arrival, caches cold": "cold_label_ms",
        "parse": "parse_ms",
        "facts": "extract_ms",
        "everything": "everything_ms",
    }
    for source, times in sources.items():
        for step, key in steps.items():
            if times is not None:
                one: Percentiles = times[key]  # type: ignore[literal-required]
                yield f"{step}, {source}", str(one["n"]), *(f"{one[at]:.2f}" for at in ("p50", "p99", "max"))
    for name, milliseconds in found["attack_ms"].items():
        yield f"arrival, attack of 40 kB: {name}", "2", "", "", f"{milliseconds:.1f}"
    eml = found["collections"]["eml"]
    if eml is not None:
        unanswered = f", {len(eml['unanswered'])} without an answer"
        yield (
            f"everything, mails of any kind{unanswered}",
            str(eml["ms"]["n"]),
            *(f"{eml['ms'][at]:.2f}" for at in ("p50", "p99", "max")),
        )


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _share(value: float) -> str:
    return f"{value:.2f}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}".removesuffix(".000")
