# SPDX-License-Identifier: GPL-3.0-or-later
"""The one tokenizer, on writing and on asking: words of letters and digits; pairs of signs where words have no spaces.

`AB-1234/5` and `ann@acme.example` become their parts in a row: asked whole they are a phrase, which stands nowhere else, and
each part is found as well.  Of a run of Chinese, Japanese, Korean, Thai, Lao, Khmer or Burmese each pair of neighbours is
a token, and at the end its last sign alone: so a single sign begins a token wherever it stands.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from crm_sync.search.folding import fold, fold_with_places

# Signs of a token; what is longer is cut, here and when it is asked for.  PostgreSQL takes 2,046 octets.
LONGEST_TOKEN = 64

_HAN = "\u3005-\u3007\u3041-\u3096\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
_HAN += "\U00020000-\U0003ffff"
_EAST = _HAN + "\uac00-\ud7a3"
# Thai, Lao, Burmese, Khmer, without their punctuation.
_SOUTH = "\u0e01-\u0e3e\u0e40-\u0e4e\u0e80-\u0eff\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u17d7\u17dc\u17dd\ua9e0-\ua9fe\uaa60-\uaa7f"


def _marks() -> str:
    """Return the marks that are part of words: vowel signs of India, below the block of CJK punctuation."""
    return "".join(chr(number) for number in range(0x3000) if unicodedata.category(chr(number)).startswith("M"))


_MARKS = re.escape(_marks())
# Han text is broken anywhere at the end of a line.  No two alternatives begin alike: no match is ever taken back.
_RUN = re.compile(
    f"(?P<east>[{_EAST}]+(?:\\r?\\n[{_HAN}][{_EAST}]*)*)|(?P<south>[{_SOUTH}]+)|(?:[^\\W_{_EAST}{_SOUTH}]+|[{_MARKS}]+)+"
)
_ASCII_WORD = re.compile("[a-z0-9]+")
_SIGN_EAST = re.compile(f"[{_EAST}]")
_SIGN_SOUTH = re.compile(f".[{_MARKS}]*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asked:
    """Tokens that must stand in a row; `is_prefix`: the last one may be the beginning of one."""

    tokens: tuple[str, ...]
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A token and where it stands in the text as it was."""

    token: str
    start: int
    end: int


def tokenize(text: str) -> list[str]:
    """Return the tokens of a text in their order."""
    folded = fold(text)
    if folded.isascii():
        words = _ASCII_WORD.findall(folded)
        return (
            [word[:LONGEST_TOKEN] for word in words] if len(max(words, key=len, default="")) > LONGEST_TOKEN else words
        )
    found: list[str] = []
    for run in _RUN.finditer(folded):
        if run.lastgroup is None:
            found.append(run.group()[:LONGEST_TOKEN])
        else:
            found += _pairs(_signs(run))
    return found


def tokenize_question(text: str) -> Asked:
    """Return what a word or phrase asks for.  Its last run may go on in the text; a single sign there is a beginning."""
    tokens = tokenize(text)
    last = next(iter(deque(_RUN.finditer(fold(text)), maxlen=1)), None)
    if last is None or last.lastgroup is None:
        return Asked(tuple(tokens))
    is_one = len(_signs(last)) == 1
    return Asked(tuple(tokens if is_one else tokens[:-1]), is_one)


def place_tokens(text: str) -> Iterator[Placed]:
    """Yield the tokens of a text with their places."""
    folded, starts, ends = fold_with_places(text)
    for run in _RUN.finditer(folded):
        if run.lastgroup is None:
            yield Placed(run.group()[:LONGEST_TOKEN], starts[run.start()], ends[run.end() - 1])
            continue
        signs = list((_SIGN_EAST if run.lastgroup == "east" else _SIGN_SOUTH).finditer(folded, run.start(), run.end()))
        for token, sign, following in zip(_pairs(_signs(run)), signs, [*signs[1:], signs[-1]], strict=True):
            yield Placed(token, starts[sign.start()], ends[following.end() - 1])


def _signs(run: re.Match[str]) -> Sequence[str]:
    """Return the signs of a run: with their vowels and tones in the south, without the ends of lines in the east."""
    text = run.group()
    if run.lastgroup == "east":
        return text.replace("\n", "").replace("\r", "") if "\n" in text else text
    return [sign[: LONGEST_TOKEN // 2] for sign in _SIGN_SOUTH.findall(text)]


def _pairs(signs: Sequence[str]) -> list[str]:
    return [*map("".join, pairwise(signs)), signs[-1]]
