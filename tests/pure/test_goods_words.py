# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest

from classifiers.goods_words import (
    from_octets,
    goods_score,
    key_of,
    parts_of,
    pieces_of,
    read_goods_words,
    to_octets,
    use_goods_words,
)
from classifiers.training.goods_words import learn_table, parts_in


@pytest.mark.parametrize(
    ("goods", "other"),
    [("pumps", "thanks"), ("насосы", "спасибо"), ("ventiladores", "saludos"), ("水泵", "谢谢"), ("sandalyeler", "teşekkürler")],
)  # fmt: skip
def test_words_of_goods_score_above_those_of_letters(goods: str, other: str) -> None:
    assert goods_score(goods)[0] > goods_score(other)[0] + 1


def test_a_word_that_is_not_known_is_scored_by_its_pieces() -> None:
    table = from_octets(to_octets({"pump": 1.0}, {"<pu": 2.0, "ps>": 0.5, "=": 9.0}, -3.0))
    assert table.score("pump") == 1.0
    assert table.score("pumps") == -0.5
    assert table.score("zzz") == -3.0


@pytest.mark.parametrize(
    ("word", "parts"), [("pump", ["pump"]), ("水泵站", ["水泵", "泵站"]), ("泵", ["泵"]), ("กรรไกรตัด", ["กรรไก", "รรไกร", "รไกรต", "ไกรตั", "กรตัด"])]
)  # fmt: skip
def test_scripts_without_spaces_are_scored_by_signs(word: str, parts: list[str]) -> None:
    assert parts_of(word) == parts


def test_pieces_are_beginnings_ends_and_inner_letters() -> None:
    assert {"<pu", "ps>", "<pump", "pump"} <= set(pieces_of("pumps"))
    assert pieces_of("水泵") == ["水", "泵"]


def test_a_long_word_is_scored_by_its_first_letters() -> None:
    assert read_goods_words().score("x" * 40_000) == read_goods_words().score("x" * 30)


def test_keys_have_32_bits() -> None:
    assert 0 <= key_of("水泵") < 2**32


def test_the_words_of_products_are_learned() -> None:
    words = ["chairs", "hello", "please", "stools"]
    places = np.array([[1, 0.1], [-1, 0.1], [-1, -0.1], [0.9, -0.1]], dtype="float32")
    letters = [("hello please quote chairs", "chairs"), ("hello please", None), ("please, hello, chairs", "chairs")] * 4
    table = from_octets(learn_table(letters, words, places))
    assert table.score("chairs") > table.score("hello") + 2
    assert table.score("stools") > table.score("please") + 2  # no letter has it: its place says so
    assert parts_in("Hello 20 chairs") == ["hello", "chairs"]


def test_training_scores_words_by_another_table() -> None:
    use_goods_words(from_octets(to_octets({"pumps": -7.0}, {}, 0.0)))
    try:
        assert goods_score("pumps") == (-7.0, -7.0, -7.0)
    finally:
        use_goods_words(None)
    assert goods_score("pumps")[0] > -3
