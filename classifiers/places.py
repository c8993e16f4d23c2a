# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of countries and towns in a text, in every language, and the country each lies in.

Thousands of names: as one pattern their automaton takes milliseconds to build for every new turn of phrase, so words are
looked up in a table instead.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.resources import files

from classifiers.tables import read_table

_MAX_CHARS = 4_000
_MAX_PLACES = 12

_NAMES: dict[str, str] = json.loads(
    files("classifiers").joinpath("data/country_names.json").read_text(encoding="utf-8")
)
_COUNTRIES = {
    **_NAMES,
    **{place: country for country, places in read_table("country")["places"].items() for place in places},
}
_SPACED = "[^\\W_\u0590-\u1dff\u2c00-\U0010ffff]"  # letters and digits of scripts that write spaces between words
_WORD = re.compile(f"{_SPACED}+")


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
