# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers that name papers and parcels: orders, invoices, bills of lading, containers, air waybills, tracking."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from classifiers.tables import any_of, linear, read_table

_TABLE: dict[str, list[str]] = read_table("terms")["references"]
_KIND_OF = {word: kind for kind, words in _TABLE.items() for word in words}
_MAX_REFERENCES = 20
_SPACED = any_of(word for word in _KIND_OF if ord(word[0]) < 0x0590)
_OTHER = any_of(word for word in _KIND_OF if ord(word[0]) >= 0x0590)
# What stands between the word and its number, and the number: at least one digit, signs of article numbers.
_NAMED = linear(
    rf"(?i)(?:(?:^|[^\pL\d/])({_SPACED})|({_OTHER}))(?:[ ]?(?:no|nr|num|number|nº|n°|№|nro|numero|número|numéro|号|號|番号|番號|번호|رقم|شماره))?"
    r"[ ]?[.:#：№’'-]{0,2}[ ]?((?-i:(?:[A-Z]{1,6}[-/ ]?)?\d[A-Z0-9]*(?:[-/.][A-Z0-9]+)*|[A-Z]{2,6}(?:[-/][A-Z0-9]+)+))"
)
# What may not stand before them is looked for behind their first sign: other places are passed over at once.
_CONTAINER = re.compile(r"([A-Z](?<![A-Za-z][A-Z])[A-Z]{2}[UJZ])[ -]?(\d{3})[ ]?(\d{3})[ -]?(\d)(?!\d)")
_AWB = re.compile(r"(\d(?<![\d-]\d)\d{2})[- ](\d{4})[ ]?(\d{3})(\d)(?!\d)")
_LETTER_VALUES = {
    letter: value
    for letter, value in zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ", [number for number in range(10, 39) if number % 11], strict=True
    )
}
_SURE_WORDS = frozenset(
    ["po", "p.o", "p/o", "pi", "p/i", "oc", "bc", "inv", "fv", "re-nr", "b/l", "bl", "l/c", "lc", "awb"]
)
_LEAST_BARE_DIGITS = 5
_LEAST_DIGITS = {"po": 3, "pi": 3, "invoice": 3, "contract": 3, "bl": 5, "booking": 5, "lc": 4, "awb": 8, "tracking": 8}
# Dates and amounts.
_NO_REFERENCE = re.compile(
    r"\d{1,3}(?:[.,]\d{3})+(?:[.,]\d\d)?|\d+[.,]\d\d|\d{1,2}[./-]\d{1,2}(?:[./-]\d{2,4})?|(?:19|20)\d\d[./-]\d{1,2}(?:[./-]\d{1,2})?"
)


class Found(NamedTuple):
    """A number that names a paper: its kind (po, pi, invoice, contract, bl, booking, lc, awb, tracking, container)."""

    kind: str
    number: str
    start: int
    end: int


def find_references(text: str) -> list[Found]:
    """Return the references of a text in order, twenty at most, each once."""
    found: list[Found] = []
    taken: list[tuple[int, int]] = []
    for reference in (*_containers(text), *_airwaybills(text), *_named(text)):
        if any(start < reference.end and reference.start < end for start, end in taken):
            continue
        taken.append((reference.start, reference.end))
        if all((reference.kind, reference.number) != (other.kind, other.number) for other in found):
            found.append(reference)
    return sorted(found, key=lambda reference: reference.start)[:_MAX_REFERENCES]


def _containers(text: str) -> Iterator[Found]:
    for match in islice(_CONTAINER.finditer(text), _MAX_REFERENCES):
        number = "".join(match.groups())
        if is_container_number(number):
            yield Found("container", number, match.start(), match.end())


def is_container_number(number: str) -> bool:
    """Does the check digit fit (ISO 6346: values of ten signs times powers of two, modulo 11, modulo 10)?"""
    total = sum(
        (_LETTER_VALUES[sign] if sign.isalpha() else int(sign)) << place for place, sign in enumerate(number[:10])
    )
    return total % 11 % 10 == int(number[10])


def _airwaybills(text: str) -> Iterator[Found]:
    for match in islice(_AWB.finditer(text), _MAX_REFERENCES):
        serial = match[2] + match[3]
        if int(serial) % 7 == int(match[4]):  # IATA resolution 600a
            yield Found("awb", f"{match[1]}-{serial}{match[4]}", match.start(), match.end())


def _named(text: str) -> Iterator[Found]:
    for match in islice(_NAMED.finditer(text), 4 * _MAX_REFERENCES):
        word = (match.group(1) or match.group(2)).lower()
        kind, number = _KIND_OF[word], match.group(3)
        digits = sum(map(str.isdigit, number))
        if digits < _LEAST_DIGITS[kind] or _NO_REFERENCE.fullmatch(number):
            continue
        is_marked = text[match.end(1 if match.group(1) else 2) : match.start(3)].strip() != ""
        if number.isdigit() and len(number) < _LEAST_BARE_DIGITS and not is_marked and word not in _SURE_WORDS:
            continue  # "order 300 of them"
        if text[match.end() : match.end() + 1].isalpha():
            continue
        yield Found(kind, number, match.start(3), match.end(3))
