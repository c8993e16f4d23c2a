# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules from what TOML or JSON was read into, each mistake with the rule's id and the condition's place.  Pure."""

from collections.abc import Mapping
from typing import Any

from tradepost.rule_data import Condition, Effect, Group, Rule, RuleError
from tradepost.rule_words import MODES

_RULE_KEYS = {"id", "name", "description", "enabled", "when", "then"}
_CONDITION_KEYS = {"field", "op", "value"}
_EFFECT_KEYS = {"action", "value"}


def parse_rules(data: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Return the rules of `{"rule": [...]}` in their order.

    Raises RuleError for a wrong shape; whether fields, operators and values make sense is `compile_rules`' to say.
    """
    others = sorted(data.keys() - {"rule"})
    if others:
        raise RuleError(f"there is no {others[0]!r} beside [[rule]]")
    listed = data.get("rule", [])
    if not isinstance(listed, list):
        raise RuleError("'rule' is no list: write [[rule]]")
    return tuple(_parse_rule(item, number) for number, item in enumerate(listed, start=1))


def _parse_rule(item: object, number: int) -> Rule:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        raise RuleError(f"rule number {number}: needs an id")
    rule_id = item["id"]
    try:
        _refuse_others(item, _RULE_KEYS)
        name = _text(item.get("name", rule_id), "name")
        description = _text(item.get("description", ""), "description")
        enabled = item.get("enabled", True)
        if not isinstance(enabled, bool):
            raise RuleError("enabled is true or false")
        if "when" not in item:
            raise RuleError("needs 'when': a condition or a group; when = { all = [] } is always")
        when = _parse_item(item["when"], "")
        return Rule(
            id=rule_id,
            name=name,
            when=when if isinstance(when, Group) else Group("all", (when,)),
            then=_parse_effects(item.get("then")),
            description=description,
            enabled=enabled,
        )
    except RuleError as error:
        raise RuleError(f"rule {rule_id!r}: {error}") from error


def _parse_item(item: object, place: str) -> Condition | Group:
    """Read a condition or a group.  Its depth is limited by the parsers of TOML and JSON, and by compile_rules."""
    where = f"condition {place}" if place else "when"
    if not isinstance(item, dict):
        raise RuleError(f"{where}: is no table")
    try:
        modes = [mode for mode in MODES if mode in item]
        if not modes:
            return _parse_condition(item)
        if len(item) != 1:
            raise RuleError(f"a group holds one of {', '.join(MODES)} and nothing beside it")
        listed = item[modes[0]]
        if not isinstance(listed, list):
            raise RuleError(f"{modes[0]} is no list")
        if not listed and modes[0] != "all":
            raise RuleError(f"{modes[0]} is empty")
    except RuleError as error:
        raise RuleError(f"{where}: {error}") from error
    prefix = f"{place}." if place else ""
    return Group(modes[0], tuple(_parse_item(child, f"{prefix}{n}") for n, child in enumerate(listed, start=1)))


def _parse_condition(item: dict[str, Any]) -> Condition:
    _refuse_others(item, _CONDITION_KEYS)
    for key in ("field", "op"):
        if not isinstance(item.get(key), str):
            raise RuleError(f"needs {key!r}")
    value = item.get("value", "")
    if isinstance(value, list):
        if not all(isinstance(text, str) for text in value):
            raise RuleError("the list holds something that is no text")
        value = tuple(value)
    elif isinstance(value, bool):
        value = "true" if value else "false"
    elif not isinstance(value, str | int | float):
        raise RuleError("the value is no text, number or list of texts")
    return Condition(item["field"], item["op"], value)


def _parse_effects(listed: object) -> tuple[Effect, ...]:
    if not isinstance(listed, list) or not listed:
        raise RuleError("needs 'then': a list of actions")
    effects = []
    for number, item in enumerate(listed, start=1):
        if not isinstance(item, dict):
            raise RuleError(f"action {number}: is no table")
        _refuse_others(item, _EFFECT_KEYS)
        effects.append(Effect(_text(item.get("action"), "action"), _text(item.get("value"), "value")))
    return tuple(effects)


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise RuleError(f"{key} is no text")
    return value


def _refuse_others(item: dict[str, Any], known: set[str]) -> None:
    others = sorted(item.keys() - known)
    if others:
        raise RuleError(f"there is no {others[0]!r} here; known are: {', '.join(sorted(known))}")
