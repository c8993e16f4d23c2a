# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the contact block at the end of a letter begins."""

import re
from enum import Enum
from functools import lru_cache

from classifiers.phones import western_digits
from classifiers.tables import PatternSet, any_of, linear, read_table

_MAX_BLOCK_LINES = 16
_MAX_LINE_CHARS = 110
_MAX_LONE_CHARS = 60
_NUMBERS = re.compile(r"(?:\b(?:tel|t|m|ph|mob|cell)[.:]*)?\s*\+?\(?\d[\d ().\-/\u2010-\u2013]{5,}", re.IGNORECASE)

_WORDS = read_table("frames")
_CLOSINGS = frozenset(word.lower() for word in _WORDS["closing"])
_LONG_CLOSINGS = tuple(sorted(word for word in _CLOSINGS if len(word) > 3))
_LONG_CLOSING_STARTS = frozenset(word[:4] for word in _LONG_CLOSINGS)
_DELIMITER = linear(r"[ \t]*(?:--|—|__+|--+|==+|\*\*+|~~+|──+)[ \t]*")
_DIGIT_RUN = re.compile(r"\d[\d ().\-/\u2010-\u2013]{5,40}\d")
_LEAST_DIGITS = 7
_NUMBER = frozenset(["contact"])
_NUMBER_AT_END = frozenset(["contact", "phone-at-end"])
_NAME_WORD = re.compile(r"[^\W\d_]+")
_NAME_PARTS = re.compile(r"[ ]*(?:, | [–—-] |[|·،、　])[ ]*")
_MAX_NAME_CHARS = 70
_MAX_ROLE_WORDS = 5
_MAX_NAMED_LINES = 10
_MAX_SENTENCES_BELOW = 3
_POSTSCRIPT = re.compile(r"p\.? ?s\b|p\.d\.|nb\b|附|追記|추신|з\.ы", re.IGNORECASE)
_MAX_NAMED_CHARS = 70
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u9fff]")
_MAX_UNSPACED_CHARS = 36
_DELIMITER_SIGNS = frozenset("-—_=*~─")
_SHORT_FORMS = tuple(
    word for word in _WORDS["legal_forms"] if word.isupper() and len(word) < 4
)  # "as" is a word, "AS" a form
_LONG_FORMS = tuple(word for word in _WORDS["legal_forms"] if word[0].isascii() and word not in _SHORT_FORMS)
_LEGAL_FORM_PATTERN = (
    rf"(?:^|[\s,.(（\"«“])(?:{any_of(_SHORT_FORMS)}|(?i:{any_of(_LONG_FORMS)}))(?:$|[\s,.)\"»”|/-])|"
    rf"(?i:{any_of(word for word in _WORDS['legal_forms'] if not word[0].isascii())})"
)
_LEGAL_FORM = linear(_LEGAL_FORM_PATTERN)
_LINK = linear(r"https?://|www\.")
_SIGNS = PatternSet(
    {
        "sent-from": rf"(?i)^[ \t]*(?:{any_of(_WORDS['sent_from'])}|(?-i:Sent from [A-Z]\w{{2,20}})(?:<|[ \t]*$))|(?:gönderildi|から送信(?:しました)?|보냄)\.?[ \t]*$",
        "contact": r"(?i)[^\s@]+@[^\s@]+\.[a-z]{2,}|https?://|www\.|"
        r"^[ \t]*(?:tel|phone|mob|mobile|cell|fax|ph|t|m|f|p|e|w|e-?mail|mail|web|skype|wechat|whatsapp|whats app|wa|qq|微信|"
        r"电话|電話|手机|手機|传真|傳真|邮箱|邮编|地址|网址|住所|전화|휴대폰|팩스|тел|моб|факс|telefon|teléfono|telefone|gsm|"
        r"handy|móvil|cel|hp|โทร|đt|sđt|هاتف|جوال|تلفن|موبایل|همراه|住址|〒|add|address|adresse|dirección)"
        r"[ \t]*[.:：/]",
        "legal-form": _LEGAL_FORM_PATTERN,
        "title": rf"(?i)(?:^|[\s,/|(&.-])(?:{any_of(word for word in _WORDS['titles'] if ord(word[0]) < 0x2E80)})|"
        rf"(?:{any_of(word for word in _WORDS['titles'] if ord(word[0]) >= 0x2E80)})",
        "link": r"https?://|www\.",
        "bank": r"(?i)^[ \t]*(?:开户行|户名|账号|账户|帐号|帳號|收款|bank|beneficiary|a/c|account|swift|iban|bic)[^\n:：]{0,20}[:：]",
        "header-label": rf"(?i)^[ \t]*(?:{any_of(word for word in _WORDS['other_labels'] if len(word) > 1)})[ \t]*[:：][ \t]",
        "phone": r"\+?\d[\d ().\-/]{6,}",
        "bullet": r"^[ \t]*(?:[-*•·–■◆●▪▶►▸※【]|\d{1,2}[.)、])[ \t]*\S",
    }
)
_ENDS_SENTENCE = (".", "?", "!", "。", "？", "！", "…", ";", "؟", "।")
_ENDS_WIDE_SENTENCE = frozenset("。？！؟।")
_ENDS_CLAUSE = (":", "：", ",", "，", "、", "،")


class _Line(Enum):
    BLANK = 0
    CLOSING = 1
    STRONG = 2  # phone, address, company, title
    SHORT = 3  # may be a name
    SENTENCE = 4
    SENT_FROM = 5


def is_closing(line: str) -> bool:
    """Is it a closing formula ("Best regards,", "此致", "Saludos")?"""
    bare = line.strip().strip(",.!;:，。！~ *_").lower()
    if not bare or len(bare) > 60:
        return False
    if bare in _CLOSINGS:
        return True
    return (
        bare[:4] in _LONG_CLOSING_STARTS
        and len(bare) < 45
        and bare.startswith(_LONG_CLOSINGS)
        and len(bare.split()) <= 5
    )


def has_contact(line: str) -> bool:
    """Does the line hold a phone number, an address, a company's legal form or a job title?"""
    signs = _signs(line)
    return "contact" in signs or "legal-form" in signs or ("title" in signs and len(line) < 60)


def is_sent_from(line: str) -> bool:
    """Did a program sign ("Sent from my iPhone")?"""
    return "sent-from" in _signs(line.strip())


@lru_cache(maxsize=256)
def _signs(text: str) -> frozenset[str]:
    # The last lines are looked at more than once; closings and signatures come again in other letters.
    signs = _SIGNS.found(text)
    number = next(filter(_is_number, _DIGIT_RUN.finditer(western_digits(text))), None)
    if number is None:
        return signs
    return signs | (_NUMBER_AT_END if number.end() == len(text.rstrip()) else _NUMBER)


def _is_number(match: re.Match[str]) -> bool:
    return sum(map(str.isdigit, match[0])) >= _LEAST_DIGITS


def signature_start(lines: list[str], writer: str = "", *, is_robot: bool = False) -> int:
    """Return the index of the first line of the contact block, len(lines) when there is none.

    A closing formula goes with the block; a bare first name without contact stays with the letter.  `writer` is the name
    that the letter is from: where it stands above other short lines a block begins, whatever they hold.  A robot's lists of
    addresses and numbers are its letter: it signs with a closing formula or a delimiter only.
    """
    end = len(lines)
    while end and (not lines[end - 1].strip() or is_sent_from(lines[end - 1])):
        end -= 1
    sent_from = next((index for index in range(end, len(lines)) if lines[index].strip()), len(lines))
    for index in range(end - 1, max(end - 26, 0), -1):
        line = lines[index].strip()
        if line[-1:] in _DELIMITER_SIGNS and (
            lines[index].rstrip() == "--" or (index > end - 12 and _DELIMITER.fullmatch(lines[index]))
        ):
            return _with_closing(lines, index)
    start = _walk_up(lines, end)
    if is_robot and start < end and not is_closing(lines[start]):
        return sent_from
    if start == end and writer and not is_robot:
        start = _named_block(lines, end, writer)
    return start if start < end else sent_from


def _named_block(lines: list[str], end: int, writer: str) -> int:
    """Return where a block begins that holds the writer's full name and more; `end` without one.

    A sentence or two may follow: small print in words that no list has.
    """
    words = _name_words(writer)
    sentences = 0
    for index in range(end - 1, max(end - _MAX_NAMED_LINES, 0), -1) if words else ():
        line = lines[index].strip()
        if not line:
            continue
        is_unspaced = not line.isascii() and _UNSPACED.search(line) is not None
        if (
            len(line) > (_MAX_UNSPACED_CHARS if is_unspaced else _MAX_NAMED_CHARS)
            or _ends_sentence(line)
            or "。" in line
            or "bullet" in _signs(line)
        ):
            sentences += 1
            if sentences > _MAX_SENTENCES_BELOW or _POSTSCRIPT.match(line):
                return end
            continue
        if "header-label" in _signs(line):
            return end  # "To: Ann Lee" in a receipt
        found = _name_words(line)
        if not words <= found and not (len(words) == 1 and is_unspaced and next(iter(words)) in line):
            continue
        below = next((lines[i].strip() for i in range(index + 1, end) if lines[i].strip()), "")
        if len(found) == len(words) and (not below or _kind(below) is _Line.SENTENCE):
            return end  # nothing but the name, or a postscript below it
        start = index
        while start > 1 and lines[start - 1].strip() and _kind(lines[start - 1]) is _Line.STRONG:
            start -= 1  # "Acme Ltd" above the name
        return _with_closing(lines, start)
    return end


def name_line(lines: list[str], writer: str) -> int:
    """Return the index among the last lines that holds the writer's full name and nothing else, len(lines) without one."""
    words = _name_words(writer)
    for index in range(len(lines) - 2, max(len(lines) - _MAX_NAMED_LINES, 0), -1) if words else ():
        line = lines[index].strip()
        if len(line) <= _MAX_NAMED_CHARS and words == _name_words(line):
            return index
    return len(lines)


def _name_words(name: str) -> frozenset[str]:
    """Return a name's words without titles; one word, unless of a script without spaces, is no full name."""
    words = frozenset(word for word in _NAME_WORD.findall(name.lower()) if len(word) > 1)
    is_full = len(words) > 1 or any("\u2e80" <= char <= "\uffdc" for char in name)
    return words if is_full else frozenset()


def _with_closing(lines: list[str], start: int) -> int:
    above = start - 1
    while above > 0 and not lines[above].strip():
        above -= 1
    return above if above > 0 and is_closing(lines[above]) else start


def _walk_up(lines: list[str], end: int) -> int:
    """Climb from the last line while the lines look like a contact block; return where it starts, `end` without one."""
    start = end
    strong = seen = names = 0
    crossed_blank = False
    is_loose = False
    is_spaced: bool | None = None  # not looked at yet
    top = next((index for index in range(end) if lines[index].strip()), end)  # is never its signature
    for index in range(end - 1, top, -1):
        kind = _kind(lines[index])
        if kind is _Line.BLANK:
            if is_spaced is None:
                is_spaced = _is_double_spaced(lines[:end])
            crossed_blank = not is_spaced
            continue
        if kind is _Line.CLOSING:
            return _first_closing(lines, index) if strong or names > 1 else end
        if kind is _Line.SENTENCE or seen >= _MAX_BLOCK_LINES:
            break
        if kind is _Line.SHORT:
            is_name = _is_name_like(lines[index])
            if not is_name and (crossed_blank or not _is_address_like(lines[index])):
                if crossed_blank or not strong or len(lines[index].split()) > _MAX_ROLE_WORDS:
                    break
                is_loose = True  # "assistant to the general, Acme": what a line is for, in small letters
            if crossed_blank and names and strong:
                break  # the block has its name already: this is the letter's last short line
            if crossed_blank and seen and not strong:
                break
            names += is_name
        seen += 1
        strong += kind is _Line.STRONG
        start = index
        crossed_blank = False
    is_apart = not lines[start - 1].strip() or _ends_sentence(lines[start - 1].strip())
    is_block = (
        (strong and seen > 1 and (names or any(_names_somebody(line) for line in lines[start:end])))
        or (strong and seen == 1 and _is_whole_block(lines[start].strip(), is_apart=is_apart))
        or (names > 1 and is_apart)
    )
    return start if is_block and (is_apart or not is_loose) else end


def _first_closing(lines: list[str], index: int) -> int:
    """Return the first of several closing lines ("此致" above "敬礼")."""
    while index > 1 and is_closing(lines[index - 1]):
        index -= 1
    return index


def _is_double_spaced(lines: list[str]) -> bool:
    """Does a blank line follow every line, as HTML written with one <p> a line gives?"""
    for above, below in zip(lines[-12:], lines[-11:], strict=False):
        if above.strip() and below.strip():
            return False
    return sum(not line.strip() for line in lines) > 3


def _names_somebody(line: str) -> bool:
    """Does the line hold a company, a title, or a name beside a number?"""
    signs = _signs(line.strip())
    return "legal-form" in signs or "title" in signs or _is_name_like(_NUMBERS.sub("", line)) or " | " in line


def _is_whole_block(line: str, *, is_apart: bool) -> bool:
    """Is the line a contact block by itself?"""
    if _LEGAL_FORM.search(line) or any(mark in line for mark in (" / ", " | ", " · ", " - ", " – ")):
        return True
    if not is_apart or len(line) > _MAX_LONE_CHARS:
        return False
    signs = _signs(line)
    rest = _NUMBERS.sub("", line)
    if "phone-at-end" in signs:  # "Acme Tools 0933-728-105"
        return bool(rest.strip()) and len(rest.split()) <= 6 and _is_name_like(rest)
    name, _, title = line.partition(",")
    return "title" in signs and bool(title) and len(name.split()) in (2, 3) and _is_name_like(name)


def _kind(line: str) -> _Line:
    text = line.strip()
    if not text:
        return _Line.BLANK
    if is_closing(text):
        return _Line.CLOSING
    if len(text) > _MAX_LINE_CHARS:
        return _Line.SENTENCE
    signs = _signs(text)
    if "sent-from" in signs:
        return _Line.STRONG
    if "bank" in signs or "header-label" in signs or text[-1] in _ENDS_WIDE_SENTENCE:
        return _Line.SENTENCE
    is_unspaced = not text.isascii() and _UNSPACED.search(text) is not None
    if "contact" in signs:
        is_sentence = (
            len(text.split()) > 14
            or (_ends_sentence(text) and not text[-2:-1].isdigit())
            or "다. " in text
            or "요. " in text
            or (is_unspaced and len(_NUMBERS.sub("", text)) > _MAX_UNSPACED_CHARS and not _LEGAL_FORM.search(text))
            or ("link" in signs and "phone" not in signs and _is_sentence_with_link(text))
        )
        return _Line.SENTENCE if is_sentence else _Line.STRONG
    if "bullet" in signs or _ends_sentence(text) or (text.endswith(_ENDS_CLAUSE) and len(text) > 25):
        return _Line.SENTENCE
    is_contact = "legal-form" in signs or ("title" in signs and len(text) < 60) or " | " in text
    if is_unspaced and (len(text) > _MAX_UNSPACED_CHARS or "，" in text or "、" in text):
        is_contact = False
    return _Line.STRONG if is_contact and len(text) <= 80 else _Line.SHORT


def _ends_sentence(text: str) -> bool:
    if not text.endswith(_ENDS_SENTENCE) or (len(text) < 8 and text.endswith(".")):
        return False
    # "Müdür Yrd.", "Acme Co., Ltd.": an abbreviation ends no sentence.
    last = text.split()[-1]
    is_abbreviation = (len(last) <= 5 and last[:1].isupper()) or "." in last[:-1] or _LEGAL_FORM.search(text[-14:])
    return not (text.endswith(".") and is_abbreviation)


def _is_sentence_with_link(text: str) -> bool:
    link = _LINK.search(text)
    return link is not None and len(text[: link.start()].split()) > 2


def _is_address_like(line: str) -> bool:
    """Could the line be a postal address: a number, words with capitals (or of a script without), no sentence?"""
    text = line.strip()
    if len(text) > 90 or not any(char.isdecimal() for char in text) or _ends_sentence(text):
        return False
    words = [word for word in text.split() if word[:1].isalpha()]
    return sum(not word[:1].islower() for word in words) * 2 >= len(words)


def _is_name_like(line: str) -> bool:
    """Could the line be a name, a company, a city, a slogan: short, without digits, words that begin with a capital?"""
    text = line.strip().strip("*_,.-–—|")
    if not text or text.endswith(_ENDS_SENTENCE) or "?" in text or "？" in text or len(text) > _MAX_NAME_CHARS:
        return False
    return all(_is_name(part) for part in _NAME_PARTS.split(text))


def _is_name(text: str) -> bool:
    words = text.split()
    if not words or len(words) > 6:
        return False
    first = text[:1]
    if first.islower():
        return False
    is_cased = first.upper() != first.lower()
    if is_cased:
        return sum(word[:1].isupper() for word in words) * 2 >= len(words)
    return len(text) <= (24 if any("\u3040" <= char <= "\uffdc" for char in text) else 50)
