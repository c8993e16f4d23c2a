# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of countries and towns in a text, in every language, and the country each lies in.

Thousands of names: as one pattern their automaton takes milliseconds to build for every new turn of phrase, so words are
looked up in tables instead: one of countries and trading places, and one of the towns of the world (GeoNames, CC BY 4.0),
which counts only where a place is expected.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.resources import files
from itertools import islice

from classifiers.tables import any_of, linear, read_table

_MAX_CHARS = 4_000
_MAX_PLACES = 12


def _read_json(name: str) -> dict[str, str]:
    table: dict[str, str] = json.loads(files("classifiers").joinpath(f"data/{name}").read_text(encoding="utf-8"))
    return table


_TABLE = read_table("country")
_COUNTRIES: dict[str, str] = {
    **_read_json("country_names.json"),
    **{place: country for country, places in _TABLE["places"].items() for place in places},
}
# `town_key` -> "|name=country|name=country|", countries of small towns in small letters.
_TOWNS = _read_json("towns.json")
_SPACED = "[^\\W_\u0590-\u1dff\u2c00-\U0010ffff]"  # letters and digits of scripts that write spaces between words
_WORD = re.compile(f"{_SPACED}+")


def town_key(name: str) -> str:
    """Return what towns are kept under: few signs where there are many signs, three Latin letters."""
    return name[:3] if name[:1] < "\u0250" else name[:2]


def _is_spaced(name: str) -> bool:
    return ord(name[0]) < 0x0590


def _key(name: str) -> str:
    """Return what a name is looked up by: its first word, its first two signs in scripts without spaces."""
    return _WORD.findall(name)[0] if _is_spaced(name) else name[:2]


def _by_key() -> dict[str, tuple[str, ...]]:
    names: dict[str, list[str]] = defaultdict(list)
    for name in sorted(_COUNTRIES, key=lambda name: (-len(name), name)):
        names[_key(name)].append(name)
    return {key: tuple(found) for key, found in names.items()}


_BY_KEY = _by_key()


def _class_of(signs: Iterable[str]) -> str:
    return f"[{''.join(sorted(set(map(re.escape, signs))))}]"


# Nearly every name of a script with spaces begins with a capital: seldom must all the others be looked at too.
_CAPITALS = _class_of(name[0] for name in _COUNTRIES if _is_spaced(name) and not name[0].islower())
_SMALL_STARTS = tuple({name[:2] for name in _COUNTRIES if name[0].islower()})  # "eSwatini"
_OTHERS = _class_of(name[0] for name in _COUNTRIES if not _is_spaced(name))
_CAPITAL_WORD = re.compile(f"{_CAPITALS}{_SPACED}*")
_OTHER_SIGN = re.compile(_OTHERS)
_START = re.compile(f"{_OTHERS}|{_class_of(name[0] for name in _COUNTRIES if _is_spaced(name))}{_SPACED}*")

# A stretch of words that begin with capitals, between signs that end a part of an address.
_TOWN_WORDS = re.compile(
    r"[^\W\d_a-z\u0590-\uffff][^\W\d_\u0590-\uffff]+(?:[ '’-][^\W\d_\u0590-\uffff]+){0,3}"
    r"|[\u0621-\u064a\u067e-\u06d3]{3,}(?:[ \u200c][\u0621-\u064a\u067e-\u06d3]+)?"
    r"|[\u0900-\u097f]{3,}|[\u0e01-\u0e4e]{4,}|[\u3400-\u9fff]{2,12}|[\u30a1-\u30fc]{3,}|[\uac00-\ud7a3]{2,6}"
)
_ENDS_ADDRESS_PART = re.compile(r"[ ]*(?:$|[,;/|()·•–—\n\d-]|,?[ ][A-Z]{2}\b)")
_BEFORE_TOWN = frozenset(" ,;/|()·•–—\n-0123456789\t。，：:.")
_MAX_STRETCHES = 24
_LONGEST_UNSPACED = 6
# "we are in ...", "estamos en ...": where the writer says he is.
_HERE = linear(
    rf"(?i)(?:^|[^\pL])(?:{'|'.join(_TABLE['here']['spaced'])})[ ]+(?:the[ ]+|city[ ]of[ ]+|г\.[ ]?)?|{any_of(_TABLE['here']['unspaced'])}"
)
_MAX_HERE = 8
_CASE_ENDINGS = ("", "а", "ь", "й", "я", "ы", "о")  # "в Караганде": Караганда


def countries_of_places(text: str) -> Iterator[str]:
    """Yield the country of each place that is named, in order, a dozen at most; of two names the longer counts.

    Names of scripts with spaces must be whole words, each with a sign of its own before and behind it ("Paris France" is
    one place); the others may stand anywhere.
    """
    text = text[:_MAX_CHARS]
    has_others = not text.isascii() and _OTHER_SIGN.search(text) is not None
    pattern = _START if has_others or any(start in text for start in _SMALL_STARTS) else _CAPITAL_WORD
    free = yielded = 0  # signs before `free` belong to the place before
    for match in pattern.finditer(text):
        key = match[0]
        start = match.start()
        names = _BY_KEY.get(key if _is_spaced(key) else text[start : start + 2])
        if names is None or start < free or not text.startswith(names, start):
            continue
        found = _name_at(text, start, free, names)
        if found is None:
            continue
        name, free = found
        yield _COUNTRIES[name]
        yielded += 1
        if yielded == _MAX_PLACES:
            return


def countries_of_towns(text: str) -> Iterator[tuple[str, bool]]:
    """Yield (country, is large) of each town of the world that stands in an address, a dozen at most.

    A small town must fill a part of it ("6460 Altdorf", "Hauptstr. 3, Lahr"): it may be anybody's name otherwise.
    """
    text = text[:_MAX_CHARS]
    yielded = 0
    for match in islice(_TOWN_WORDS.finditer(text), _MAX_STRETCHES):
        start, words = match.start(), match[0]
        found = _town_in(words)
        if found is None:
            continue
        name, offset, country = found
        start += offset
        is_large = country.isupper()
        if _is_spaced(name):
            if text[start + len(name) : start + len(name) + 1].isalpha():
                continue
            is_part = (start == 0 or text[start - 1] in _BEFORE_TOWN) and _ENDS_ADDRESS_PART.match(
                text, start + len(name)
            ) is not None
            if not is_part and not is_large:
                continue
            is_large = is_large and is_part
        yield country.upper(), is_large
        yielded += 1
        if yielded == _MAX_PLACES:
            return


def countries_of_here(text: str) -> Iterator[str]:
    """Yield the country of each place that the writer says he is at."""
    text = text[:_MAX_CHARS]
    for match in islice(_HERE.finditer(text), _MAX_HERE):
        rest = text[match.end() : match.end() + 40]
        country = next(countries_of_places(rest[:24]), None) if _names_at_start(rest) else None
        if country is None and (words := _TOWN_WORDS.match(rest)) is not None:
            country = _town_at_start(words[0])
        if country is not None:
            yield country.upper()


def country_of_large_town(name: str) -> str | None:
    """Return the country of a large town, whatever its letters' case."""
    country = _country_of_town(name.capitalize())
    return country if country is not None and country.isupper() else None


def _names_at_start(text: str) -> bool:
    word = _WORD.match(text)
    names = _BY_KEY.get(word[0] if word else text[:2], ())
    return text.startswith(names) if names else False


def _town_in(words: str) -> tuple[str, int, str] | None:
    """Return (name, offset, country) of the longest town among a stretch's words, or of the first in unspaced scripts."""
    if not _is_spaced(words):
        if "\u0600" <= words[0] <= "\u06ff" or "\u0900" <= words[0] <= "\u0e7f":
            country = _country_of_town(words) or _country_of_town(words.split(" ")[0])
            return (words, 0, country) if country else None
        for offset in range(len(words) - 1):
            for length in range(min(_LONGEST_UNSPACED, len(words) - offset), 1, -1):
                name = words[offset : offset + length]
                if country := _country_of_town(name):
                    return name, offset, country
        return None
    starts = [0, *(match.end() for match in re.finditer("[ ]", words))]
    for count in range(len(starts), 0, -1):
        for first in range(len(starts) - count + 1):
            end = starts[first + count] - 1 if first + count < len(starts) else len(words)
            name = words[starts[first] : end]
            if country := _country_of_town(name):
                return name, starts[first], country
    return None


def _town_at_start(words: str) -> str | None:
    """Return the country of the town that begins a stretch, whatever its grammatical case."""
    if not _is_spaced(words):
        for length in range(min(_LONGEST_UNSPACED, len(words)), 1, -1):
            if country := _country_of_town(words[:length]):
                return country
        return None
    ends = [match.start() for match in re.finditer("[ ]", words)] + [len(words)]
    for end in reversed(ends):
        if country := _country_of_town(words[:end]):
            return country
    first = words[: ends[0]]
    if "\u0400" <= first[0] <= "\u04ff" and len(first) > 4:
        for ending in _CASE_ENDINGS:
            if country := _country_of_town(first[:-1] + ending):
                return country
    return None


def _country_of_town(name: str) -> str | None:
    """Return the country, in small letters for a small town."""
    if name in _COUNTRIES:
        return _COUNTRIES[name]
    towns = _TOWNS.get(town_key(name))
    if towns is None:
        return None
    start = towns.find(f"|{name}=")
    if start < 0:
        return None
    start += len(name) + 2
    return towns[start : start + 2]


def _name_at(text: str, start: int, free: int, names: tuple[str, ...]) -> tuple[str, int] | None:
    """Return the name that stands there and where the next may begin."""
    begins_word = start == 0 or (start > free and not text[start - 1].isalnum())
    for needs_word in (True, False):
        for name in names:
            if (_is_spaced(name) and name[-1].isalnum()) is not needs_word or not text.startswith(name, start):
                continue
            end = start + len(name)
            if not needs_word:
                return name, end
            if begins_word and not text[end : end + 1].isalnum():
                return name, end + 1
    return None
