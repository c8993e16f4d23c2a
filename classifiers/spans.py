# SPDX-License-Identifier: GPL-3.0-or-later
"""Where facts stand, in terms of the texts that a page shows: new text, signature, subject, From name."""

from classifiers.contact_pieces import Piece
from tradepost.facts import Source, Span


def span_in_text(fact: str, start: int, end: int, head: int) -> Span:
    """Return the span of a fact of the text that facts are read from: its first `head` characters are the subject."""
    if start < head:
        return Span(fact, "subject", start, min(end, head - 1))
    return Span(fact, "text", start - head, end - head)


def span_of_piece(fact: str, piece: Piece, contact: Source, shown: str) -> Span | None:
    """Return the span of a name; `shown` is the text it stands in, `contact` where contact blocks come from."""
    source: Source = "from" if piece.source == "from" else contact if piece.source == "contact" else "text"
    start = shown.find(piece.text, max(piece.start - 4, 0))
    return Span(fact, source, start, start + len(piece.text)) if start >= 0 else None
