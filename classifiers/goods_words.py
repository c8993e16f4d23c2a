# SPDX-License-Identifier: GPL-3.0-or-later
"""How likely a word names goods, in any language: "насос" and "hinges" do, "thanks" and "invoice" don't.

A table holds the score of each word of the training letters (training/goods_words.py learns it from where a multilingual
encoder places the words), and what beginnings, ends and inner letters add up to, for the words it doesn't know.  Scripts
without spaces are scored by pairs of signs, Thai by five.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import msgspec
from murmurhash.mrmr import hash_unicode

WORD_STEP, PIECE_STEP = 8, 32  # parts of a unit in which scores are kept
_THAI_SIGNS, _SIGNS = 5, 2
_ENDS = (3, 4, 5, 6)  # letters, the edge of the word one of them
_INNER = 4
_MAX_WORD_CHARS = 30
_BUCKET_BITS = 20  # of a key, behind those by which it is looked for first


def is_unspaced(sign: str) -> bool:
    """Is it of a script that sets no spaces between words (Thai, kana, Han)?"""
    return "\u0e00" <= sign <= "\u0e7f" or "\u3005" <= sign <= "\u9fff"


def parts_of(word: str) -> list[str]:
    """Return what is looked up of a word in small letters: itself, or its pairs of signs."""
    if not word or not is_unspaced(word[0]):
        return [word]
    length = _THAI_SIGNS if word[0] <= "\u0e7f" else _SIGNS
    return [word[start : start + length] for start in range(max(len(word) - length + 1, 1))]


def pieces_of(part: str) -> list[str]:
    """Return the pieces of a part by which it is scored when it isn't known: signs, or letters in a row."""
    if is_unspaced(part[0]):
        return list(part) if part[0] > "\u0e7f" else []
    word = f"<{part}>"
    ends = [end for count in _ENDS if len(word) >= count for end in (word[:count], word[-count:])]
    return ends + [word[start : start + _INNER] for start in range(1, len(word) - _INNER)]


def key_of(part: str) -> int:
    """Return the key of a part or piece: 32 bits."""
    key: int = hash_unicode(part, 0) & 0xFFFFFFFF
    return key


class Stored(msgspec.Struct, frozen=True):
    """A table as it is kept: keys are uint32 in ascending order, scores int8, one a key."""

    words: bytes
    word_scores: bytes
    pieces: bytes
    piece_scores: bytes
    mean: float


@dataclass(frozen=True, slots=True)
class GoodsWords:
    """Scores of words, and those of pieces of words, which add up to the mean score.

    `word_starts` are the places where the keys of each first twelve bits begin, and the end.
    """

    words: Sequence[int]
    word_starts: Sequence[int]
    word_scores: Sequence[int]
    pieces: Sequence[int]
    piece_scores: Sequence[int]
    mean: float

    def score(self, part: str) -> float:
        """Return the score of a part; of an unknown one what its pieces say."""
        words, starts, key = self.words, self.word_starts, key_of(part)
        bucket = key >> _BUCKET_BITS
        place = bisect_left(words, key, starts[bucket], starts[bucket + 1])
        if place < len(words) and words[place] == key:
            return self.word_scores[place] / WORD_STEP
        total = 0
        for piece in pieces_of(part[:_MAX_WORD_CHARS]):
            key = key_of(piece)
            place = bisect_left(self.pieces, key)
            if place < len(self.pieces) and self.pieces[place] == key:
                total += self.piece_scores[place]
        return self.mean + total / PIECE_STEP


def to_octets(words: dict[str, float], pieces: dict[str, float], mean: float) -> bytes:
    """Return a table as it is stored."""
    return msgspec.msgpack.encode(Stored(*_columns(words, WORD_STEP), *_columns(pieces, PIECE_STEP), mean))


def _columns(scores: dict[str, float], step: int) -> tuple[bytes, bytes]:
    rounded = {key_of(part): min(max(round(step * score), -127), 127) for part, score in scores.items()}
    keys = sorted(rounded)
    return b"".join([key.to_bytes(4, "little") for key in keys]), bytes([rounded[key] & 0xFF for key in keys])


def from_octets(octets: bytes) -> GoodsWords:
    """Read a stored table.  Raises msgspec.MsgspecError for anything else."""
    stored = msgspec.msgpack.decode(octets, type=Stored)
    words = memoryview(stored.words).cast("I")
    starts = [bisect_left(words, bucket << _BUCKET_BITS) for bucket in range((1 << 32 - _BUCKET_BITS) + 1)]
    return GoodsWords(
        words,
        starts,
        memoryview(stored.word_scores).cast("b"),
        memoryview(stored.pieces).cast("I"),
        memoryview(stored.piece_scores).cast("b"),
        stored.mean,
    )


@cache
def read_goods_words() -> GoodsWords:
    """Return the package's table."""
    return from_octets(files("classifiers").joinpath("data/goods_words.bin").read_bytes())


class _InForce:
    table: GoodsWords | None = None


def use_goods_words(table: GoodsWords | None) -> None:
    """Score words by this table from now on, by the package's when it is None: training has others."""
    _InForce.table = table
    _score_of.cache_clear()


@lru_cache(maxsize=1 << 14)
def _score_of(part: str) -> float:
    return (_InForce.table or read_goods_words()).score(part)


def goods_score(word: str) -> tuple[float, float, float]:
    """Return mean, best and least score of a word's parts: above -2 it likely names goods, below -5 hardly."""
    if word and not is_unspaced(word[0]):
        score = _score_of(word)
        return score, score, score
    scores = [_score_of(part) for part in parts_of(word)]
    return sum(scores) / len(scores), max(scores), min(scores)
