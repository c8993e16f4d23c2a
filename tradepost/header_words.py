# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of header fields: encoded words, parameters, mailboxes, message ids, dates.  Pure, linear, never raising."""

import binascii
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from tradepost.charsets import decode_text
from tradepost.message import Address

# Everything beyond is noise or attack: a References of 16 kB holds 200 ids.
MAX_VALUE_BYTES = 16_384
MAX_ADDRESSES = 1_000
MAX_IDS = 200

_ENCODED = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN = re.compile(r"(\?=)[ \t]+(?==\?)")
_Q_BYTE = re.compile(rb"=([0-9A-Fa-f]{2})")
_PARAMETER = re.compile(r";\s*([^\s=;\"]{1,80})\s*=\s*(\"(?:[^\"\\]|\\.)*\"?|[^;]*)", re.DOTALL)
_MAILBOX_TOKEN = re.compile(
    r"\"(?:[^\"\\]|\\.)*\"?|=\?[^?\s]{1,80}\?[bBqQ]\?[^?]*\?=|<[^<>,;]*>?|\([^()]*\)?|[,;:]|[^\",;:<>(=]+|.", re.DOTALL
)
_MESSAGE_ID = re.compile(r"<([^<>]{1,998})>")
_BEFORE_AT = re.compile(r"[^\s<>()\[\],;:\"'@]+\Z")
_BEHIND_AT = re.compile(r"[^\s<>(),;:\"']+")
_MAX_BARE_LOCAL = 320  # RFC 5321, 4.5.3.1: 64 octets; looking further back would cost the square of a long line
# Line breaks would forge fields; bidi controls turn "fdp.exe" into "exe.pdf".
_CONTROLS = {code: None for code in (*range(32), 127, *range(0x80, 0xA0), *range(0x200E, 0x2010), *range(0x202A, 0x202F),
                                     *range(0x2066, 0x206A), 0x2028, 0x2029, 0xFEFF)}  # fmt: skip
_WHITE = {9: " ", 10: " ", 13: " ", 0xA0: " ", 0x3000: " "}


def decode_value(raw: bytes, charset: str = "") -> str:
    """Return a field's value as text: unfolded, raw 8-bit read as UTF-8, the body's charset or by detection.

    Encoded words are left as they are: `decode_words` comes after the structure has been read (RFC 2047, 6.2).
    """
    raw = raw[:MAX_VALUE_BYTES]
    if raw.isascii() and b"\x1b" not in raw:
        text = raw.decode("ascii")
    else:
        text = decode_text(raw, charset if b"\x1b" not in raw else "")[0]
    return text.replace("\r", "").replace("\n", "").replace("\0", "").strip(" \t")


def decode_words(value: str) -> str:
    """Decode RFC 2047 encoded words, also split inside a character, without padding or with spaces inside."""
    if "=?" not in value:
        return value
    value = _BETWEEN.sub(r"\1", value)
    out: list[str] = []
    pending: list[str] = []  # contents of adjacent words in one charset and encoding
    kind = ("", "")
    end = 0
    for match in _ENCODED.finditer(value):
        found = (match[1].partition("*")[0].lower(), match[2].lower())  # RFC 2231, 5: charset*language
        if pending and (match.start() != end or found != kind):
            out.append(_decode_run(pending, *kind))
            pending.clear()
        out.append(value[end : match.start()])
        pending.append(match[3])
        kind = found
        end = match.end()
    if pending:
        out.append(_decode_run(pending, *kind))
    out.append(value[end:])
    return "".join(out)


def _decode_run(contents: list[str], charset: str, encoding: str) -> str:
    """Decode adjacent encoded words as one: a sign may be split between them, even a base64 quantum."""
    if encoding == "q":
        return decode_text(b"".join(map(_decode_q, contents)), charset)[0]
    if any("=" in content for content in contents[:-1]):
        return decode_text(b"".join(map(_decode_b, contents)), charset)[0]
    return decode_text(_decode_b("".join(contents)), charset)[0]


def clean_line(text: str) -> str:
    """Return text fit for one line: white space collapsed, controls and bidi overrides gone."""
    return " ".join(text.translate(_WHITE).translate(_CONTROLS).split())


def _decode_b(text: str) -> bytes:
    data = text.encode("ascii", "ignore")
    data += b"=" * (-len(data.rstrip(b"=")) % 4)
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        kept = data.rstrip(b"=")
        try:
            return binascii.a2b_base64(kept[: len(kept) // 4 * 4])
        except binascii.Error:
            return b""


def _decode_q(text: str) -> bytes:
    data = text.replace("_", " ").encode("utf-8", "surrogateescape")
    return _Q_BYTE.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), data)


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Split `type/subtype; name=value` (RFC 2045, 5.1; RFC 2231, 3 and 4): lower-cased token and decoded parameters."""
    token, _, rest = value.partition(";")
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    for match in _PARAMETER.finditer(";" + rest):
        name, content = match[1].lower(), _unquote(match[2].strip())
        base, *sections = name.split("*")
        if not sections:
            plain.setdefault(base, content)
        else:
            number = (
                int(sections[0]) if sections[0].isascii() and sections[0].isdecimal() and len(sections[0]) < 4 else 0
            )
            pieces.setdefault(base, {}).setdefault(number, (name.endswith("*"), content))
    for base, numbered in pieces.items():
        plain[base] = _join_sections([numbered[number] for number in sorted(numbered)])
    return token.strip().lower(), {name: decode_words(content) for name, content in plain.items()}


def _unquote(content: str) -> str:
    if not content.startswith('"'):
        return content
    content = content[1:-1] if content.endswith('"') and len(content) > 1 else content[1:]
    # "C:\path" and "\x" are written by programs that never escape: only quote and backslash are unescaped.
    return content.replace('\\"', '"').replace("\\\\", "\\")


def _join_sections(sections: list[tuple[bool, str]]) -> str:
    charset = ""
    data = bytearray()
    for index, (is_encoded, content) in enumerate(sections):
        if is_encoded and index == 0 and content.count("'") >= 2:
            charset, _, content = content.split("'", 2)
        data += unquote_to_bytes(content) if is_encoded else content.encode("utf-8", "surrogateescape")
    return decode_text(bytes(data), charset)[0]


def parse_addresses(value: str) -> tuple[Address, ...]:
    """Return the mailboxes of an address field, in order: groups, comments, missing brackets and encoded names allowed."""
    found: list[Address] = []
    words: list[str] = []
    angle = comment = None
    for match in _MAILBOX_TOKEN.finditer(value):
        token = match[0]
        if token[0] == "<":
            angle = token.strip("<>")
        elif token[0] == "(":
            comment = token.strip("()")
        elif token == ":":
            words.clear()  # a group's name (RFC 5322, 3.4), or the "mailto" of mailto:
        elif token in ",;":
            _add_mailbox(found, words, angle, comment)
            words.clear()
            angle = comment = None
            if len(found) == MAX_ADDRESSES:
                return tuple(found)
        else:
            words.append(_unquote(token) if token[0] == '"' else token)
    _add_mailbox(found, words, angle, comment)
    return tuple(found)


def _add_mailbox(found: list[Address], words: list[str], angle: str | None, comment: str | None) -> None:
    address = _mailbox("".join(words), angle, comment)
    if address is not None:
        found.append(address)


def _mailbox(words: str, angle: str | None, comment: str | None) -> Address | None:
    name = clean_line(decode_words(words)).strip("'\" ")
    spec = decode_words(angle if angle is not None else name).strip("'\" \t").rpartition(":")[2].strip()
    if "@" in spec and not any(char.isspace() for char in spec):
        return Address(
            clean_line(spec).lower(), "" if angle is None and comment is None else name_of(name, spec, comment)
        )
    bare = _bare_address(f"{spec} {name}")
    if bare:
        return Address(clean_line(bare).strip(".").lower(), clean_line(name.replace(bare, "")))
    if not spec and not name:
        return None
    return Address(clean_line(spec).lower(), name) if angle is not None else Address("", name)


def _bare_address(text: str) -> str:
    """Return the first address that stands among other words, or ""."""
    at = text.find("@")
    while at > 0:
        start = max(0, at - _MAX_BARE_LOCAL)
        before, behind = _BEFORE_AT.search(text[start:at]), _BEHIND_AT.match(text, at + 1)
        if before and behind:
            return f"{before[0]}@{behind[0]}"
        at = text.find("@", at + 1)
    return ""


def name_of(name: str, spec: str, comment: str | None) -> str:
    """Return the display name: the phrase, else the comment, never the address again."""
    if comment and (not name or name == spec):
        return clean_line(decode_words(comment))
    return "" if name.lower() == spec.lower() else name


def parse_ids(value: str) -> tuple[str, ...]:
    """Return every `<id>` of a field, oldest first; of too many the first and the newest are kept."""
    found = tuple(f"<{''.join(match.split())}>" for match in _MESSAGE_ID.findall(value))
    found = tuple(dict.fromkeys(item for item in found if item != "<>"))
    return found if len(found) <= MAX_IDS else (found[0], *found[1 - MAX_IDS :])


def parse_id(value: str) -> str:
    """Return the Message-ID with angle brackets, also when the sender forgot them; "" when there is none."""
    ids = parse_ids(value)
    if ids:
        return ids[0]
    bare = clean_line(value).strip("<>").split(" ")[0][:998]
    return f"<{bare}>" if bare else ""


def parse_date(value: str) -> datetime | None:
    """Return the sender's clock, aware; a date without a zone (or with -0000) is taken as UTC; None for no date."""
    try:
        date = parsedate_to_datetime(value[:128])
        date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
        return date if date.utcoffset() is not None and 1970 <= date.year <= 9998 else None
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return None


def clean_filename(name: str) -> str:
    """Return a file name without folders, controls and bidi overrides, at most 200 characters, its suffix kept."""
    name = clean_line(name.replace("\\", "/").rpartition("/")[2]).strip(". ")
    if len(name) <= 200:
        return name
    stem, dot, suffix = name.rpartition(".")
    return stem[:180] + dot + suffix[:16] if dot else name[:200]
