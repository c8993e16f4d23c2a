# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns under google-re2: places are told in characters, whatever the script."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.tables import linear, linear_bytes

PATTERNS = [r"a+(b)?", r"(?i)é(ü)|(x)", r"b*", r"\d(价格)?", r"$"]


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=st.text(alphabet="abxéü1价格 \n😀", max_size=40))
def test_finds_what_the_standard_library_finds(pattern: str, text: str) -> None:
    ours, theirs = linear(pattern), re.compile(pattern.replace("$", r"\Z"))
    groups = range(theirs.groups + 1)
    expected = [[(*match.span(group), match.group(group)) for group in groups] for match in theirs.finditer(text)]
    found = [
        [(match.start(group), match.end(group), match.group(group)) for group in groups]
        for match in ours.finditer(text)
    ]
    assert found == expected
    first = ours.search(text)
    assert (first and (first.start(), first.end())) == (expected[0][0][:2] if expected else None)
    assert (ours.fullmatch(text) is None) == (theirs.fullmatch(text) is None)


def test_texts_in_bytes() -> None:
    assert list(linear_bytes("价.|a").texts("a价格a".encode())) == [b"a", "价格".encode(), b"a"]


@pytest.mark.parametrize(
    "text",
    [
        "wort",
        "ж",
        "ا",
        "क",
        "ก",
        "한",
        "か",
        "中",
        "é",
        "ª",
        "1",
        "٣",
        "_",
        "，",
        "€",
        "\u064b",
        "\u0301",
        "😀",
        "\n",
    ],
)
def test_letters_are_those_of_unicode(text: str) -> None:
    is_letter = unicodedata.category(text[0]).startswith("L")
    is_number = unicodedata.category(text[0]).startswith("N")
    assert (linear(r"^\pL").search(text) is not None) == is_letter
    assert (linear(r"^[^\pL]").search(text) is not None) == (not is_letter)
    assert (linear(r"^[^\pL\pN]").search(text) is not None) == (not is_letter and not is_number)
    assert (linear(r"^[^\pL\d]").search(text) is not None) == (not is_letter and not ("0" <= text[0] <= "9"))
