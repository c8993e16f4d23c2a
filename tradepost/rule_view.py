# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of one mail as conditions look at them: every value once cut, folded, encoded, however many rules ask."""

import unicodedata
from collections.abc import Mapping

from tradepost.unknown import UNKNOWN, Unknown

# What is known of a field: text, number, yes or no, several texts; None or "" for nothing.
Value = str | float | bool | tuple[str, ...] | Unknown | None

# Characters of one text that rules look at: a 50 MB mail must not cost more than a letter.
LONGEST_TEXT = 20_480


def fold_text(text: str) -> str:
    """Return the text as compared: without case, full-width forms as their ASCII letters."""
    if text.isascii():
        return text.lower()
    # Turkish capital İ folds to i and a combining dot, which nobody types.
    return unicodedata.normalize("NFKC", text).casefold().replace("i\u0307", "i")


class View:
    """One evaluation.  Every getter returns None where the field is unknown, () where there is nothing."""

    __slots__ = ("_facts", "_folded", "_octets")

    def __init__(self, facts: Mapping[str, Value]) -> None:
        self._facts = facts
        self._folded: dict[str, tuple[str, ...] | None] = {}
        self._octets: dict[str, tuple[bytes, ...] | None] = {}

    def texts(self, field: str) -> tuple[str, ...] | None:
        """Return the values as text, cut."""
        value = self._facts.get(field)
        if value is UNKNOWN:
            return None
        if isinstance(value, str):
            return (value[:LONGEST_TEXT],) if value else ()
        if isinstance(value, tuple):
            return tuple(item[:LONGEST_TEXT] for item in value if item)
        if isinstance(value, bool):
            return ("true" if value else "false",)
        return () if value is None else (f"{value:g}",)

    def folded(self, field: str) -> tuple[str, ...] | None:
        """Return the values folded."""
        try:
            return self._folded[field]
        except KeyError:
            texts = self.texts(field)
            folded = None if texts is None else tuple(map(fold_text, texts))
            self._folded[field] = folded
            return folded

    def octets(self, field: str) -> tuple[bytes, ...] | None:
        """Return the values in UTF-8, as google-re2 reads them; what can't be encoded becomes "?"."""
        try:
            return self._octets[field]
        except KeyError:
            texts = self.texts(field)
            octets = None if texts is None else tuple(text.encode("utf-8", "replace") for text in texts)
            self._octets[field] = octets
            return octets

    def number(self, field: str) -> float | Unknown | None:
        """Return the number; None for nothing, UNKNOWN for unknown."""
        value = self._facts.get(field)
        if value is UNKNOWN:
            return UNKNOWN
        return float(value) if isinstance(value, int | float) else None
