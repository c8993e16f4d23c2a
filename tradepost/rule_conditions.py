# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions to closures.  Regular expressions run under google-re2: linear time, refused here with the reason."""

from collections.abc import Callable, Sequence
from typing import Any

import re2

from tradepost.rule_data import Condition, Group
from tradepost.rule_view import View, fold_text
from tradepost.rule_words import (
    DEEPEST_GROUP,
    HEADER_PREFIX,
    LIST_OPERATORS,
    LONGEST_LIST,
    LONGEST_PATTERN,
    LONGEST_VALUE,
    MODES,
    Kind,
    field_key,
    kind_of,
    operators_for,
    refuse_value,
)
from tradepost.unknown import UNKNOWN

# True: holds; False: does not; None: hangs on something unknown.
Test = Callable[[View], bool | None]


class WordingError(ValueError):
    """A condition can't be compiled; the text begins with its place."""


def compile_group(group: Group, place: str = "", depth: int = 1) -> Test:
    """Compile a group and what is in it.  Raises WordingError."""
    if group.mode not in MODES:
        raise WordingError(f"group {place or 'when'}: there is no mode {group.mode!r}; modes are: {', '.join(MODES)}")
    if depth > DEEPEST_GROUP:
        raise WordingError(f"group {place}: groups stand {DEEPEST_GROUP} deep at most")
    tests = tuple(
        compile_group(item, f"{place}{number}.", depth + 1)
        if isinstance(item, Group)
        else compile_condition(item, f"{place}{number}")
        for number, item in enumerate(group.items, start=1)
    )
    if group.mode == "all":
        return lambda view: holds_all(tests, view)
    if group.mode == "any":
        return lambda view: holds_any(tests, view)
    return lambda view: negated(holds_any(tests, view))


def holds_all(tests: Sequence[Test], view: View) -> bool | None:
    """False as soon as one fails, unknown when none fails but one is open (Kleene's logic)."""
    is_open = False
    for test in tests:
        held = test(view)
        if held is None:
            is_open = True
        elif not held:
            return False
    return None if is_open else True


def holds_any(tests: Sequence[Test], view: View) -> bool | None:
    """True as soon as one holds, unknown when none holds but one is open."""
    is_open = False
    for test in tests:
        held = test(view)
        if held is None:
            is_open = True
        elif held:
            return True
    return None if is_open else False


def negated(held: bool | None) -> bool | None:
    """Not; unknown stays unknown."""
    return None if held is None else not held


def compile_condition(condition: Condition, place: str) -> Test:
    """Compile one question.  Raises WordingError."""
    try:
        kind = kind_of(condition.field)
        if kind is None:
            raise WordingError(f"there is no field {condition.field!r} (a header is {HEADER_PREFIX}NAME)")
        if condition.op not in operators_for(kind):
            allowed = ", ".join(operators_for(kind))
            raise WordingError(f"{condition.field} has no operator {condition.op!r}; its operators are: {allowed}")
        field = field_key(condition.field)
        if condition.op == "exists":
            return _compile_exists(field, condition)
        if kind is Kind.NUMBER:
            return _compile_number(field, condition)
        if condition.op == "matches":
            return _compile_pattern(field, condition)
        return _compile_text(field, condition)
    except WordingError as error:
        raise WordingError(f"condition {place} ({condition.field} {condition.op}): {error}") from error


def wanted_texts(condition: Condition) -> tuple[str, ...]:
    """Return the texts a condition compares with.  Raises WordingError when they are of the wrong shape."""
    value = condition.value
    if condition.op in LIST_OPERATORS:
        if not isinstance(value, tuple) or not value:
            raise WordingError("needs a list of texts")
        if len(value) > LONGEST_LIST:
            raise WordingError(f"the list is longer than {LONGEST_LIST}")
    elif not isinstance(value, str) or not value:
        raise WordingError("needs a text")
    else:
        value = (value,)
    for text in value:
        if not text.strip():
            raise WordingError("an empty text is contained in everything")
        if len(text) > LONGEST_VALUE:
            raise WordingError(f"a text is longer than {LONGEST_VALUE} signs")
        if reason := refuse_value(condition.field, text):
            raise WordingError(reason)
    return value


def _compile_text(field: str, condition: Condition) -> Test:
    wanted = tuple(map(fold_text, wanted_texts(condition)))
    op = condition.op
    if op in {"contains", "contains_any"}:

        def contains(view: View) -> bool | None:
            values = view.folded(field)
            return None if values is None else any(word in value for value in values for word in wanted)

        return contains
    listed = frozenset(wanted)

    def equals(view: View) -> bool | None:
        values = view.folded(field)
        return None if values is None else not listed.isdisjoint(values)

    if op in {"is_not", "not_in"}:
        return lambda view: negated(equals(view))
    return equals


def _compile_exists(field: str, condition: Condition) -> Test:
    text = str(condition.value).lower()
    if text not in {"", "true", "false"}:
        raise WordingError("exists takes true, false or nothing")
    wanted = text != "false"

    def exists(view: View) -> bool | None:
        values = view.texts(field)
        return None if values is None else bool(values) is wanted

    return exists


def _compile_number(field: str, condition: Condition) -> Test:
    try:
        wanted = float(condition.value)  # type: ignore[arg-type]  # a tuple raises TypeError, which is the point
    except (TypeError, ValueError) as error:
        raise WordingError("needs a number") from error
    op = condition.op

    def compare(view: View) -> bool | None:
        number = view.number(field)
        if number is UNKNOWN:
            return None
        if number is None:
            return op == "is_not"
        if op == "above":
            return number > wanted
        if op == "below":
            return number < wanted
        return (number == wanted) is (op == "is")

    return compare


def _compile_pattern(field: str, condition: Condition) -> Test:
    search = compile_pattern(condition.value).search

    def matches(view: View) -> bool | None:
        values = view.octets(field)
        return None if values is None else any(search(value) is not None for value in values)

    return matches


def compile_pattern(pattern: object) -> Any:
    """Compile a regular expression, case-insensitive.  Raises WordingError with re2's reason."""
    if not isinstance(pattern, str) or not pattern:
        raise WordingError("needs a regular expression")
    if len(pattern) > LONGEST_PATTERN:
        raise WordingError(f"the expression is longer than {LONGEST_PATTERN} signs")
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if error.args else "not understood"
        raise WordingError(f"{reason}: look-around, backreferences and repeats above 1000 are not allowed") from error
    except UnicodeEncodeError as error:
        raise WordingError("the expression is no Unicode text") from error
