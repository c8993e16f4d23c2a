# SPDX-License-Identifier: GPL-3.0-or-later
"""The product a letter is about, in the sender's words."""

import re

from classifiers.deciding import without_reply_prefix
from classifiers.features import says_an_idea
from classifiers.tables import any_of, linear, read_table

_MAX_WORDS = 5
_CUE = linear(
    rf"(?im)(?:{any_of(read_table('entities')['product_cues'])})[ \t]*[:：]?[ \t]*([^\n,;.。，；?？!（(]{{3,60}})"
)
_SEGMENT = re.compile(r"\s[-–—|/·]\s|[|,，、:：;；()（）\[\]【】„“”\"]")
# "[TradePlaza]", "(no subject)": what programs set in brackets is theirs.
_BRACKETED = re.compile(r"[\[(【（][^\])】）]{0,40}[\])】）]")
_GREETING = linear(
    r"(?i)^(?:dear|hello|hi|hola|hallo|bonjour|ol[aá]|ciao|merhaba|добр|здравств|уважа|您好|你好|.{0,4}您好)"
)
# A subject of these alone names nothing.
_ROUTINE = frozenset(
    [
        "new",
        "status",
        "update",
        "news",
        "info",
        "question",
        "request",
        "document",
        "documents",
        "file",
        "files",
        "feedback",
        "test",
        "follow",
        "up",
        "regarding",
        "about",
        "subject",
        "news",
        "neu",
        "neue",
        "frage",
        "info",
        "nuevo",
        "nueva",
        "consulta",
        "solicitud",
        "novo",
        "nova",
        "nouveau",
        "nouvelle",
        "demande",
        "nuovo",
        "nuova",
        "nowe",
        "nowy",
        "yeni",
        "novye",
        "новый",
        "новая",
        "вопрос",
    ]
) | {word for words in read_table("language")["small_words"].values() for word in words.split()}
_WORD = re.compile(r"\S+")
_LETTER = re.compile(r"[^\W\d_]")


def read_product(subject: str, new_text: str, *, is_business: bool) -> str | None:
    """Return what a cue ("quotation for ...", "询价：") names, else what is left of a business subject without its
    routine words: "Re: PI EE-25 / doypack bags" is about doypack bags.
    """
    subject = without_reply_prefix(subject)
    for source in (subject, new_text[:1_500]):
        match = _CUE.search(source)
        if match is not None:
            return match.group(1).strip(" \"'“”„‚:：-–") or None
    return _rest_of_subject(subject) if is_business and "?" not in subject and "!" not in subject else None


def _rest_of_subject(subject: str) -> str | None:
    for segment in _SEGMENT.split(_BRACKETED.sub("|", subject[:200])):
        if _GREETING.search(segment.strip()):
            continue
        words = [word for word in _WORD.findall(segment) if not says_an_idea(word)]
        if len(words) <= _MAX_WORDS and any(_names_a_thing(word) for word in words):
            return " ".join(words)
    return None


def _names_a_thing(word: str) -> bool:
    has_letters = len(_LETTER.findall(word)) >= 3 and not any(char.isdigit() for char in word)
    return has_letters and word.lower() not in _ROUTINE
