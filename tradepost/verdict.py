# SPDX-License-Identifier: GPL-3.0-or-later
"""What was decided about one mail, and why.  A verdict is history: it is stored as it was and never edited."""

from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Which way a mail crosses the company's border."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class Recording(StrEnum):
    """How much of a mail may be kept; decided before the journal is written."""

    FULL = "full"
    ENVELOPE = "envelope"  # who wrote to whom and when: no header, no body
    NONE = "none"  # counted only


class Priority(StrEnum):
    """How soon somebody must look."""

    URGENT = "urgent"  # loss within hours
    HIGH = "high"  # strong intent, key customer
    NORMAL = "normal"
    LOW = "low"  # no action needed


# The shipped labels.  An administrator may add others by rule, so a category in force is a plain string.
CATEGORIES: tuple[str, ...] = (
    "inquiry",
    "sample",
    "order",
    "payment",
    "logistics",
    "complaint",
    "support",
    "marketing",
    "spam",
    "automatic",
    "other",
)

# Only mail of these categories (or outbound mail) turns a stranger into a lead.
BUSINESS_CATEGORIES: frozenset[str] = frozenset(
    {"inquiry", "sample", "order", "payment", "logistics", "complaint", "support"}
)


@dataclass(frozen=True, slots=True)
class Labels:
    """What the words of a mail say, without knowing who the sender is to us.

    `None` means: not known, and no guess was made.  `confidence` is in 0..1.  `reasons` are built-in kebab-case names
    (`model`, `rfc3834`, `subject-urgent` ...): the same names are header values and metric labels.
    """

    category: str | None = None
    confidence: float | None = None
    priority: Priority | None = None
    priority_reason: str | None = None
    language: str | None = None  # ISO 639-1
    country: str | None = None  # ISO 3166-1 alpha-2
    country_evidence: str | None = None
    is_automatic: bool = False
    automatic_reason: str | None = None
    warnings: tuple[str, ...] = ()  # signs of fraud, the heaviest first
    warning_score: float | None = None  # what they weigh together, 0..1; None in labels of older versions
    reasons: tuple[str, ...] = ()
    model: str = ""  # version of the model that spoke


class ActionKind(StrEnum):
    """The only things this program ever asks of Postfix.  Reject, discard and replace body are not among them."""

    REMOVE_HEADER = "remove-header"
    ADD_HEADER = "add-header"
    INSERT_HEADER = "insert-header"  # at index 1, above everything a signer may have covered
    ADD_RECIPIENT = "add-recipient"
    DELETE_RECIPIENT = "delete-recipient"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Action:
    """One request to Postfix.  `name` is a header field name, `index` its occurrence (1-based), `value` text."""

    kind: ActionKind
    name: str = ""
    value: str = ""
    index: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything decided at arrival.  Fields listed in `missing` could not be known then and are for the worker."""

    direction: Direction
    labels: Labels = Labels()
    recording: Recording = Recording.FULL
    customer: str | None = None  # opaque public id, never a name
    contact: int | None = None
    conversation: str | None = None
    owner: str | None = None  # e-mail address of a registered person
    owner_reason: str | None = None
    pool: str | None = None
    pools: tuple[str, ...] = ()  # every pool addressed
    operator: str | None = None  # e-mail address of the person whose login sent it
    rule_labels: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
