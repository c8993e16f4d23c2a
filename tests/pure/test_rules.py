# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules hold where they should, refuse what they can't mean, know what they don't know, and explain themselves."""

import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradepost.rules import (
    Condition,
    Effect,
    Finding,
    Group,
    GroupFinding,
    Outcome,
    Rule,
    RuleError,
    Value,
    compile_rules,
    parse_rules,
)
from tradepost.unknown import UNKNOWN
from tradepost.verdict import Priority

DEMO_RULES = Path(__file__).parents[2] / "postfix" / "sandbox" / "rules.toml"
LABEL = (Effect("add_label", "hit"),)


def rule(
    *conditions: Condition | Group, mode: str = "all", rule_id: str = "r", then: tuple[Effect, ...] = LABEL
) -> Rule:
    return Rule(rule_id, rule_id, Group(mode, conditions), then)


def holds(condition: Condition | Group, facts: Mapping[str, Value]) -> bool | None:
    outcome = compile_rules([rule(condition)]).evaluate(facts)
    return None if outcome.undecided else bool(outcome.matched)


LETTER: dict[str, Value] = {
    "subject": "URGENT: Anfrage über Größe 5",
    "text": "Please send your best price for 500 pcs.\nNew bank account follows.",
    "from_address": "Ann@Far.example",
    "recipient": ("sales@own.example", "info@own.example"),
    "language": "de",
    "country": "DE",
    "category": "inquiry",
    "size": 5000,
    "attachment_name": ("list.pdf", "photo.JPG"),
    "is_automatic": False,
    "customer_grade": "",
    "owner": None,
    "header:x-shop": ("red", "blue"),
}


@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        ("subject", "is", "urgent: anfrage ÜBER GRÖSSE 5", True),
        ("subject", "is", "urgent", False),
        ("subject", "is_not", "urgent", True),
        ("subject", "contains", "größe", True),
        ("subject", "contains", "groesse", False),
        ("subject", "contains_any", ("nope", "ANFRAGE"), True),
        ("subject", "contains_any", ("nope", "neither"), False),
        ("subject", "matches", r"^urgent\b.*\d$", True),
        ("subject", "matches", r"ÜBER", True),
        ("subject", "matches", r"^Anfrage", False),
        ("subject", "exists", "", True),
        ("text", "matches", r"new\s+bank\s+account", True),
        ("from_address", "is", "ann@far.example", True),
        ("recipient", "is", "info@own.example", True),
        ("recipient", "is_not", "info@own.example", False),
        ("recipient", "not_in", ("boss@own.example",), True),
        ("recipient", "not_in", ("boss@own.example", "INFO@own.example"), False),
        ("country", "in", ("at", "de", "ch"), True),
        ("country", "not_in", ("at", "ch"), True),
        ("attachment_name", "matches", r"\.(jpg|png)$", True),
        ("attachment_name", "matches", r"\.exe$", False),
        ("is_automatic", "is", "false", True),
        ("is_automatic", "is", "True", False),
        ("is_automatic", "is_not", "true", True),
        ("size", "above", 4999, True),
        ("size", "above", 5000, False),
        ("size", "below", 5000.5, True),
        ("size", "is", "5000", True),
        ("size", "is_not", 5000, False),
        ("size", "exists", "true", True),
        ("customer_grade", "exists", "", False),
        ("customer_grade", "exists", "false", True),
        ("customer_grade", "is", "A", False),
        ("customer_grade", "is_not", "A", True),
        ("owner", "exists", "", False),
        ("owner", "not_in", ("li@own.example",), True),
        ("pool", "exists", "", False),  # left out is nothing
        ("header:X-Shop", "is", "Blue", True),
        ("header:x-shop", "exists", "", True),
        ("header:X-Other", "exists", "", False),
    ],
)
def test_condition(field: str, op: str, value: Any, expected: bool) -> None:
    assert holds(Condition(field, op, value), LETTER) is expected


@pytest.mark.parametrize(
    ("subject", "word"),
    [
        ("ＵＲＧＥＮＴ", "urgent"),
        ("报价（紧急）", "报价(紧急)"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("STRASSE", "straße"),
        ("SİPARİŞ", "sipariş"),
    ],
)
def test_case_and_width_do_not_matter_in_any_script(subject: str, word: str) -> None:
    assert holds(Condition("subject", "contains", word), {"subject": subject}) is True
    assert holds(Condition("subject", "is", subject), {"subject": word}) is True


@pytest.mark.parametrize("op", ["is", "is_not", "contains", "matches", "exists"])
def test_about_something_unknown_nothing_is_said(op: str) -> None:
    assert holds(Condition("customer_grade", op, "" if op == "exists" else "A"), {"customer_grade": UNKNOWN}) is None


def test_unknown_number_leaves_it_open() -> None:
    assert holds(Condition("size", "above", 5), {"size": UNKNOWN}) is None


YES, NO, OPEN = (
    Condition("subject", "exists"),
    Condition("owner", "exists"),
    Condition("customer_grade", "is", "A"),
)


@pytest.mark.parametrize(
    ("mode", "items", "expected"),
    [
        ("all", (), True),
        ("all", (YES, YES), True),
        ("all", (YES, NO), False),
        ("all", (OPEN, NO), False),
        ("all", (OPEN, YES), None),
        ("any", (NO, NO), False),
        ("any", (NO, YES), True),
        ("any", (OPEN, YES), True),
        ("any", (OPEN, NO), None),
        ("none", (NO, NO), True),
        ("none", (NO, YES), False),
        ("none", (OPEN, YES), False),
        ("none", (OPEN, NO), None),
        ("all", (YES, Group("any", (NO, Group("none", (NO,))))), True),
        ("all", (YES, Group("any", (NO, Group("none", (OPEN,))))), None),
    ],
)
def test_groups_know_what_they_do_not_know(
    mode: str, items: tuple[Condition | Group, ...], expected: bool | None
) -> None:
    facts: dict[str, Value] = {"subject": "x", "customer_grade": UNKNOWN}
    assert holds(Group(mode, items), facts) is expected
    # The explanation comes to the same answer.
    assert compile_rules([rule(Group(mode, items))]).explain(facts)[0].held is expected


def test_first_rule_that_sets_a_thing_wins_and_labels_add_up() -> None:
    always = Group("all", ())
    rules = [
        Rule("off", "", always, (Effect("set_priority", "low"),), enabled=False),
        Rule("one", "", always, (Effect("set_priority", "urgent"), Effect("add_label", "a"))),
        Rule(
            "two",
            "",
            always,
            (Effect("set_priority", "low"), Effect("set_category", "order"), Effect("add_label", "b")),
        ),
        Rule("not", "", Group("any", ()), (Effect("assign", "nobody@own.example"),)),
        Rule("three", "", always, (Effect("assign", "li@own.example"), Effect("add_label", "a"))),
    ]
    assert compile_rules(rules).evaluate({}) == Outcome(
        category="order",
        category_by="two",
        priority=Priority.URGENT,
        priority_by="one",
        assignee="li@own.example",
        assigned_by="three",
        labels=("a", "b"),
        matched=("one", "two", "three"),
    )


def test_no_rules_say_nothing() -> None:
    assert compile_rules(()).evaluate(LETTER) == Outcome()


def test_long_texts_are_looked_at_only_at_their_beginning() -> None:
    facts: dict[str, Value] = {"text": "x" * 20_480 + "needle"}
    assert holds(Condition("text", "contains", "needle"), facts) is False
    assert holds(Condition("text", "matches", "needle"), facts) is False


def test_evil_expression_on_evil_text_is_quick() -> None:
    compiled = compile_rules([rule(Condition("text", "matches", r"(a+)+$"))])
    started_at = time.monotonic()
    assert compiled.evaluate({"text": "a" * 20_000 + "!"}).matched == ()
    assert time.monotonic() - started_at < 1  # a backtracking engine needs longer than the universe has


@given(st.text(max_size=50), st.text(max_size=50), st.lists(st.text(max_size=10), max_size=3))
@settings(max_examples=100, deadline=None, database=None)
def test_hostile_text_never_raises(subject: str, header: str, names: list[str]) -> None:
    conditions = (
        Condition("subject", "matches", "a|ü"),
        Condition("subject", "contains", "ü"),
        Condition("header:X-A", "matches", "."),
        Condition("attachment_name", "is", "x"),
    )
    facts: dict[str, Value] = {
        "subject": subject + "\udcff",
        "header:x-a": (header, "\ud800"),
        "attachment_name": tuple(names),
    }
    compiled = compile_rules([rule(*conditions, mode="any")])
    held = bool(compiled.evaluate(facts).matched)
    assert compiled.explain(facts)[0].held is held


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (Condition("subjct", "is", "x"), "there is no field 'subjct'"),
        (Condition("header:", "is", "x"), "there is no field 'header:'"),
        (Condition("header:a b", "is", "x"), "there is no field 'header:a b'"),
        (
            Condition("subject", "above", "x"),
            "subject has no operator 'above'; its operators are: is, is_not, contains",
        ),
        (Condition("size", "contains", "x"), "size has no operator 'contains'; its operators are: is, is_not, above"),
        (Condition("size", "above", "much"), "needs a number"),
        (Condition("size", "above", ("1",)), "needs a number"),
        (Condition("subject", "is", ""), "needs a text"),
        (Condition("subject", "contains", " "), "an empty text is contained in everything"),
        (Condition("subject", "contains_any", "x"), "needs a list of texts"),
        (Condition("subject", "contains_any", ()), "needs a list of texts"),
        (Condition("subject", "in", ("x", "")), "an empty text"),
        (Condition("subject", "in", ("x",) * 1001), "longer than 1000"),
        (Condition("subject", "is", "x" * 201), "longer than 200 signs"),
        (Condition("priority", "is", "hgih"), "priority is never 'hgih', only high, low, normal, urgent"),
        (Condition("direction", "in", ("inbound", "in")), "direction is never 'in'"),
        (Condition("is_automatic", "is", "yes"), "is_automatic is never 'yes', only false, true"),
        (Condition("subject", "exists", "perhaps"), "exists takes true, false or nothing"),
        (Condition("subject", "matches", ""), "needs a regular expression"),
        (Condition("subject", "matches", "("), r"missing \): \("),
        (Condition("subject", "matches", r"(?<=a)b"), "invalid perl operator.*look-around"),
        (Condition("subject", "matches", r"(a)\1"), "invalid escape sequence.*backreferences"),
        (Condition("subject", "matches", r"a{1,2000}"), "invalid repetition size.*repeats above 1000"),
        (Condition("subject", "matches", r"((a{100}){100}){100}"), "repetition|too large"),
        (Condition("subject", "matches", "x" * 1001), "longer than 1000 signs"),
        (Condition("subject", "matches", "\ud800"), "no Unicode text"),
    ],
)
def test_condition_that_can_not_be_is_refused_with_its_place(condition: Condition, reason: str) -> None:
    wrapped = rule(YES, Group("any", (YES, condition)), rule_id="new-rule")
    place = rf"^rule 'new-rule', condition 2\.2 \({condition.field} {condition.op}\): .*({reason})"
    with pytest.raises(RuleError, match=place):
        compile_rules([wrapped])


@pytest.mark.parametrize(
    ("effect", "reason"),
    [
        (Effect("set_priorty", "high"), "there is no action 'set_priorty'; actions are: set_category"),
        (Effect("set_priority", "highest"), "there is no priority 'highest'; priorities are: urgent, high"),
        (Effect("set_category", "Große Bestellung"), "is no label: 1 to 40 of a-z"),
        (Effect("add_label", "x" * 41), "is no label"),
        (Effect("assign", "Li Na"), "is no e-mail address"),
    ],
)
def test_effect_that_can_not_be_is_refused(effect: Effect, reason: str) -> None:
    with pytest.raises(RuleError, match=f"^rule 'r': .*{reason}"):
        compile_rules([rule(YES, then=(effect,))])


@pytest.mark.parametrize("rule_id", ["", "Big Customer", "x" * 41, "größe", "a\nb"])
def test_id_that_can_not_stand_in_a_header_is_refused(rule_id: str) -> None:
    with pytest.raises(RuleError, match="an id is 1 to 40"):
        compile_rules([rule(YES, rule_id=rule_id)])


def test_same_id_twice_is_refused() -> None:
    with pytest.raises(RuleError, match="rule 'r': there are two rules of this id"):
        compile_rules([rule(YES), rule(NO)])


def test_rule_switched_off_is_checked_too() -> None:
    off = Rule("r", "", Group("all", (Condition("subject", "matches", "("),)), LABEL, enabled=False)
    with pytest.raises(RuleError, match="missing"):
        compile_rules([off])


def test_groups_nested_too_deep_are_refused() -> None:
    group = Group("all", (YES,))
    for _ in range(10):
        group = Group("any", (group,))
    with pytest.raises(RuleError, match="8 deep at most"):
        compile_rules([rule(group)])


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(RuleError, match="there is no mode 'some'; modes are: all, any, none"):
        compile_rules([rule(YES, mode="some")])


def test_explanation_quotes_what_decided_each_condition() -> None:
    compiled = compile_rules(
        [
            rule(
                Condition("subject", "contains_any", ("urgent", "asap")),
                Group("none", (Condition("text", "matches", r"bank\s+account"),)),
                Condition("customer_grade", "is", "A"),
                Condition("recipient", "in", ("boss@own.example",)),
                rule_id="explained",
            )
        ]
    )
    (found,) = compiled.explain({**LETTER, "customer_grade": UNKNOWN})
    assert (found.rule_id, found.held) == ("explained", False)
    assert found.when.items == (
        Finding("subject", "contains_any", "urgent, asap", "urgent", True),
        GroupFinding("none", (Finding("text", "matches", r"bank\s+account", "bank account", True),), False),
        Finding("customer_grade", "is", "A", "", None),
        Finding("recipient", "in", "boss@own.example", "sales@own.example, info@own.example", False),
    )


def test_quotes_are_short_and_in_one_line() -> None:
    (found,) = compile_rules([rule(Condition("text", "contains", "nothing"))]).explain({"text": "a\nb " * 9999})
    (item,) = found.when.items
    assert isinstance(item, Finding)
    assert len(item.found) == 80
    assert "\n" not in item.found


# The file.


def parse(text: str) -> tuple[Rule, ...]:
    return parse_rules(tomllib.loads(text))


def test_file_becomes_rules() -> None:
    rules = parse(
        """
        [[rule]]
        id = "one"
        name = "One"
        description = "Why"
        enabled = false
        when = { any = [
            { field = "size", op = "above", value = 1e6 },
            { all = [ { field = "subject", op = "in", value = ["a", "b"] }, { field = "owner", op = "exists" } ] },
            { field = "is_automatic", op = "is", value = true },
        ] }
        then = [ { action = "set_priority", value = "low" } ]

        [[rule]]
        id = "two"
        when = { field = "subject", op = "contains", value = "x" }
        then = [ { action = "add_label", value = "x" } ]
        """
    )
    assert rules == (
        Rule(
            "one",
            "One",
            Group(
                "any",
                (
                    Condition("size", "above", 1e6),
                    Group("all", (Condition("subject", "in", ("a", "b")), Condition("owner", "exists", ""))),
                    Condition("is_automatic", "is", "true"),
                ),
            ),
            (Effect("set_priority", "low"),),
            "Why",
            enabled=False,
        ),
        Rule("two", "two", Group("all", (Condition("subject", "contains", "x"),)), (Effect("add_label", "x"),)),
    )


GOOD: dict[str, Any] = {
    "id": "r",
    "when": {"all": [{"field": "subject", "op": "is", "value": "x"}]},
    "then": [{"action": "add_label", "value": "x"}],
}


def nested(item: object) -> dict[str, Any]:
    return {"all": [{"field": "owner", "op": "exists"}, {"any": [item]}]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": None}, "rule number 1: needs an id"),
        ({"wen": 1}, "rule 'r': there is no 'wen' here; known are: description, enabled, id"),
        ({"name": 3}, "rule 'r': name is no text"),
        ({"enabled": "yes"}, "rule 'r': enabled is true or false"),
        ({"when": "always"}, "rule 'r': when: is no table"),
        ({"when": {"all": [], "any": []}}, "rule 'r': when: a group holds one of all, any, none"),
        ({"when": {"any": []}}, "rule 'r': when: any is empty"),
        ({"when": {"all": {}}}, "rule 'r': when: all is no list"),
        ({"when": nested("x")}, r"rule 'r': condition 2\.1: is no table"),
        ({"when": nested({"op": "is"})}, r"rule 'r': condition 2\.1: needs 'field'"),
        ({"when": nested({"field": "subject", "op": "is", "valeu": "x"})}, r"condition 2\.1: there is no 'valeu' here"),
        ({"when": nested({"field": "subject", "op": "in", "value": ["x", 1]})}, r"2\.1: the list holds something"),
        ({"when": nested({"field": "subject", "op": "is", "value": {}})}, r"2\.1: the value is no text"),
        ({"then": []}, "rule 'r': needs 'then'"),
        ({"then": ["x"]}, "rule 'r': action 1: is no table"),
        ({"then": [{"action": "add_label"}]}, "rule 'r': value is no text"),
    ],
)
def test_mistake_in_the_file_names_rule_and_place(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(RuleError, match=f"^{reason}" if reason.startswith("rule") else reason):
        parse_rules({"rule": [{**GOOD, **change}]})


def test_rule_without_conditions_must_say_so() -> None:
    with pytest.raises(RuleError, match=r"when = \{ all = \[\] \} is always"):
        parse_rules({"rule": [{key: value for key, value in GOOD.items() if key != "when"}]})
    assert compile_rules(parse_rules({"rule": [{**GOOD, "when": {"all": []}}]})).evaluate({}).matched == ("r",)


@pytest.mark.parametrize(("data", "reason"), [({"rules": []}, "no 'rules' beside"), ({"rule": {}}, "is no list")])
def test_file_of_another_shape_is_refused(data: dict[str, Any], reason: str) -> None:
    with pytest.raises(RuleError, match=reason):
        parse_rules(data)


def test_rules_of_the_demo_mean_what_they_say() -> None:
    compiled = compile_rules(parse(DEMO_RULES.read_text(encoding="utf-8")))
    letter: dict[str, Value] = {
        "direction": "inbound",
        "is_automatic": False,
        "subject": "URGENT order",
        "country": "CA",
        "priority": "normal",
    }
    outcome = compiled.evaluate({**letter, "customer_grade": UNKNOWN, "category": "order"})
    assert (outcome.priority, outcome.priority_by) == (Priority.URGENT, "north-america-urgent")
    assert outcome.undecided == ("key-customer",)
    assert compiled.evaluate({**letter, "country": "FR"}).priority is None
