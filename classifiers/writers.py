# SPDX-License-Identifier: GPL-3.0-or-later
"""Who writes: the person and the company, from the contact block, the display name and the address."""

import unicodedata

from classifiers.signatures import has_contact, is_closing, is_sent_from
from classifiers.tables import any_of, linear, read_table
from tradepost.addresses import is_free_mail
from tradepost.message import Address

_MAX_NAME_CHARS = 40
_WORDS = read_table("frames")
# Words that end a company's name but also stand alone in titles and sentences prove nothing here.
_LEGAL = [word for word in _WORDS["legal_forms"] if word not in read_table("entities")["no_legal_form"]]
_LEGAL_FORM = linear(
    rf"(?:^|[\s,.(（\"«“])(?:{any_of(word for word in _LEGAL if word[0].isascii())})(?:$|[\s,.)\"»”|/;-])|"
    rf"(?:{any_of(word for word in _LEGAL if not word[0].isascii())})"
)
_FORM_TAIL = linear(r"(?i)^(?:ltd|inc|llc|limited|co|lda|corp)\b")
_POLITE = linear(r"(?i)^(?:mr|mrs|ms|miss|dr|ing|lic|arq|herr|frau|sr|sra|dipl\.?-?ing|eng|pak|bu|bapak|ibu)\.?[ ]")
_SEPARATOR = linear(r"[ ][|/·•–—-][ ]|[|｜/]|,[ ]")
_LABEL = linear(
    r"(?i)^(?:name|buyer|contact|company|firma|empresa|公司|联系人|姓名|採購商|采购商)[^\n:：]{0,12}[:：][ ]*"
)


def read_person(writer: Address, contact: str, new_text: str) -> str | None:
    """Return the writer's name: as signed when that agrees with the address, else as the address shows it."""
    signed = _signed_name(contact)
    shown = _without_title(writer.name)
    if not _is_person_name(shown):
        shown = ""
    if signed and shown:
        if _share_a_word(signed, shown):
            return max(signed, shown, key=len)
        return shown if len(shown.split()) > 1 and len(signed.split()) < 2 else signed
    if signed or shown:
        return signed or shown
    last = next((line.strip() for line in reversed(new_text.split("\n")) if line.strip()), "").strip("-–— ,.")
    return last if len(last) <= 24 and len(last.split()) <= 2 and _is_person_name(last) else None


def _signed_name(contact: str) -> str:
    for line in [line.strip().strip("*_-–— ") for line in contact.split("\n") if line.strip()][:5]:
        if not line or is_closing(line) or is_sent_from(line):
            continue
        line = _without_label(line)
        separator = _SEPARATOR.search(line)
        name = _without_title(line[: separator.start()] if separator else line)
        return name if _is_person_name(name) else ""
    return ""


def _without_label(line: str) -> str:
    label = _LABEL.search(line)
    return line[label.end() :] if label else line


def _without_title(name: str) -> str:
    name = name.strip()
    polite = _POLITE.search(name)
    return name[polite.end() :].strip() if polite else name


def _share_a_word(one: str, two: str) -> bool:
    return bool({word.strip(".,") for word in one.lower().split()} & {word.strip(".,") for word in two.lower().split()})


def _is_person_name(text: str) -> bool:
    if (
        not 2 <= len(text) <= _MAX_NAME_CHARS
        or any(char.isdigit() for char in text)
        or "@" in text
        or len(text.split()) > 5
    ):
        return False
    return not has_contact(text) and not is_closing(text) and not text[0].islower() and text[-1] not in "!?！？。:："


def read_company(writer: Address, contact: str, new_text: str) -> str | None:
    """Return the company: what has a legal form, else what the sender's domain is called after."""
    sources = (contact, writer.name, "" if contact else "\n".join(new_text.split("\n")[-3:]))
    for source in sources:
        for line in source.split("\n"):
            if len(line) < 120 and _LEGAL_FORM.search(line):
                return _company_of(line)
    domain = writer.address.rpartition("@")[2]
    if not domain or is_free_mail(domain):
        return None
    return _called_like(domain, [*_pieces(contact), writer.name.strip()])


def _company_of(line: str) -> str | None:
    pieces = _pieces(line)
    for index, piece in enumerate(pieces):
        if not _LEGAL_FORM.search(piece):
            continue
        if _FORM_TAIL.search(piece) and index:  # "Acme Co., Ltd." was cut at its comma
            return f"{pieces[index - 1]}, {piece}".strip(" *_,-–—") or None
        tail = f", {pieces[index + 1]}" if index + 1 < len(pieces) and _FORM_TAIL.search(pieces[index + 1]) else ""
        return f"{piece}{tail}".strip(" *_-–—") or None
    return line.strip() or None


def _pieces(text: str) -> list[str]:
    found: list[str] = []
    for line in text.split("\n"):
        rest = _without_label(line.strip().strip("*_ "))
        while True:
            separator = _SEPARATOR.search(rest)
            if separator is None:
                break
            found.append(rest[: separator.start()].strip())
            rest = rest[separator.end() :]
        found.append(rest.strip())
    return [piece for piece in found if piece]


def _called_like(domain: str, pieces: list[str]) -> str | None:
    """Return the piece whose letters the domain name holds, or that holds the domain name."""
    stem = _squeezed(
        domain.split(".")[-3]
        if domain.count(".") > 1 and len(domain.split(".")[-2]) < 4
        else domain.split(".")[-2]
        if "." in domain
        else ""
    )
    if len(stem) < 4:
        return None
    for piece in pieces:
        squeezed = _squeezed(piece)
        if "@" in piece or "www." in piece.lower() or not 4 <= len(squeezed) <= 50:
            continue
        if stem in squeezed or (squeezed in stem and len(squeezed) * 2 > len(stem)):
            return piece
    return None


def _squeezed(text: str) -> str:
    folded = unicodedata.normalize(
        "NFKD", text.lower().replace("ı", "i").replace("ß", "ss").replace("ł", "l").replace("đ", "d")
    )
    return "".join(char for char in folded if char.isascii() and char.isalnum())
