# SPDX-License-Identifier: GPL-3.0-or-later
"""Money in running text: amounts and the currency of each, where a word names several by the writer's country."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from classifiers.numbers import WORD, Number
from classifiers.tables import any_of, linear, read_table

_TABLE = read_table("money")
_SAME: dict[str, str] = _TABLE["same"]
_ONE: dict[str, str] = {
    **{code.lower(): _SAME.get(code.upper(), code.upper()) for code in _TABLE["any_case"]},
    **{word: code for code, words in _TABLE["words"].items() for word in words},
}
_SEVERAL: dict[str, dict[str, str]] = {
    word: entry["by"] for entry in _TABLE["several"].values() for word in entry["words"]
}
_CODES = frozenset(_TABLE["codes"])
_STEMS: dict[str, str] = _TABLE["stems"]
_MOST_ENDING = 5
_MOST_CHARS = max(map(len, (*_ONE, *_SEVERAL, *_CODES, *_STEMS))) + _MOST_ENDING
_LONGEST = 8
_UNSPACED = re.compile("[\u0e00-\u0eff\u2e80-\u9fff\uac00-\ud7a3]")
_SIGN = r"(?:US|U|HK|NT|MX|AU|CA|NZ|R|A|C|S|J|GH)?[$＄¥￥₵]|[€£₹₽₺₴₸₩₫₱₦₪৳฿]"
_SIGN_BEHIND = re.compile(rf"(?:{_SIGN})", re.IGNORECASE)
_SIGN_BEFORE = re.compile(rf"(?:^|[^A-Za-z])((?:{_SIGN}|U\$S|R\$|S/\.?|Rs\.?|Rp\.?)(?:USD?)?)[ ]?$", re.IGNORECASE)
_WORDS = re.compile(rf"({WORD}(?:[.'][^\W\d_]+)*)(?:[ ]({WORD}))?")
_WORD = re.compile(WORD)
_BEHIND_WORD = re.compile(r"(?:[ ]?[:：=]?[ ]?|\.[ ]?)\n?")
_GAP_BEHIND = re.compile(r"[ ]?(?:(?:de|d['’]|di)[ ]?)?")
_BEFORE_CHARS = 12
# Signs that begin no currency's mark ("" is the end of the text), and that end none.
_NO_MARK = frozenset(["", *"\n\t !\"#%&'()*+,-./0123456789:;<=>?@[\\]^_`{|}~，。、；：（）？！"])
_ENDS_SIGN = frozenset("$＄¥￥₵€£₹₽₺₴₸₩₫₱₦₪৳฿sSſpPdDuU./\n")
_NO_MARK_BEFORE = _NO_MARK - frozenset("./:=：\n")
# Spoken of without an amount: "prices in USD", "账户是美金的".
_ALONE = linear(
    rf"(?:^|[^\pL\d])(?:({any_of(code.upper() for code in _TABLE['any_case'])}|{any_of(_CODES - {'ALL', 'TOP'})})(?:$|[^\pL])|(€))|"
    r"(美元|美金|欧元|歐元|人民币|人民幣|港币|港幣|台币|台幣|日元|日圓|ドル建|円建|달러|유로)|"
    r"(?:^|[^\pL])(?i:(dollars?|dólar(?:es)?|dolar(?:es|ach|y|i)?|euros?|евро|доллар(?:ах|ы|ов|а)?|yuan|юанях|юанями))(?:$|[^\pL])"
)
_APART = frozenset(["rs", "r", "fr", "kr", "won", "rm", "real", "m"])  # "2RS" is a bearing
_ALONE_NAMES = {"ドル建": "ドル", "円建": "円"}


class Money(NamedTuple):
    """An amount of money and where it stands, its currency's mark included."""

    start: int
    end: int
    value: float
    currency: str  # ISO 4217
    number: Number


def find_money(text: str, numbers: Sequence[Number], country: str | None = None) -> list[Money]:
    """Return the amounts among the numbers of a text, in order; `country` (ISO 3166-1) is the writer's."""
    found = []
    for number in numbers:
        before = _before(text, number.start, country, is_word=number.is_word)
        behind = _behind(text, number.end, country)
        if behind is not None and (before is None or text[number.start - 1 : number.start] == " "):
            found.append(Money(number.start, behind[1], number.value, behind[0], number))
        elif before is not None:
            found.append(Money(before[1], number.end, number.value, before[0], number))
    return found


def spoken_currency(text: str, country: str | None = None) -> str | None:
    """Return the first currency that is spoken of without an amount."""
    match = _ALONE.search(text)
    if match is None:
        return None
    name = next(name for name in (match.group(1), match.group(2), match.group(3), match.group(4)) if name)
    return _currency(_ALONE_NAMES.get(name.lower(), name), country)


def _currency(name: str, country: str | None) -> str | None:
    return _known_currency(name, country) if len(name) <= _MOST_CHARS else None


@lru_cache(maxsize=4096)
def _known_currency(name: str, country: str | None) -> str | None:
    if name in _CODES:
        return _SAME.get(name, name)
    name = name.lower()
    if (by := _SEVERAL.get(name)) is not None:
        return by.get(country or "", by.get(""))
    if (code := _ONE.get(name)) is not None or len(name) < 4:
        return code
    for length in range(5, 2, -1):
        stem = _STEMS.get(name[:length]) or (_STEMS.get(name[:6]) if length == 5 else None)
        if stem is not None and len(name) - length <= _MOST_ENDING:
            return _currency(stem, country)
    return None


def _behind(text: str, end: int, country: str | None) -> tuple[str, int] | None:
    """Return the currency right behind a number, and where its mark ends."""
    gap = _GAP_BEHIND.match(text, end)
    position = gap.end() if gap else end
    if text[position : position + 1] in _NO_MARK:
        return None
    sign = _SIGN_BEHIND.match(text, position)
    if sign is not None:
        # "100 $200": the sign belongs to what follows.
        following = text[sign.end() : sign.end() + 1]
        code = _currency(sign[0], country)
        return (code, sign.end()) if code and not following.isdigit() else None
    if _UNSPACED.match(text, position):
        for length in range(_LONGEST, 0, -1):
            if code := _currency(text[position : position + length], country):
                return code, position + length
        return None
    words = _WORDS.match(text, position)
    if words is None:
        return None
    if words[2] and (code := _currency(f"{words[1]} {words[2]}", country)):
        return code, words.end()
    name = words[1].split("'")[0]
    if position == end and name.lower() in _APART:
        return None
    code = _currency(name, country)
    return (code, position + len(name)) if code else None


def _before(text: str, start: int, country: str | None, *, is_word: bool) -> tuple[str, int] | None:
    """Return the currency right before a number, and where its mark begins."""
    window = text[max(start - _BEFORE_CHARS, 0) : start]
    last = window.rstrip(" ")[-1:]
    if last in _NO_MARK_BEFORE:
        return None
    sign = _SIGN_BEFORE.search(window) if last in _ENDS_SIGN else None
    if sign is not None and (code := _currency(sign[1].rstrip("."), country) or _currency(sign[1][:-3], country)):
        return code, start - len(window) + sign.start(1)
    words = list(_WORD.finditer(window))
    if not words or _BEHIND_WORD.fullmatch(window, words[-1].end()) is None:
        return None
    word = words[-1]
    name = word[0]
    if _UNSPACED.match(name):
        if is_word:
            return None  # "美元两个": the number counts what follows
        for length in range(min(_LONGEST, len(name)), 1, -1):  # one sign alone is part of another word
            if code := _currency(name[-length:], country):
                return code, start - len(window) + word.end() - length
        return None
    # A word that stands before an amount is a code; "5 euros 20" aside, names stand behind it.
    code = (
        _currency(name, country) if len(name) >= 2 and (name in _CODES or name.lower() in _TABLE["any_case"]) else None
    )
    return (code, start - len(window) + word.start()) if code else None
