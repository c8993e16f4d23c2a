# SPDX-License-Identifier: GPL-3.0-or-later
"""The corpus the models learn from is what it claims to be, and the review that says so would notice otherwise."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from classifiers.training import review
from classifiers.training.expressions import read_expressions
from classifiers.training.letters import LetterError, TrainingLetter, letter_files, read_letters, rows_of
from tradepost.verdict import CATEGORIES, Priority

# Languages of world trade that the letters must speak, each by more than a handful.
LANGUAGES = frozenset(
    ["ar", "de", "en", "es", "fa", "fr", "hi", "id", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "vi", "zh"]
)
TEXTS = [
    "The third carton down is soup, and the driver says it was like that when he opened the doors this morning.",
    "My boss wants to feel the hand of the cloth before he talks about money, so put two metres on a courier.",
    "Our girl at the bank says nothing has left yet because your account name is two letters too long.",
    "Which oil does the gearbox of the old machine take, the plate is gone and nobody kept the little book?",
]


@pytest.fixture(scope="module")
def letters() -> list[TrainingLetter]:
    return read_letters()


def row(text: str, **changes: Any) -> dict[str, Any]:
    return {
        "lang": "en",
        "category": "complaint",
        "priority": "high",
        "from": "Ann Lee <ann@pumps.co.uk>",
        "date": "2025-03-04T10:22:00+00:00",
        "subject": "",
        "body": [["new", text], ["signature", "\nAnn Lee\nPump Yard Ltd"]],
        "scenario": "wet cartons at unloading",
        "industry": "pumps",
        "persona": f"writer of {text[:20]}",
    } | changes


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "part-01.jsonl"
    path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in rows), encoding="utf-8")
    return path


def test_no_letter_is_at_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert review.main([]) == 0, capsys.readouterr().out


def test_there_are_letters_enough_of_every_kind(letters: list[TrainingLetter]) -> None:
    assert len(letters) >= 3_000
    by_language = Counter(letter.lang for letter in letters)
    assert {language for language, count in by_language.items() if count >= 50} >= LANGUAGES
    assert len({letter.industry for letter in letters}) >= 30
    by_category = Counter(letter.category for letter in letters)
    assert set(by_category) == set(CATEGORIES)
    assert min(by_category.values()) >= 200
    assert {letter.priority for letter in letters} == {*Priority}
    for language in LANGUAGES:
        assert {letter.category for letter in letters if letter.lang == language} == set(CATEGORIES), language


def test_both_ways_of_writing_chinese_are_there(letters: list[TrainingLetter]) -> None:
    chinese = [letter.new_text for letter in letters if letter.lang == "zh"]
    assert sum("們" in text or "這" in text for text in chinese) >= 20
    assert sum("们" in text or "这" in text for text in chinese) >= 100


def test_lengths_go_from_a_few_words_to_hundreds(letters: list[TrainingLetter]) -> None:
    words = [len(letter.new_text.split()) for letter in letters if letter.lang not in ("ja", "th", "zh")]
    assert sum(count <= 5 for count in words) >= 20
    assert sum(count <= 20 for count in words) >= 400
    assert max(words) >= 350


def test_one_writer_has_few_letters_and_each_letter_a_name(letters: list[TrainingLetter]) -> None:
    """Scores held out by writer mean nothing where one writer wrote a tenth."""
    assert max(Counter(letter.persona for letter in letters).values()) <= 30
    names = Counter(letter.id for letter in letters)
    assert [name for name, count in names.items() if count > 1 or not name] == []


def test_expressions_are_no_letters_in_disguise(letters: list[TrainingLetter]) -> None:
    """What stands in every fold must not be what a fold holds out."""
    texts = [letter.new_text for letter in letters]
    pairs = review.too_like([*texts, *(expression.text for expression in read_expressions())])
    assert [pair for pair in pairs if pair[0] < len(texts) <= pair[1]] == []


def test_a_good_file_has_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, *map(row, TEXTS))
    assert review.main([tmp_path]) == 0
    assert "4 letters, 0 faults" in capsys.readouterr().out


def test_a_template_with_other_values_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        tmp_path,
        row("Dear Cindy, the cartons of our last order came wet and forty sets are broken, please answer today."),
        row("Dear Amy, the cartons of our last order came wet and ninety sets are broken, please answer today."),
        *map(row, TEXTS),
    )
    assert review.main([tmp_path]) == 1
    assert "part-01.jsonl:1 and part-01.jsonl:2: 0." in capsys.readouterr().out


def test_a_template_without_spaces_between_words_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        tmp_path,
        row("陈小姐，上一批货的纸箱全湿了，里面四十套都碎了，今天请一定给我一个说法。", lang="zh"),
        row("王先生，上一批货的纸箱全湿了，里面九十套都碎了，今天请一定给我一个说法。", lang="zh"),
    )
    assert review.main([tmp_path]) == 1
    assert "alike" in capsys.readouterr().out


@pytest.mark.parametrize(("letters", "faults"), [pytest.param(3, 0, id="in-three"), pytest.param(4, 1, id="in-four")])
def test_a_run_that_too_many_letters_share_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], letters: int, faults: int
) -> None:
    run = "we would be glad to hear from you"  # eight words
    write(tmp_path, *(row(f"{text} {run}") for text in TEXTS[:letters]))
    assert review.main([tmp_path]) == (1 if faults else 0)
    out = capsys.readouterr().out
    assert f"{letters} letters, {faults} faults" in out
    assert (f"share {run!r}" in out) == bool(faults)


def test_the_same_frame_in_a_quotation_is_no_template(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs write frames, not people: what is measured is what each letter newly says."""
    frame = [
        "quote",
        "\nOn Tue, 4 Mar 2025 at 10:22, Cindy wrote:\n> Please find our offer attached, valid for ten days.",
    ]
    rows = (row(text) for text in TEXTS)
    write(tmp_path, *(one | {"body": [*one["body"], frame]} for one in rows))
    assert review.main([tmp_path]) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        pytest.param({"category": "enquiry"}, "no such category", id="category"),
        pytest.param({"also": ["complaint"]}, "names the category itself", id="also"),
        pytest.param({"priority": "asap"}, "asap", id="priority"),
        pytest.param({"persona": ""}, "persona", id="no-writer"),
        pytest.param({"industry": "-"}, "industry", id="no-industry"),
        pytest.param({"scenario": ""}, "scenario", id="no-scenario"),
        pytest.param({"body": [["sign", "Ann"]]}, "body", id="no-such-piece"),
        pytest.param({"mood": "angry"}, "mood", id="no-such-field"),
        pytest.param({"facts": {"quantity": "many"}}, "facts", id="no-number"),
    ],
)
def test_a_bad_row_is_named_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], cause: str
) -> None:
    path = write(tmp_path, row(TEXTS[0]), row(TEXTS[1], **changes))
    assert review.main([tmp_path]) == 1
    out = capsys.readouterr().out
    assert "part-01.jsonl:2: " in out
    assert cause in out
    assert "1 letters, 1 faults" in out
    with pytest.raises(LetterError, match="part-01"):
        read_letters([path])


@pytest.mark.parametrize(
    "field", ["lang", "category", "priority", "subject", "body", "scenario", "industry", "persona"]
)
def test_no_field_that_counts_may_be_left_out(tmp_path: Path, field: str) -> None:
    complete = row(TEXTS[0])
    del complete[field]
    [(number, found)] = rows_of(write(tmp_path, complete))
    assert number == 1
    assert isinstance(found, LetterError)
    assert field in str(found)


def test_a_letter_knows_its_text_and_what_is_new_in_it(tmp_path: Path) -> None:
    [letter] = read_letters([write(tmp_path, row(TEXTS[0]))])
    assert letter.text == f"{TEXTS[0]}\n\nAnn Lee\nPump Yard Ltd"
    assert letter.new_text == TEXTS[0]


def test_the_package_holds_its_letters_by_language() -> None:
    files = letter_files()
    assert {file.stem for file in files} >= LANGUAGES
    assert all(row.lang == file.stem for file in files for _, row in rows_of(file) if isinstance(row, TrainingLetter))
