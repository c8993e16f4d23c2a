# SPDX-License-Identifier: GPL-3.0-or-later
"""What the models count, and that remembering weights between mails changes no opinion."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from classifiers import linear_model
from classifiers.features import count_features, says_an_idea
from classifiers.linear_model import Models, load_models

TEXTS = (
    "Dear team, please quote 500 pcs of cordless drills, CIF Hamburg. We need your best price by Friday!",
    "请报 500 件电钻的最优惠价格，一月底之前交货。",
    "Bitte senden Sie uns ein Angebot für 200 Stück, Lieferung bis Ende März.",
    "نرجو إرسال عرض أسعار لعدد 300 قطعة",
    "見積もりをお願いします。数量は100個です。",
)


def test_a_word_counts_with_its_stem() -> None:
    features = count_features("", "deliveries delivery delivery")

    assert features["delivery"] == 2
    assert features["deliv~"] == 3


def test_the_subject_is_kept_apart() -> None:
    features = count_features("Quotation", "hello")

    assert "s:quotation" in features
    assert "quotation" not in features


def test_numbers_count_by_their_length_and_signs_by_their_meaning() -> None:
    features = count_features("", "500 pcs, 4,500 $? ！")

    assert features["<3d>"] == 1
    assert features["<5d>"] == 1
    assert features["<money>"] == features["<ask>"] == features["<cry>"] == 1


def test_scripts_without_spaces_count_pairs_and_triples() -> None:
    features = count_features("", "报价单")

    assert {"报价", "价单", "报价单"} <= features.keys()


def test_an_idea_said_often_counts_four_times() -> None:
    ideas = {name: count for name, count in count_features("", "price " * 30).items() if name.startswith(("k:", "c:"))}

    assert ideas
    assert set(ideas.values()) == {4}


def test_several_words_say_an_idea_that_each_alone_does_not() -> None:
    together = {name for name in count_features("", "our purchase order") if name.startswith(("k:", "c:"))}
    apart = {name for name in count_features("", "order our purchase") if name.startswith(("k:", "c:"))}

    assert together != apart


@pytest.mark.parametrize("word", ["order", "状況", "ошибка"])
def test_words_of_routine_name_no_goods(word: str) -> None:
    assert says_an_idea(word)
    assert not says_an_idea("Bohrhammer")


def test_more_words_than_fit_are_forgotten_and_learnt_again(monkeypatch: pytest.MonkeyPatch) -> None:
    large = load_models()
    monkeypatch.setattr(linear_model, "_ROWS", 120)
    small = load_models()
    letters = [count_features("Inquiry", f"{text} {number}") for number in range(40) for text in TEXTS]

    def judge(models: Models) -> list[str]:
        return [models.category(models.weigh(counts)).label for counts in letters]

    expected = judge(large)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(judge, [small] * 4))

    assert found == [expected] * 4
