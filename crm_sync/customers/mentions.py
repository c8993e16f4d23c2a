# SPDX-License-Identifier: GPL-3.0-or-later
"""Which companies' names stand in what somebody wrote, as keys: so an agent says for whom he writes.  Pure, bounded."""

import re
from collections.abc import Iterator

from crm_sync.duplicates.name_keys import company_keys, fold
from crm_sync.duplicates.romanization import has_han, to_pinyin
from tradepost.lists import read_lists

_WORDS = read_lists("parties")["writes_for_others"]
_MOST_CHARS = 4_000
_LONGEST_NAME = 7  # words
_SHORTEST_KEY = 5
_MOST_KEYS = 6_000
_LONGEST_HAN, _SHORTEST_HAN = 16, 3
_RUN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+|[^\u3400-\u4dbf\u4e00-\u9fff]+")
_AGENT = tuple(_WORDS["agent"])


def has_agent_words(text: str) -> bool:
    """Does the writer say that he writes for somebody?"""
    lowered = text[:_MOST_CHARS].lower()
    return any(word in lowered for word in _AGENT)


def agent_sentences(text: str) -> str:
    """Return the lines in which the writer says for whom he writes."""
    lines = (line for line in text[:_MOST_CHARS].split("\n"))
    return "\n".join(line for line in lines if any(word in line.lower() for word in _AGENT))


def mentioned_keys(text: str) -> set[str]:
    """Return every run of words that may be a company's name, as `name_keys` writes names; a legal form is left out."""
    keys: set[str] = set()
    for line in text[:_MOST_CHARS].split("\n"):
        for run in _RUN.findall(line):
            for key in _han_keys(run) if has_han(run) else _word_keys(run):
                keys.add(key)
                if len(keys) >= _MOST_KEYS:
                    return keys
    return keys


def _word_keys(run: str) -> Iterator[str]:
    words = fold(run).split()
    for start in range(len(words)):
        key = ""
        for word in words[start : start + _LONGEST_NAME]:
            key += word
            if len(key) >= _SHORTEST_KEY:
                yield key


def _han_keys(run: str) -> Iterator[str]:
    syllables = [to_pinyin(sign) for sign in run]
    for start in range(len(syllables)):
        for end in range(start + _SHORTEST_HAN, min(start + _LONGEST_HAN, len(syllables)) + 1):
            yield "".join(syllables[start:end])


def longest_only(keys: set[str]) -> set[str]:
    """Leave out names that stand inside another one found."""
    return {key for key in keys if not any(key != other and key in other for other in keys)}


def name_key(name: str) -> str:
    """Return the key under which a company's name is kept."""
    return company_keys(name).joined
