# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up letters as a search index meets them: words by Zipf's law, half of the letters Chinese, seeded.

A word's share of all words is about one by its rank (G. K. Zipf, 1949): a few stand in most letters, most in few.
"""

import random
from collections.abc import Callable, Sequence
from itertools import accumulate

_LATIN_WORDS = 30_000
_HAN_SIGNS, _HAN_WORDS = 3_000, 15_000
_SYLLABLES = tuple(first + last for first in "bdfgklmnprstvz" for last in ("a", "e", "i", "o", "u", "an", "er", "is"))
_FIRST_HAN = 0x4E00
# Letters share so many texts.
TEXTS = 20_000


class Speech:
    """Words by rank, and texts of them.  `latin[0]` is the commonest; `han` are words of two signs."""

    def __init__(self, chance: random.Random, texts: int) -> None:
        self._chance = chance
        self.latin = _distinct(_LATIN_WORDS, lambda: "".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4))))
        signs = [chr(_FIRST_HAN + number) for number in chance.sample(range(20_000), _HAN_SIGNS)]
        weights = _zipf(_HAN_SIGNS)
        self.han = _distinct(_HAN_WORDS, lambda: "".join(chance.choices(signs, cum_weights=weights, k=2)))
        self._latin_weights, self._han_weights = _zipf(_LATIN_WORDS), _zipf(_HAN_WORDS)
        self.texts = [self._text(number) for number in range(texts)]

    def _text(self, number: int) -> str:
        chance = self._chance
        if number % 2:
            words = chance.choices(self.latin, cum_weights=self._latin_weights, k=chance.randint(20, 150))
            return " ".join(words)
        sentences = (
            "".join(chance.choices(self.han, cum_weights=self._han_weights, k=chance.randint(4, 9)))
            for _ in range(chance.randint(2, 12))
        )
        return "，".join(sentences) + "。"

    def words(self, count: int) -> str:
        """Return a few words for a subject."""
        return " ".join(self._chance.choices(self.latin, cum_weights=self._latin_weights, k=count))


def speech_of(letters: int) -> Speech:
    """Return the words and texts of which so many letters are made."""
    return Speech(random.Random(f"speech {letters}"), min(TEXTS, max(500, letters // 10)))


def _zipf(count: int) -> Sequence[float]:
    return list(accumulate(1 / (rank + 2) for rank in range(count)))


def _distinct(count: int, make: Callable[[], str]) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found[make()] = None
    return list(found)
