# SPDX-License-Identifier: GPL-3.0-or-later
"""What traders write: addresses, phones, money, quantities, codes of goods, ports, banks, taxes.

Numbers with check digits are checked (python-stdnum); countries, currencies and languages are those of the CLDR (Babel).
"""

import re
from collections.abc import Callable
from email.errors import HeaderParseError
from email.headerregistry import Address
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import phonenumbers
from babel import Locale
from stdnum import bic, ean, iban, iso6346
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

from crm_sync.admission import InvalidValue
from crm_sync.fields.plain_types import digits, read_decimal, within
from crm_sync.fields.types import Asking, FieldType, Key, Stored, folded, quoted, text_key
from tradepost.addresses import LONGEST_ADDRESS, address_key

# Incoterms 2020, and those of 2010 and 2000 that people still write.
INCOTERMS: Final = (
    "EXW",
    "FCA",
    "FAS",
    "FOB",
    "CFR",
    "CIF",
    "CPT",
    "CIP",
    "DAP",
    "DPU",
    "DDP",
    "DAT",
    "DDU",
    "DEQ",
    "DES",
)
_NETWORKS = (
    "linkedin",
    "facebook",
    "instagram",
    "x",
    "wechat",
    "whatsapp",
    "telegram",
    "line",
    "skype",
    "vk",
    "tiktok",
)
_SOCIAL = re.compile(r"([a-z]+):\s*(\S.{0,199})")
_MONEY = re.compile(r"([A-Za-z]{3})\s*(-?[\d.,\u00a0 ]+)|(-?[\d.,\u00a0 ]+?)\s*([A-Za-z]{3})|(-?[\d.,\u00a0 ]+)")
_QUANTITY = re.compile(r"([\d.,\u00a0 ]*\d)\s*([^\d\s].{0,29})?")
_PORT = re.compile(r"([A-Z]{2})\s?([A-Z2-9]{3})")
_HS_CODE = re.compile(r"\d{4}(?:\.?\d{2}){0,3}")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_NAMES = Locale("en")
_ZONES = frozenset(available_timezones())
_LONGEST_URL, _LONGEST_LINES = 2000, 1000


def _email(raw: str, asking: Asking) -> str:
    try:
        Address(addr_spec=raw)
    except (ValueError, IndexError, HeaderParseError):
        raise InvalidValue(f"{quoted(raw)}: is no e-mail address") from None
    if "." not in raw.rpartition("@")[2] or len(raw) > LONGEST_ADDRESS:
        raise InvalidValue(f"{quoted(raw)}: is no e-mail address")
    return address_key(raw)


def _phone(raw: str, asking: Asking) -> str:
    try:
        number = phonenumbers.parse(raw[:60], asking.options.country)
    except phonenumbers.NumberParseException:
        raise InvalidValue(f"{quoted(raw)}: is no phone number; write it with its country, +86 755 ...") from None
    if not phonenumbers.is_possible_number(number):
        raise InvalidValue(f"{quoted(raw)}: is no phone number of +{number.country_code}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _show_phone(stored: Stored) -> str:
    number = phonenumbers.parse(stored)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _url(raw: str, asking: Asking) -> str:
    address = raw if "://" in raw else f"https://{raw}"
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    # Nothing but a web page: a javascript: link would run in the reader's browser.
    if (
        parts.scheme not in ("http", "https")
        or "." not in host
        or len(address) > _LONGEST_URL
        or not address.isprintable()
    ):
        raise InvalidValue(f"{quoted(raw)}: is no web address; write https://acme.example/")
    return address


def _url_key(stored: Stored) -> tuple[Key, ...]:
    return (Key(k=folded(stored.partition("://")[2].removeprefix("www.").rstrip("/"))),)


def _social(raw: str, asking: Asking) -> str:
    found = _SOCIAL.fullmatch(raw.strip())
    if found is None or found[1] not in _NETWORKS:
        raise InvalidValue(f"{quoted(raw)}: write network:name; networks are {', '.join(_NETWORKS)}")
    return f"{found[1]}:{found[2]}"


def _currency(raw: str, asking: Asking) -> str:
    code = raw.upper()
    if code not in _NAMES.currencies:
        raise InvalidValue(f"{quoted(raw)}: is no currency; write three letters as USD (ISO 4217)")
    return code


def _money(raw: str, asking: Asking) -> dict[str, str]:
    found = _MONEY.fullmatch(raw)
    code = (found and (found[1] or found[4])) or asking.options.currency
    if found is None or code is None:
        raise InvalidValue(f"{quoted(raw)}: write an amount and its currency, 12.40 USD")
    amount = within(read_decimal((found[2] or found[3] or found[5]).strip()), asking, 4)
    return {"amount": digits(amount), "currency": _currency(code, asking)}


def _show_money(stored: Stored) -> str:
    return f"{stored['amount']} {stored['currency']}"


def _money_key(stored: Stored) -> tuple[Key, ...]:
    return (Key(k=folded(stored["currency"]), n=float(stored["amount"])),)


def _quantity(raw: str, asking: Asking) -> dict[str, str]:
    found = _QUANTITY.fullmatch(raw)
    unit = (found and found[2]) or asking.options.unit or ""
    if found is None or not unit:
        raise InvalidValue(f"{quoted(raw)}: write a number and its unit, 500 pcs")
    return {"number": digits(within(read_decimal(found[1].strip()), asking, 6)), "unit": " ".join(unit.split())}


def _quantity_key(stored: Stored) -> tuple[Key, ...]:
    return (Key(k=folded(stored["unit"]), n=float(stored["number"])),)


def _country(raw: str, asking: Asking) -> str:
    code = raw.upper()
    if len(code) == 2 and code.isalpha() and code in _NAMES.territories:
        return code
    for locale in ("en", "zh"):
        for found, name in Locale(locale).territories.items():
            if len(found) == 2 and name.casefold() == raw.casefold():
                return str(found)
    raise InvalidValue(f"{quoted(raw)}: is no country; write two letters as MX (ISO 3166), or its name")


def _show_country(stored: Stored) -> str:
    return str(_NAMES.territories.get(stored, stored))


def _language(raw: str, asking: Asking) -> str:
    code = raw.lower()
    if len(code) in (2, 3) and code in _NAMES.languages:
        return code
    raise InvalidValue(f"{quoted(raw)}: is no language; write es or zh (ISO 639)")


def _show_language(stored: Stored) -> str:
    return str(_NAMES.languages.get(stored, stored))


def _time_zone(raw: str, asking: Asking) -> str:
    if raw not in _ZONES:
        raise InvalidValue(f"{quoted(raw)}: is no time zone; write America/Mexico_City")
    return raw


def _incoterm(raw: str, asking: Asking) -> dict[str, str]:
    term, _, place = " ".join(raw.split()).partition(" ")
    if term.upper() not in INCOTERMS or len(place) > 100:
        raise InvalidValue(
            f"{quoted(raw)}: write an Incoterm and a place, FOB Ningbo; there are {', '.join(INCOTERMS)}"
        )
    return {"term": term.upper(), "place": place}


def _show_incoterm(stored: Stored) -> str:
    return f"{stored['term']} {stored['place']}".rstrip()


def _incoterm_key(stored: Stored) -> tuple[Key, ...]:
    return (Key(k=folded(_show_incoterm(stored))),)


def _port(raw: str, asking: Asking) -> str:
    found = _PORT.fullmatch(raw.upper())
    if found is None or found[1] not in _NAMES.territories:
        raise InvalidValue(f"{quoted(raw)}: is no UN/LOCODE; write CNNGB or CN NGB")
    return found[1] + found[2]


def _hs_code(raw: str, asking: Asking) -> str:
    if _HS_CODE.fullmatch(raw) is None:
        raise InvalidValue(f"{quoted(raw)}: is no HS code; write 4 to 10 digits, 8413.70")
    return raw.replace(".", "")


def _show_hs_code(stored: Stored) -> str:
    return ".".join(part for part in (stored[:4], stored[4:6], stored[6:8], stored[8:]) if part)


def _checked(number: Any, what: str) -> Callable[[str, Asking], str]:
    """Return how a number of python-stdnum is read: a module with `validate`, which returns the compact form."""

    def read(raw: str, asking: Asking) -> str:
        try:
            return str(number.validate(re.sub(r"[\s-]", "", raw[:80])))
        except ValidationError as error:
            raise InvalidValue(f"{quoted(raw)}: is no {what} ({str(error).rstrip('.').lower()})") from None

    return read


def _colour(raw: str, asking: Asking) -> str:
    if _COLOUR.fullmatch(raw.lower()) is None:
        raise InvalidValue(f"{quoted(raw)}: is no colour; write #1a73e8")
    return raw.lower()


def _address(raw: str, asking: Asking) -> str:
    lines = [" ".join(line.split()) for line in raw.replace("\r\n", "\n").split("\n")]
    address = "\n".join(line for line in lines if line)
    if len(address) > _LONGEST_LINES:
        raise InvalidValue(f"{quoted(raw)}: an address has {_LONGEST_LINES} characters at most")
    return address


_BOUNDS = frozenset({"minimum", "maximum", "decimals"})

TRADE_TYPES: Final = (
    FieldType("email", "E-mail address", "电子邮箱", _email, str, text_key, "ann@acme.example"),
    FieldType("phone", "Phone", "电话", _phone, _show_phone, text_key, "+86 755 2688 0000", frozenset({"country"})),
    FieldType("url", "Web address", "网址", _url, str, _url_key, "https://acme.example/"),
    FieldType("social", "Social account", "社交账号", _social, str, text_key, "linkedin:ann-lee"),
    FieldType("address", "Postal address", "地址", _address, str, text_key, "12 Harbour Rd, Leeds"),
    FieldType("money", "Amount of money", "金额", _money, _show_money, _money_key, "12.40 USD", _BOUNDS | {"currency"}),
    FieldType("currency", "Currency", "币种", _currency, str, text_key, "USD"),
    FieldType(
        "quantity",
        "Quantity",
        "数量",
        _quantity,
        lambda stored: f"{stored['number']} {stored['unit']}",
        _quantity_key,
        "500 pcs",
        _BOUNDS | {"unit"},
    ),
    FieldType("country", "Country", "国家/地区", _country, _show_country, text_key, "MX"),
    FieldType("language", "Language", "语言", _language, _show_language, text_key, "es"),
    FieldType("time-zone", "Time zone", "时区", _time_zone, str, text_key, "America/Mexico_City"),
    FieldType("incoterm", "Incoterm", "贸易术语", _incoterm, _show_incoterm, _incoterm_key, "FOB Ningbo"),
    FieldType("port", "Port", "港口", _port, str, text_key, "CNNGB"),
    FieldType("hs-code", "HS code", "海关编码", _hs_code, _show_hs_code, text_key, "8413.70"),
    FieldType(
        "container", "Container number", "集装箱号", _checked(iso6346, "container"), str, text_key, "CSQU3054383"
    ),
    FieldType("gtin", "Bar code", "条形码", _checked(ean, "bar code"), str, text_key, "4006381333931"),
    FieldType(
        "iban", "Bank account (IBAN)", "银行账号(IBAN)", _checked(iban, "IBAN"), str, text_key, "DE89370400440532013000"
    ),
    FieldType("bic", "Bank code (BIC)", "银行代码(SWIFT)", _checked(bic, "BIC"), str, text_key, "DEUTDEFF"),
    FieldType("vat-number", "VAT number (EU)", "增值税号", _checked(vat, "VAT number"), str, text_key, "DE136695976"),
    FieldType("colour", "Colour", "颜色", _colour, str, text_key, "#1a73e8"),
)
