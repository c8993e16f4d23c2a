# SPDX-License-Identifier: GPL-3.0-or-later
"""The price that a buyer aims at or agrees to: every amount that may be one, and the one that is."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from classifiers.money import Money
from classifiers.numbers import WORD, Number
from classifiers.ranking import Chooser, Features
from classifiers.tables import PatternSet, any_of, read_table
from classifiers.terms import INCOTERMS
from classifiers.units import read_unit

_CUES = read_table("money")["cues"]
_BEFORE_CHARS = 60
_BEHIND_CHARS = 34
_PREVIOUS_WORD = re.compile(rf"({WORD})[ ,:'\"(@]{{0,2}}$")
_NEXT_WORD = re.compile(rf"[ ]?/?[ ]?({WORD})")
# In small letters too, but for the Dutch word.
_INCOTERM = re.compile(rf"\b(?:{any_of(term for term in INCOTERMS if term != 'DAT')})\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?。！？；;\n]")


def _pattern(words: Sequence[str]) -> str:
    spaced = [word for word in words if ord(word[0]) < 0x0590 and word[0].isalpha()]
    others = [word for word in words if not (ord(word[0]) < 0x0590 and word[0].isalpha())]
    return rf"(?i)(?:^|[^\pL])(?:{any_of(spaced)})" + (rf"|(?:{any_of(others)})" if others else "")


_AROUND = PatternSet({name: _pattern(words) for name, words in _CUES.items() if name != "each"})
_BEHIND = PatternSet(
    {"each": _pattern(_CUES["each"]), "target": _pattern(_CUES["target"]), "agreed": _pattern(_CUES["agreed"])}
)


class Price(NamedTuple):
    """An amount that may be the price aimed at; `currency` is None where only a number stands."""

    start: int
    end: int
    value: float
    currency: str | None
    features: Features = ()


def price_candidates(text: str, numbers: Sequence[Number], money: Sequence[Money]) -> list[Price]:
    """Return the amounts of money, and the bare numbers that look like prices, with what is known of each."""
    by_number = {amount.number.start: amount for amount in money}
    found: list[Price] = []
    nth = 0
    for number in numbers:
        amount = by_number.get(number.start)
        start, end = (amount.start, amount.end) if amount else (number.start, number.end)
        before, behind = text[max(start - _BEFORE_CHARS, 0) : start], text[end : end + _BEHIND_CHARS]
        if amount is None and not _looks_like_price(number, text, before):
            continue
        features = [f"nth={min(nth, 3)}", "money" if amount else "bare", *_size(number.value)]
        nth += 1
        if amount is None and read_unit(text, number.end) is not None:
            features.append("bare-with-unit")
        near = _SENTENCE_END.split(before)[-1]
        features += [f"before-{name}" for name in _AROUND.found(near)]
        features += [f"far-{name}" for name in _AROUND.found(before)]
        features += [f"behind-{name}" for name in _BEHIND.found(_SENTENCE_END.split(behind)[0])]
        if behind.lstrip()[:1] == "/":
            features.append("slash")
        if _INCOTERM.search(behind):
            features.append("incoterm-behind")
        if _INCOTERM.search(before[-25:]):
            features.append("incoterm-before")
        previous = _PREVIOUS_WORD.search(before)
        if previous is not None:
            features.append(f"word-before={previous[1].lower()[-10:]}")
        word = _NEXT_WORD.match(behind)
        if word is not None:
            features.append(f"word-behind={word[1].lower()[:10]}")
        if "?" in text[end : end + 80].split("\n")[0]:
            features.append("question")
        found.append(Price(start, end, number.value, amount.currency if amount else None, tuple(features)))
    count = f"of={min(len(found), 4)}"
    return [Price(one.start, one.end, one.value, one.currency, (*one.features, count)) for one in found]


def _looks_like_price(number: Number, text: str, before: str) -> bool:
    if number.is_word or number.value <= 0:
        return False
    if before.endswith(("@", "@ ")):
        return True
    unit = read_unit(text, number.end)
    if unit is not None:
        return False
    has_fraction = number.value != int(number.value)
    return has_fraction or "price" in _AROUND.found(_SENTENCE_END.split(before[-24:])[-1])


def _size(value: float) -> list[str]:
    features = [f"size={min(int(math.log10(value)), 6) if value >= 1 else -1}"]
    if value != int(value):
        features.append("fraction")
    elif value >= 1_000 and value % 1_000 == 0:
        features.append("round")
    return features


_CHOOSER = Chooser("target_price")


def choose_price(candidates: Sequence[Price], none: Features) -> Price | None:
    """Return the price that the buyer aims at or agrees to."""
    return _CHOOSER.choose(candidates, none)
