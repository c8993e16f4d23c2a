# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon somebody must look, and the named reason.

Urgent means loss within hours: haste alone is what advertisers shout, so it takes haste or a deadline of hours together
with harm, in a category in which we owe somebody something.
"""

from dataclasses import dataclass

from classifiers.tables import PatternSet, any_of, read_table
from tradepost.verdict import BUSINESS_CATEGORIES, Priority

_TABLE = read_table("priority")
_MAX_CHARS = 2_000


def _pattern(words: list[str]) -> str:
    """Words of scripts with spaces must begin a word, short ones be one; the others may stand anywhere."""
    spaced = [word for word in words if ord(word[0]) < 0x0590]
    whole = any_of(word for word in spaced if len(word) <= 5)
    stems = any_of(word for word in spaced if len(word) > 5)
    return rf"(?i)(?:^|[^\pL\pN])(?:(?:{whole})(?:$|[^\pL\pN])|(?:{stems}))|(?:{any_of(word for word in words if ord(word[0]) >= 0x0590)})"


_SIGNS = PatternSet(
    {
        **{name: _pattern(_TABLE[name]) for name in ("urgent", "soon", "harm", "intent")},
        # "before 15:30", "by 5 pm", "18時まで": a clock time is a deadline of hours.
        "clock": r"(?i)\d{1,2}[:：.h]\d{2}|\d{1,2} ?(?:am|pm|uhr|時|点|點|시|час|โมง)|"
        r"\d{1,2} ?(?:hours|hrs|horas|heures|ore|小时|時間|시간|saat|jam|giờ)",
        "big-number": r"\d{1,3}(?:[., ]\d{3})+|\d{5,}|\d+ ?(?:x ?)?(?:40|20) ?(?:'|ft|hc|hq|gp|尺)",
    }
)


@dataclass(frozen=True, slots=True)
class Urgency:
    """A priority and the built-in name of its reason."""

    priority: Priority
    reason: str


def read_priority(category: str, subject: str, text: str, *, is_reply: bool) -> Urgency:
    """Decide from category and words."""
    if category in ("automatic", "spam", "marketing"):
        return Urgency(Priority.LOW, f"category-{category}")
    signs = _SIGNS.found(f"{subject}\n{text[:_MAX_CHARS]}")
    in_subject = "urgent" in _SIGNS.found(subject)
    hurry, soon, clock, harm = ("urgent" in signs), ("soon" in signs), ("clock" in signs), ("harm" in signs)
    if category in BUSINESS_CATEGORIES:
        if harm and ((hurry and (soon or clock)) or (soon and clock)):
            return Urgency(Priority.URGENT, "loss-within-hours")
        if hurry and soon and clock:
            return Urgency(Priority.URGENT, "deadline-within-hours")
        if in_subject and (harm or soon):
            return Urgency(Priority.URGENT, "subject-urgent")
        if category == "complaint" and (harm or hurry or "intent" in signs):
            return Urgency(Priority.HIGH, "angry-customer")
        if hurry or (harm and soon):
            return Urgency(Priority.HIGH, "asks-for-speed")
        if category in ("inquiry", "order", "sample", "payment") and "intent" in signs:
            return Urgency(Priority.HIGH, "purchase-intent")
        if category in ("inquiry", "order") and is_reply and "big-number" in signs:
            return Urgency(Priority.HIGH, "negotiation")
        return Urgency(Priority.NORMAL, f"category-{category}")
    return Urgency(Priority.NORMAL if hurry or "?" in text or "？" in text else Priority.LOW, "category-other")
