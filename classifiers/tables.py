# SPDX-License-Identifier: GPL-3.0-or-later
"""Word lists by language, read from package data, and patterns made of them that run in linear time."""

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from string import digits
from typing import Any

import re2

_NOTHING: frozenset[str] = frozenset()
_ANYWHERE, _ALL = re2._re2.RE2.Anchor.UNANCHORED, re2._re2.RE2.Anchor.ANCHOR_BOTH
_characters, _bytes = re2._re2.BytesToCharLen, re2._re2.CharLenToBytes  # (encoded, first byte, how far) -> how far
_Spans = list[tuple[int, int]]  # of a match and its groups; (-1, -1): the group took no part


class Match:
    """Where a pattern was found, in characters."""

    __slots__ = ("_spans", "_text")

    def __init__(self, text: str, spans: _Spans) -> None:
        self._text = text
        self._spans = spans

    def start(self, group: int = 0) -> int:
        """Return where the match (or group) begins, -1 for a group that took no part."""
        return self._spans[group][0]

    def end(self, group: int = 0) -> int:
        """Return where the match (or group) ends."""
        return self._spans[group][1]

    def group(self, group: int = 0) -> Any:
        """Return what matched, None for a group that took no part."""
        start, end = self._spans[group]
        return None if start < 0 else self._text[start:end]


# Where the scripts of trade and signs of all kinds stand; what lies elsewhere (Bengali, Tamil, Khmer) counts as letters.
_KNOWN_BLOCKS = (
    *((0x0000, 0x0700), (0x0900, 0x0980), (0x0E00, 0x0E80), (0x2000, 0x2C00), (0x2E00, 0x2E80), (0x3000, 0x3130)),
    *((0xFE00, 0xFE70), (0xFF00, 0xFFF0), (0x1F000, 0x1FB00)),
)


def _others(kinds: str, digits: str = "") -> str:
    """Return the ranges of all signs but those of these general categories and these digits."""
    points = [
        point
        for first, behind in _KNOWN_BLOCKS
        for point in range(first, behind)
        if unicodedata.category(chr(point))[0] not in kinds and chr(point) not in digits
    ]
    edges = [0, *(i for i in range(1, len(points)) if points[i] != points[i - 1] + 1), len(points)]
    runs = ((points[start], points[end - 1]) for start, end in pairwise(edges))
    return "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in runs)


# Of the 380 ranges of letters in Unicode google-re2 makes thousands of instructions, in every pattern that names them;
# these are exact in known blocks, and a fifth as many.
_CLASSES = {
    r"\pL": f"[^{_others('L')}]",
    r"[^\pL]": f"[{_others('L')}]",
    r"[^\pL\d]": f"[{_others('L', digits)}]",
    r"[^\pL\pM]": f"[{_others('LM')}]",
    r"[^\pL\pN]": f"[{_others('LN')}]",
}
_CLASS = re.compile(r"\[[^\[\]]*\\p[^\[\]]*\]|\\pL")


def _compact(pattern: str) -> str:
    return _CLASS.sub(lambda match: _CLASSES.get(match[0], match[0]), pattern)


class _Compiled:
    """Asked without the binding's own match objects: most patterns stand in no letter, and the binding takes longer to
    say so than google-re2 to look."""

    __slots__ = ("_look",)

    def __init__(self, pattern: str) -> None:
        self._look: Callable[[Any, bytes, int, int], _Spans] = re2.compile(_compact(pattern), _options())._regexp.Match

    def _spans(self, encoded: bytes) -> Iterator[_Spans]:
        """Yield the spans of every match, in bytes."""
        position, length = 0, len(encoded)
        while (spans := self._look(_ANYWHERE, encoded, position, length))[0][0] >= 0:
            yield spans
            start, position = spans[0]
            if start == position:  # an empty match: the search goes on one character later
                if position == length:
                    break
                position += _bytes(encoded, position, 1)


class Pattern(_Compiled):
    """A compiled google-re2 pattern."""

    __slots__ = ()

    def search(self, text: str) -> Match | None:
        """Find the first place."""
        return self._first(_ANYWHERE, text)

    def fullmatch(self, text: str) -> Match | None:
        """Match the whole text."""
        return self._first(_ALL, text)

    def finditer(self, text: str) -> Iterator[Match]:
        """Find every place."""
        encoded = text.encode()
        is_ascii = len(encoded) == len(text)
        byte = character = 0
        for spans in self._spans(encoded):
            if not is_ascii:
                start = spans[0][0]
                character += _characters(encoded, byte, start)
                byte = start
                spans = _in_characters(encoded, spans, byte, character)
            yield Match(text, spans)

    def _first(self, anchor: Any, text: str) -> Match | None:
        encoded = text.encode()
        spans = self._look(anchor, encoded, 0, len(encoded))
        if spans[0][0] < 0:
            return None
        return Match(text, spans if len(encoded) == len(text) else _in_characters(encoded, spans, 0, 0))


class BytesPattern(_Compiled):
    """A pattern that is looked for in UTF-8 bytes: much cheaper when many places match."""

    __slots__ = ()

    def texts(self, encoded: bytes) -> Iterator[bytes]:
        """Yield every text that matched."""
        for spans in self._spans(encoded):
            start, end = spans[0]
            yield encoded[start:end]


def _in_characters(encoded: bytes, spans: _Spans, byte: int, character: int) -> _Spans:
    """Return spans of bytes as spans of characters, where that character stands at that byte, before all of them."""
    places = {-1: -1}
    for offset in sorted({offset for span in spans for offset in span}):
        if offset >= 0:
            character += _characters(encoded, byte, offset)
            byte = offset
            places[offset] = character
    return [(places[start], places[end]) for start, end in spans]


@cache
def read_table(name: str) -> dict[str, Any]:
    """Return the table `classifiers/data/<name>.toml`."""
    return tomllib.loads(files("classifiers").joinpath(f"data/{name}.toml").read_text(encoding="utf-8"))


def linear(pattern: str) -> Pattern:
    """Compile under google-re2: no input can make it slow."""
    return Pattern(pattern)


def linear_bytes(pattern: str) -> BytesPattern:
    """Compile under google-re2, for searching UTF-8 bytes."""
    return BytesPattern(pattern)


class PatternSet:
    """Several patterns looked for in one pass over a text."""

    def __init__(self, patterns: dict[str, str]) -> None:
        self._names = tuple(patterns)
        searched = re2.Set.SearchSet(_options())
        for pattern in patterns.values():
            searched.Add(_compact(pattern))
        searched.Compile()
        self._look: Callable[[bytes], Sequence[int]] = searched._set.Match

    def found(self, text: str) -> frozenset[str]:
        """Return the names of the patterns that occur in the text."""
        indices = self._look(text.encode())
        return frozenset([self._names[index] for index in indices]) if indices else _NOTHING


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 64 << 20  # the automaton of a long word list is forgotten and rebuilt for ever in less
    return options


def any_of(words: Iterable[str]) -> str:
    """Return an alternation of literal words, longest first."""
    return "|".join(re2.escape(word) for word in sorted(set(words), key=lambda word: (-len(word), word)))
