# SPDX-License-Identifier: GPL-3.0-or-later
"""What a field's type is: how a value is read, shown, and found again.  The types themselves stand in the modules beside.

A value is stored as JSON in one form, whatever form it was given in: a date as 2026-03-02, a decimal as its digits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue
from crm_sync.rights import Viewer

Raw = str | Sequence[str]  # as people write it; several for types that take many
Stored = Any  # what JSON can hold

LONGEST_KEY: Final = 200
MOST_VALUES: Final = 100


class Options(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What may be set for a field beside its type; a type refuses those that mean nothing to it.

    `list` names a list to choose from; `pattern` is a regular expression (RE2) that the whole text must match.
    """

    minimum: float | None = None
    maximum: float | None = None
    decimals: int | None = None
    longest: int | None = None
    pattern: str | None = None
    list: str | None = None
    unit: str | None = None
    currency: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """For whom a value is read, and with what options: links lead only where he may look."""

    session: Session
    viewer: Viewer
    options: Options


@dataclass(frozen=True, slots=True)
class Key:
    """What a value is found and ordered by: a folded text or a number."""

    k: str | None = None
    n: float | None = None


@dataclass(frozen=True, slots=True)
class FieldType:
    """A type.  `read` raises InvalidValue, whose text begins with what was given; `example` shows a value as it is given."""

    name: str
    title_en: str
    title_zh: str
    read: Callable[[str, Asking], Stored]
    show: Callable[[Stored], str]
    keys: Callable[[Stored], tuple[Key, ...]]
    example: str
    options: frozenset[str] = frozenset()
    takes_many: bool = False

    def read_all(self, raw: Raw, asking: Asking) -> Stored:
        """Return the stored form of what was given.  Raises InvalidValue."""
        given = [raw] if isinstance(raw, str) else list(raw)
        given = [one.replace("\x00", "").strip() for one in given]
        given = [one for one in given if one]
        if self.takes_many:
            if len(given) > MOST_VALUES:
                raise InvalidValue(f"{len(given)} values: there may be {MOST_VALUES} at most")
            return [self.read(one, asking) for one in dict.fromkeys(given)] or None
        if len(given) > 1:
            raise InvalidValue(f"{len(given)} values: there may be one")
        return self.read(given[0], asking) if given else None

    def show_all(self, stored: Stored) -> str:
        """Return a stored value in words that need no language."""
        if stored is None:
            return ""
        return ", ".join(map(self.show, stored)) if self.takes_many else self.show(stored)

    def keys_all(self, stored: Stored) -> tuple[Key, ...]:
        """Return what the value is found by."""
        if stored is None:
            return ()
        if self.takes_many:
            return tuple(dict.fromkeys(key for one in stored for key in self.keys(one)))
        return self.keys(stored)


def folded(text: str) -> str:
    """Return a text as filters compare it."""
    return " ".join(text.casefold().split())[:LONGEST_KEY]


def text_key(stored: Stored) -> tuple[Key, ...]:
    """Return the key of what is a text."""
    return (Key(k=folded(str(stored))),)


def number_key(stored: Stored) -> tuple[Key, ...]:
    """Return the key of what is a number, or its digits."""
    return (Key(n=float(stored)),)


def quoted(raw: str) -> str:
    """Return the beginning of what was given, for a message."""
    return repr(raw[:40])
