# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers in running text, as people write them: figures with every separator, number words, signs of Asian scripts."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple

from classifiers.phones import western_digits
from classifiers.tables import Pattern, any_of, linear, read_table

_TABLE = read_table("numbers")
_MULTIPLIERS: dict[str, int] = _TABLE["multipliers"]
_MAX_NUMBERS = 80
_MAX_VALUE = 1e10

_SEPARATORS = str.maketrans({"٫": ".", "٬": ",", "\u00a0": " ", "\u202f": " ", "’": "'"})
# The first digit stands before the choice: places without one are passed over at once.
_GROUPED = r"\d(?:\d{0,2}(?:[ .,']\d{3})+(?!\d)(?:[.,]\d{1,2}(?!\d))?|\d?(?:,\d{2})+,\d{3}(?!\d)|\d*(?:[.,]\d+)?)"
_FIGURES = re.compile(_GROUPED)
_SEPARATOR = re.compile(f"[{''.join(map(chr, _SEPARATORS))}]")
_NOT_BEFORE = frozenset("_.,/#") | frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
# "EG300" is an article, "USD300" an amount.
_CODE_BEFORE = re.compile(r"(?:^|[^A-Za-z])(?:USD|EUR|RMB|CNY|HKD|TWD|NTD|INR|CHF|GBP|IDR|R[pMs]|rp)$")
_UPPER = re.compile(rf"[ ]?(?:[-–—~～〜至到]|to|bis|a|à|до|und|ila)[ ]?({_GROUPED})(?![\d:/])")
_BEFORE_UPPER = frozenset(" -–—~～〜至到tbiaàдu")
# Letters with the marks that belong to them: `\w` leaves out the vowels of Hindi and the tones of Thai.
_SIGNS_OF_WORDS = "[^\\s\\d_!-/:-@\\[-\\^`{-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u060c\u061b\u061f\u066a\u0964\u2000-\u206f\u20a0-\u2bff\u3000-\u303f\ufe30-\ufe4f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"


def _one_class(signs: str) -> str:
    """Return a class of the same signs by their ranges alone: `re` asks three questions at every sign of a mixed one."""
    runs = re.compile(f"{signs}+").finditer("".join(map(chr, range(0x10000))))
    return f"[{''.join(f'{chr(run.start())}-{chr(run.end() - 1)}' for run in runs)}\U00010000-\U0010ffff]"


WORD = f"{_one_class(_SIGNS_OF_WORDS)}+"
_WORD = re.compile(WORD)
_GAP = re.compile(r"(?:[ ]{1,2}|[ ]?[-‐‑][ ]?|\u200c)")
_LEAST_COMPOUND = 6

_HAN = re.compile(f"[{''.join(_TABLE['signs']['han'])}]+")
_THAI = re.compile("|".join(sorted(_TABLE["signs"]["thai"], key=len, reverse=True)))
_THAI_RUN = re.compile(f"(?:{_THAI.pattern})+")
_HANGUL = re.compile("|".join(sorted(_TABLE["signs"]["hangul"], key=len, reverse=True)))
_HANGUL_RUN = re.compile(f"(?<![가-힣])(?:{_HANGUL.pattern})+")
_HAS_THAI, _HAS_HANGUL = re.compile("[\u0e00-\u0e7f]"), re.compile("[\uac00-\ud7a3]")
_SIGNS: dict[str, int] = {sign: value for signs in _TABLE["signs"].values() for sign, value in signs.items()}
_NATIVE = frozenset(["하나", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열", "스무", "스물"])
_MULTIPLYING_TENS = frozenset(["puluh", "mươi", "chục"])


class Number(NamedTuple):
    """A number and where it stands.  `upper` is the other end of a range; `is_word`: not written in figures."""

    start: int
    end: int
    value: float
    upper: float | None = None
    is_word: bool = False
    is_multiplied: bool = False  # "12k", "3万"


def plain_figures(text: str) -> str:
    """Return the text with every script's digits and separators as Western ones; positions stay."""
    if text.isascii():
        return text
    text = western_digits(text)
    return text.translate(_SEPARATORS) if _SEPARATOR.search(text) else text


def parse_number(text: str) -> float:
    """Read a number as people write it: "1.200", "1,200.50", "1 200,5", "12'000", "1,90,000".  Raises ValueError for none."""
    if text.isdecimal():
        return float(text)
    text = text.replace(" ", "").replace("'", "").replace("’", "")
    comma, dot = text.rfind(","), text.rfind(".")
    if comma >= 0 and dot >= 0:
        decimal = "," if comma > dot else "."
        return float(text.replace("." if decimal == "," else ",", "").replace(decimal, "."))
    if comma < 0 and dot < 0:
        return float(text)
    mark = "," if comma >= 0 else "."
    whole, _, fraction = text.rpartition(mark)
    # Three digits behind the only mark are thousands, unless a zero stands before it.
    if text.count(mark) > 1 or (len(fraction) == 3 and whole not in ("0", "")):
        return float(text.replace(mark, ""))
    return float(f"{whole}.{fraction}")


def find_numbers(text: str, language: str | None = None) -> list[Number]:
    """Return the numbers of a text in order, the first eighty; `text` must have `plain_figures`.

    `language` (ISO 639-1) says which number words to know beside English ones.
    """
    found = list(islice(_figures(text), _MAX_NUMBERS))
    found.extend(islice(_words(text, language), _MAX_NUMBERS))
    if not text.isascii():
        found.extend(islice(_signs(text), _MAX_NUMBERS))
    found.sort(key=lambda number: (number.start, -number.end))
    apart: list[Number] = []
    for number in found:
        if not apart or number.start >= apart[-1].end:  # "3 million" holds "million"
            apart.append(number)
    return apart[:_MAX_NUMBERS]


def _figures(text: str) -> Iterator[Number]:
    done = 0
    for match in _FIGURES.finditer(text):
        if match.start() < done or not _may_begin(text, match.start()):
            continue  # the other end of a range, a part of an article's number
        value = _value(match[0])
        if value is None:
            continue
        end, upper = match.end(), None
        above = _UPPER.match(text, end) if text[end : end + 1] in _BEFORE_UPPER else None
        if above is not None and (other := _value(above[1])) is not None and other > value:
            end, upper = above.end(), other
        factor, after = _multiplier(text, end, value)
        rest = _FIGURES.match(text, after) if factor > 1 and text[after - 1] > "\u2e7f" else None
        if rest is not None and upper is None and (smaller := _value(rest[0])) is not None:
            other_factor, end_of_rest = _multiplier(text, rest.end(), smaller)
            if smaller * other_factor < factor:  # "1万2千"
                yield Number(match.start(), end_of_rest, value * factor + smaller * other_factor, is_multiplied=True)
                done = end_of_rest
                continue
        if factor * (upper or value) < _MAX_VALUE:
            yield Number(match.start(), after, value * factor, upper and upper * factor, False, factor > 1)
        done = after


def _may_begin(text: str, start: int) -> bool:
    """Is what stands before figures no part of them, of a time or of an article's number?"""
    if start == 0:
        return True
    before = text[start - 1]
    if before in _NOT_BEFORE:
        return before.isalpha() and _CODE_BEFORE.search(text[max(start - 4, 0) : start]) is not None
    if start > 1 and before in ":-":
        ahead = text[start - 2]
        return not (ahead.isascii() and ahead.isalnum()) and not (before == ":" and ahead == ")")
    return True


def _value(figures: str) -> float | None:
    try:
        return parse_number(figures)
    except ValueError:
        return None


def _multiplier(text: str, end: int, value: float) -> tuple[int, int]:
    """Return by what the next word multiplies a number, and where that word ends."""
    gap = end + (text[end : end + 1] == " ")
    first = text[gap : gap + 1]
    if first < "\u0080" and not first.isalpha():
        return 1, end
    if first > "\u2e7f" or "\u0e00" < first < "\u0e7f":
        for length in (6, 5, 4, 3, 2, 1):
            if factor := _MULTIPLIERS.get(text[gap : gap + length]):
                return factor, gap + length
        return 1, end
    word = _WORD.match(text, gap)
    if word is None:
        return 1, end
    name = word[0].lower()
    factor = _MULTIPLIERS.get(name, 1)
    if factor == 1 or (name in ("k", "tr") and (value >= 1_000 or word[0] == "K" or (gap > end and name == "k"))):
        return 1, end
    after = word.end()
    # "2 million two" aside, a second one multiplies again: "50 lakh", "3 hundred thousand".
    return factor, after + (text[after : after + 1] == ".")


@cache
def _vocabulary(language: str | None) -> tuple[dict[str, float], frozenset[str], str, re.Pattern[str] | None]:
    """Return number words, words that join them, the letter written before them ("و"), and parts of compounds."""
    tables = [_TABLE["words"]["en"]]
    if language in _TABLE["words"] and language != "en":
        tables.append(_TABLE["words"][language])
    values = {word: float(value) for table in tables for word, value in table["values"].items()}
    own = tables[-1]
    parts = None
    if "parts" in own:
        pieces = sorted({*own["values"], *own["parts"]}, key=len, reverse=True)
        parts = re.compile("|".join(pieces))
    return values, frozenset(own.get("joins", ())), own.get("prefix", ""), parts


@cache
def _any_word(language: str | None) -> Pattern:
    """Return a pattern of where a number word, or a compound of such, may begin."""
    values, _, _, parts = _vocabulary(language)
    pieces = values if parts is None else {**values, **_TABLE["words"][language]["parts"]}
    prefix = _TABLE["words"].get(language, {}).get("prefix", "")
    return linear(
        rf"(?i)(?:^|[^\pL\pM])(?:{prefix}?(?:{any_of(pieces)}))"
        if prefix
        else rf"(?i)(?:^|[^\pL\pM])(?:{any_of(pieces)})"
    )


def _number_words(text: str, language: str | None) -> Iterator[tuple[int, int, str, float]]:
    """Yield (start, end, word, value) of number words, in order."""
    values, _, prefix, parts = _vocabulary(language)
    compounds = _TABLE["words"][language]["parts"] if parts is not None and language else {}
    for place in _any_word(language).finditer(text):
        match = _WORD.match(text, place.start()) or _WORD.match(text, place.start() + 1)
        if match is None:
            continue
        word = match[0].lower()
        value = values.get(word)
        if value is None and parts is not None and len(word) >= _LEAST_COMPOUND:
            value = _compound(word, parts, values, compounds)
        if value is None and prefix and word.startswith(prefix):
            value = values.get(word[len(prefix) :])
        if value is not None:
            yield match.start(), match.end(), word, value


def _words(text: str, language: str | None) -> Iterator[Number]:
    joins = _vocabulary(language)[1]
    run: list[tuple[str, float]] = []
    start = end = -1
    for first, last, word, value in _number_words(text, language):
        if run and not _is_joined(text[end:first], joins):
            yield Number(start, end, _sum(run), None, True)
            run = []
        if not run:
            start = first
        run.append((word, value))
        end = last
    if run:
        yield Number(start, end, _sum(run), None, True)


def _is_joined(gap: str, joins: frozenset[str]) -> bool:
    """Does what stands between two number words make one number of them?"""
    return _GAP.fullmatch(gap) is not None or (gap.strip().lower() in joins and len(gap) < 8 and gap[:1] == " ")


def _compound(word: str, parts: re.Pattern[str], values: dict[str, float], small: dict[str, int]) -> float | None:
    """Return the value of a word made of number words only ("zweihundertfünfzig"), None for any other."""
    position = 0
    run: list[tuple[str, float]] = []
    while position < len(word):
        piece = parts.match(word, position)
        if piece is None:
            return None
        value = values.get(piece[0], small.get(piece[0], 0))
        if value:
            run.append((piece[0], value))
        position = piece.end()
    return _sum(run) if run else None


def _sum(run: list[tuple[str, float]]) -> float:
    """Add and multiply number words as they are spoken."""
    total = current = 0.0
    for word, value in run:
        if value >= 1_000 and value in (1_000, 10_000, 100_000, 1_000_000, 10_000_000):
            total += (current or 1) * value
            current = 0
        elif (value == 100 and 0 < current < 10) or (word in _MULTIPLYING_TENS and 0 < current < 10):
            current *= value
        elif value == 20 and current == 4:
            current = 80  # quatre-vingt
        else:
            current += value
    return total + current


def _signs(text: str) -> Iterator[Number]:
    for match in _HAN.finditer(text):
        value = _value_of_signs([_SIGNS[sign] for sign in match[0]], 10_000)
        before = text[match.start() - 1 : match.start()]
        if value is not None and not before.isdigit() and before not in (".", ",", "第", "星", "周", "週", "期"):
            yield Number(match.start(), match.end(), value, None, True)
    for script, runs, words, least in (
        (_HAS_THAI, _THAI_RUN, _THAI, 1_000_000),
        (_HAS_HANGUL, _HANGUL_RUN, _HANGUL, 10_000),
    ):
        for match in runs.finditer(text) if script.search(text) else ():
            signs, end = words.findall(match[0]), match.end()
            if len(signs) > 1 and signs[-1] == "만" and signs[-2] in _NATIVE:
                end -= len(signs.pop())  # "하나만": only one
            value = _value_of_signs([_SIGNS[sign] for sign in signs], least)
            if value is not None:
                yield Number(match.start(), end, value, None, True)


def _value_of_signs(values: list[int], least_section: int) -> float | None:
    """Return the number that signs name; None when they only stand side by side ("三五")."""
    total = section = digit = last = 0
    for value in values:
        if value < 10:
            if digit:
                return None
            digit = value
        elif value < least_section:
            section += (digit or 1) * value if value not in (20, 30) else value
            digit = 0
        else:
            total += ((section + digit) or 1) * value
            section = digit = 0
        if value >= 10:
            last = value
    if digit and last >= 100 and len(values) > 1 and values[-2] == last:
        digit *= last // 10  # "一千二" is 1,200
    found = total + section + digit
    return float(found) if 0 < found < _MAX_VALUE else None
