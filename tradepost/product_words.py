# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of our goods a text names, by words that somebody listed.  Pure; the time it takes is linear in the text.

Text and words are cut alike: letters and digits of one script form a token, of Chinese, Japanese and Thai every character
is one.  Case, width and an English plural make no difference: "LED Lamps" and "led lamp" are the same words.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tradepost.rule_view import fold_text

LONGEST_WORD: Final = 12  # tokens
# Characters of a text that are looked at; a phrase or a subject is far shorter.
LONGEST_TEXT: Final = 8_000
_ALONE = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # Thai, Kana, Han
_TOKEN = re.compile(rf"[{_ALONE}]|(?:(?![{_ALONE}])[^\W_])+")
_LONGEST_TOKEN = 60


def word_key(word: str) -> str:
    """Return a word as it is compared, "" when nothing of it can be: two words of one key are the same."""
    return " ".join(_tokens(word))


def _tokens(text: str) -> list[str]:
    return [_singular(token) for token in _TOKEN.findall(fold_text(text)) if len(token) <= _LONGEST_TOKEN]


def _singular(token: str) -> str:
    is_plural = len(token) > 3 and token.endswith("s") and not token.endswith(("ss", "us", "is")) and token.isalpha()
    return token[:-1] if is_plural else token


@dataclass(frozen=True)
class ProductWords:
    """Word keys and what they stand for, ready to be found."""

    meanings: Mapping[str, int] = field(default_factory=dict)
    # First token -> numbers of tokens that words beginning with it have, longest first.
    _lengths: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, words: Iterable[tuple[str, int]]) -> "ProductWords":
        """Make it of (word key, meaning)."""
        meanings = {key: meaning for key, meaning in words if key and key.count(" ") < LONGEST_WORD}
        lengths: defaultdict[str, set[int]] = defaultdict(set)
        for key in meanings:
            tokens = key.split(" ")
            lengths[tokens[0]].add(len(tokens))
        return cls(meanings, {first: tuple(sorted(those, reverse=True)) for first, those in lengths.items()})

    def find(self, text: str) -> int | None:
        """Return the meaning of the longest word that the text names, the first of equals; None: it names none."""
        best = max(self._hits(text), key=lambda hit: hit[0], default=None)
        return None if best is None else best[1]

    def find_all(self, text: str) -> tuple[int, ...]:
        """Return the meaning of every word that the text names, each once, in its order."""
        return tuple(dict.fromkeys(meaning for _, meaning in self._hits(text)))

    def _hits(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield (number of tokens, meaning) from the left: what a longer word holds is not looked at again."""
        if not self.meanings:
            return
        tokens = _tokens(text[:LONGEST_TEXT])
        place = 0
        while place < len(tokens):
            step = 1
            for length in self._lengths.get(tokens[place], ()):
                meaning = self.meanings.get(" ".join(tokens[place : place + length]))
                if meaning is not None:
                    yield length, meaning
                    step = length
                    break
            place += step
