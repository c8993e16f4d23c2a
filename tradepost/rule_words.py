# SPDX-License-Identifier: GPL-3.0-or-later
"""The vocabulary of rules: fields, operators, actions, and why a wording is refused.  Pure."""

import re
from enum import Enum
from typing import Final

from tradepost.verdict import Direction, Priority


class Kind(Enum):
    """What a field holds."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"


FIELDS: Final[dict[str, Kind]] = {
    "subject": Kind.TEXT,
    "text": Kind.TEXT,
    "from_address": Kind.TEXT,
    "from_domain": Kind.TEXT,
    "recipient": Kind.TEXT,  # every envelope recipient
    "language": Kind.TEXT,
    "country": Kind.TEXT,
    "category": Kind.TEXT,
    "priority": Kind.TEXT,
    "size": Kind.NUMBER,  # octets of the whole mail
    "attachment_name": Kind.TEXT,  # every attachment
    "is_automatic": Kind.FLAG,
    "customer_grade": Kind.TEXT,
    "customer_kind": Kind.TEXT,
    "direction": Kind.TEXT,
    "owner": Kind.TEXT,
    "pool": Kind.TEXT,  # every pool addressed
    "product": Kind.TEXT,  # the code of every product that subject or text names
    "product_category": Kind.TEXT,  # the codes of their categories, and of all above
}
# Found only when a rule asks for them.
PRODUCT_FIELDS: Final = frozenset({"product", "product_category"})
HEADER_PREFIX: Final = "header:"  # header:NAME, every field of that name

_OPERATORS: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.TEXT: ("is", "is_not", "contains", "contains_any", "matches", "in", "not_in", "exists"),
    Kind.NUMBER: ("is", "is_not", "above", "below", "exists"),
    Kind.FLAG: ("is", "is_not", "exists"),
}
LIST_OPERATORS: Final = frozenset({"contains_any", "in", "not_in"})
MODES: Final = ("all", "any", "none")
ACTIONS: Final = ("set_category", "set_priority", "add_label", "assign")

# Values that a typing error would turn into a rule that never holds.
_CLOSED: Final[dict[str, frozenset[str]]] = {
    "priority": frozenset(priority.value for priority in Priority),
    "direction": frozenset(direction.value for direction in Direction),
    "is_automatic": frozenset({"true", "false"}),
}

LONGEST_PATTERN: Final = 1000
LONGEST_VALUE: Final = 200
LONGEST_LIST: Final = 1000
DEEPEST_GROUP: Final = 8

# Ids and labels travel in header fields and bounces, so they hold no administrator's words.
_NAME = re.compile(r"[a-z0-9-]{1,40}")
_HEADER_NAME = re.compile(r"[!-9;-~]{1,100}")  # RFC 5322, 2.2
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


def kind_of(field: str) -> Kind | None:
    """Return what the field holds, or None when there is no such field."""
    if field.startswith(HEADER_PREFIX):
        return Kind.TEXT if _HEADER_NAME.fullmatch(field[len(HEADER_PREFIX) :]) else None
    return FIELDS.get(field)


def field_key(field: str) -> str:
    """Return the field's key among the facts: header names in lower case."""
    return field.lower() if field.startswith(HEADER_PREFIX) else field


def operators_for(kind: Kind) -> tuple[str, ...]:
    """Return the operators that a field of that kind knows."""
    return _OPERATORS[kind]


def refuse_value(field: str, value: str) -> str | None:
    """Say why a compared value can never be right, or None."""
    closed = _CLOSED.get(field)
    if closed is not None and value.lower() not in closed:
        return f"{field} is never {value!r}, only {', '.join(sorted(closed))}"
    return None


def refuse_id(rule_id: str) -> str | None:
    """Say why a rule can't have that id, or None."""
    if not _NAME.fullmatch(rule_id):
        return "an id is 1 to 40 of a-z, 0-9 and -, because it travels in header fields"
    return None


def refuse_effect(action: str, value: str) -> str | None:
    """Say why an effect can't be, or None."""
    if action not in ACTIONS:
        return f"there is no action {action!r}; actions are: {', '.join(ACTIONS)}"
    if action == "set_priority" and value not in _CLOSED["priority"]:
        return f"there is no priority {value!r}; priorities are: {', '.join(Priority)}"
    if action in {"set_category", "add_label"} and not _NAME.fullmatch(value):
        return f"{value!r} is no label: 1 to 40 of a-z, 0-9 and -"
    if action == "assign" and not _ADDRESS.fullmatch(value):
        return f"{value!r} is no e-mail address of a person"
    return None
