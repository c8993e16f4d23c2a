# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of several kinds of records merged by time, and the word that says where the next one begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crm_sync.search.answers import Answer, Hit
from crm_sync.search.mail_hunt import COUNTED, Place
from crm_sync.search.query_language import QuestionError

# In this order at the same moment.
KINDS = ("mail", "note", "task", "touch", "customer")
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_ID = 2**62
_Order = tuple[datetime, int, int]


@dataclass(frozen=True, slots=True)
class Page:
    """Records of one kind, newest first.  `resume`: there is, or may be, more behind that place."""

    kind: str
    entries: Sequence[tuple[Place, Hit]] = ()
    total: int = 0
    is_more: bool = False
    resume: Place | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """The last record of a page: its kind and place."""

    kind: str
    place: Place

    def place_for(self, kind: str) -> Place:
        """Return behind which place records of a kind follow."""
        if kind == self.kind:
            return self.place
        # At the same moment a later kind is still to come, an earlier one was shown.
        comes_later = KINDS.index(kind) > KINDS.index(self.kind)
        return Place(self.place.at, _LAST_ID if comes_later else 0)

    def __str__(self) -> str:
        micros = (self.place.at - _BEGINNING) // timedelta(microseconds=1)
        return f"{micros}.{self.kind}.{self.place.id}"


def parse_stop(text: str | None) -> Stop | None:
    """Read what `Answer.next` said.  Raises QuestionError."""
    if text is None:
        return None
    try:
        micros, kind, key = text.split(".")
        KINDS.index(kind)
        number = int(key)
        if not 0 <= number <= _LAST_ID:
            raise ValueError
        return Stop(kind, Place(_BEGINNING + timedelta(microseconds=int(micros)), number))
    except (ValueError, OverflowError):
        raise QuestionError(f"{text[:40]!r}: is no place to go on from; take `next` of the page before") from None


def merge_pages(pages: Sequence[Page], limit: int) -> Answer:
    """Return one page of all, newest first."""
    merged = sorted(
        ((_order(page.kind, place), page.kind, place, hit) for page in pages for place, hit in page.entries),
        key=lambda entry: entry[0],
        reverse=True,
    )
    stops = [(_order(page.kind, page.resume), page.kind, page.resume) for page in pages if page.resume is not None]
    if len(merged) > limit:
        stops.append(merged[limit - 1][:3])
    # Behind the first place where somebody stopped, not everything is known yet.
    stop = max(stops, key=lambda entry: entry[0], default=None)
    hits = tuple(hit for order, _, _, hit in merged[:limit] if stop is None or order >= stop[0])
    total = sum(page.total for page in pages)
    return Answer(
        hits,
        min(total, COUNTED),
        total > COUNTED or any(page.is_more for page in pages),
        None if stop is None else str(Stop(stop[1], stop[2])),
    )


def _order(kind: str, place: Place) -> _Order:
    return place.at, -KINDS.index(kind), place.id
