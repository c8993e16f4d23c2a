# SPDX-License-Identifier: GPL-3.0-or-later
"""The pieces of a letter that may name its writer or his company, with what is known of each.

They stand in the From field, in the contact block, in the last lines when those sign without a block, and where somebody
introduces himself ("this is Ann from Acme").
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from classifiers.numbers import WORD
from classifiers.places import countries_of_places, countries_of_towns
from classifiers.ranking import Features
from classifiers.signatures import is_closing, is_sent_from
from classifiers.tables import PatternSet, any_of, linear, read_table
from tradepost.addresses import is_free_mail
from tradepost.message import Address

_MAX_LINES = 12
_MAX_LINE_CHARS = 160
_MAX_PIECE_CHARS = 70
_MAX_PIECES = 90
_MAX_UNSPACED_TOKENS = 4
_MAX_PLACE_WORDS = 3
_LEADS = frozenset(["first"])
_TAIL_CHARS = 60
_HEAD_CHARS = 240

_WORDS = read_table("frames")
_NAMES = read_table("names")
_COMPANY_WORDS = frozenset(word for word in _NAMES["company"] if ord(word[0]) < 0x0E00)
_ROLE_WORDS = frozenset(word for word in _NAMES["role"] if ord(word[0]) < 0x0E00)
_TEAM = tuple(_NAMES["team"])
_ROLE_ENDS = tuple(_NAMES["role_ends"])
_VIETNAMESE = frozenset(_NAMES["vi"])
_TITLES = [*_WORDS["titles"], *_NAMES["titles"]]
_NO_LEGAL_FORM = frozenset(read_table("entities")["no_legal_form"])
_LEGAL = [word for word in _WORDS["legal_forms"] if word not in _NO_LEGAL_FORM] + _NAMES["legal_forms"]
_LEGAL_ALONE = frozenset(word.strip() for word in _LEGAL)
_SHORT_LEGAL = [word for word in _LEGAL if word[0].isascii() and len(word) < 4]
_LONG_LEGAL = [word for word in _LEGAL if word[0].isascii() and len(word) >= 4]
_LEGAL_PATTERN = (
    rf"(?:^|[\s,.(（\"«“])(?:{any_of(_SHORT_LEGAL)}|(?i:{any_of(_LONG_LEGAL)}))(?:$|[\s,.)\"»”|/;-])|"
    rf"(?:{any_of(word for word in _LEGAL if not word[0].isascii())})"
)
_LEGAL_TAIL = re.compile(
    r"(?:co\.?,? ?ltd|ltd|inc|llc|limited|co|lda|ltda|corp|s\.?a\.?s?|s\.?r\.?l|s\.?l|srl|plc|gmbh|bv|b\.v|a\.?ş|sas|sac|spa|s\.p\.a|eirl|cia|cía|jsc|kft|oy|ab|as|a\.s|s\.r\.o|sp\. z o\.o)\b\.?",
    re.IGNORECASE,
)
_LEGAL_END = re.compile(rf"(?:^|[\s,.]){_LEGAL_TAIL.pattern}$", re.IGNORECASE)
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
_POLITE_START = re.compile(
    rf"(?:{'|'.join(re.escape(word) for word in sorted(_NAMES['polite_before'], key=len, reverse=True))})(?:\.[ ]?|[ ]+|(?<=[\u0e00-\u0e7f]))",
    re.IGNORECASE,
)
_BEHIND = sorted(_NAMES["polite_behind"], key=len, reverse=True)
_POLITE_END = re.compile(
    rf"(?:[ ](?:{'|'.join(re.escape(word) for word in _BEHIND)})|(?:{'|'.join(re.escape(word) for word in _BEHIND if word > '⺀')}))$",
    re.IGNORECASE,
)
# A number behind a name, with its label: "Acme S.A.S. NIT 900.447.218-3", "Ann 0574-8712 3344".
_NUMBER_TAIL = re.compile(
    r"[ ,]*(?:\b[A-Za-zА-я]{1,5}[.:：]{0,2}[ ]?|[电電手][话話机機][:：]?|[(（])?[ ]?\+?\(?\d[\d ().\-/]{5,}\d.*$"
)
# What separates pieces of a line.
_SEPARATOR = re.compile(
    r"[ ]*[|｜•∙●◆■★/／;；,，、،\t][ ]*|[ ]+[·–—‒-][ ]+|[ ]*[–—][ ]*|[ ]{2,}|(?<=[\u2e80-\u9fff])-(?=[A-Za-z])|(?<=[A-Za-z])[-_](?=[\u2e80-\u9fff])|[ ]*[(（](?!pvt|pty|private|p\)|株|有|合|주|유|유한|uk\))(?=[^\d])|[ ]+@[ ]*|(?<=[^\s@])@(?=[^\s@.]+$)",
    re.IGNORECASE,
)
_TRIM = " \t*_-–—=~·•|,.;:'\"“”„‚‘’<>()（）[]【】{}#&+\u200b\u3000«»「」『』"
_QUOTED = re.compile(r"[«“„「『\"]([^«»“”„「」『』\"\n]{2,50})[»”“」』\"]")
_LABEL = re.compile(
    r"(?:联系人|聯絡人|经办人)[ ]|(?P<name>(?:full[ ]?|first[ ]?|your[ ]?|contact[ ]?|buyer[ ]?)?(?:name|contact|buyer|ansprechpartner|nombre|nome|nom|imię|ad soyad|имя|姓名|联系人|聯絡人|采购商|採購商|经办(?:律师|人)?|經辦人?|发件人|お名前|氏名|ご担当者?|担当者?|담당자?|성명|이름|họ tên|người mua|nama|ชื่อ|الاسم|نام)|"
    r"(?P<company>company(?:[ ]name)?|firma|empresa|société|azienda|bedrijf|şirket|компания|公司(?:名称|名稱)?|单位|会社名?|貴社名|회사명?|công ty|perusahaan|บริษัท|الشركة|شرکت|organi[sz]ation))[ ]?[:：][ ]*",
    re.IGNORECASE,
)
_TOKEN_GAP = re.compile(r"[ \u3000\u00a0]+")
_SCRIPTS = (
    ("han", "\u3400", "\u9fff"),
    ("kana", "\u3040", "\u30ff"),
    ("hangul", "\uac00", "\ud7a3"),
    ("thai", "\u0e00", "\u0e7f"),
    ("cyrillic", "\u0400", "\u04ff"),
    ("arabic", "\u0600", "\u06ff"),
    ("hindi", "\u0900", "\u097f"),
)
UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u9fff\uac00-\ud7a3]")
_LATIN_RUN = re.compile(
    r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff][A-Za-z\u00c0-\u024f\u1e00-\u1eff .'&-]*[A-Za-z\u00c0-\u024f\u1e00-\u1eff.]"
)
_FROM_COMPANY = re.compile(
    rf"[ ](?:{'|'.join(re.escape(word) for word in sorted(_NAMES['writes_for'], key=len, reverse=True))})[ ]+(?=[^\sa-z])"
)
_THIS_IS = linear(
    rf"(?im)(?:^|[\s,.!，。！؟])(?:{any_of(word for word in _NAMES['this_is'] if ord(word[0]) < 0x2E80)})[ ]+([^\n.,!?;，。！？()（]{{2,60}})(?:,[ ]([^\n.,!?;]{{2,40}}))?|"
    rf"(?:{any_of(word for word in _NAMES['this_is'] if ord(word[0]) >= 0x2E80)})([^\n，。！？,.!?；]{{2,24}})"
)
_JAPANESE_INTRO = re.compile(
    r"(?m)(?:^|[、。，\s])([^\s、。，]{2,18}?)(?:の([^\s、。，]{1,8}))?(?:です|と申します)[。、\n]"
)
_KOREAN_INTRO = re.compile(
    r"(?:^|[\s.,!])([가-힣A-Za-z0-9]{2,14}(?:[ ][가-힣]{2,6}){0,2})(?:입니다|이에요|예요|이라고 합니다)"
)
_CHINESE_OF = re.compile(r"^([^的]{2,14})的?([\u4e00-\u9fff]{2,4})$")
_NAME_WORD = re.compile(r"[^\W\d_]+")
_REACHABLE = re.compile(r"\+?\d[\d ().\-/]{6,}|@")


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text, where it stands (`source`: from, contact, tail, head; `start` in that source) and what is known."""

    text: str
    source: str
    start: int
    line: int
    features: Features


@dataclass(frozen=True, slots=True)
class _Mailbox:
    """What the From field tells of the writer, ready for comparing."""

    name_words: frozenset[str]
    name: str
    local: str
    stem: str
    is_free: bool
    signed: str  # contact block and last lines, in small letters


def find_pieces(writer: Address, contact: str, new_text: str) -> list[Piece]:
    """Return every piece that may be a person or a company, ninety at most."""
    mailbox = _mailbox(writer, f"{contact}\n{new_text[-_TAIL_CHARS:]}".lower())
    found: list[Piece] = []
    _add_line(found, writer.name, "from", 0, 0, 1, mailbox, ())
    lines = _lines(contact)
    for index, (start, line) in enumerate(lines):
        more = ["has-number"] if _REACHABLE.search(line) else []
        if index + 1 < len(lines) and "title" in shape_of(lines[index + 1][1].strip(_TRIM)[:_MAX_PIECE_CHARS]):
            more.append("title-below")
        _add_line(found, line, "contact", start, index, len(lines), mailbox, tuple(more))
    if not lines:
        _add_tail(found, new_text, mailbox)
        _add_head(found, new_text, mailbox)
    return found[:_MAX_PIECES]


def _mailbox(writer: Address, signed: str) -> _Mailbox:
    local, _, domain = writer.address.partition("@")
    labels = domain.split(".")
    stem = ""
    if len(labels) > 1:
        stem = labels[-3] if len(labels) > 2 and len(labels[-2]) < 4 else labels[-2]
    is_free = bool(domain) and is_free_mail(domain)
    return _Mailbox(
        _words_of(writer.name),
        writer.name.strip().lower(),
        squeezed(local),
        "" if is_free else squeezed(stem),
        is_free,
        signed,
    )


def _lines(contact: str) -> list[tuple[int, str]]:
    """Return (position, line) of the lines that may name somebody."""
    lines = []
    position = 0
    for line in contact.split("\n"):
        text = line.strip()
        if (
            text
            and len(text) <= _MAX_LINE_CHARS
            and text.strip(_TRIM)
            and not is_closing(text)
            and not is_sent_from(text)
        ):
            lines.append((position, line))
            if len(lines) == _MAX_LINES:
                break
        position += len(line) + 1
    return lines


def _add_line(
    found: list[Piece], line: str, source: str, start: int, index: int, count: int, mailbox: _Mailbox, more: Features
) -> None:
    """Add the pieces of one line: those between separators, parts of them, and the whole."""
    if not line.strip():
        return
    label = _LABEL.match(line.lstrip(" *-•"))
    if label is not None:
        cut = len(line) - len(line.lstrip(" *-•")) + label.end()
        more = (*more, f"label-{label.lastgroup or 'name'}")
        start, line = start + cut, line[cut:]
    tail = _NUMBER_TAIL.search(line)
    if tail is not None and tail.start() > 1:
        line, more = line[: tail.start()], (*more, "number-behind")
    is_one_name = source == "from" and _is_in_order_of_lists(line, mailbox)
    segments = [(0, line)] if is_one_name else _segments(line)
    for order, (offset, text) in enumerate(segments):
        at_line, at_segment = f"line={min(index, 4)}", f"segment={min(order, 2)}-of-{min(len(segments), 3)}"
        place = (
            *more,
            at_line,
            at_segment,
            f"{source}|{at_line}",
            f"{source}|{at_segment}",
            *(("title-beside",) if order + 1 < len(segments) and "title" in shape_of(segments[order + 1][1]) else ()),
            *(("title-ahead",) if order and "title" in shape_of(segments[order - 1][1]) else ()),
            *(("last-line",) if index == count - 1 else ()),
            *(("first",) if not index and not order else ()),
        )
        for shift, part, kind in _parts(text):
            _add(found, part, source, start + offset + shift, index, mailbox, (*place, kind))
    if len(segments) > 1 and source != "from":
        whole = line.strip(_TRIM)
        _add(
            found,
            whole,
            source,
            start + line.find(whole),
            index,
            mailbox,
            (*more, f"line={min(index, 4)}", f"{source}|line={min(index, 4)}", "several-segments"),
        )
    for quoted in islice(_QUOTED.finditer(line), 2):
        _add(
            found,
            quoted[1],
            source,
            start + quoted.start(1),
            index,
            mailbox,
            (*more, f"line={min(index, 4)}", f"{source}|line={min(index, 4)}", "quoted"),
        )


def _is_in_order_of_lists(name: str, mailbox: _Mailbox) -> bool:
    """Is it "Kowalski, Marek", as directories write names: the mailbox is named after what stands first?"""
    family, comma, given = name.partition(", ")
    return comma != "" and given.isalpha() and squeezed(family) in mailbox.local and squeezed(family) != ""


def _segments(line: str) -> list[tuple[int, str]]:
    """Return (offset, text) of what stands between separators; a legal form stays with the name before its comma."""
    found: list[tuple[int, str]] = []
    position = 0
    for match in (*_SEPARATOR.finditer(line), None):
        end = match.start() if match else len(line)
        raw = line[position:end]
        text = raw.strip(_TRIM)
        if text:
            offset = position + raw.find(text)
            text_end = offset + len(text)
            if found and _LEGAL_TAIL.fullmatch(text) is not None:
                offset = found.pop()[0]
            if line[text_end : text_end + 1] == "." and _LEGAL_END.search(line, offset, text_end) is not None:
                text_end += 1  # "Ltd." keeps its point
            found.append((offset, line[offset:text_end]))
        if match is None:
            break
        position = match.end()
    return found


def _parts(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (offset, text, kind) of a segment and of those of its parts that may be a name by themselves."""
    bare, cut = _without_politeness(text)
    yield cut, bare, "whole"
    if UNSPACED.search(bare):
        yield from _unspaced_parts(bare, cut)
        return
    split = _FROM_COMPANY.search(bare)
    if split is not None:
        yield cut, bare[: split.start()], "before-for"
        yield cut + split.end(), bare[split.end() :], "behind-for"
    words = bare.split(" ")
    if 1 < len(words) < 8:
        skip = 0
        while skip < len(words) - 1 and "title" in shape_of(words[skip]):
            skip += 1
        if skip:
            rest = " ".join(words[skip:])
            yield cut + len(bare) - len(rest), rest, "behind-title"


def _unspaced_parts(text: str, cut: int) -> Iterator[tuple[int, str, str]]:
    """Yield the parts of a segment in a script without spaces between words: stretches of what spaces do separate."""
    tokens: list[tuple[int, int]] = []
    position = 0
    for gap in (*_TOKEN_GAP.finditer(text), None):
        end = gap.start() if gap else len(text)
        if end > position:
            tokens.append((position, end))
        if gap is None:
            break
        position = gap.end()
    count = len(tokens)
    if count > 1:
        for first in range(min(count, 6)):
            for last in range(first, min(count, first + _MAX_UNSPACED_TOKENS)):
                if (first, last) == (0, count - 1):
                    continue
                start, end = tokens[first][0], tokens[last][1]
                kind = f"tokens-{min(first, 2)}-{min(count - 1 - last, 2)}-{last - first + 1}"
                bare, more = _without_politeness(text[start:end])
                yield cut + start + more, bare, kind
    latin = _LATIN_RUN.search(text)
    if latin is not None and len(latin[0]) < len(text):
        yield cut + latin.start(), latin[0].strip(_TRIM), "latin-run"


def _without_politeness(text: str) -> tuple[str, int]:
    """Return a name without "Mr." and the like, and how many characters were cut at its beginning."""
    cut = 0
    for _ in range(2):
        polite = _POLITE_START.match(text)
        if polite is None or len(text) - polite.end() < 2:
            break
        cut += polite.end()
        text = text[polite.end() :]
    behind = _POLITE_END.search(text)
    if behind is not None and behind.start() > 1:
        text = text[: behind.start()]
    return text if text[-1:] == "." else text.strip(_TRIM), cut


def _add_tail(found: list[Piece], new_text: str, mailbox: _Mailbox) -> None:
    """Add the letter's last lines, where they are short."""
    lines = new_text.rstrip().rsplit("\n", 3)[1:]
    position = len(new_text.rstrip())
    for back, line in enumerate(reversed(lines)):
        position -= len(line)
        text = line.strip()
        if back > 1 and not text:
            break
        if text and len(text) <= _TAIL_CHARS and not is_closing(text):
            blank = position >= 2 and not new_text[: position - 1].rsplit("\n", 1)[-1].strip()
            more = (f"back={back}", *(("blank-above",) if blank else ()))
            _add_line(found, line, "tail", position, back, len(lines), mailbox, more)
        position -= 1


def _add_head(found: list[Piece], new_text: str, mailbox: _Mailbox) -> None:
    """Add who introduces himself in the first lines."""
    head = new_text[:_HEAD_CHARS]
    for match in islice(_THIS_IS.finditer(head), 3):
        for group in (1, 2, 3):
            if match.start(group) >= 0:
                text = match.group(group)
                _add_line(found, text, "head", match.start(group), 0, 1, mailbox, ("this-is",))
                if group == 3 and (of := _CHINESE_OF.match(text)):
                    _add(found, of[1], "head", match.start(group), 0, mailbox, ("this-is", "chinese-of"))
                    _add(found, of[2], "head", match.start(group) + of.start(2), 0, mailbox, ("this-is", "chinese-who"))
    if UNSPACED.search(head):
        for pattern, name in ((_JAPANESE_INTRO, "desu"), (_KOREAN_INTRO, "imnida")):
            for intro in islice(pattern.finditer(head), 2):
                for text in filter(None, intro.groups()):
                    _add_line(found, text, "head", intro.start() + intro[0].find(text), 0, 1, mailbox, (name,))


def _add(found: list[Piece], text: str, source: str, start: int, line: int, mailbox: _Mailbox, more: Features) -> None:
    text = text.strip(_TRIM) if text[-1:] != "." else text.lstrip(_TRIM)
    if not 2 <= len(text) <= _MAX_PIECE_CHARS or text in _LEGAL_ALONE:
        return
    shape = shape_of(text)
    if "link" in shape or "long-digits" in shape:
        return
    features = (
        f"source={source}",
        *more,
        *shape,
        # The first piece of a block is nobody's town.
        *(_place(text) if source != "from" and _LEADS.isdisjoint(more) and text.count(" ") < _MAX_PLACE_WORDS else ()),
        *_likeness(text, mailbox, source),
    )
    found.append(Piece(text, source, start, line, features))


def _likeness(text: str, mailbox: _Mailbox, source: str) -> list[str]:
    """Say how a piece agrees with the From field."""
    features = []
    words = _words_of(text)
    if source != "from" and mailbox.name:
        if text.lower() == mailbox.name or (words and words == mailbox.name_words):
            features.append("is-from-name")
        elif words & mailbox.name_words:
            features.append("shares-from-name" if not words < mailbox.name_words else "part-of-from-name")
            if any(len(word) == 2 and word[1] == "." for word in text.split()):
                features.append("shortened-from-name")
        elif len(text) > 1 and text.lower() in mailbox.name:
            features.append("in-from-name")
    if source == "from":
        features.append("free-mail" if mailbox.is_free else "own-domain")
        if any(word in mailbox.signed for word in words):
            features.append("signed-in-part" if not all(word in mailbox.signed for word in words) else "signed-too")
    short = squeezed(text)
    if len(short) > 2 and (mailbox.local or mailbox.stem):
        features += _likeness_to_address(short, [word for word in map(squeezed, words) if len(word) > 2], mailbox)
    return features


def _likeness_to_address(short: str, words: list[str], mailbox: _Mailbox) -> list[str]:
    """Say how the Latin letters of a piece agree with mailbox and domain."""
    features = []
    local, stem = mailbox.local, mailbox.stem
    shared = [word in local for word in words] if local else []
    if any(shared):
        features.append("in-mailbox" if all(shared) else "partly-in-mailbox")
    if len(stem) > 2:
        if short == stem or (len(short) > 4 and short.startswith(stem) and len(stem) * 2 > len(short)):
            features.append("is-domain")
        elif len(stem) > 3 and stem in short:
            features.append("holds-domain")
        elif len(short) > 3 and short in stem:
            features.append("in-domain")
        elif any(len(word) > 3 and word in stem for word in words):
            features.append("shares-domain")
    return features


@lru_cache(maxsize=4096)
def _words_of(text: str) -> frozenset[str]:
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
    lowered = [word.strip(_TRIM).lower() for word in words]
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
    if not _COMPANY_WORDS.isdisjoint(lowered):
        features.add("company")
    if not _ROLE_WORDS.isdisjoint(lowered) or any(word.endswith(_ROLE_ENDS) for word in lowered):
        features.add("role")
    if any(word.endswith(_TEAM) for word in lowered):
        features.add("team")
    if "&" in text or "+" in text:
        features.add("ampersand")
    if "." in text and any(len(word) == 2 and word[1] == "." for word in words):
        features.add("initial")
    features.update(_family_names(text, script, lowered))
    return frozenset(features)


@lru_cache(maxsize=4096)
def _place(text: str) -> tuple[str, ...]:
    """Say whether a piece is or holds a place."""
    if next(countries_of_places(text), None) is not None:
        return ("place",)
    return ("town",) if next(countries_of_towns(text), None) is not None else ()


def _script(text: str) -> str:
    """Return the script of a piece; of several the one that says more of who writes."""
    if not text.isascii() and max(text) >= "\u0400":
        for name, first, last in _SCRIPTS:
            if any(first <= char <= last for char in text):
                return name
    return "latin" if any(char.isalpha() for char in text) else "none"


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
    return "".join([char for char in lowered if char.isascii() and char.isalnum()])
