# SPDX-License-Identifier: GPL-3.0-or-later
"""What words weigh by their meaning."""

from pathlib import Path

import numpy as np
import pytest

from classifiers.meanings import SUBJECT_FACTOR, Meanings, key_of, read_meanings, word_of, write_meanings


@pytest.fixture
def meanings() -> Meanings:
    words = {"invoice": [1.0, 2.0], "発注": [3.0, 4.0]}
    keys = np.array(sorted(map(key_of, words)), dtype="uint64")
    by_key = {key_of(word): row for word, row in words.items()}
    return Meanings(keys, np.array([by_key[int(key)] for key in keys], dtype="float16"))


@pytest.mark.parametrize(
    ("feature", "word"),
    [
        ("invoice", ("invoice", 1.0)),
        ("s:invoice", ("invoice", SUBJECT_FACTOR)),
        ("счёт", ("счёт", 1.0)),
        ("발주", ("발주", 1.0)),
        ("発注", ("発注", 1.0)),
        ("発注書", None),
        ("ใบสั่", ("ใบสั่", 1.0)),
        ("ใบส", None),
        ("invoi~", None),
        ("c:order", None),
        ("sk:order", None),
        ("f:order", None),
        ("f.pdf", None),
        ("<4d>", None),
        ("length:7", None),
        ("s:<ask>", None),
    ],
)
def test_words_have_a_meaning_and_nothing_else(feature: str, word: tuple[str, float] | None) -> None:
    assert word_of(feature) == word


def test_rows_are_found_by_word(meanings: Meanings) -> None:
    found = meanings.of(["発注", "unheard", "s:invoice", "c:order"])

    assert found.tolist() == [[3.0, 4.0], [0.0, 0.0], [2.0, 4.0], [0.0, 0.0]]


def test_no_word_is_known_where_there_is_none() -> None:
    nothing = Meanings(np.zeros(0, dtype="uint64"), np.zeros((0, 2), dtype="float16"))

    assert nothing.of(["invoice"]).tolist() == [[0.0, 0.0]]


def test_what_is_written_is_read(tmp_path: Path, meanings: Meanings) -> None:
    write_meanings(tmp_path / "meanings", meanings.keys, {"category": meanings.rows})

    read = read_meanings(tmp_path / "meanings", {"category": 2})["category"]

    assert np.array_equal(read.keys, meanings.keys)
    assert np.array_equal(read.rows, meanings.rows)


def test_rows_of_another_model_are_refused(tmp_path: Path, meanings: Meanings) -> None:
    write_meanings(tmp_path / "meanings", meanings.keys, {"category": meanings.rows[:1]})

    with pytest.raises(ValueError, match="do not fit"):
        read_meanings(tmp_path / "meanings", {"category": 2})
