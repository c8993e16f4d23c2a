# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of the goods a letter speaks of: every number that may count or measure them, and the one that does."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from classifiers.numbers import WORD, Number
from classifiers.ranking import Chooser, Features
from classifiers.tables import PatternSet, any_of, read_table
from classifiers.units import read_container, read_unit

_TABLE = read_table("entities")
_MONTHS = frozenset(_TABLE["months"])
_MEASURES = frozenset(word.lower() for word in _TABLE["measures"])
_BEFORE = PatternSet(
    {
        "cue": rf"(?i){any_of(_TABLE['quantity_cues'])}",
        "reference": r"(?i)(?:^|[^\pL])(?:no|nr|nº|n°|№|#|art|ref|po|pi|p/o|inv|invoice|model|mod|type|typ|code|item|pos|lot|lote|"
        r"batch|charge|order|auftrag|pedido|bestellung|zakaz|заказ\pL*|счет\pL*|sipariş|zip|plz|hs|iso|en|din|ral|size|gr|version|"
        r"ver|v|rev|page|seite|room|halle|stand|booth|bay|ip|rule|art\.? ?nr)[.:# ]{0,3}$",
    }
)
_BEHIND_WORD = re.compile(r"[ ,:'\"(]{0,2}\n?")
_NEXT_WORD = re.compile(rf"[ ]?(?:(?:of|de|d'|di|von|van|x|×)[ ])?({WORD})")
_WORDS_AROUND = re.compile(WORD)
_CJK = re.compile("[\u3040-\u9fff\uac00-\ud7a3\u0e00-\u0e7f]")
_LINE_HEAD = re.compile(r"^[ \t]*(?:[-–—*•·]|\d{1,2}[.)、)])?[ \t]*$")
_BEFORE_CHARS = 28
_LEAST_FREE = 2
_MAX_CANDIDATES = 12  # a letter names what it is about early; numbers behind are items of a list
_CODE_DIGITS = 7
_AND = re.compile(
    r"(?:^|[\s,])(?:and|und|et|y|e|ed|en|i|a|oraz|и|та|і|ve|và|dan|och|și|és|και|और|aur|plus)(?:\s|$)|[+&和與与及とو과와]|และ",
    re.IGNORECASE,
)
_MAX_APART = 60  # characters between two numbers that are added


# What means another thing in a letter of another kind.
_CROSSED = frozenset(
    ["largest", "first-unit", "only-unit", "largest-unit", "in-subject", "round-3", "round-2", "line-head", "word"]
)
_CROSSED_STARTS = ("size=", "nth", "third", "unit-", "next-")


class Quantity(NamedTuple):
    """A number of goods.  `unit` is None where a thing itself is counted ("300 chairs"); `end` is behind the unit."""

    start: int
    end: int
    value: float
    unit: str | None
    features: Features = ()
    behind: str = ""  # the first word behind it


def quantity_candidates(
    text: str,
    numbers: Sequence[Number],
    taken: Sequence[tuple[int, int]],
    *,
    head: int = 0,
    category: str | None = None,
) -> list[Quantity]:
    """Return the numbers that may count goods; those inside `taken` spans (money, dates, references) don't.

    The first `head` characters of the text are its subject; what a letter of complaint counts isn't what an order does.
    Those behind the first dozen have no features: they are never what the letter is about.
    """
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = text  # a letter whose small form is longer would move all places
    found: list[Quantity] = []
    for number in numbers:
        if any(start <= number.start < end for start, end in taken):
            continue
        candidate = _candidate(text, lowered, number, head, is_choice=len(found) < _MAX_CANDIDATES)
        if candidate is not None:
            found.append(candidate)
    return _with_company(found, category)


def _candidate(text: str, lowered: str, number: Number, head: int, *, is_choice: bool) -> Quantity | None:
    before = text[max(number.start - _BEFORE_CHARS, 0) : number.start]
    after = text[number.end : number.end + 2]
    if (after[:1] in "/:" and after[1:].isdigit()) or (
        before.endswith((":", "/", "№", "#")) and before[-2:-1].isdigit()
    ):
        return None
    if _is_code(text[number.start : number.end]):
        return None
    unit = read_container(text, number.end, number.value) or read_unit(text, number.end)
    if unit is not None and unit.kind == "other":
        return None
    end, name = (unit.end, unit.name) if unit else (number.end, None)
    word = _NEXT_WORD.match(text, end)
    if unit is None:
        if number.is_word and number.value < _LEAST_FREE:
            return None
        if word is not None and (word[1].lower() in _MONTHS or word[1].lower() in _MEASURES):
            return None
    following = word[1] if word else ""
    if not is_choice:
        return Quantity(number.start, end, number.value, name, (), following)
    features = _number_features(number)
    if unit is None:
        features.append(_next_kind(text, end, word))
    else:
        features += [f"unit={name.split()[-1] if name else ''}", f"unit-{unit.kind}"]
    ahead = list(_WORDS_AROUND.finditer(before))
    if ahead and _BEHIND_WORD.fullmatch(before, ahead[-1].end()):
        features.append(f"before={ahead[-1][0].lower()[-12:]}")
    if word is not None and not _CJK.match(word[1]):
        features.append(f"behind={word[1].lower()[:12]}")
    features += _place_features(text, number, before, end, head)
    features += _thing_features(text, lowered, [match[0].lower() for match in ahead[-2:]], end, head)
    return Quantity(number.start, end, number.value, name, tuple(features), following)


def _is_code(figures: str) -> bool:
    """Is it a telephone or serial number?  Nobody counts from a zero, and large counts are round or grouped."""
    if not figures.isdecimal():
        return False
    return (figures[0] == "0" and len(figures) > 1) or (len(figures) >= _CODE_DIGITS and not figures.endswith("000"))


def _number_features(number: Number) -> list[str]:
    value = number.value
    features = [f"size={min(int(math.log10(value)), 7) if value >= 1 else -1}"]
    if value != int(value):
        features.append("fraction")
    elif value >= 1_000 and value % 1_000 == 0:
        features.append("round-3")
    elif value >= 100 and value % 100 == 0:
        features.append("round-2")
    elif value >= 10 and value % 10 == 0:
        features.append("round-1")
    if 1_990 <= value <= 2_035 and not number.is_word:
        features.append("year")
    if number.is_word:
        features.append("word")
    if number.upper is not None:
        features.append("range")
    if number.is_multiplied:
        features.append("multiplied")
    return features


def _next_kind(text: str, end: int, word: re.Match[str] | None) -> str:
    """Say what follows a number without a unit."""
    if word is not None and word.end() > end:
        if text[end : end + 1] not in (" ", "\u200c") and not _CJK.match(text[end : end + 1]):
            return "next-glued"
        if _CJK.match(word[1]):
            return "next-cjk"
        if len(word[1]) < 3:
            return "next-short"
        return "next-small" if word[1][0].islower() or word[1][0].upper() == word[1][0].lower() else "next-capital"
    rest = text[end : end + 2]
    if not rest or rest[0] == "\n":
        return "next-line-end"
    return f"next-sign={rest.strip()[:1]}"


def _place_features(text: str, number: Number, before: str, end: int, head: int) -> list[str]:
    features = [
        "in-subject" if number.start < head else f"third={3 * (number.start - head) // max(len(text) - head, 1)}"
    ]
    line_start = text.rfind("\n", 0, number.start) + 1
    if number.start - line_start < 8 and _LINE_HEAD.match(text[line_start : number.start]):
        features.append("line-head")
    if text[end : end + 1] in ("", "\n") or text[end : end + 2] in (".\n", " \n"):
        features.append("line-end")
    features += _BEFORE.found(before)
    if before.endswith(("x ", "× ", "X ", "*", "×")):
        features.append("times-before")
    elif before.endswith((" - ", " – ", ": ", "：", "-", "–", "— ")):
        features.append("sign-before")
    elif before.endswith(("(", "（")):
        features.append("bracket-before")
    rest = text[end : end + 3].lstrip()
    if rest[:1] in ("x", "×", "*") and text[number.end : number.end + 4].lstrip(" x×*")[:1].isdigit():
        features.append("dimension")
    if rest[:1] == "/" or rest[:1] == "@":
        features.append("slash-behind")
    return features


def _thing_features(text: str, lowered: str, ahead: list[str], end: int, head: int) -> list[str]:
    """Say whether the words around a number are those of the subject, or come again: letters speak of their goods often.

    `ahead` are the last words before it.
    """
    features = []
    behind = [match[0].lower() for match in islice(_WORDS_AROUND.finditer(text, end, end + 40), 3)]
    subject = lowered[:head]
    if _any_in_subject(behind, subject):
        features.append("thing-behind-in-subject")
    if _any_in_subject(ahead, subject):
        features.append("thing-before-in-subject")
    if behind and len(behind[0]) > 3 and lowered.count(_stem(behind[0])) > 1:
        features.append("thing-again")
    if text[end : end + 80].lstrip(" ").split("\n")[0].find(",") in range(1, 30):
        features.append("comma-soon")
    return features


def _any_in_subject(words: list[str], subject: str) -> bool:
    return any(len(word) > 1 and not word.isdecimal() and _stem(word) in subject for word in words)


def _stem(word: str) -> str:
    """Return the part of a word that its forms share, two signs of scripts without spaces."""
    if word[0] >= "\u0e00" and _CJK.match(word):
        return word[:2]
    return word[:5] if len(word) > 6 else word[:4]


def _with_company(found: list[Quantity], category: str | None) -> list[Quantity]:
    """Add to each candidate how it stands among the others."""
    if not found:
        return found
    counted = [candidate for candidate in found if candidate.unit is not None]
    values = Counter(candidate.value for candidate in found)
    largest = max(values)
    largest_counted = max((candidate.value for candidate in counted), default=0.0)
    listed = []
    for index, candidate in enumerate(found[:_MAX_CANDIDATES]):
        more = [f"nth={min(index, 4)}", f"of={min(len(found), 6)}", f"nth-of={min(index, 3)}-{min(len(found), 4)}"]
        if candidate.value == largest:
            more.append("largest")
        if candidate.unit is not None:
            more.append("only-unit" if len(counted) == 1 else "one-of-units")
            if candidate.value == largest_counted:
                more.append("largest-unit")
            if candidate is counted[0]:
                more.append("first-unit")
        elif counted:
            more.append("others-have-units")
        if values[candidate.value] > 1:
            more.append("again")
        features = (*candidate.features, *more)
        crossed = [both for name in features if (both := _crossed(category, name)) is not None]
        listed.append(candidate._replace(features=(*features, *crossed)))
    return listed + found[_MAX_CANDIDATES:]


@lru_cache(maxsize=4096)
def _crossed(category: str | None, name: str) -> str | None:
    return f"{category}:{name}" if name in _CROSSED or name.startswith(_CROSSED_STARTS) else None


_CHOOSER = Chooser("quantity")


def choose_quantity(text: str, candidates: Sequence[Quantity], none: Features) -> Quantity | None:
    """Return the quantity that the letter is about; as many of each of several kinds are added."""
    chosen = _CHOOSER.choose([candidate for candidate in candidates if candidate.features], none)
    if chosen is None or chosen.unit is None:
        return chosen
    equal = [one for one in candidates if one.unit == chosen.unit and one.value == chosen.value]
    first = last = equal.index(chosen)
    while first and _are_added(text, equal[first - 1], equal[first]):
        first -= 1
    while last + 1 < len(equal) and _are_added(text, equal[last], equal[last + 1]):
        last += 1
    if first == last:
        return chosen
    return chosen._replace(start=equal[first].start, end=equal[last].end, value=chosen.value * (last - first + 1))


def _are_added(text: str, one: Quantity, other: Quantity) -> bool:
    """Do two equal quantities stand side by side, as lines of a list or joined by an "and"?"""
    gap = text[one.end : other.start]
    if len(gap) > _MAX_APART or "in-subject" in one.features:
        return False
    return _AND.search(gap) is not None or ("\n" in gap and "\n\n" not in gap)
