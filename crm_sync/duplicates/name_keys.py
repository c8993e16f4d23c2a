# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of companies and people as keys: two ways of writing one name have a key in common.  Pure; any text is taken.

"Shenzhen Huarui Electronics Co., Ltd." and 深圳市華瑞電子有限公司 share `core`, "Müller GmbH & Co. KG" and "MUELLER" `joined`.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from cleanco.clean import get_unique_terms

from crm_sync.duplicates.name_words import (
    EMPTY_NAMES,
    HAN_LEGAL_BEGINNINGS,
    HAN_LEGAL_ENDINGS,
    HAN_TRADE_WORDS,
    LEGAL_BEGINNINGS,
    LEGAL_ENDINGS,
    NO_LEGAL_FORMS,
    PLACES,
    TRADE_WORDS,
)
from crm_sync.duplicates.romanization import has_han, to_pinyin, to_simplified

LONGEST_NAME = 300  # characters that are looked at
LONGEST_KEY = 120

# Accents, and the vowel signs of Arabic and Hebrew; not what makes another letter of it in Japanese or Hindi.
_MARKS = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0640\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
# Letters that are no letter with an accent, for Unicode.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ə": "e", "ة": "ه", "ى": "ي", "ς": "σ"}
)  # fmt: skip
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_ABBREVIATION = re.compile(r"\b\w(?:[./]\w)+\b\.?")  # s.r.l., a/s, g.m.b.h
_APOSTROPHES = re.compile("['’`´\u2018ʼ\"]")
_NO_WORD = re.compile(r"[\W_]+")
_PLACE_SIGNS = re.compile("(?<=[\u4e00-\u9fff]{2})(?:特别行政区|自治区|省|市|县|区)")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompanyKeys:
    """What a company's name comes to.  All are "" for a name that names nobody; otherwise `plain` and `joined` say something.

    `plain`: words without legal form, in its own script; `joined`: the same in Latin letters (Chinese in pinyin) without
    spaces; `core`: `joined` without trade words; `brand`: `core` without places, both "" where nothing else is left.
    Other scripts stay as they are.
    """

    plain: str = ""
    joined: str = ""
    core: str = ""
    brand: str = ""
    is_han: bool = False


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Return the text in lower case and simplified characters, without accents and punctuation; words parted by a space.

    Only its first `LONGEST_NAME` characters count.  Digits and letters of every script stay.
    """
    return _folded(text, {})


def _folded(text: str, spelled: dict[int, str]) -> str:
    text = unicodedata.normalize("NFKC", text[:LONGEST_NAME]).casefold()
    if spelled:
        text = text.translate(spelled)
    text = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", text))).translate(_LETTERS)
    text = to_simplified(text).replace("&", " and ").replace("+", " and ")
    text = _ABBREVIATION.sub(lambda found: re.sub("[./]", "", found[0]), _APOSTROPHES.sub("", text))
    return _NO_WORD.sub(" ", text).strip()


@lru_cache(maxsize=4096)
def company_keys(name: str) -> CompanyKeys:
    """Return the keys of a company's name."""
    return _keys_of(fold(name))


def every_spelling(name: str) -> tuple[CompanyKeys, ...]:
    """Return the keys of the name, and what they are where ä, ö and ü are written as ae, oe and ue."""
    german = _folded(name, _GERMAN)
    return (company_keys(name),) if german == fold(name) else (company_keys(name), _keys_of(german))


def _keys_of(folded: str) -> CompanyKeys:
    words = _without_legal_form(tuple(folded.split()))
    plain = " ".join(words)
    if not plain or plain in EMPTY_NAMES or plain.isdigit():
        return CompanyKeys()
    core = _without_trade_words(words)
    brand = [word for word in _without_first_place(_latin(core)) if word not in PLACES | TRADE_WORDS]
    return CompanyKeys(
        plain[:LONGEST_KEY], _join(_latin(words)), _join(_latin(core)) if brand else "", _join(brand), has_han(plain)
    )


@lru_cache(maxsize=4096)
def person_key(name: str) -> str:
    """Return the words of a person's name, sorted and in Latin letters: "Smith, John" is "John Smith".  "": no full name."""
    folded = fold(name)
    if "@" in name or folded in EMPTY_NAMES:
        return ""
    if has_han(folded):
        # A family name of one character, of two in the rare name of four; in pinyin the given name is one word.
        syllables = to_pinyin(folded.replace(" ", "")).split()
        family = 1 if len(syllables) < 4 else 2
        parts = sorted(("".join(syllables[:family]), "".join(syllables[family:])))
        return "".join(parts)[:LONGEST_KEY] if parts[0] else ""
    words = [word for word in folded.split() if len(word) > 1 and word not in _TITLES]
    return "".join(sorted(words))[:LONGEST_KEY] if len(words) > 1 else ""


_TITLES = frozenset(
    {"mr", "mrs", "ms", "miss", "dr", "prof", "ing", "dipl", "herr", "frau", "sir", "madam", "mme", "sr", "sra", "eng"}
)


def is_common(name: str) -> bool:
    """Is the name nothing but trade words, places or words that name nobody?"""
    keys = company_keys(name)
    return not keys.plain or not keys.brand


def _without_legal_form(words: _Words) -> _Words:
    """Take legal forms from both ends, as long as something is left."""
    words = tuple(_without_han_form(word) for word in words)
    words = tuple(word for word in words if word)
    endings, beginnings = _endings(), _beginnings()
    while (cut := _cut(words, endings, at_end=True)) or (cut := _cut(words, beginnings, at_end=False)):
        words = cut
    return words


def _cut(words: _Words, forms: frozenset[_Words], *, at_end: bool) -> _Words:
    for size in range(min(_LONGEST_FORM, len(words) - 1), 0, -1):
        if (words[-size:] if at_end else words[:size]) in forms:
            return words[:-size] if at_end else words[size:]
    return ()


def _without_han_form(word: str) -> str:
    while _CJK.search(word):
        for form in HAN_LEGAL_ENDINGS:
            if word.endswith(form) and len(word) > len(form):
                word = word[: -len(form)]
                break
        else:
            for form in HAN_LEGAL_BEGINNINGS:
                if word.startswith(form) and len(word) > len(form):
                    word = word[len(form) :]
                    break
            else:
                break
    return "" if word in HAN_LEGAL_ENDINGS else word


def _without_trade_words(words: _Words) -> _Words:
    """Leave what tells the name from others; all of it where nothing else is left."""
    left: list[str] = []
    for word in words:
        if not has_han(word):
            if word not in TRADE_WORDS:
                left.append(word)
            continue
        short = _PLACE_SIGNS.sub("", word)
        for trade in HAN_TRADE_WORDS:
            if len(short) - len(trade) >= 2:  # a name has two characters
                short = short.replace(trade, "", 1) if short.endswith(trade) else short
        if short not in HAN_TRADE_WORDS:
            left.append(short)
    return tuple(left) or words


def _without_first_place(words: list[str]) -> list[str]:
    # Pinyin comes in syllables: shen zhen hua rui.
    for size in (2, 3):
        if "".join(words[:size]) in PLACES:
            return words[size:]
    return words


def _latin(words: Iterable[str]) -> list[str]:
    return [one for word in words for one in to_pinyin(word).split()]


def _join(words: Iterable[str]) -> str:
    return "".join(words)[:LONGEST_KEY]


@cache
def _endings() -> frozenset[_Words]:
    terms = {tuple(fold(term).split()) for term in get_unique_terms()} | {tuple(term.split()) for term in LEGAL_ENDINGS}
    # "& Co." and "and company" begin with the word that & comes to.
    return frozenset(
        term for term in terms if term and len(term) <= _LONGEST_FORM and " ".join(term) not in NO_LEGAL_FORMS
    ) | {
        ("and",),
        ("and", "co"),
    }


@cache
def _beginnings() -> frozenset[_Words]:
    return frozenset(tuple(term.split()) for term in LEGAL_BEGINNINGS)


_LONGEST_FORM = 5
