# SPDX-License-Identifier: GPL-3.0-or-later
"""Write classifiers/data/country_names.json out of CLDR: `python -m classifiers.training.countries`.

Kept as data, because loading twenty locales costs the milter half a second at every start.
"""

import json
from pathlib import Path

from babel import Locale

LOCALES = (
    "en",
    "de",
    "fr",
    "es",
    "pt",
    "it",
    "nl",
    "pl",
    "tr",
    "ru",
    "zh",
    "zh_Hant",
    "ja",
    "ko",
    "vi",
    "id",
    "th",
    "ar",
    "fa",
    "hi",
)
# Names that are also everyday words or names of persons and cities elsewhere.
AMBIGUOUS = frozenset({"Georgia", "Jordan", "Chad", "Mali", "Jersey", "Guinea", "Niger", "Man", "India ink", "Togo", "Cuba",
                       "Turkey", "China", "Peru", "Oman", "Malta", "Mónaco", "Réunion", "Mauricio", "Kenia", "Iran", "Irak"} - {"China"})  # fmt: skip
ALSO = {"USA": "US", "U.S.A.": "US", "UK": "GB", "U.K.": "GB", "UAE": "AE", "U.A.E.": "AE", "Korea": "KR", "South Korea": "KR",
        "Deutschland": "DE", "Holland": "NL", "England": "GB", "Scotland": "GB", "Ivory Coast": "CI", "Россия": "RU", "РФ": "RU",
        "Iran": "IR", "Vietnam": "VN", "Việt Nam": "VN", "Türkiye": "TR", "Turkey": "TR", "Peru": "PE", "Jordan": "JO",
        "KSA": "SA", "한국": "KR", "中国": "CN", "美国": "US", "中華民國": "TW", "Республика Казахстан": "KZ"}  # fmt: skip


def country_names() -> dict[str, str]:
    """Return name -> ISO 3166-1 alpha-2; a name that two territories share is left out."""
    names: dict[str, str | None] = {}
    for code in LOCALES:
        for territory, name in Locale.parse(code).territories.items():
            if (
                len(territory) != 2
                or not territory.isalpha()
                or territory in ("EU", "EZ", "UN", "XA", "XB", "ZZ", "QO")
            ):
                continue
            if len(name) < 2 or name in AMBIGUOUS or (name.isascii() and len(name) < 4):
                continue
            names[name] = territory if names.get(name, territory) == territory else None
    return {**{name: territory for name, territory in names.items() if territory}, **ALSO}


if __name__ == "__main__":
    target = Path(__file__).parent.parent / "data" / "country_names.json"
    target.write_text(
        json.dumps(country_names(), ensure_ascii=False, sort_keys=True, indent=0) + "\n", encoding="utf-8"
    )
