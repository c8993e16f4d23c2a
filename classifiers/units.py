# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of trade in every language: what a word behind a number counts or measures."""

import re
from dataclasses import dataclass
from functools import lru_cache

from classifiers.numbers import WORD
from classifiers.tables import read_table

_TABLE = read_table("units")
_LONGEST = 6
# Scripts that write no space between number, unit and the next word.
_UNSPACED = re.compile("[\u0e00-\u0eff\u2e80-\u9fff\uac00-\ud7a3\uff00-\uffef㎡℃]")
_WORD = re.compile(rf"{WORD}(?:[²³]|[23](?!\d))?|[°%％℃]C?")
_GAP = re.compile(r"[ ]?[-‐]?[ ]?")
_CONTAINER = re.compile(
    r"[ ]?(?:[x×*][ ]?)?(?:(20|40|45)[ ]?(?:['’′]{1,2}|ft|feet|-?foot|尺|呎|фут\w*|pies|pés|pieds|stóp)?[ ]?-?(HC|HQ|GP|DV|DC|RF|OT|FR|RH|尺|呎|фут\w*)?)(?![\d.,]*\d)",
    re.IGNORECASE,
)
# "120 a 80", "5 в день": a small word, where it isn't written to the number as "12v" is.
_SMALL_WORDS = frozenset("aevsoв")
_PERCENT = re.compile(r"[ ]?(?:por|pour|per|pro)[ ]?c[ei]n?t?", re.IGNORECASE)
_CONTAINER_WORD = re.compile(rf"[ ]?({WORD})")


def _by_word() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for kind in ("other", "measured", "counted"):
        for name, words in _TABLE[kind].items():
            for word in words:
                if kind == "counted" or word.lower() not in found:
                    found[word.lower()] = (name, kind)
    return found


_UNITS = _by_word()


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit behind a number: its common name, its kind (counted, measured, other), and where it ends."""

    name: str
    kind: str
    end: int


@lru_cache(maxsize=4096)
def unit_of(word: str) -> str:
    """Return the common name of a unit, the word itself in small letters when it is none."""
    bare = word.strip().strip(".").lower()
    return _UNITS.get(bare, (bare, ""))[0]


def read_unit(text: str, position: int) -> Unit | None:
    """Return the unit that begins at that position (a space or hyphen before it is passed over)."""
    gap = _GAP.match(text, position)
    start = gap.end() if gap else position
    first = text[start : start + 1]
    if first < "\u0080" and not first.isalpha() and first != "%":
        return None
    if _UNSPACED.match(text, start):
        for length in range(_LONGEST, 0, -1):
            found = _UNITS.get(text[start : start + length])
            if found is not None and len(text) >= start + length:
                return Unit(*found, start + length)
        return None
    word = _WORD.match(text, start)
    if word is None or (start > position and word[0] in _SMALL_WORDS):
        return None
    if (percent := _PERCENT.match(text, position)) is not None:
        return Unit("share", "other", percent.end())
    found = _UNITS.get(word[0].lower())
    return Unit(*found, word.end()) if found is not None else None


def read_container(text: str, position: int, count: float) -> Unit | None:
    """Return the container that stands behind a count: "2 x 40HQ", "1x20'", "3 40' containers"; "40x40" is a size."""
    near = text[position : position + 5]
    if "0" not in near and "45" not in near:
        return None
    match = _CONTAINER.match(text, position)
    if match is not None and match[2] is None and count == float(match[1]):
        return None
    if match is None or (match[2] is None and "x" not in match[0].lower() and "×" not in match[0]):
        if match is None or (word := _CONTAINER_WORD.match(text, match.end())) is None:
            return None
        if _UNITS.get(word[1].lower(), ("",))[0] != "container":
            return None
    kind = (match[2] or "").upper()
    return Unit(f"{match[1]}{kind if kind and kind.isascii() else 'ft'} container", "counted", match.end())
