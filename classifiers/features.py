# SPDX-License-Identifier: GPL-3.0-or-later
"""From subject, new words and attachment names to the tokens that the category model counts."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from classifiers.tables import any_of, linear_bytes, read_table

MAX_CHARS = 2_000  # what a mail is about stands at its beginning
_MAX_WORD_CHARS = 24
_STEM_CHARS = 5
_WHOLE_WORD_CHARS = 4  # a Latin stem this short must be the whole word

_UNSPACED_SIGNS = "\u0e00-\u0e7f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff"


def _letters() -> str:
    """Return the letters of the other scripts, with the marks that combine with them, as one class: of two in an
    alternation the engine tries both at every sign."""
    run = re.compile(rf"(?:(?![{_UNSPACED_SIGNS}])[^\W\d_]|[\u0300-\u036f\u064b-\u065f\u0900-\u0963])+")
    signs = "".join(map(chr, range(0x10000)))
    return "".join(f"\\u{found.start():04x}-\\u{found.end() - 1:04x}" for found in run.finditer(signs))


# Runs of scripts written without spaces, other words, numbers, and the signs that mean something.
_TOKEN = re.compile(rf"[{_UNSPACED_SIGNS}]+|[{_letters()}]+|\d[\d.,]*|[?？!！%$€¥£#]")
_UNSPACED = re.compile(rf"[{_UNSPACED_SIGNS}]")
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
                stem = _spaced(word.lower()) if _is_spaced(word) else "  ".join(_TOKEN.findall(word.lower()))
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
    words = "  ".join(_TOKEN.findall(text))
    bare = f" {words}"
    return f"{bare} " if len(words) <= _WHOLE_WORD_CHARS else bare


_IDEAS = _stem_index()
# Stems of one word, looked up by every beginning of a token; those that must be the whole token apart.
_WORD_STEMS: dict[str, tuple[str, ...]] = {}
_WHOLE_WORDS: dict[str, tuple[str, ...]] = {}
# First word of a stem of several words -> (the others, ideas), longest first; the last one may be a beginning.
_PHRASES: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
# The first word with the first sign of the second: what most words that begin a stem do not go on with.
_OPENINGS: set[tuple[str, str]] = set()
for _stem in sorted((stem for stem in _IDEAS if stem.startswith(" ")), key=len, reverse=True):
    _first, *_others = _stem.split()
    if _others:
        _PHRASES.setdefault(_first, []).append((tuple(_others), _IDEAS[_stem]))
        _OPENINGS.add((_first, _others[0][0]))
    else:
        (_WHOLE_WORDS if _stem.endswith(" ") else _WORD_STEMS)[_first] = _IDEAS[_stem]
_LONGEST_STEM = max(map(len, _WORD_STEMS))
# Scripts without capitals and mostly without spaces: their stems stand anywhere in a token.  Looked for in bytes: the
# binding counts characters from the beginning for every match in text.
_ANYWHERE = {stem.encode(): ideas for stem, ideas in _IDEAS.items() if not stem.startswith(" ")}
_STEM_ANYWHERE = linear_bytes(any_of(stem for stem in _IDEAS if not stem.startswith(" ")))
_DOCUMENT_WORDS: dict[str, list[str]] = {}
for _category, _names in _DOCUMENTS.items():
    for _name in _names:
        _DOCUMENT_WORDS.setdefault(" ".join(_FILE_WORD.findall(_name.lower())), []).append(_category)
_UNSPACED_DOCUMENT_WORDS = {
    word: categories for word, categories in _DOCUMENT_WORDS.items() if not word.isascii() and len(word) > 1
}


def document_types(filename: str) -> tuple[str, ...]:
    """Return the categories that a file name speaks for ("PO 4500.pdf" -> order), surest first."""
    stem = filename.rpartition(".")[0] or filename
    words = [word.lower() for word in _FILE_WORD.findall(stem)]
    found: dict[str, None] = {}
    for size in (3, 2, 1):
        for start in range(len(words) - size + 1):
            for category in _DOCUMENT_WORDS.get(" ".join(words[start : start + size]), ()):
                found.setdefault(category)
    if not found and not stem.isascii():
        for known, categories in _UNSPACED_DOCUMENT_WORDS.items():
            if known in stem:
                for category in categories:
                    found.setdefault(category)
    return tuple(found)


def says_an_idea(word: str) -> bool:
    """Is it a word of routine ("order", "状況", "ошибка"), not a name of a thing?"""
    tokens = _TOKEN.findall(word.lower())
    ideas: dict[str, int] = {}
    _count_phrases(tokens, ideas)
    _count_anywhere(tokens, ideas)
    return bool(ideas) or any(_known(token)[1] for token in tokens)


def count_features(subject: str, text: str, filenames: Sequence[str] = ()) -> dict[str, int]:
    """Return the features of one mail and how often each occurs."""
    features: dict[str, int] = {}
    _count_words(_TOKEN.findall(text[:MAX_CHARS].lower()), "", "", features)
    _count_words(_TOKEN.findall(subject[:300].lower()), "s:", "s", features)
    for filename in filenames[:20]:
        named = [f"f:{category}" for category in document_types(filename)[:2]]
        for feature in (*named, f"f.{filename.rpartition('.')[2].lower()[:5]}"):
            features[feature] = features.get(feature, 0) + 1
    features[f"length:{min(min(len(text), MAX_CHARS).bit_length(), 12)}"] = 1
    return features


def _count_words(tokens: list[str], before_word: str, before_idea: str, features: dict[str, int]) -> None:
    # Every word is looked at once, however often it occurs: all that is known of it is remembered between mails.
    counts = Counter(tokens)
    ideas: dict[str, int] = {}
    in_phrases = {} if _PHRASES.keys().isdisjoint(counts) else _count_phrases(tokens, ideas)
    has_others = False
    known = features.get
    for token, count in counts.items():
        # Numbers and long runs rarely come again.
        is_word = token > "9" and len(token) <= _MAX_WORD_CHARS
        words, found, is_other = _known(token) if is_word else _read_token(token)
        if before_word:
            words = tuple([before_word + word for word in words])
        for word in words:
            features[word] = known(word, 0) + count
        if found:
            _add(ideas, found, count - in_phrases.get(token, 0))
        elif is_other:
            has_others = True
    if has_others:
        _count_anywhere(tokens, ideas)
    for idea, count in ideas.items():
        features[before_idea + idea] = min(count, 4)  # four of one kind are as good as forty


def _add(ideas: dict[str, int], found: Sequence[str], count: int) -> None:
    if count:
        for idea in found:
            ideas[idea] = ideas.get(idea, 0) + count


def _count_phrases(tokens: list[str], ideas: dict[str, int]) -> dict[str, int]:
    """Count the ideas said in several words; return how often each token belongs to one."""
    taken: dict[str, int] = {}
    free = 0
    for index in [index for index, token in enumerate(tokens[:-1]) if token in _PHRASES]:
        if index < free or (tokens[index], tokens[index + 1][0]) not in _OPENINGS:
            continue
        for others, found in _PHRASES[tokens[index]]:
            end = index + 1 + len(others)
            if end <= len(tokens) and tokens[end - 1].startswith(others[-1]) and _says(tokens, index + 1, others):
                _add(ideas, found, 1)
                for said in tokens[index:end]:
                    taken[said] = taken.get(said, 0) + 1
                free = end
                break
    return taken


def _says(tokens: list[str], start: int, others: tuple[str, ...]) -> bool:
    return len(others) == 1 or tuple(tokens[start : start + len(others) - 1]) == others[:-1]


def _count_anywhere(tokens: Sequence[str], ideas: dict[str, int]) -> None:
    for stem in _STEM_ANYWHERE.texts("  ".join(tokens).encode("utf-8", "replace")):
        _add(ideas, _ANYWHERE[stem], 1)


def _read_token(token: str) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Return a token's features, the ideas it says, and whether it is of a script whose stems stand anywhere."""
    if token > "\u0590" and not "\u1e00" <= token < "\u2000":
        return _read_word(token), (), True
    return _read_word(token), _read_ideas(token), False


_known = lru_cache(maxsize=16_384)(_read_token)


def _read_ideas(token: str) -> tuple[str, ...]:
    whole = _WHOLE_WORDS.get(token, ())
    for end in range(min(len(token), _LONGEST_STEM), len(token) - 1 if whole else 0, -1):
        found = _WORD_STEMS.get(token[:end])
        if found:
            return found
    return whole


def _read_word(token: str) -> tuple[str, ...]:
    """Return a token's features: the word and its stem; pairs and triples of signs where words have no spaces."""
    first = token[0]
    if first.isalpha() and not "\u0e00" <= first <= "\u9fff":
        if "\u0600" <= first <= "\u06ff":
            token = _ARABIC_ARTICLE.sub("", token)
        word = token[:_MAX_WORD_CHARS]
        return (word, f"{token[:_STEM_CHARS]}~") if len(token) > _STEM_CHARS else (word,)
    if first in _MARKS:
        return (_MARKS[first],)
    if first.isdecimal():
        return (f"<{min(len(token), 7)}d>",)
    if _UNSPACED.match(first):
        token = token[:400]
        # Of Chinese and Japanese two signs make a word, of Thai and Khmer about five.
        sizes = (2, 3, 5) if first < "\u3005" else (2, 3)
        return tuple(token[start : start + size] for size in sizes for start in range(len(token) - size + 1))
    return (token[:_MAX_WORD_CHARS],)
