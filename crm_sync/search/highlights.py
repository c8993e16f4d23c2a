# SPDX-License-Identifier: GPL-3.0-or-later
"""Show where in a text stands what was looked for: a piece of it and marks, no HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from crm_sync.search.folding import fold
from crm_sync.search.tokens import Asked, Placed, place_tokens

# No further into a text is looked for a place to show; what is found behind it shows the beginning.
_SIGNS = 8_000
_TOKENS = 3_000
_BEFORE = 60
_WINDOW = 500
EXCERPT_SIGNS = 240


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of a text on one line; `marks` are (start, end) in it."""

    text: str
    marks: tuple[tuple[int, int], ...] = ()


def excerpt(text: str, needles: Sequence[Asked], signs: int = EXCERPT_SIGNS) -> Excerpt:
    """Return the piece of a text where a needle stands first, else its beginning."""
    text = text[:_SIGNS]
    near = _look_near(text, needles)
    spans = [(left + near, right + near) for left, right in find_spans(text[near : near + _WINDOW], needles)]
    if not spans and near:
        near, spans = 0, find_spans(text, needles)
    start = 0
    if spans and spans[0][1] > signs:
        start = max(near, spans[0][0] - _BEFORE)
        space = text.find(" ", start, spans[0][0])
        start = space + 1 if space >= 0 else start
    end = min(len(text), start + signs)
    marks = tuple((max(left, start) - start, min(right, end) - start) for left, right in spans if start <= left < end)
    # Sign for sign, so that the marks stay where they are.
    piece = text[start:end]
    shown = piece if piece.isprintable() else "".join(sign if sign.isprintable() else " " for sign in piece)
    return Excerpt(shown, marks)


def _look_near(text: str, needles: Sequence[Asked]) -> int:
    """Return a place shortly before the first one where a needle may stand; 0 where nothing tells."""
    folded = fold(text)
    if len(folded) != len(text):
        return 0
    found = [place for needle in needles if needle.tokens and (place := folded.find(needle.tokens[0])) >= 0]
    before = min(found, default=0) - 2 * _BEFORE
    # From a space on: what is cut is no word of its own.
    return text.rfind(" ", 0, before) + 1 if before > 0 else 0


def find_spans(text: str, needles: Sequence[Asked]) -> list[tuple[int, int]]:
    """Return where needles stand, in order, those that touch or overlap as one."""
    if not any(needle.tokens for needle in needles):
        return []
    placed = list(islice(place_tokens(text), _TOKENS))
    starts: dict[str, list[Asked]] = {}
    for needle in needles:
        if needle.tokens:
            starts.setdefault(needle.tokens[0][0], []).append(needle)
    spans: list[tuple[int, int]] = []
    for number, one in enumerate(placed):
        for needle in starts.get(one.token[0], ()):
            last = number + len(needle.tokens) - 1
            if last < len(placed) and _stands(needle, placed[number : last + 1]):
                end = placed[last].end
                if needle.is_prefix:
                    end = min(end, placed[last].start + len(needle.tokens[-1]))
                span = (one.start, end)
                if spans and spans[-1][1] >= span[0]:
                    span = (spans[-1][0], max(spans.pop()[1], span[1]))
                spans.append(span)
    return spans


def _stands(needle: Asked, placed: Sequence[Placed]) -> bool:
    *before, last = needle.tokens
    if [one.token for one in placed[:-1]] != before:
        return False
    return placed[-1].token.startswith(last) if needle.is_prefix else placed[-1].token == last
