# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench of the classifiers says held where it is held, and its model card carries what was measured."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.acceptance import LINES, Line, as_json, judge
from bench.accuracy import Accuracy, measure_accuracy, show_accuracy, verdicts_of
from bench.card import BEGIN, END, CardError, render_figures, write_card
from bench.figures import precision_recall
from bench.raw_mails import attacks
from bench.second import measure_second
from bench.trade_sample import answer_all, read_cases, score_cases, tell_errors
from classifiers.analyst import TradeAnalyst
from classifiers.training.scores import Guess, score
from tradepost.analysis import SecondOpinion
from tradepost.message import Message
from tradepost.mime_reading import parse_message

MAIL = b"From: Ann Lee <ann@pumps.co.uk>\r\nSubject: pumps\r\n\r\nPlease quote 300 pumps, FOB Ningbo.\r\n\r\nThanks\r\n"
LABEL = {
    "file": "a.eml", "lang": "en", "country": "GB", "category": "inquiry", "also": ["order"], "priority": "normal",
    "new_text": "Please quote 300 pumps, FOB Ningbo.\n\nThanks", "signature": False, "person": "Ann Lee", "company": None,
    "phone": None, "product": "pumps", "quantity": 300, "unit": None, "target_price": None, "currency": None,
    "incoterm": "FOB", "is_automatic": False,
}  # fmt: skip
GUESSES = [
    Guess("en", "order", "order"),
    Guess("en", "order", "inquiry", also=("inquiry",)),
    Guess("de", "order", "spam"),
    Guess("de", "spam", "spam"),
    Guess("xx", "inquiry", "inquiry"),
]


def percentiles(value: float) -> dict[str, float]:
    return {"n": 10, "p50": value, "p99": value * 2, "max": value * 3}


def measured(**collections: Any) -> Accuracy:
    times: Any = {f"{step}_ms": percentiles(0.5) for step in ("parse", "label", "cold_label", "extract", "everything")}
    reading = {"letters": 5, "new-text": 0.96, "language": 0.9, "country-precision": 1.0, "country-coverage": 0.7,
               "phone": 1.0, "phone-invented": 0}  # fmt: skip
    fact = {"stated": 4, "recall": 0.75, "precision": 1.0, "invented": 0}
    none: Any = {"sample": None, "second": None, "texts": {}, "intents": None, "eml": None}
    found: Any = {
        "model": "9.abc",
        "letters": {
            "letters": 5,
            "category": score(GUESSES),
            "priority": None,
            "combined": None,
            "by_bound": [{"below": 0.6, "asked": 0.4, "right": 0.81}],
            "reading": {"en": reading, "all": reading},
            "facts": {"all": {"phone": fact}},
        },
        "collections": none | collections,
        "times": times,
        "sample_times": None,
        "attack_ms": {"one-word": 2.0, "digits": 51.0},
        "footprint": {
            "load_s": 0.4,
            "rss_loaded_mb": 90.0,
            "rounds": [{"ms": percentiles(2.0), "rss_mb": 100.0}, {"ms": percentiles(1.0), "rss_mb": 121.0}],
        },
    }
    return found  # type: ignore[no-any-return]


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    (tmp_path / "a.eml").write_bytes(MAIL)
    (tmp_path / "labels.jsonl").write_text(json.dumps(LABEL) + "\n", encoding="utf-8")
    return tmp_path


def test_an_accepted_alternative_counts_as_right_for_what_was_guessed() -> None:
    found = score(GUESSES)

    assert (found["letters"], found["right"], found["strict"]) == (5, 0.8, 0.6)
    assert found["by_label"]["order"] == {"letters": 3, "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3)}
    assert found["by_label"]["inquiry"]["recall"] == 1.0
    assert found["by_label"]["spam"]["precision"] == 0.5
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    assert found["by_language"]["de"] == {"letters": 2, "right": 0.5, "strict": 0.5}
    assert list(found["by_group"]) == ["English", "German, Dutch, Nordic", "other"]


def test_nothing_guessed_is_no_division_by_zero() -> None:
    assert (score([])["right"], score([])["macro_f1"]) == (0.0, 0.0)
    assert precision_recall([]) == {"guessed": 0, "true": 0, "precision": 0.0, "recall": 0.0}


def test_precision_and_recall() -> None:
    pairs = [(True, True), (True, False), (False, True), (True, True), (False, False)]
    assert precision_recall(pairs) == {"guessed": 3, "true": 3, "precision": 2 / 3, "recall": 2 / 3}


@pytest.mark.parametrize(
    ("line", "value", "holds"),
    [
        pytest.param(Line("category", 0.85), 0.85, True, id="at-least-held"),
        pytest.param(Line("category", 0.85), 0.849, False, id="at-least-missed"),
        pytest.param(Line("load_s", 1, at_most=True), 1.0, True, id="at-most-held"),
        pytest.param(Line("load_s", 1, at_most=True), 1.01, False, id="at-most-missed"),
    ],
)
def test_a_line_holds_at_its_bound(line: Line, value: float, holds: bool) -> None:
    assert line.holds(value) is holds


def test_mails_count_before_letters_and_nothing_is_lost() -> None:
    verdicts = {one.line.key: one for one in judge({"category": 0.9, "language": 0.5}, {"category": 0.8})}

    assert [verdicts[key].word for key in ("category", "language", "phone")] == ["missed", "missed", "not measured"]
    assert list(as_json(list(verdicts.values()))) == [line.key for line in LINES]
    with pytest.raises(KeyError, match="categroy"):
        judge({"categroy": 1.0}, {})


def test_what_was_measured_reaches_the_verdicts() -> None:
    found = {one.line.key: (one.letters, one.mails, one.word) for one in verdicts_of(measured())}

    assert found["category"] == (0.8, None, "missed")
    assert found["category_worst_group"] == (None, None, "not measured")  # no group has enough letters
    assert found["country_coverage"] == (0.7, None, "missed")
    assert found["phone"] == (0.75, None, "missed")
    assert found["attack_ms_max"] == (None, 51.0, "missed")
    assert found["rss_mb"] == (None, 121.0, "missed")
    assert found["everything_ms_p99"] == (None, 1.0, "held")


def test_a_labelled_mail_is_scored(analyst: TradeAnalyst, sample: Path) -> None:
    cases = list(read_cases(analyst, sample))
    found = score_cases(cases)

    assert found["mails"] == 1
    assert (found["automatic"]["guessed"], found["language"], found["new_text_f1"]) == (0, 1.0, 1.0)
    assert found["facts"]["incoterm"] == {"stated": 1, "recall": 1.0, "precision": 1.0, "invented": 0}
    assert found["category"]["letters"] == 1
    cases[0].truth["incoterm"] = "CIF"
    assert "incoterm 'FOB' not 'CIF'" in "".join(tell_errors(cases))


def test_every_mail_is_answered_and_the_slowest_named(analyst: TradeAnalyst, sample: Path) -> None:
    found = answer_all(analyst, sample)

    assert (found["mails"], found["unanswered"], found["slowest"], found["ms"]["n"]) == (1, [], "a.eml", 1)


def test_a_mail_that_raises_is_named(sample: Path) -> None:
    class Broken:
        def label(self, *_: object, **__: object) -> None:
            raise RuntimeError("no")

    assert answer_all(Broken(), sample)["unanswered"] == ["a.eml: RuntimeError"]  # type: ignore[arg-type]


def test_attacks_are_mails_of_the_size_they_claim() -> None:
    for raw in attacks().values():
        assert 20_000 < len(parse_message(raw).text) < 45_000


def test_the_card_carries_the_figures_between_its_marks(tmp_path: Path, analyst: TradeAnalyst, sample: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text(f"# Card\n{BEGIN}\nthe figures before\n{END}\nafter\n", encoding="utf-8")
    second: Any = {
        "asked": 0.25,
        "unsure": score(GUESSES),
        "always": score(GUESSES[:1]),
        "ms": percentiles(90.0),
        "attack_ms": {"digits": 700.0},
        "rss_mb": 95.0,
    }
    found = measured(sample=score_cases(list(read_cases(analyst, sample))), second=second, texts={"reply-split": 0.93})

    write_card(card, found)

    text = card.read_text(encoding="utf-8")
    assert text.startswith("# Card\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "the figures before" not in text
    assert "| category | ≥ 0.85 | 0.800 |" in text
    assert "| reply-split | 0.93 |" in text
    assert "| 0.6 | 0.40 | 0.81 |" in text
    assert "took 90 ms a mail (p99 180, the slowest attack 700); its process holds 95 MB" in text
    assert "about 25% of the sample" in text
    assert "| arrival, attack of 40 kB: digits | 2 |  |  | 51.0 |" in text
    write_card(card, found)
    assert card.read_text(encoding="utf-8") == text


def test_a_page_without_a_place_for_figures_is_left_alone(tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text(f"{END} {BEGIN}", encoding="utf-8")

    with pytest.raises(CardError, match="has no place for figures"):
        write_card(card, measured())

    assert card.read_text(encoding="utf-8") == f"{END} {BEGIN}"


def test_the_tables_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_accuracy(measured(texts={"reply-split": 0.93}), Console(width=150))

    shown = capsys.readouterr().out
    assert "category_worst_group" in shown
    assert "not measured" in shown
    assert "macro-F1" in shown
    assert "### Wanted and found" in render_figures(measured())


class Always:
    """Takes every mail for a complaint; or gives no answer."""

    def __init__(self, *, speaks: bool = True) -> None:
        self.speaks = speaks

    def consult(self, message: Message) -> SecondOpinion | None:
        return SecondOpinion("complaint", 0.6, "2.x", "complaint", 0.7, ()) if self.speaks else None

    def close(self) -> None:
        """It runs on nothing."""


def test_a_second_opinion_counts_where_the_first_is_unsure(
    monkeypatch: pytest.MonkeyPatch, analyst: TradeAnalyst, sample: Path
) -> None:
    monkeypatch.setattr("bench.second.load", lambda analyst: Always())
    monkeypatch.setattr("bench.second.children_of", lambda pid: [pid])
    [case] = read_cases(analyst, sample)
    case.truth["category"], case.truth["also"] = "complaint", []
    for confidence, share in ((0.9, 0.0), (0.1, 1.0)):
        labels = replace(case.result.labels, category="order", confidence=confidence)
        first = replace(case, result=replace(case.result, labels=labels))
        found = measure_second(analyst, [first], sample)
        assert (found["asked"], found["unsure"]["right"], found["always"]["right"]) == (share, share, 1.0)
        assert found["ms"]["n"] == 1

    monkeypatch.setattr("bench.second.load", lambda analyst: Always(speaks=False))
    with pytest.raises(RuntimeError, match="no second opinion"):
        measure_second(analyst, [case], sample)


def test_a_corpus_that_is_not_there_is_refused() -> None:
    with pytest.raises(NotADirectoryError, match="CORPUS=/nowhere: is no folder"):
        measure_accuracy(corpus="/nowhere")
