# SPDX-License-Identifier: GPL-3.0-or-later
"""Telephone numbers in running text: which they are, and whose country they name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber

_MAX_NUMBERS = 6
# Arabic, Persian, Devanagari, Thai and full-width digits are digits too.
_DIGITS = {ord(char): str(value) for zero in "٠۰०๐０" for value in range(10) for char in chr(ord(zero) + value)}
_OTHER_DIGIT = re.compile(f"[{''.join(map(chr, _DIGITS))}]")
_DIGIT_RUN = r"\d[\d ().\-/–]{5,22}\d"
_CORE = re.compile(_DIGIT_RUN)  # begins with a digit: found five times as fast
_CANDIDATE = re.compile(rf"(?:\+|\b00|＋)?\(?{_DIGIT_RUN}")
_BEFORE_CORE = 3  # "00("
_LABEL = re.compile(
    r"(?:tel|phone|ph|mob|mobile|cell|whats ?app|wa|hp|handy|gsm|t|m|p|móvil|celular|cel|fono|telefon|telefono|teléfono|"
    r"telefone|tél|тел|моб|电话|電話|手机|手機|微信|전화|휴대폰|연락처|โทร|đt|sđt|điện thoại|هاتف|جوال|موبايل|تلفن|موبایل|همراه|फोन|मोबाइल)"
    r"[\s.:：)]*$",
    re.IGNORECASE,
)
_FAX = re.compile(r"(?:fax|传真|傳真|факс|팩스|faks|ファックス|f)[\s.:：)]*$", re.IGNORECASE)
_NOT_PHONE = re.compile(
    r"(?:no|nr|nº|n°|ref|invoice|inv|order|po|pi|account|acct|a/c|konto|iban|cuit|rut|nit|ruc|rfc|cnpj|vat|ust|tax|инн|кпп|р/с|booking|"
    r"awb|container|serial|s/n|sn|dhl|fedex|qq|zip|plz|邮编|〒|账号|单号|#)[\s.:：]*$",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}")


_REGIONS = [
    "CN",
    "HK",
    "TW",
    "JP",
    "KR",
    "VN",
    "TH",
    "ID",
    "MY",
    "SG",
    "PH",
    "IN",
    "PK",
    "BD",
    "LK",
    "AE",
    "SA",
    "EG",
    "MA",
    "DZ",
    "TN",
    "LY",
    "IQ",
    "JO",
    "LB",
    "KW",
    "QA",
    "OM",
    "IR",
    "AF",
    "TR",
    "IL",
    "RU",
    "KZ",
    "UZ",
    "BY",
    "UA",
    "GE",
    "AZ",
    "DE",
    "AT",
    "CH",
    "FR",
    "BE",
    "NL",
    "GB",
    "IE",
    "ES",
    "PT",
    "IT",
    "PL",
    "CZ",
    "SK",
    "HU",
    "RO",
    "BG",
    "GR",
    "SE",
    "DK",
    "NO",
    "FI",
    "US",
    "CA",
    "MX",
    "BR",
    "AR",
    "CL",
    "CO",
    "PE",
    "EC",
    "VE",
    "UY",
    "BO",
    "PA",
    "CR",
    "GT",
    "DO",
    "AU",
    "NZ",
    "ZA",
    "NG",
    "KE",
    "GH",
    "ET",
    "TZ",
    "SN",
    "CI",
]


@dataclass(frozen=True, slots=True)
class Phone:
    """A valid number: E.164, its region (ISO 3166-1, "" for none), and whether the text itself gave the country code."""

    e164: str
    region: str
    is_international: bool
    position: int


def western_digits(text: str) -> str:
    """Return the text with every script's digits as 0-9."""
    return text if text.isascii() or _OTHER_DIGIT.search(text) is None else text.translate(_DIGITS)


def find_phones(text: str, region: str | None = None) -> tuple[Phone, ...]:
    """Return valid telephone numbers, in order; national ones only when a `region` says how to read them."""
    found: list[Phone] = []
    for match in _candidates(western_digits(text)[:20_000]):
        if len(found) == _MAX_NUMBERS:
            break
        before = text[max(match.start() - 16, 0) : match.start()]
        phone = _phone(match, before, region)
        if phone is not None:
            found.append(phone)
    return tuple(found)


def _candidates(text: str) -> Iterator[re.Match[str]]:
    """Yield what `_CANDIDATE.finditer` would."""
    position = 0
    while core := _CORE.search(text, position):
        match = _CANDIDATE.search(text, max(position, core.start() - _BEFORE_CORE))
        assert match is not None
        yield match
        position = match.end()


def _phone(match: re.Match[str], before: str, region: str | None) -> Phone | None:
    written = match[0].replace("＋", "+")
    is_labelled = _LABEL.search(before) is not None
    if _FAX.search(before) or (not is_labelled and _NOT_PHONE.search(before)):
        return None
    is_international = written.startswith(("+", "00"))
    if not is_international and (
        _DATE.search(written) or not (is_labelled or (region is not None and _looks_national(written)))
    ):
        return None
    if written.startswith("00"):
        written = "+" + written[2:]
    # +44 (0)20 ...: the zero in brackets is for callers inside.
    number = _read_number(written.replace("(0)", ""), region)
    if number is None and is_labelled and not is_international:
        number = _read_number("+" + re.sub(r"\D", "", written), None)  # "WhatsApp: 5491155550123"
        is_international = number is not None
    if number is None:
        return None
    e164, code = number
    return Phone(e164, code, is_international, match.start())


def _looks_national(written: str) -> bool:
    # Prices and article numbers have no leading zero, no brackets and no groups of a telephone number.
    digits = sum(char.isdigit() for char in written)
    return 7 <= digits <= 13 and (written.startswith(("0", "(")) or len(re.findall(r"[ \-.]", written)) >= 2)


@lru_cache(maxsize=4096)  # customers sign with the same number again
def _read_number(written: str, region: str | None) -> tuple[str, str] | None:
    """Return E.164 and the region ("" for none) of what may be a number."""
    try:
        number = phonenumbers.parse(written, region)
    except NumberParseException:
        return None
    code = phonenumbers.region_code_for_number(number)
    is_valid = code is not None and phonenumbers.is_valid_number_for_region(number, code)
    if not is_valid and not _is_plausible(number):
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return e164, "" if code is None or code == "001" else code


def _is_plausible(number: PhoneNumber) -> bool:
    # Reserved ranges (555) and young prefixes aren't in the tables: the length must fit then, and the country be real.
    return phonenumbers.is_possible_number(number) and len(str(number.national_number)) >= 7


def warm_regions() -> None:
    """Read the number plans of trading countries now: each costs milliseconds at its first use."""
    for region in _REGIONS:
        phonenumbers.is_valid_number(phonenumbers.parse("2125550936", region))
