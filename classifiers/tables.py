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


@cache
def read_table(name: str) -> dict[str, Any]:
    """Return the table `classifiers/data/<name>.toml`."""
    return tomllib.loads(files("classifiers").joinpath(f"data/{name}.toml").read_text(encoding="utf-8"))


def linear(pattern: str) -> Pattern:
    """Compile under google-re2: no input can make it slow."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 64 << 20
    return cast(Pattern, re2.compile(pattern, options))


def any_of(words: Iterable[str]) -> str:
    """Return an alternation of literal words, longest first."""
    return "|".join(re2.escape(word) for word in sorted(set(words), key=lambda word: (-len(word), word)))
