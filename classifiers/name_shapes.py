# SPDX-License-Identifier: GPL-3.0-or-later
"""What a piece of text looks like that may name a person or a company, whoever wrote it."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from classifiers.numbers import WORD
from classifiers.places import countries_of_places, countries_of_towns
from classifiers.tables import PatternSet, any_of, read_table

_WORDS = read_table("frames")
_NAMES = read_table("names")
_COMPANY_WORDS = frozenset(word for word in _NAMES["company"] if ord(word[0]) < 0x0E00)
_ROLE_WORDS = frozenset(word for word in _NAMES["role"] if ord(word[0]) < 0x0E00)
_TEAM_END = re.compile(rf"(?:{'|'.join(_NAMES['team'])})(?!\w)", re.IGNORECASE)
_ROLE_END = re.compile(rf"(?:{'|'.join(_NAMES['role_ends'])})(?!\w)", re.IGNORECASE)
_VIETNAMESE = frozenset(_NAMES["vi"])
_TITLES = [*_WORDS["titles"], *_NAMES["titles"]]
_TITLE_WORDS = frozenset(_TITLES)
_NO_LEGAL_FORM = frozenset(read_table("entities")["no_legal_form"])
_LEGAL = [word for word in _WORDS["legal_forms"] if word not in _NO_LEGAL_FORM] + _NAMES["legal_forms"]
LEGAL_FORMS = frozenset(word.strip() for word in _LEGAL)
_SHORT_LEGAL = [word for word in _LEGAL if word[0].isascii() and len(word) < 4]
_LONG_LEGAL = [word for word in _LEGAL if word[0].isascii() and len(word) >= 4]
_LEGAL_PATTERN = (
    rf"(?:^|[\s,.(（\"«“])(?:{any_of(_SHORT_LEGAL)}|(?i:{any_of(_LONG_LEGAL)}))(?:$|[\s,.)\"»”|/;-])|"
    rf"(?:{any_of(word for word in _LEGAL if not word[0].isascii())})"
)
_SHAPES = PatternSet(
    {
        "legal": _LEGAL_PATTERN,
        "title": rf"(?i)(?:^|[\s,/|(&.-])(?:{any_of(word for word in _TITLES if ord(word[0]) < 0x0590)})|"
        rf"(?:{any_of(word for word in _TITLES if ord(word[0]) >= 0x0590)})",
        # Arabic companies are "for" what they trade in: "للأثاث".
        "company": rf"(?:{any_of(word for word in _NAMES['company'] if ord(word[0]) >= 0x0E00)})|[ ]لل\p{{Arabic}}{{3}}",
        "role": rf"(?:{any_of(word for word in _NAMES['role'] if ord(word[0]) >= 0x0E00)})",
        "link": r"(?i)@|https?:|www\.|\.(?:com|net|org|cn|de|eu|info|io|[a-z]{2})(?:$|[/ ])",
        "digit": r"\p{Nd}",
        "long-digits": r"\p{Nd}[\p{Nd} ().-]{5,}",
        "colon": r"[:：]",
        "contact-label": r"(?i)^(?:tel|phone|mob|fax|cell|t|m|f|e|w|e-?mail|whats ?app|wechat|skype|qq|line|kakao|zalo|viber|тел|电话|電話|手机|微信|传真|전화|โทร|هاتف|تلفن|addr\w*|adresse|dirección|地址)\.?[ ]?[:：]",
        "sentence": r"[!?！？。;；]|\.[ ]\pL|[:：]$",
        "street": r"(?i)(?:straße|strasse|str\.|street|road|avenue|ave\.|blvd|calle|rua|rue |via |viale|piazza|plaza |ul\.|ulica|sok\.|cad\.|mah\.|ул\.|просп|jalan|jl\.|đường|quận|ถนน|شارع|خیابان|बाज़ार|marg|路|街|号|號|区|區|市|省|県|町|丁目|로 |길 |동 )",
    }
)
TRIM = " \t*_-–—=~·•|,.;:'\"“”„‚‘’<>()（）[]【】{}#&+\u200b\u3000«»「」『』"
_SCRIPTS = (
    ("han", re.compile("[\u3400-\u9fff]")),
    ("kana", re.compile("[\u3040-\u30ff]")),
    ("hangul", re.compile("[\uac00-\ud7a3]")),
    ("thai", re.compile("[\u0e00-\u0e7f]")),
    ("cyrillic", re.compile("[\u0400-\u04ff]")),
    ("arabic", re.compile("[\u0600-\u06ff]")),
    ("hindi", re.compile("[\u0900-\u097f]")),
)
_LETTER = re.compile(r"[^\W\d_]")
_NOT_IN_DOMAINS = re.compile("[^a-z0-9]+")
UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u9fff\uac00-\ud7a3]")
_NAME_WORD = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=4096)
def words_of(text: str) -> frozenset[str]:
    return frozenset(
        word for word in re.findall(WORD, text.lower().replace("-", " ")) if len(word) > 1 or word > "\u2e80"
    )


@lru_cache(maxsize=4096)
def name_words(name: str) -> tuple[str, ...]:
    """Return the words of a name in small letters without accents, for comparing names."""
    plain = unicodedata.normalize("NFKD", name.lower().replace("ı", "i").replace("ł", "l"))
    return tuple(_NAME_WORD.findall("".join([char for char in plain if not unicodedata.combining(char)])))


@lru_cache(maxsize=4096)
def shape_of(text: str) -> frozenset[str]:
    """Return what a piece looks like, whoever wrote it."""
    features = set(_SHAPES.found(text))
    words = text.split()
    lowered = [word.strip(TRIM).lower() for word in words]
    script = _script(text)
    features.add(f"script={script}")
    features.add(f"{script}-words={min(len(words), 6)}")
    if script in ("han", "kana", "hangul", "thai"):
        features.add(f"{script}-chars={min(len(text.replace(' ', '')), 12)}")
    elif len(text) > 40:
        features.add("long")
    if text.isupper() and script in ("latin", "cyrillic"):
        features.add("capitals")
    elif script in ("latin", "cyrillic"):
        small = sum(word[:1].islower() for word in words)
        features.add(
            "all-words-large" if not small else "first-word-small" if words[0][:1].islower() else "some-words-small"
        )
    if lowered and lowered[-1] in _TITLE_WORDS:
        features.add("title-last")
    if not _COMPANY_WORDS.isdisjoint(lowered):
        features.add("company")
    if not _ROLE_WORDS.isdisjoint(lowered) or _ROLE_END.search(text) is not None:
        features.add("role")
    if _TEAM_END.search(text) is not None:
        features.add("team")
    if "&" in text or "+" in text:
        features.add("ampersand")
    if "." in text and any(len(word) == 2 and word[1] == "." for word in words):
        features.add("initial")
    features.update(_family_names(text, script, lowered))
    return frozenset(features)


@lru_cache(maxsize=4096)
def place_of(text: str) -> tuple[str, ...]:
    """Say whether a piece is or holds a place."""
    if next(countries_of_places(text), None) is not None:
        return ("place",)
    return ("town",) if next(countries_of_towns(text), None) is not None else ()


def _script(text: str) -> str:
    """Return the script of a piece; of several the one that says more of who writes."""
    if not text.isascii() and max(text) >= "\u0400":
        for name, letters in _SCRIPTS:
            if letters.search(text) is not None:
                return name
    return "latin" if _LETTER.search(text) is not None else "none"


def _family_names(text: str, script: str, words: list[str]) -> Iterator[str]:
    bare = text.replace(" ", "").replace("\u3000", "")
    if script == "han":
        if text[:2] in _NAMES["zh_double"]:
            yield "family-double"
        elif text[0] in _NAMES["zh"] and 2 <= len(bare) <= 3:
            yield "family-zh"
        if text[0] in _NAMES["zh_familiar_before"] and len(bare) <= 3:
            yield "familiar"
        if text.endswith(tuple(_NAMES["zh_familiar_behind"])) and len(bare) <= 5:
            yield "familiar-behind"
        if text.startswith(tuple(_NAMES["ja"])) and len(bare) <= 6:
            yield "family-ja"
    elif script == "hangul":
        if text[0] in _NAMES["ko"] and len(bare) == 3 and " " not in text:
            yield "family-ko"
    elif script == "latin" and words[0] in _VIETNAMESE and len(words) > 1:
        yield "family-vi"


@lru_cache(maxsize=4096)
def squeezed(text: str) -> str:
    """Return the Latin letters and digits of a text, without accents: what a domain name is made of."""
    lowered = text.lower()
    if not lowered.isascii():
        lowered = lowered.replace("ı", "i").replace("ß", "ss").replace("ł", "l").replace("đ", "d").replace("ø", "o")
        lowered = lowered.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue") if "ue" in lowered else lowered
        lowered = unicodedata.normalize("NFKD", lowered)
    return _NOT_IN_DOMAINS.sub("", lowered)
