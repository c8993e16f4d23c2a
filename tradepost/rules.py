# SPDX-License-Identifier: GPL-3.0-or-later
"""One set of rules for arrival, sending and time: conditions and actions as data, compiled to closures.  Pure.

A condition about something unknown (the directory was silent) neither holds nor fails; a rule that hangs on it is
`undecided`.  This is the door: other rooms import all they need of rules from here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tradepost.rule_conditions import Test, WordingError, compile_group
from tradepost.rule_data import Condition, Effect, Group, Rule, RuleError
from tradepost.rule_file import parse_rules
from tradepost.rule_findings import Finding, GroupFinding, RuleFinding, find
from tradepost.rule_view import Value, View
from tradepost.rule_words import HEADER_PREFIX, PRODUCT_FIELDS, field_key, refuse_effect, refuse_id
from tradepost.verdict import Priority

__all__ = [
    "CompiledRules",
    "Condition",
    "Effect",
    "Finding",
    "Group",
    "GroupFinding",
    "Outcome",
    "Rule",
    "RuleError",
    "RuleFinding",
    "Value",
    "ask_for_products",
    "compile_rules",
    "parse_rules",
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rules say about one mail.  `*_by` is the id of the rule that set the thing first."""

    category: str | None = None
    category_by: str | None = None
    priority: Priority | None = None
    priority_by: str | None = None
    assignee: str | None = None
    assigned_by: str | None = None
    labels: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()  # ids of the rules that held, in order
    undecided: tuple[str, ...] = ()  # ids of the rules that hang on something unknown


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule that is in force."""

    rule: Rule
    test: Test


class CompiledRules:
    """All enabled rules, ready.  Safe in several threads."""

    def __init__(self, rules: Sequence[CompiledRule]) -> None:
        self.rules = tuple(rules)
        self.ask_for_products = ask_for_products(compiled.rule for compiled in self.rules)
        self.ask_for_headers = any(field.startswith(HEADER_PREFIX) for field in _asked(c.rule for c in self.rules))

    def explain(self, facts: Mapping[str, Value]) -> tuple[RuleFinding, ...]:
        """Say of every rule, condition by condition, what was wanted, what was found and whether it held."""
        view = View(facts)
        return tuple(find(compiled.rule, view) for compiled in self.rules)

    def evaluate(self, facts: Mapping[str, Value]) -> Outcome:
        """Apply the rules in order.  Keys of `facts` are field names (`header:NAME` in lower case); one left out is nothing."""
        view = View(facts)
        first: dict[str, tuple[str, str]] = {}
        labels: dict[str, None] = {}
        matched, undecided = [], []
        for compiled in self.rules:
            held = compiled.test(view)
            if held is None:
                undecided.append(compiled.rule.id)
            if not held:
                continue
            matched.append(compiled.rule.id)
            for effect in compiled.rule.then:
                if effect.action == "add_label":
                    labels[effect.value] = None
                else:
                    first.setdefault(effect.action, (effect.value, compiled.rule.id))
        nothing = (None, None)
        category, category_by = first.get("set_category", nothing)
        priority, priority_by = first.get("set_priority", nothing)
        assignee, assigned_by = first.get("assign", nothing)
        return Outcome(
            category=category,
            category_by=category_by,
            priority=Priority(priority) if priority else None,
            priority_by=priority_by,
            assignee=assignee,
            assigned_by=assigned_by,
            labels=tuple(labels),
            matched=tuple(matched),
            undecided=tuple(undecided),
        )


def ask_for_products(rules: Iterable[Rule]) -> bool:
    """Is any of these rules, if it is in force, about the goods that a mail names?"""
    return not PRODUCT_FIELDS.isdisjoint(_asked(rules))


def _asked(rules: Iterable[Rule]) -> Iterator[str]:
    """Yield the key of every field that rules in force ask for."""
    groups = [rule.when for rule in rules if rule.enabled]
    while groups:
        for item in groups.pop().items:
            if isinstance(item, Group):
                groups.append(item)
            else:
                yield field_key(item.field)


def compile_rules(rules: Iterable[Rule], refuse: Callable[[str, str], str | None] = refuse_effect) -> CompiledRules:
    """Compile the enabled rules; those switched off are checked too.  Raises RuleError for the first that can't be used.

    `refuse` says why an effect (action, value) can't be; another than the usual one lets rules do other things.
    """
    compiled = []
    known: set[str] = set()
    for rule in rules:
        if reason := refuse_id(rule.id):
            raise RuleError(f"rule {rule.id!r}: {reason}")
        if rule.id in known:
            raise RuleError(f"rule {rule.id!r}: there are two rules of this id")
        known.add(rule.id)
        for effect in rule.then:
            if reason := refuse(effect.action, effect.value):
                raise RuleError(f"rule {rule.id!r}: {reason}")
        try:
            test = compile_group(rule.when)
        except WordingError as error:
            raise RuleError(f"rule {rule.id!r}, {error}") from error
        if rule.enabled:
            compiled.append(CompiledRule(rule, test))
    return CompiledRules(compiled)
