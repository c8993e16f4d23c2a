# SPDX-License-Identifier: GPL-3.0-or-later
"""Order by worth instead of by time: where the words stand, how often, and how long ago.

Both databases weigh by formulas of their own, and over all that was found: of a common word that is every second letter.
So we weigh ourselves, and only candidates: the newest with the words in their subject or names, and the newest with them
anywhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log2

from crm_sync.search.answers import Answer, Hit
from crm_sync.search.highlights import find_spans
from crm_sync.search.meaning import needles
from crm_sync.search.query_language import Question, QuestionError
from crm_sync.search.tokens import Asked

_IN_HEAD, _ANYWHERE = 100, 150
_SUBJECT, _NAMES, _TEXT = 8.0, 5.0, 2.0
_HALF_LIFE_DAYS = 180.0
_WORD = "rank."
# Asks for so many of the newest hits; the first argument: with the words in subject or names only.
Ask = Callable[[bool, int], Answer]


def best_first(question: Question, ask: Ask, limit: int, before: str | None) -> Answer:
    """Return a page of candidates, the best first.  Raises QuestionError."""
    start = _parse_start(before)
    anywhere = ask(False, _ANYWHERE)
    in_head = ask(True, _IN_HEAD) if anywhere.next is not None else Answer(())
    hits = list({(hit.kind, hit.id): hit for hit in (*in_head.hits, *anywhere.hits)}.values())
    newest = max((hit.at for hit in hits), default=None)
    wanted = needles(question, "subject", "from")

    def worth(hit: Hit) -> float:
        assert newest is not None
        age = (newest - hit.at).total_seconds() / 86_400
        return _weigh(hit, wanted) * (0.5 + 0.5 * 2 ** (-age / _HALF_LIFE_DAYS))

    hits.sort(key=lambda hit: (worth(hit), hit.at, hit.id), reverse=True)
    following = start + limit
    return replace(
        anywhere,
        hits=tuple(hits[start:following]),
        next=f"{_WORD}{following}" if following < len(hits) else None,
    )


def _parse_start(before: str | None) -> int:
    if before is None:
        return 0
    digits = before.removeprefix(_WORD)
    if digits == before or not digits.isascii() or not digits.isdigit() or len(digits) > 6:
        raise QuestionError(f"{before[:40]!r}: is no place to go on from; take `next` of the page before")
    return int(digits)


def _weigh(hit: Hit, wanted: Sequence[Asked]) -> float:
    """Return 1 for what stands only in quoted text or files, more for what stands where it counts."""
    weight = 1.0
    for needle in wanted:
        if hit.title.marks and find_spans(hit.title.text, [needle]):
            weight += _SUBJECT
        if hit.kind == "mail" and find_spans(f"{hit.from_name} {hit.from_address}", [needle]):
            weight += _NAMES
    return weight + _TEXT * log2(1 + len(hit.excerpt.marks))
