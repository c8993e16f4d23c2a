# SPDX-License-Identifier: GPL-3.0-or-later
"""The company that a mail domain names: "anatolia-foods.com" is Anatolia Foods, "camppinelake.org" Camp Pine Lake.

Hyphens separate words; a label without them is cut where known words meet (the cheapest way through, as Viterbi finds
it), and words that the letter spells are taken as it spells them.  It is a hint, weaker than what a letter says.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Container
from functools import cache, lru_cache
from importlib.resources import files

import idna

from classifiers.name_shapes import squeezed
from classifiers.tables import read_table
from tradepost.addresses import company_domain

SHORTEST_WORD, LONGEST_WORD = 3, 14
_MAX_LABEL_CHARS = 40
_MAX_SPELLED_CHARS = 3_000
_LETTERS_OF_A_SHORT_FORM = 3  # "dhl" is DHL
# Costs of a cut: a word costs more the rarer and shorter it is, what is no word more for each letter.
_RAREST_WORD, _COMMON_WORD, _A_STEP = 7.5, 5.5, 0.5
_SHORT_WORD = {3: 1.5, 4: 2.0}  # by its letters
_JOINING = 5.5
_SPELLED = 2.0
_UNKNOWN, _UNKNOWN_LETTER = 5.0, 1.4
_SHORTEST_UNKNOWN = 4
_SPELLED_WORD = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]{3,20}")

_NAMES = read_table("names")
_JOINS = frozenset(_NAMES["joins_words"])
_NO_COMPANY = frozenset(_NAMES["no_company_domain"])
_RELAYS = frozenset(read_table("automatic")["relay_domains"])


def company_of_domain(address: str, person: str, letter: str) -> str | None:
    """Return the company that the domain of an address names; None of free mail, platforms and the writer's own name.

    `person` is the writer's name, `letter` what may spell the company's words.
    """
    domain = company_domain(address)
    if not domain or domain in _RELAYS:
        return None
    label = _readable(domain.partition(".")[0])
    parts = [part for part in label.split("-") if part]
    if len(label) > _MAX_LABEL_CHARS or not any(char.isalpha() for char in label) or not _NO_COMPANY.isdisjoint(parts):
        return None
    spelled = _spelled_words(f"{person}\n{letter[:_MAX_SPELLED_CHARS]}", label)
    # Hyphens say where words end; what stands between them is one.
    words = parts if len(parts) > 1 else _cut(label, spelled.keys())
    own = squeezed(person)
    if all(word in own for word in words):
        return None
    return " ".join([_written(word, spelled.get(word), is_first=not index) for index, word in enumerate(words)])


def _spelled_words(text: str, label: str) -> dict[str, str]:
    """Return the words of a text that the label holds, as it writes them: each as the text spells it."""
    found: dict[str, str] = {}
    for word in set(_SPELLED_WORD.findall(text)):
        short = word.lower() if word.isascii() else squeezed(word)
        if short in label:
            found[short] = max(word, found.get(short, ""))  # with its accents, where somebody writes them
    return found


def _readable(label: str) -> str:
    if label.startswith("xn--"):
        try:
            return idna.decode(label)
        except (idna.IDNAError, UnicodeError):
            return ""
    return label


def _written(word: str, spelled: str | None, *, is_first: bool) -> str:
    if word in _JOINS and not is_first:
        return word
    if spelled is not None:
        is_short_form = spelled.isupper() and len(spelled) <= _LETTERS_OF_A_SHORT_FORM
        return spelled if is_short_form else spelled.capitalize()
    is_short_form = len(word) <= _LETTERS_OF_A_SHORT_FORM and commonness_of(word) is None
    return word.upper() if is_short_form else word.capitalize()


def _cut(label: str, spelled: Container[str]) -> list[str]:
    """Return the words of a label: the cheapest row of known words, spelled words and what is neither."""
    words = _known_words(label)
    ways: list[tuple[float, int] | None] = [(0.0, 0)]  # at each letter: the cost up to there, where the last word began
    for end in range(1, len(label) + 1):
        best: tuple[float, int] | None = None
        for start in range(end):
            way = ways[start]
            if way is None:
                continue
            cost = words.get((start, end))
            length = end - start
            if length >= SHORTEST_WORD and label[start:end] in spelled:
                cost = _SPELLED
            elif cost is None and length >= _SHORTEST_UNKNOWN:
                cost = _UNKNOWN + _UNKNOWN_LETTER * length
            if cost is not None and (best is None or way[0] + cost < best[0]):
                best = (way[0] + cost, start)
        ways.append(best)
    found: list[str] = []
    end = len(label)
    while end:
        way = ways[end]
        if way is None:
            return [label]  # shorter than any word
        found.append(label[way[1] : end])
        end = way[1]
    return found[::-1]


@lru_cache(maxsize=1024)
def _known_words(label: str) -> dict[tuple[int, int], float]:
    """Return what each known word of a label costs, by its first letter and the one behind it."""
    found: dict[tuple[int, int], float] = {}
    for start in range(len(label) - 1):
        for end in range(start + 2, min(start + LONGEST_WORD, len(label)) + 1):
            word = label[start:end]
            if word in _JOINS and start and end < len(label):
                found[start, end] = _JOINING
            elif (commonness := commonness_of(word)) is not None:
                short = _SHORT_WORD.get(len(word), 0.0)
                found[start, end] = max(_RAREST_WORD - _A_STEP * commonness, _COMMON_WORD) + short
    return found


@cache
def _tables() -> dict[int, str]:
    raw = files("classifiers").joinpath("data/domain_words.json").read_text(encoding="ascii")
    return {int(length): words for length, words in json.loads(raw).items()}


def commonness_of(word: str) -> int | None:
    """Return how common a word is (0 to 9), None of no word; it is written as domains write it."""
    length = len(word)
    table = _tables().get(length, "")
    width = length + 1
    at = width * bisect_left(
        range(len(table) // width), word, key=lambda place: table[place * width : (place + 1) * width - 1]
    )
    return int(table[at + length]) if word and table[at : at + length] == word else None
