# SPDX-License-Identifier: GPL-3.0-or-later
"""Word lists by language, read from package data, and patterns made of them that run in linear time."""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, Protocol, cast

import re2


class Match(Protocol):
    """The part of a match that is used here."""

    def start(self, group: int = 0) -> int:
        """Return where the match (or group) begins."""

    def end(self, group: int = 0) -> int:
        """Return where the match (or group) ends."""

    def group(self, group: int = 0) -> str:
        """Return what matched."""


class Pattern(Protocol):
    """A compiled google-re2 pattern."""

    def search(self, text: str) -> Match | None:
        """Find the first place."""

    def fullmatch(self, text: str) -> Match | None:
        """Match the whole text."""

    def finditer(self, text: str) -> Iterable[Match]:
        """Find every place."""

    def findall(self, text: str) -> list[str]:
        """Return every text that matched."""


class BytesMatch(Protocol):
    """A match in UTF-8 bytes."""

    def __getitem__(self, group: int) -> bytes:
        """Return what matched."""


class BytesPattern(Protocol):
    """A pattern that is looked for in UTF-8 bytes: much cheaper when many places match."""

    def finditer(self, text: bytes) -> Iterable[BytesMatch]:
        """Find every place."""

    def findall(self, text: bytes) -> list[bytes]:
        """Return every text that matched."""


_NOTHING: frozenset[str] = frozenset()


@cache
def read_table(name: str) -> dict[str, Any]:
    """Return the table `classifiers/data/<name>.toml`."""
    return tomllib.loads(files("classifiers").joinpath(f"data/{name}.toml").read_text(encoding="utf-8"))


def linear(pattern: str) -> Pattern:
    """Compile under google-re2: no input can make it slow."""
    return cast(Pattern, re2.compile(pattern, _options()))


def linear_bytes(pattern: str) -> BytesPattern:
    """Compile under google-re2, for searching UTF-8 bytes."""
    return cast(BytesPattern, re2.compile(pattern, _options()))


class PatternSet:
    """Several patterns looked for in one pass over a text."""

    def __init__(self, patterns: dict[str, str]) -> None:
        self._names = tuple(patterns)
        self._set = re2.Set.SearchSet(_options())
        for pattern in patterns.values():
            self._set.Add(pattern)
        self._set.Compile()

    def found(self, text: str) -> frozenset[str]:
        """Return the names of the patterns that occur in the text."""
        indices = self._set.Match(text)
        return frozenset([self._names[index] for index in indices]) if indices else _NOTHING


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 64 << 20  # the automaton of a long word list is forgotten and rebuilt for ever in less
    return options


def any_of(words: Iterable[str]) -> str:
    """Return an alternation of literal words, longest first."""
    return "|".join(re2.escape(word) for word in sorted(set(words), key=lambda word: (-len(word), word)))
