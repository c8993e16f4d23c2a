# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules as data: what a form edits, the database keeps and the directory carries."""

from dataclasses import dataclass

import msgspec

from tradepost.errors import Refusal


class RuleError(Refusal, ValueError):
    """A rule can't be used.  The text names the rule, the condition by its place ("2.1") and the reason."""


# These two are structs with a tag, not dataclasses: msgspec can't tell two dataclasses of one union apart, and rules travel
# in the directory.
class Condition(msgspec.Struct, frozen=True, tag="condition"):
    """One question: `field` of the mail, `op`erator, `value` (text, number or tuple of texts)."""

    field: str
    op: str
    value: str | float | tuple[str, ...] = ""


class Group(msgspec.Struct, frozen=True, tag="group"):
    """Conditions and groups, of which `all` or `any` must hold."""

    mode: str  # all | any | none
    items: tuple["Condition | Group", ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """What a rule does: set_category, set_priority, add_label, assign."""

    action: str
    value: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.  The order of rules is policy: the first that sets a thing wins."""

    id: str
    name: str
    when: Group
    then: tuple[Effect, ...]
    description: str = ""
    enabled: bool = True
