# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of our goods a text names: by listed words, in any script, in linear time; and rules that ask for it."""

import pytest

from tradepost.policy import Policy, PolicyProduct
from tradepost.product_words import LONGEST_TEXT, ProductWords, word_key
from tradepost.rules import Condition, Effect, Group, Rule, ask_for_products, compile_rules

WORDS = ProductWords.of(
    (word_key(word), meaning)
    for word, meaning in (
        ("LED lamp", 1),
        ("太阳能板", 2),
        ("valve", 3),
        ("ball valve", 4),
        ("DN-50", 5),
        ("ソーラー", 6),
    )
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("please quote LED lamps", (1,)),
        ("ＬＥＤ　Lamp 20W", (1,)),
        ("请报太阳能板100W的价格", (2,)),
        ("ball valves and a valve", (4, 3)),
        ("Ball-Valve DN 50", (4, 5)),
        ("the ソーラーpanel", (6,)),
        ("valved, devalve, ledlamp", ()),
        ("", ()),
    ],
)
def test_words_are_found_whole_whatever_their_case_width_and_number(text: str, found: tuple[int, ...]) -> None:
    assert WORDS.find_all(text) == found


def test_the_longest_word_wins_and_no_words_find_nothing() -> None:
    assert WORDS.find("a valve, no: a ball valve") == 4
    assert ProductWords().find("valve") is None
    assert word_key("--- !") == ""


@pytest.mark.parametrize("text", ["led " * 100_000, "太" * 100_000, "a" * 100_000, "_-" * 100_000, "led太" * 50_000])
def test_only_so_much_of_a_text_is_looked_at(text: str) -> None:
    assert WORDS.find_all(text) == ()
    assert WORDS.find(" " * (LONGEST_TEXT - 2) + " valve") is None


def test_a_rule_may_ask_for_products_and_for_their_categories() -> None:
    lamp = PolicyProduct("HB-200", ("lamps", "lighting"), (word_key("high bay"),))
    policy = Policy(products=(lamp, PolicyProduct("", ("valves",), (word_key("valve"),))))
    products, categories = policy.products_named("High bay", "and one valve")
    assert (products, categories) == (("HB-200",), ("lamps", "lighting", "valves"))
    rule = Rule(
        "lights",
        "Lights",
        Group("all", (Group("any", (Condition("product_category", "is", "lighting"),)),)),
        (Effect("assign", "ann@own.example"),),
    )
    assert ask_for_products([rule])
    compiled = compile_rules([rule])
    assert compiled.ask_for_products
    assert not compiled.ask_for_headers
    assert compiled.evaluate({"product_category": categories}).assignee == "ann@own.example"
    assert compiled.evaluate({"product_category": ("valves",)}).assignee is None
    assert not ask_for_products([Rule("off", "Off", rule.when, rule.then, enabled=False)])
