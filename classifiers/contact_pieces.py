# SPDX-License-Identifier: GPL-3.0-or-later
"""The pieces of a letter that may name its writer or his company, with what is known of each.

They stand in the From field, in the contact block, in the last lines when those sign without a block, and where somebody
introduces himself ("this is Ann from Acme").
"""

import re
from dataclasses import dataclass
from itertools import islice

from classifiers.name_segments import name_parts, segments_of
from classifiers.name_shapes import LEGAL_FORMS, TRIM, UNSPACED, place_of, shape_of, squeezed, words_of
from classifiers.ranking import Features
from classifiers.signatures import is_closing, is_sent_from
from classifiers.tables import any_of, linear, read_table
from tradepost.addresses import is_free_mail
from tradepost.message import Address

_MAX_LINES = 12
_MAX_LINE_CHARS = 160
_MAX_PIECE_CHARS = 70
_MAX_PIECES = 90
_MAX_PLACE_WORDS = 3
_LEADS = frozenset(["first"])
_TAIL_CHARS = 60
_HEAD_CHARS = 240

_NAMES = read_table("names")
# A number behind a name, with its label: "Acme S.A.S. NIT 900.447.218-3", "Ann 0574-8712 3344".
_NUMBER_TAIL = re.compile(
    r"[ ,]*(?:\b[A-Za-zА-я]{1,5}[.:：]{0,2}[ ]?|[电電手][话話机機][:：]?|[(（])?[ ]?\+?\(?\d[\d ().\-/]{5,}\d.*$"
)
_QUOTED = re.compile(r"[«“„「『\"]([^«»“”„「」『』\"\n]{2,50})[»”“」』\"]")
_LABEL = re.compile(
    r"(?:联系人|聯絡人|经办人)[ ]|(?P<name>(?:full[ ]?|first[ ]?|your[ ]?|contact[ ]?|buyer[ ]?)?(?:name|contact|buyer|ansprechpartner|nombre|nome|nom|imię|ad soyad|имя|姓名|联系人|聯絡人|采购商|採購商|经办(?:律师|人)?|經辦人?|发件人|お名前|氏名|ご担当者?|担当者?|담당자?|성명|이름|họ tên|người mua|nama|ชื่อ|الاسم|نام)|"
    r"(?P<company>company(?:[ ]name)?|firma|empresa|société|azienda|bedrijf|şirket|компания|公司(?:名称|名稱)?|单位|会社名?|貴社名|회사명?|công ty|perusahaan|บริษัท|الشركة|شرکت|organi[sz]ation))[ ]?[:：][ ]*",
    re.IGNORECASE,
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
        if index + 1 < len(lines) and "title" in shape_of(lines[index + 1][1].strip(TRIM)[:_MAX_PIECE_CHARS]):
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
        words_of(writer.name),
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
            and text.strip(TRIM)
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
    segments = [(0, line)] if is_one_name else segments_of(line)
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
        for shift, part, kind in name_parts(text):
            _add(found, part, source, start + offset + shift, index, mailbox, (*place, kind))
    if len(segments) > 1 and source != "from":
        whole = line.strip(TRIM)
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
    text = text.strip(TRIM) if text[-1:] != "." else text.lstrip(TRIM)
    if not 2 <= len(text) <= _MAX_PIECE_CHARS or text in LEGAL_FORMS:
        return
    shape = shape_of(text)
    if "link" in shape or "long-digits" in shape:
        return
    features = (
        f"source={source}",
        *more,
        *shape,
        # The first piece of a block is nobody's town.
        *(
            place_of(text)
            if source != "from" and _LEADS.isdisjoint(more) and text.count(" ") < _MAX_PLACE_WORDS
            else ()
        ),
        *_likeness(text, mailbox, source),
    )
    found.append(Piece(text, source, start, line, features))


def _likeness(text: str, mailbox: _Mailbox, source: str) -> list[str]:
    """Say how a piece agrees with the From field."""
    features = []
    words = words_of(text)
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
