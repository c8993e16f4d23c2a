# SPDX-License-Identifier: GPL-3.0-or-later
"""From subject, new words and attachment names to the tokens that the category model counts."""

import re
from collections import Counter
from collections.abc import Sequence

from classifiers.tables import any_of, linear_bytes, read_table

MAX_CHARS = 2_000  # what a mail is about stands at its beginning
_MAX_WORD_CHARS = 24
_STEM_CHARS = 5
_WHOLE_WORD_CHARS = 4  # a Latin stem this short must be the whole word

# Runs of scripts written without spaces, other words, numbers, and the signs that mean something.
_TOKEN = re.compile(
    r"[\u0e00-\u0e7f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff]+|(?:[^\W\d_]|[\u0300-\u036f\u064b-\u065f\u0900-\u0963])+|\d[\d.,]*|[?？!！%$€¥£#]"
)
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff]")
_FILE_WORD = re.compile(r"[\u0e00-\u0e7f\u3005-\u30ff\u3400-\u9fff]+|[^\W\d_]+")
_MARKS = {"?": "<ask>", "？": "<ask>", "!": "<cry>", "！": "<cry>", "%": "<percent>", "$": "<money>", "€": "<money>",
          "¥": "<money>", "£": "<money>", "#": "<number-sign>"}  # fmt: skip
_ARABIC_ARTICLE = re.compile(r"^[وفبلك]?ال(?=.{3})|^لل(?=.{3})")

_TABLE = read_table("category")
_DOCUMENTS: dict[str, list[str]] = _TABLE["documents"]
_STEMS: dict[str, list[str]] = {category: words for category, words in _TABLE.items() if category != "documents"}


def _is_spaced(word: str) -> bool:
    """Is the word of a script whose stems stand at the beginning of a word?"""
    return all(ord(char) < 0x0590 or 0x1E00 <= ord(char) < 0x2000 for char in word if char.isalpha())


def _stem_index() -> dict[str, tuple[str, ...]]:
    """Return stem, as it is written in spaced text -> the ideas ("k:" category, "c:" concept) it stands for."""
    own: dict[str, list[str]] = {}
    for mark, table in (("k:", _STEMS), ("c:", read_table("concepts"))):
        for name, words in table.items():
            for word in words:
                stem = _spaced(word.lower()) if _is_spaced(word) else word.strip()
                ideas = own.setdefault(stem, [])
                if mark + name not in ideas:
                    ideas.append(mark + name)
    # The longest stem is the one that is found: it stands for what its beginnings stand for too.
    return {
        stem: tuple(dict.fromkeys(idea for end in range(len(stem), 0, -1) for idea in own.get(stem[:end], ())))
        for stem in own
    }


def _spaced(text: str) -> str:
    """Return words with a space before and behind each, so that a stem can begin with its own space."""
    words = "  ".join(token for token in _TOKEN.findall(text))
    bare = f" {words}"
    return f"{bare} " if len(words) <= _WHOLE_WORD_CHARS else bare


# Looked for in bytes: the binding counts characters from the beginning for every match in text.
_IDEAS = {stem.encode(): ideas for stem, ideas in _stem_index().items()}
_STEM = linear_bytes(any_of(_stem_index()))
_DOCUMENT_WORDS: dict[str, list[str]] = {}
for _category, _names in _DOCUMENTS.items():
    for _name in _names:
        _DOCUMENT_WORDS.setdefault(" ".join(_FILE_WORD.findall(_name.lower())), []).append(_category)


def document_types(filename: str) -> tuple[str, ...]:
    """Return the categories that a file name speaks for ("PO 4500.pdf" -> order), surest first."""
    stem = filename.rpartition(".")[0] or filename
    words = [word.lower() for word in _FILE_WORD.findall(stem)]
    found: dict[str, None] = {}
    for size in (3, 2, 1):
        for start in range(len(words) - size + 1):
            for category in _DOCUMENT_WORDS.get(" ".join(words[start : start + size]), ()):
                found.setdefault(category)
    if not found:
        for known, categories in _DOCUMENT_WORDS.items():
            if not known.isascii() and len(known) > 1 and known in stem:
                for category in categories:
                    found.setdefault(category)
    return tuple(found)


def find_ideas(tokens: Sequence[str]) -> Counter[str]:
    """Return how often each idea is said in a text, given as lower-case tokens."""
    padded = (" " + "  ".join(tokens) + " ").encode("utf-8", "replace")
    return Counter(idea for stem in _STEM.findall(padded) for idea in _IDEAS[stem])


def says_an_idea(word: str) -> bool:
    """Is it a word of routine ("order", "状況", "ошибка"), not a name of a thing?"""
    return bool(find_ideas(_TOKEN.findall(word.lower())))


def read_features(subject: str, text: str, filenames: Sequence[str] = ()) -> list[str]:
    """Return the tokens of one mail; their order carries nothing, repeats count."""
    words = _TOKEN.findall(text[:MAX_CHARS].lower())
    subject_words = _TOKEN.findall(subject[:300].lower())
    features = _word_features(words)
    features.extend(f"s:{feature}" for feature in _word_features(subject_words))
    for source, tokens in (("", words), ("s", subject_words)):
        for idea, count in find_ideas(tokens).items():
            features.extend([f"{source}{idea}"] * min(count, 4))  # four of one kind are as good as forty
    for filename in filenames[:20]:
        features.extend(f"f:{category}" for category in document_types(filename)[:2])
        features.append(f"f.{filename.rpartition('.')[2].lower()[:5]}")
    features.append(f"length:{min(min(len(text), MAX_CHARS).bit_length(), 12)}")
    return features


def _word_features(tokens: Sequence[str]) -> list[str]:
    features: list[str] = []
    for token in tokens:
        first = token[0]
        if first.isalpha() and not "\u0e00" <= first <= "\u9fff":
            if "\u0600" <= first <= "\u06ff":
                token = _ARABIC_ARTICLE.sub("", token)
            features.append(token[:_MAX_WORD_CHARS])
            if len(token) > _STEM_CHARS:
                features.append(f"{token[:_STEM_CHARS]}~")
        elif first in _MARKS:
            features.append(_MARKS[first])
        elif first.isdecimal():
            features.append(f"<{min(len(token), 7)}d>")
        elif _UNSPACED.match(first):
            token = token[:400]
            features.extend(token[start : start + 2] for start in range(len(token) - 1))
            features.extend(token[start : start + 3] for start in range(len(token) - 2))
        else:
            features.append(token[:_MAX_WORD_CHARS])
    return features
