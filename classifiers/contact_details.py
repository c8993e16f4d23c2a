# SPDX-License-Identifier: GPL-3.0-or-later
"""What a contact block says beside names: title, telephone numbers by kind, address, website, accounts of messengers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from classifiers.contact_pieces import Piece
from classifiers.name_shapes import shape_of
from classifiers.phones import find_phones
from classifiers.places import countries_of_places, countries_of_towns
from classifiers.tables import linear
from tradepost.addresses import is_free_mail

_MAX_CHARS = 4_000
_MAX_LINES = 16
_MAX_PHONES = 6
_MAX_SOCIAL = 6
_LABEL_CHARS = 28

_KINDS = (
    ("whatsapp", re.compile(r"(?i)whats ?app|вотсап|вацап|واتس|(?:^|[^\w])(?:wa|wsp|zap|wapp)\W*$")),
    ("wechat", re.compile(r"(?i)wechat|weixin|微信")),
    (
        "mobile",
        re.compile(
            r"(?i)mob(?:il|ile|iel)?\b|móvil|cell?\b|celular|cel\b|handy|gsm|cep\b|hp\b|kom\b|komórk|моб|сот|手机|手機|携帯|휴대|핸드폰|มือถือ|جوال|موبايل|موبایل|محمول|همراه|मोबाइल|di động|(?:^|[^\w])m\b\W*$"
        ),
    ),
)
_TITLE_PART = re.compile(r"[^|｜•·/,，;()（）\n–—]+")
_TITLE_TOKEN = re.compile(r"[^|｜•·/,，;()（）\n–— \u3000]+")
_UNSPACED = re.compile("[\u3040-\u9fff\uac00-\ud7a3]")
_FAX = linear(
    r"(?i)(?:fax|faks|факс|传真|傳真|팩스|ファックス|ファクス|FAX|โทรสาร|แฟกซ์|فاكس|فکس|نمابر)[^\d+(\n]{0,6}([+(]?\d[\d ().\-/]{5,24}\d)"
)
_URL = linear(
    r"(?i)(?:https?://)?((?:www\.)?[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?(?:\.[a-z0-9-]{1,40}){1,3}(?:/[^\s<>\"'）)，。]*)?)"
)
_TOP = re.compile(
    r"\.(?:com|net|org|biz|info|io|eu|shop|studio|store|online|app|asia|co|tech|[a-z]{2})(?:$|/)", re.IGNORECASE
)
_SOCIAL_SITES = (
    ("linkedin", re.compile(r"linkedin\.com/(?:in|company|pub)/([^/?\s]+)", re.IGNORECASE)),
    ("telegram", re.compile(r"(?:t\.me|telegram\.me)/([^/?\s]+)", re.IGNORECASE)),
    ("whatsapp", re.compile(r"wa\.me/(\d+)", re.IGNORECASE)),
    ("line", re.compile(r"line\.me/ti/p/([^/?\s]+)", re.IGNORECASE)),
    ("facebook", re.compile(r"(?:facebook|fb)\.com/([^/?\s]+)", re.IGNORECASE)),
    ("instagram", re.compile(r"instagram\.com/([^/?\s]+)", re.IGNORECASE)),
)
_SOCIAL = linear(
    r"(?i)(?:^|[^\pL])(?:(wechat|weixin|wx|微信号?)|(telegram|tg|тг|телеграм|телега|تلگرام|تيليجرام)|(skype|скайп)|(line(?: ?id)?|ไลน์|ไลน์ไอดี)|(kakao(?: ?talk)?|카카오톡?|카톡)|"
    r"(zalo)|(viber|вайбер)|(qq)|(instagram|ig|insta)|(linkedin))[ ]?(?:id|号|號|no\.?)?[ ]?(?:[:：/.–-]|[ ]|is )[ ]?(@?[A-Za-z0-9][A-Za-z0-9_.-]{3,40})"
)
_NETWORKS = ("wechat", "telegram", "skype", "line", "kakao", "zalo", "viber", "qq", "instagram", "linkedin")
_TELEPHONE_WORD = re.compile(r"(?i)(?:tel|phone|fax|mob|mail|e-mail|email|web|www|http|addr|whatsapp)\b")
_ADDRESS_LABEL = re.compile(
    r"(?i)^[ *]*(?:add(?:ress)?|addr|adress|adresse|anschrift|dirección|direccion|endereço|indirizzo|adres|адрес|地址|住所|주소|địa chỉ|alamat|ที่อยู่|العنوان|عنوان|آدرس|نشانی|पता)\.?[ ]?[:：][ ]*"
)
_ZIP = re.compile(r"(?<!\d)(?:\d{4,6}|\d{2}-\d{3}|\d{3}-\d{4}|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|〒)(?!\d)")
_HOUSE = re.compile(
    r"(?:^|[ ,])\d{1,5}[A-Za-z]?(?:[-/]\d{1,4})?(?:$|[ ,])|№|(?:no|nr|n°|nº|#)\.? ?\d|[\d一二三四五六七八九十]+(?:号|號|丁目|番|楼|樓|室|路)",
    re.IGNORECASE,
)
_CONTACT_LABEL = re.compile(r"(?i)^[ ]*[^\s:：]{1,14}[:：]")


@dataclass(frozen=True, slots=True)
class Detail:
    """One fact of a contact block: its kind, and where it stands in the block."""

    kind: str
    value: str
    start: int
    end: int


def find_title(contact: str, names: Sequence[Piece]) -> Detail | None:
    """Return the writer's title or department: the piece of the contact block that is one and names nobody."""
    taken = [(piece.start, piece.start + len(piece.text)) for piece in names if piece.source == "contact"]
    position = 0
    for line in contact.split("\n")[:_MAX_LINES]:
        for match in (_TITLE_TOKEN if _UNSPACED.search(line) else _TITLE_PART).finditer(line):
            text = match[0].strip(" *_-.:：")
            start = position + match.start() + match[0].find(text)
            if not 2 <= len(text) <= 60 or any(start < last and first < start + len(text) for first, last in taken):
                continue
            shape = shape_of(text)
            if "title" in shape and shape.isdisjoint(("legal", "long-digits", "link", "sentence")) and "@" not in text:
                return Detail("title", text, start, start + len(text))
        position += len(line) + 1
    return None


def find_numbers_by_kind(contact: str, region: str | None) -> list[Detail]:
    """Return the telephone numbers of a contact block in E.164, each with its kind: phone, mobile, fax, whatsapp, wechat."""
    text = contact[:_MAX_CHARS]
    found: list[Detail] = []
    for phone in find_phones(text, region, is_contact=True)[:_MAX_PHONES]:
        before = text[max(text.rfind("\n", 0, phone.position) + 1, phone.position - _LABEL_CHARS) : phone.position]
        kind = next((name for name, pattern in _KINDS if pattern.search(before)), "phone")
        found.append(Detail(kind, phone.e164, phone.position, _number_end(text, phone.position)))
    for match in islice(_FAX.finditer(text), 2):
        for phone in find_phones(match.group(1), region, is_contact=True)[:1]:
            if all(phone.e164 != other.value for other in found):
                found.append(Detail("fax", phone.e164, match.start(1), match.end(1)))
    return found


def _number_end(text: str, start: int) -> int:
    end = start
    for index in range(start, min(start + 30, len(text))):
        if text[index].isdigit():
            end = index + 1
        elif text[index] not in "+ ().-/\u2010\u2011\u2012\u2013＋":
            break
    return end


def find_website(contact: str, domain: str) -> Detail | None:
    """Return the website of a contact block; `domain` is that of the writer's address, which a website often shares."""
    text = contact[:_MAX_CHARS]
    best = None
    for match in islice(_URL.finditer(text), 12):
        name, start = match.group(1).rstrip(".,;"), match.start(1)
        before = text[max(start - 12, 0) : start]
        if (
            "@" in before[-1:]
            or text[match.end() : match.end() + 1] == "@"
            or not _TOP.search(name.split("/")[0] + "/")
        ):
            continue
        host = name.split("/")[0].lower()
        if any(pattern.search(name) for _, pattern in _SOCIAL_SITES) or is_free_mail(host.removeprefix("www.")):
            continue
        is_sure = host.startswith("www.") or "://" in before or host.removeprefix("www.") == domain
        if is_sure or (best is None and re.search(r"(?i)web|site|сайт|网址|網址|主页", before)):
            best = Detail("website", name, start, start + len(name))
            if is_sure:
                break
    return best


def find_social(contact: str) -> list[Detail]:
    """Return accounts of messengers and networks, by network."""
    text = contact[:_MAX_CHARS]
    found = list(islice(_social(text), _MAX_SOCIAL))
    unique: dict[tuple[str, str], Detail] = {}
    for detail in found:
        unique.setdefault((detail.kind, detail.value.lower()), detail)
    return list(unique.values())


def _social(text: str) -> Iterator[Detail]:
    for network, pattern in _SOCIAL_SITES:
        for match in islice(pattern.finditer(text), 2):
            yield Detail(network, match[1], match.start(1), match.end(1))
    for found in islice(_SOCIAL.finditer(text), _MAX_SOCIAL):
        network = next(name for index, name in enumerate(_NETWORKS, 1) if found.start(index) >= 0)
        account = found.group(len(_NETWORKS) + 1).rstrip(".-")
        if _TELEPHONE_WORD.match(account) or (account.isalpha() and account.islower() and network == "line"):
            continue
        start = found.start(len(_NETWORKS) + 1)
        yield Detail(network, account, start, start + len(account))


def find_address(contact: str, names: Sequence[Piece]) -> Detail | None:
    """Return the postal address: a labelled line, or lines with a street, a number or a code beside a place."""
    starts = {piece.start for piece in names if piece.source == "contact"}
    position = 0
    found: Detail | None = None
    for line in contact.split("\n")[:_MAX_LINES]:
        start, end = position, position + len(line)
        position = end + 1
        label = _ADDRESS_LABEL.match(line)
        text = line[label.end() :].strip() if label else line.strip(" *-")
        if label is not None and len(text) > 4:
            place = start + line.find(text)
            return Detail("address", text, place, place + len(text))
        is_address = (
            6 <= len(text) <= 140
            and not any(start <= name < end for name in starts)
            and "@" not in text
            and (found is not None or not _CONTACT_LABEL.match(text))
            and _is_address(text)
        )
        if is_address:
            place = start + line.find(text)
            if found is None:
                found = Detail("address", text, place, place + len(text))
            elif contact[found.end : place].strip() == "":
                found = Detail("address", f"{found.value}, {text}", found.start, place + len(text))
        elif found is not None:
            break
    return found


def _is_address(text: str) -> bool:
    if _ZIP.search(text) is None and _HOUSE.search(text) is None:
        return False
    shape = shape_of(text[:70])
    if not shape.isdisjoint(("link", "contact-label", "title")) or ("long-digits" in shape and not _ZIP.search(text)):
        return False
    return (
        "street" in shape
        or next(countries_of_places(text), None) is not None
        or next(countries_of_towns(text), None) is not None
    )
