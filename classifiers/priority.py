# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon somebody must look, and the named reason.

Urgent means loss within hours.  Haste alone is what advertisers shout, so the category comes first; then a model weighs
the words with the signs of haste, harm and deadlines, and signs that stand together lower its threshold.
"""

from dataclasses import dataclass
from datetime import datetime

from classifiers.deadlines import near_dates, near_hours
from classifiers.linear_model import Opinion
from classifiers.tables import PatternSet, any_of, read_table
from tradepost.verdict import BUSINESS_CATEGORIES, Priority

_TABLE = read_table("priority")
_MAX_CHARS = 2_000
_LOOKED_AT = 100  # characters of subject and of words
_LONGEST_WORD = 20  # letters; more of them say no more
_BRIEF = 36  # letters: none of the written letters that are urgent has fewer than 40
_PUT_ASIDE = 0.4  # a category that nobody hurries to read must be this sure
# Shares of the model's opinion.  A missed hour costs more than a look too many.
_URGENT_ALONE = 0.34
_URGENT_WITH_SIGNS = 0.15
_HIGH = 0.45
_LOW = 0.5


def _pattern(words: list[str]) -> str:
    """Words of scripts with spaces must begin a word, short ones be one; the others may stand anywhere."""
    spaced = [word for word in words if ord(word[0]) < 0x0590]
    whole = any_of(word for word in spaced if len(word) <= 5)
    stems = any_of(word for word in spaced if len(word) > 5)
    return rf"(?i)(?:^|[^\pL\pN])(?:(?:{whole})(?:$|[^\pL\pN])|(?:{stems}))|(?:{any_of(word for word in words if ord(word[0]) >= 0x0590)})"


_SIGNS = PatternSet(
    {
        **{name: _pattern(_TABLE[name]) for name in ("urgent", "soon", "harm", "intent", "calm", "chasing")},
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


def find_signs(subject: str, text: str, sent: datetime | None = None) -> frozenset[str]:
    """Return the signs of haste, calm, harm, intent, chasing and deadlines.

    `sent` is the Date of the mail: days named near it are deadlines.  "subject-urgent": the subject itself cries.
    """
    words = f"{subject}\n{text[:_MAX_CHARS]}"
    signs = _SIGNS.found(words)
    signs |= {due for due in (near_dates(words, sent), near_hours(words, sent)) if due is not None}
    if "urgent" in signs and "urgent" in _SIGNS.found(subject):
        return signs | {"subject-urgent"}
    return signs


def priority_features(category: str, signs: frozenset[str]) -> dict[str, int]:
    """Count what the priority model reads beside the words: category, signs, and which signs stand together."""
    ordered = sorted(signs)
    pairs = {f"c:sign-{one}-{two}": 1 for one in ordered for two in ordered if one < two}
    return {f"c:category-{category}": 2, **{f"c:sign-{sign}": 1 for sign in ordered}, **pairs}


def is_brief(subject: str, words: str) -> bool:
    """Does the mail say next to nothing ("ok", one endless word)?  A sign of an unspaced script says as much as three letters."""
    said = 0
    for word in (*subject[:_LOOKED_AT].split(), *words[:_LOOKED_AT].split()):
        said += min(sum(3 if sign >= "\u2e80" else 1 for sign in word if sign.isalpha()), _LONGEST_WORD)
    return said < _BRIEF


def read_priority(
    category: str, signs: frozenset[str], opinion: Opinion, *, brief: bool = False, confidence: float = 1.0
) -> Urgency:
    """Decide from category, how sure that is, signs and the model's opinion.

    Of a brief mail the opinion alone wakes nobody up, nor puts it aside; and a buyer's mail that is taken for an
    advertisement for want of better must not sink.
    """
    if category in ("spam", "marketing") and confidence < _PUT_ASIDE:
        return Urgency(Priority.NORMAL, "unsure")
    if category in ("automatic", "spam", "marketing"):
        return Urgency(Priority.LOW, f"category-{category}")
    if category not in BUSINESS_CATEGORIES:
        label = Priority(opinion.label)
        is_plain = brief or label in (Priority.URGENT, Priority.HIGH)
        return Urgency(Priority.NORMAL if is_plain else label, f"category-{category}")
    named = _urgent_by_signs(signs)
    urgent = opinion.of(Priority.URGENT)
    if (urgent > _URGENT_ALONE and not brief) or (named and urgent > _URGENT_WITH_SIGNS):
        return Urgency(Priority.URGENT, named or "model-urgent")
    if opinion.of(Priority.HIGH) + urgent > _HIGH:
        return Urgency(Priority.HIGH, _named_intent(category, signs))
    return Urgency(Priority.LOW if opinion.of(Priority.LOW) > _LOW else Priority.NORMAL, f"category-{category}")


def _urgent_by_signs(signs: frozenset[str]) -> str | None:
    if "harm" in signs and signs & {"soon", "due-clock", "due-hours"}:
        return "loss-within-hours"
    if signs & {"urgent", "due-clock"} and signs & {"soon", "due-hours"}:
        return "deadline-within-hours"
    return "subject-urgent" if "subject-urgent" in signs else None


def _named_intent(category: str, signs: frozenset[str]) -> str:
    if category == "complaint":
        return "angry-customer"
    if "intent" in signs:
        return "purchase-intent"
    if "chasing" in signs:
        return "asks-again"
    return "asks-for-speed" if "urgent" in signs else "model-high"
