# SPDX-License-Identifier: GPL-3.0-or-later
"""Make texts comparable: compatibility forms, case and accents are folded (Unicode Standard Annex 15, section 1.2).

Sign by sign, so that what is found can be shown where it stands; in linear time, whatever the text: normalising a whole text
sorts its combining marks, which is quadratic for a run of them.
"""

import re
import unicodedata

# Accents, vowel points and variation selectors: what may be left out in writing.  Marks of other scripts are letters.
_LEFT_OUT = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc"
    "\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]+"
)
# Letters with a stroke, which Unicode takes for letters of their own; tatweel only stretches a word.
_LIKE = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ŧ": "t", "ـ": ""}
# What is one sign only together with its neighbours: Korean letters, and Japanese ones with their marks (as macOS names files).
_COMPOSED = re.compile("[\u1100-\u11ff]+|[\u3041-\u30ff\uff66-\uff9d][\u3099\u309a\uff9e\uff9f]")


class _Folded(dict[int, str]):
    """The folded form of each sign that was met, by its number."""

    def __missing__(self, number: int) -> str:
        folded = self[number] = _fold_sign(chr(number))
        return folded


def _fold_sign(sign: str) -> str:
    category = unicodedata.category(sign)
    if category in ("Cf", "Cs"):  # joiners, direction marks, soft hyphens; halves of a sign
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(sign))
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", sign).casefold())
    plain = _LEFT_OUT.sub("", unicodedata.normalize("NFD", plain))
    plain = unicodedata.normalize("NFC", "".join(_LIKE.get(letter, letter) for letter in plain))
    return plain.casefold()


_FOLDED = _Folded()


def fold(text: str) -> str:
    """Return the text as it is compared."""
    if text.isascii():
        return text.lower()
    return _COMPOSED.sub(_compose, text).translate(_FOLDED)


def fold_with_places(text: str) -> tuple[str, list[int], list[int]]:
    """Return `fold(text)`, and where in `text` each of its signs begins and ends."""
    folded = fold(text)
    if _is_sign_by_sign(text):
        return folded, list(range(len(text))), list(range(1, len(text) + 1))
    starts: list[int] = []
    ends: list[int] = []
    place = 0
    for match in _COMPOSED.finditer(text):
        _add_places(text, place, match.start(), starts, ends)
        signs = len(_compose(match).translate(_FOLDED))
        starts += [match.start()] * signs
        ends += [match.end()] * signs
        place = match.end()
    _add_places(text, place, len(text), starts, ends)
    return folded, starts, ends


def _is_sign_by_sign(text: str) -> bool:
    return text.isascii() or (
        all(len(_FOLDED[ord(sign)]) == 1 for sign in set(text)) and _COMPOSED.search(text) is None
    )


def _add_places(text: str, start: int, end: int, starts: list[int], ends: list[int]) -> None:
    for place in range(start, end):
        signs = len(_FOLDED[ord(text[place])])
        if not signs and ends:
            ends[-1] = place + 1  # an accent belongs to its letter
        starts += [place] * signs
        ends += [place + 1] * signs


def _compose(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", match.group())
