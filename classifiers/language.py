# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of the newly written text: script first, then letters and small words, then a statistical model."""

import re
from collections import Counter
from functools import lru_cache

from classifiers.latin_languages import LatinLanguages
from classifiers.tables import read_table

MAX_CHARS = 700  # more words don't make it surer

_TABLE = read_table("language")
# Languages written with Latin letters in which traders write.
_LATIN: tuple[str, ...] = tuple(_TABLE["small_words"])

_SCRIPTS = {
    "han": re.compile("[\u3400-\u4dbf\u4e00-\u9fff]"),
    "kana": re.compile("[\u3041-\u30ff\uff66-\uff9d]"),
    "hangul": re.compile("[\u1100-\u11ff\uac00-\ud7a3]"),
    "cyrillic": re.compile("[\u0400-\u04ff]"),
    "arabic": re.compile("[\u0620-\u064a\u066e-\u06d3\u06fa-\u06ff]"),
    "thai": re.compile("[\u0e01-\u0e4e]"),
    "devanagari": re.compile("[\u0900-\u097f]"),
    "greek": re.compile("[\u0370-\u03ff]"),
    "hebrew": re.compile("[\u05d0-\u05ea]"),
    "bengali": re.compile("[\u0980-\u09ff]"),
    "tamil": re.compile("[\u0b80-\u0bff]"),
    "georgian": re.compile("[\u10a0-\u10ff]"),
    "armenian": re.compile("[\u0530-\u058f]"),
    "khmer": re.compile("[\u1780-\u17ff]"),
    "burmese": re.compile("[\u1000-\u109f]"),
    "lao": re.compile("[\u0e80-\u0eff]"),
}
_SINGLE = {"thai": "th", "devanagari": "hi", "greek": "el", "hebrew": "he", "bengali": "bn", "tamil": "ta", "georgian": "ka",
           "armenian": "hy", "khmer": "km", "burmese": "my", "lao": "lo", "hangul": "ko"}  # fmt: skip
_FIRST_OTHER = "\u0370"  # the scripts above stand behind Latin
# One sign of these says as much as so many Latin letters.
_WEIGHT = {"han": 2.5, "kana": 1.5, "hangul": 2.0}
_LATIN_WORD = re.compile(r"[^\W\d_]{2,}")
# Small word or letter -> every language that uses it.
_LANGUAGES_OF: dict[str, list[str]] = {}
_LANGUAGES_WITH: dict[str, list[str]] = {}
for _code, _small in _TABLE["small_words"].items():
    for _word in dict.fromkeys(_small.split()):
        _LANGUAGES_OF.setdefault(_word, []).append(_code)
for _code, _own in _TABLE["letters"].items():
    for _letter in _own:
        _LANGUAGES_WITH.setdefault(_letter, []).append(_code)
_NO_VOTES = dict.fromkeys(_LATIN, 0)
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_REPLY_PREFIXES = re.compile(r"^(?:\s*[^\W\d_]{1,4}\s?:)+")
_ROMANISED = "hi"  # typed with Latin letters as often as not
_FEW_WORDS = 4
_MANY_WORDS = 8
_NOISE_SIGNS = frozenset("@/0123456789")


class LanguageReader:
    """Holds the loaded model.  Pure and thread-safe once built."""

    def __init__(self) -> None:
        self._latin = LatinLanguages()

    def read(self, text: str, hint: str = "") -> str | None:
        """Return ISO 639-1, or None when nobody can tell.  `hint` (the subject) is looked at when the text is short."""
        language, is_sure = self._read(text)
        if is_sure or not hint:
            return language
        together, is_sure = self._read(f"{text}\n{_REPLY_PREFIXES.sub('', hint)}")
        return together if is_sure or language is None else language

    def _read(self, text: str) -> tuple[str | None, bool]:
        """Return the language and whether it's sure."""
        sample = text[:MAX_CHARS]
        if not _NOISE_SIGNS.isdisjoint(sample):
            words = sample.split()
            sample = " ".join([word for word in words if not word.isascii() or _NOISE_SIGNS.isdisjoint(word)])
        if sample.isascii() or max(sample) < _FIRST_OTHER:
            return self._read_latin(sample)
        # Few different signs make a text.
        found: dict[str, int] = {}
        for sign, often in Counter(sample).items():
            if sign >= _FIRST_OTHER and (name := _script_of(sign)) is not None:
                found[name] = found.get(name, 0) + often
        counts = {name: found[name] * _WEIGHT.get(name, 1.0) for name in _SCRIPTS if name in found}
        if not counts:
            return self._read_latin(sample)
        letters = sum(len(word) for word in _LATIN_WORD.findall(sample))
        latin = letters - sum(count / _WEIGHT.get(name, 1.0) for name, count in counts.items())
        script = max(counts, key=counts.__getitem__)
        cjk = counts.get("han", 0.0) + counts.get("kana", 0.0)
        if cjk > counts[script]:
            script = "han"
        # Product names and order numbers are Latin everywhere: the other script needs only a third.
        if max(counts[script], cjk if script in ("han", "kana") else 0.0) < max(latin * 0.35, 2):
            return self._read_latin(sample)
        if script in ("han", "kana"):
            return ("ja" if counts.get("kana", 0.0) > 0.08 * cjk else "zh"), True
        if script == "cyrillic":
            return _cyrillic(sample), True
        return (_arabic(sample) if script == "arabic" else _SINGLE[script]), True

    def _read_latin(self, text: str) -> tuple[str | None, bool]:
        words = _LATIN_WORD.findall(text.lower())
        if not words:
            return None, False
        votes = _NO_VOTES.copy()
        for word in words:
            if word in _LANGUAGES_OF:
                for code in _LANGUAGES_OF[word]:
                    votes[code] += 1
        if not text.isascii():
            for code, letters in _count_letters(text.lower()).items():
                votes[code] += min(letters, 6)
        best = max(votes, key=votes.__getitem__)
        most = votes[best]
        second = sorted(votes.values())[-2]
        hindi = votes[_ROMANISED]
        if hindi >= _FEW_WORDS and hindi >= 0.7 * most:
            return _ROMANISED, True  # half of its words are English
        if most >= 2 and most >= 1.6 * second + 1:
            return best, True
        guess, confidence = self._latin.read(" ".join(words))
        if len(words) < 3 and most == 0:
            return (guess if confidence > 0.6 and len(words) > 1 else None), False
        is_sure = len(words) >= _MANY_WORDS
        if votes[guess] >= second or confidence > 0.9:
            return (guess if confidence > 0.25 or votes[guess] == most > 0 else None), is_sure
        return (best if most else None), is_sure


@lru_cache(maxsize=8_192)
def _script_of(sign: str) -> str | None:
    return next((name for name, pattern in _SCRIPTS.items() if pattern.match(sign)), None)


def _count_letters(lowered: str) -> dict[str, int]:
    """Return how many letters of the text each language has beyond the plain ones."""
    found: dict[str, int] = {}
    for letter, count in Counter(_BEYOND_ASCII.findall(lowered)).items():
        for code in _LANGUAGES_WITH.get(letter, ()):
            found[code] = found.get(code, 0) + count
    return found


_BULGARIAN = frozenset(
    ["се", "че", "са", "ще", "съм", "си", "във", "със", "който", "която", "което", "които", "това", "моля"]
)


def _cyrillic(text: str) -> str:
    lowered = text.lower()
    if (
        sum(lowered.count(letter) for letter in "әғқңөұүһ") > len(lowered) / 40
    ):  # a name in Kazakh makes no Kazakh letter
        return "kk"
    if any(letter in lowered for letter in "їєґ") or ("і" in lowered and "ы" not in lowered):
        return "uk"
    if any(letter in lowered for letter in "ђјљњћџ"):
        return "sr"
    if "ў" in lowered:
        return "be"
    is_bulgarian = not any(letter in lowered for letter in "ыэё") and (
        lowered.count("ъ") > len(lowered) / 120 or not _BULGARIAN.isdisjoint(lowered.split())
    )
    return "bg" if is_bulgarian else "ru"


def _arabic(text: str) -> str:
    if any(letter in text for letter in "ٹڈڑےں"):
        return "ur"
    persian = sum(text.count(letter) for letter in "پچژگ")
    # Old code pages write Persian with Arabic yeh and kaf; ة and ى with hamza forms are Arabic's own.
    yeh_kaf = text.count("ی") + text.count("ک")
    own = text.count("ة") + text.count("إ") + text.count("أ") + text.count("ى")
    return "fa" if persian * 3 + yeh_kaf > own else "ar"
