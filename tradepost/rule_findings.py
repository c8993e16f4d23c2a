# SPDX-License-Identifier: GPL-3.0-or-later
"""A rule explained: condition by condition what was wanted, what was found, and whether it held.

Findings quote the mail, so they are for the record and its page, never for a log line or a header field.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tradepost.rule_conditions import (
    Test,
    compile_condition,
    compile_pattern,
    holds_all,
    holds_any,
    negated,
    wanted_texts,
)
from tradepost.rule_data import Condition, Group, Rule
from tradepost.rule_view import View, fold_text
from tradepost.rule_words import field_key

# Characters quoted of a value.
LONGEST_QUOTE = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition.  `found` quotes what decided it, "" for nothing; `held` None: the field was unknown."""

    field: str
    op: str
    wanted: str
    found: str
    held: bool | None


@dataclass(frozen=True, slots=True)
class GroupFinding:
    """A group and what was found of each item."""

    mode: str
    items: tuple["Finding | GroupFinding", ...]
    held: bool | None


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """One rule.  `held` None: undecided."""

    rule_id: str
    name: str
    held: bool | None
    when: GroupFinding


def find(rule: Rule, view: View) -> RuleFinding:
    """Explain a rule that compiles."""
    when = _find_group(rule.when, view)
    return RuleFinding(rule.id, rule.name, when.held, when)


def _find_group(group: Group, view: View) -> GroupFinding:
    items = tuple(
        _find_group(item, view) if isinstance(item, Group) else _find_condition(item, view) for item in group.items
    )
    tests = [_constant(item.held) for item in items]
    held = holds_all(tests, view) if group.mode == "all" else holds_any(tests, view)
    return GroupFinding(group.mode, items, negated(held) if group.mode == "none" else held)


def _constant(held: bool | None) -> Test:
    return lambda _: held


def _find_condition(condition: Condition, view: View) -> Finding:
    held = compile_condition(condition, "")(view)
    wanted = condition.value
    text = ", ".join(wanted) if isinstance(wanted, tuple) else str(wanted)
    return Finding(condition.field, condition.op, text, "" if held is None else _quote(condition, view), held)


def _quote(condition: Condition, view: View) -> str:
    field = field_key(condition.field)
    if condition.op == "matches":
        search = compile_pattern(condition.value).search
        for value in view.octets(field) or ():
            if match := search(value):
                return _cut(match[0].decode("utf-8", "replace"))
    if condition.op in {"contains", "contains_any"}:
        words = [word for word in wanted_texts(condition) if _is_in(fold_text(word), view.folded(field) or ())]
        if words:
            return _cut(", ".join(words))
    return _cut(", ".join(view.texts(field) or ()))


def _is_in(word: str, values: Sequence[str]) -> bool:
    return any(word in value for value in values)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"
