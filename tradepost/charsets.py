# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes into text.  A label is a claim: narrower, wrong, unknown and hostile names are all met daily, and none raises."""

import codecs
import re
from functools import lru_cache

# What people label narrower than what they send (the WHATWG Encoding Standard decides the same way).
_WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "johab": "cp949",
    "shift_jis": "cp932",
    "big5": "cp950",
    "iso2022_jp": "iso2022_jp_ext",
    "iso2022_jp_1": "iso2022_jp_ext",
    "iso2022_jp_2": "iso2022_jp_ext",
}
# Names in the wild that Python doesn't know.
_ALIASES = {
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "ks_c_5601-1989": "cp949",
    "windows-949": "cp949",
    "x-windows-949": "cp949",
    "cp-850": "cp850",
    "x-gbk": "gb18030",
    "gb_2312-80": "gb18030",
    "chinesebig5": "cp950",
    "x-sjis": "cp932",
    "x-euc-jp": "euc_jp",
    "windows-874": "cp874",
    "windows-31j": "cp932",
    "iso-8859-8-i": "iso8859-8",
    "iso-2022-jp-ms": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "macintosh": "mac-roman",
    "x-mac-roman": "mac-roman",
}
# Python also lists codecs that aren't character sets; some (punycode) are slow, some (unicode_escape) are surprising.
_FAMILIES = ("utf", "cp", "iso8859", "iso2022", "euc", "koi8", "big5", "gb", "shift_jis", "mac-", "cp", "tis", "hz",
             "kz1048", "ptcp154", "hp-roman8")  # fmt: skip
_STATEFUL = ("iso2022", "hz", "utf-7", "utf-16", "utf-32")
_MULTIBYTE = frozenset({"gb18030", "cp949", "cp950", "big5hkscs", "cp932", "euc_jp"})
_SAMPLE_BYTES = 8192
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")


@lru_cache(maxsize=256)
def codec_name(label: str) -> str:
    """Return the Python codec to use for a charset label, widened; "" when there is none."""
    name = label.strip().strip("\"'").lower()[:64]
    name = _ALIASES.get(name, name)
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError, UnicodeError):
        return ""
    found = _WIDER.get(found, found)
    return found if found.startswith(_FAMILIES) else ""


def decode_text(data: bytes, label: str = "") -> tuple[str, bool]:
    """Return the text and whether its label told the truth.  Never raises; what nobody can read becomes U+FFFD."""
    codec = codec_name(label) if label else ""
    if codec.startswith(_STATEFUL):
        return _decode_stateful(data, codec)
    if data.isascii():
        if b"\x1b" in data or (b"~{" in data and b"~}" in data):
            return _detected(data), label == ""
        return data.decode("ascii"), codec != "" or label == ""
    as_utf8 = _as_utf8(data)
    if codec == "utf-8" and as_utf8 is not None:
        return as_utf8, True
    if as_utf8 is not None and _is_surely_utf8(as_utf8, codec):
        return as_utf8, codec == ""
    if not codec or (codec == "cp1252" and _high_share(data) > 0.3):
        return _detected(data), False
    return _decode_as(data, codec)


def _decode_as(data: bytes, codec: str) -> tuple[str, bool]:
    for name in (codec, "big5hkscs") if codec == "cp950" else (codec,):
        try:
            return codecs.getincrementaldecoder(name)().decode(data), True
        except (UnicodeError, ValueError):
            continue
    if codec == "cp1252":  # five bytes are not assigned; browsers read them as C1 controls
        return data.decode("latin-1"), True
    patched = data.decode(codec, "replace")
    if patched.count("�") * 20 <= len(patched):
        return patched, False
    return _detected(data), False


def _decode_stateful(data: bytes, codec: str) -> tuple[str, bool]:
    try:
        return data.decode(codec), True
    except (UnicodeError, ValueError):
        pass
    if codec.startswith("iso2022_jp"):
        return _decode_jis(data), True
    if codec.startswith("utf-") and b"\0" not in data[:64]:
        return decode_text(data)[0], False  # a UTF-16 label on bytes without a single NUL is a lie
    return data.decode(codec, "replace"), False


def _as_utf8(data: bytes) -> str | None:
    try:  # not final: a body cut in the middle of a character is still UTF-8
        return codecs.utf_8_decode(data, "strict", False)[0]
    except UnicodeDecodeError:
        return None


def _is_surely_utf8(text: str, codec: str) -> bool:
    # Chance UTF-8 is rare in single-byte text, less so in short double-byte text.
    return sum(not char.isascii() for char in text[:200]) >= (3 if codec in _MULTIBYTE else 1)


def _high_share(data: bytes) -> float:
    sample = data[:_SAMPLE_BYTES]
    letters = sum(byte > 127 or chr(byte).isalpha() for byte in sample)
    return sum(byte > 127 for byte in sample) / max(letters, 1)


def _detected(data: bytes) -> str:
    codec = detect_codec(data)
    if codec == "iso2022_jp_ext":
        return _decode_jis(data)
    return data.decode(codec, "replace")


def detect_codec(data: bytes) -> str:
    """Guess the codec of unlabelled bytes: byte order mark, escapes, UTF-8, then what the byte pairs look like."""
    for mark, codec in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return codec
    sample = data[:_SAMPLE_BYTES]
    if sample.isascii():
        if b"\x1b$)C" in sample:
            return "iso2022_kr"
        if b"\x1b$" in sample or b"\x1b(" in sample:
            return "iso2022_jp_ext"
        return "hz" if b"~{" in sample and _decodes(sample, "hz") else "cp1252"
    if _as_utf8(sample) is not None:
        return "utf-8"
    if _high_share(sample) < 0.3:
        return "cp1252"
    return _detect_dense(sample)


def _detect_dense(sample: bytes) -> str:
    """Tell the scripts apart that are written with high bytes mostly: by where their frequent letters lie."""
    leads = [sample[position] for position in _lead_positions(sample)]
    total = max(len(leads), 1)
    if sum(0x82 <= lead <= 0x83 for lead in leads) > 0.3 * total and _decodes(sample, "cp932"):
        return "cp932"  # kana of Shift_JIS
    if sum(0xA4 <= lead <= 0xA5 for lead in leads) > 0.3 * total and _decodes(sample, "euc_jp"):
        return "euc_jp"  # kana of EUC
    if _decodes(sample, "cp950") and _has_low_trails(sample):
        return "cp950"
    if _is_single_byte(sample):
        return _detect_single_byte(sample)
    if _decodes(sample, "cp949") and sum(0xB0 <= lead <= 0xC8 for lead in leads) > 0.95 * total:
        return "cp949"  # Hangul syllables end at row C8, common Hanzi don't
    if _decodes(sample, "gb18030") and sum(0xB0 <= lead <= 0xD7 for lead in leads) > 0.6 * total:
        return "gb18030"
    return _detect_single_byte(sample)


def _is_single_byte(sample: bytes) -> bool:
    """Words in single bytes come in odd runs too, and their letters lie above C0; double bytes do neither."""
    runs = _HIGH_RUN.findall(sample)
    high = b"".join(runs)
    letters = sum(byte >= 0xC0 for byte in high)
    return letters > 0.95 * len(high) or (len(runs) > 2 and sum(len(run) % 2 for run in runs) > 0.25 * len(runs))


def _detect_single_byte(sample: bytes) -> str:
    high = [byte for byte in sample if byte > 127]
    upper_half = sum(byte >= 0xE0 for byte in high)
    lower_half = sum(0xC0 <= byte <= 0xDF for byte in high)
    if upper_half + lower_half > 0.85 * len(high):
        if lower_half > 3 * upper_half:
            return "koi8-r"  # its small letters lie where cp1251 has capitals
        return "cp1251" if upper_half > 3 * lower_half else "cp1256"
    return "gb18030" if _decodes(sample, "gb18030") else "cp1252"


def _lead_positions(sample: bytes) -> list[int]:
    positions, position = [], 0
    while position < len(sample):
        if sample[position] > 127:
            positions.append(position)
            position += 1
        position += 1
    return positions


def _has_low_trails(sample: bytes) -> bool:
    """Do second bytes lie below 7F often and between 80 and A0 never, as in Big5?  GB 2312 has neither."""
    trails = [sample[index + 1] for index in _lead_positions(sample) if index + 1 < len(sample)]
    low = sum(0x40 <= trail <= 0x7E for trail in trails)
    return low > 0.15 * len(trails) and not any(0x80 <= trail <= 0xA0 for trail in trails)


def _decodes(sample: bytes, codec: str) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(sample)
    except (UnicodeError, ValueError):
        return False
    return True


def _decode_jis(data: bytes) -> str:
    """Read ISO-2022-JP as Microsoft writes it: rows 13 and 89-92 (circled digits, ㈱) hold NEC and IBM characters."""
    pieces = data.split(b"\x1b")
    text = [pieces[0].decode("cp932", "replace")]
    for piece in pieces[1:]:
        if piece[:2] in (b"$B", b"$@"):
            text.append(_sjis_pairs(piece[2:]).decode("cp932", "replace"))
        elif piece[:2] == b"(I":
            text.append(bytes(byte | 0x80 for byte in piece[2:]).decode("cp932", "replace"))
        else:
            text.append(piece[2:].decode("cp932", "replace"))
    return "".join(text)


def _sjis_pairs(jis: bytes) -> bytes:
    sjis = bytearray()
    position = 0
    while position < len(jis):
        first = jis[position]
        if not 0x21 <= first <= 0x7E or position + 1 == len(jis):  # a line end inside: back to ASCII by itself
            sjis.append(first)
            position += 1
            continue
        second = jis[position + 1]
        sjis.append((first - 0x21) // 2 + (0x81 if first < 0x5F else 0xC1))
        sjis.append(second + (0x7E if first % 2 == 0 else 0x1F if second < 0x60 else 0x20) & 0xFF)
        position += 2
    return bytes(sjis)
