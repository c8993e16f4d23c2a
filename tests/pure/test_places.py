# SPDX-License-Identifier: GPL-3.0-or-later
"""Places named in a text, in any script, and what only looks like one."""

import pytest

from classifiers.places import (
    _COUNTRIES,
    countries_of_here,
    countries_of_places,
    countries_of_towns,
    country_of_large_town,
)
from classifiers.training.towns import by_beginning, town_names


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


@pytest.mark.parametrize(
    ("text", "countries"),
    [
        ("Hauptgasse 3, Solothurn", ["CH"]),
        ("4500 Solothurn", ["CH"]),
        ("Pinetown, South Africa", ["ZA", "ZA"]),
        ("Solothurn Trading House", []),  # a small town's name is anybody's
        ("慈溪市周巷镇", ["CN"]),
        ("г. Караганда, ул. Мира 4", ["KZ"]),
        ("Sale, Mobile, Reading", []),  # words before they are towns
        ("", []),
    ],
)
def test_a_small_town_fills_a_part_of_an_address(text: str, countries: list[str]) -> None:
    assert [country for country, _ in countries_of_towns(text)] == countries


@pytest.mark.parametrize(
    ("text", "countries"),
    [
        ("We are based in Solothurn and like pumps.", ["CH"]),
        ("les escribe Aurelio Paz de Pasto", ["CO"]),
        ("мы находимся в Караганде", ["KZ"]),
        ("我在墨尔本做了十几年", ["AU"]),
        ("我们在宁波有仓库", ["CN"]),
        ("The vessel leaves Hamburg for Santos.", []),
        ("we are in trouble", []),
    ],
)
def test_where_the_writer_says_that_he_is(text: str, countries: list[str]) -> None:
    assert list(countries_of_here(text)) == countries


def test_large_towns_are_known_in_any_case() -> None:
    assert (country_of_large_town("ningbo"), country_of_large_town("solothurn"), country_of_large_town("abcd")) == (
        "CN",
        None,
        None,
    )


def test_the_table_of_towns_is_made_of_sure_names() -> None:
    def town(name: str, country: str, population: int, *others: str) -> dict[str, object]:
        return {"name": name, "countrycode": country, "population": population, "alternatenames": list(others)}

    names = town_names(
        [
            town("Melbourne", "AU", 5_000_000, "墨尔本", "MEL"),
            town("Melbourne", "US", 84_000),
            town("Springfield", "US", 150_000),
            town("Springfield", "AU", 60_000),  # two in two countries, none much larger
            town("Sale", "AU", 15_000),  # a word
            town("Köln", "DE", 1_000_000, "Cologne"),
        ],
        frozenset(["sale"]),
    )

    assert names == {"Melbourne": "AU", "墨尔本": "AU", "Köln": "DE", "Koln": "DE", "Cologne": "DE"}
    assert by_beginning({"Köln": "DE", "Köthen": "de", "墨尔本": "AU"}) == {
        "Köl": "|Köln=DE|",
        "Köt": "|Köthen=de|",
        "墨尔": "|墨尔本=AU|",
    }
