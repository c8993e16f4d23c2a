# SPDX-License-Identifier: GPL-3.0-or-later
"""Places named in a text, in any script, and what only looks like one."""

import pytest

from classifiers.places import _COUNTRIES, countries_of_places


@pytest.mark.parametrize(
    ("text", "countries"),
    [
        ("CIF Hamburg, or FOB Shanghai.", ["DE", "CN"]),
        ("上海市浦东新区，中国", ["CN", "CN"]),
        ("we ship to Hamburgers", []),
        ("NewHamburg", []),
        ("our London office, U.K.", ["GB", "GB"]),
        ("Mbabane, eSwatini", ["SZ"]),
        ("", []),
    ],
)
def test_places_name_their_countries(text: str, countries: list[str]) -> None:
    assert list(countries_of_places(text)) == countries


def test_every_name_is_found_in_brackets() -> None:
    lost = [name for name, country in _COUNTRIES.items() if next(countries_of_places(f"({name})"), None) != country]

    # "Congo (DRC)": the same place, of which a shorter name stands at the beginning.
    assert [name for name in lost if "(" not in name] == []


def test_a_dozen_is_enough() -> None:
    assert len(list(countries_of_places("Hamburg, " * 100))) == 12
