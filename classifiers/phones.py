# SPDX-License-Identifier: GPL-3.0-or-later
"""Telephone numbers in running text: which they are, and whose country they name."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber

_MAX_NUMBERS = 6
_MAX_NATIONAL = 3
_MOST_AREA_DIGITS = 6
_MAX_CHARS = 20_000
# Arabic, Persian, Devanagari, Thai and full-width digits are digits too.
_DIGITS = {ord(char): str(value) for zero in "٠۰०๐０" for value in range(10) for char in chr(ord(zero) + value)}
_OTHER_DIGIT = re.compile(f"[{''.join(map(chr, _DIGITS))}]")
_DIGIT_RUN = r"\d[\d ().\-/\u2010-\u2013]{5,36}\d"
_CORE = re.compile(_DIGIT_RUN)  # begins with a digit: found five times as fast
_CANDIDATE = re.compile(rf"(?:\+|\b00|＋)?\(?{_DIGIT_RUN}")
_BEFORE_CORE = 3  # "00("
# What stands before a number, on its line.  Words of scripts with spaces must be whole.
_LABEL = re.compile(
    r"(?:(?:^|[^\w])(?:tel(?:ephone|efon[oe]?|éfono|efonos|f|ef|efoon|efonszám|\.?/fax)?|tél(?:éphone)?|telefone?s?|tlf|tfno|phones?|ph|mob(?:ile|il|iel)?|móvil|"
    r"cell?(?:ular|phone)?|celular|cel|whats ?app|wa|wsp|cep|dahili|gsm no|uan|viber|telegram|wechat|weixin|hp|handy|gsm|fono|fijo|fon|fone|office|direct|desk|"
    r"rufnummer|durchwahl|mobil|kom|komórk\w*|telp|telepon|no\. ?hp|call|ring|reach me(?: at| on)?|zadzwoń|appelez|llam[ae]\w*|"
    r"тел(?:ефон)?|моб(?:ильный)?|сот|вотсап|вацап|ватсап|đt|sđt|điện thoại|di động|zalo|kakao|line)"
    r"|(?:^|[|,;•·/(–-][ ]?|[ ]{2,})[tmpcodhw][ ]?[.:]|^[tmpcodhw]"  # "M: ", "o 212..."
    r"|电话|電話|手机|手機|座机|座機|微信(?:同号|同手机)?|同号|联系方式|携帯|携帯電話|전화|휴대폰|핸드폰|연락처|직통|โทร|โทรศัพท์|มือถือ|هاتف|جوال|موبايل|محمول|واتس(?:اب| اب|آب)?|"
    r"تلفن|موبایل|همراه|تماس|واتساپ|फोन|मोबाइल|संपर्क)"
    r"(?:[ .]{0,2}(?:no|nr|number|num|núm|numarası|№|#|is|on|号|号码|號碼|番号|번호))?[\s.:：)/&|-]*(?:\((?:[^()\n]{1,12})\)[\s:：]*)?$",
    re.IGNORECASE,
)
_FAX = re.compile(
    r"(?:(?:^|[^\w/&])(?:(?:tele)?fax|faks|факс|f)|(?<![/&])(?:传真|傳真|팩스|ファックス|ファクス|โทรสาร|แฟกซ์|فاكس|فکس|نمابر|دورنگار))(?:至|到|to|no|nr)?[\s.:：]*$",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"(?:(?:^|[^\w])(?:a/c|account|acct|acc|iban|konto|cuenta|conta|rekening)|账号|帳號|账户|계좌|口座|حساب)(?:[ ]?(?:no|nr|号))?[\s.:：#-]*$",
    re.IGNORECASE,
)
_NOT_PHONE = re.compile(
    r"(?:(?:^|[^\w])(?:no|nr|nº|n°|ref|invoice|inv|order|po|pi|cuit|cuil|rut|nit|ruc|rfc|rif|cnpj|cpf|vat|ust|uid|tax|tin|"
    r"tva|siret|siren|rcs|p\.?iva|piva|nip|regon|krs|nif|cif|abn|acn|gst(?:in)?|trn|ntn|npwp|mst|инн|кпп|огрн|бин|р/с|к/с|booking|bkg|awb|container|serial|s/n|sn|"
    r"dhl|fedex|ups|tnt|ems|qq|zip|plz|cep|c\.p|hs|swift|tracking|consignment|shipment|ticket|case|id|b/l|bl|hawb|mawb|imo|lot|batch|sku|art)"
    r"|邮编|〒|单号|單號|订单|合同|发票|税号|统一编号|統一編號|統編|編號|编号|เลขที่|کد پستی|#)[\s.:：#-]*$",
    re.IGNORECASE,
)
_LABEL_CHARS = 28
_FIRST_OF_SEVERAL = re.compile(r"(\+?[\d ().-]{7,}?)(?:[ ]*/|[ ]{2,})")
_GROUP_END = re.compile(r"[ \-.]")
_CHINESE_MOBILE = re.compile(r"1[3-9]\d[ -]?\d{4}[ -]?\d{4}")
_MEXICAN_PREFIX = re.compile(r"\(?(?:01|04[45])\)?[ -]?(?=\d)")
_DATE = re.compile(
    r"(?<![\d-])(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2})(?![\d-])"
)
_EXTENSION = re.compile(r"[ ]+[/-][ ]*\d{1,4}$|[ ]\d{1,3}$")


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


def find_phones(text: str, region: str | None = None, *, is_contact: bool = False) -> tuple[Phone, ...]:
    """Return valid telephone numbers, in order; national ones only when a `region` says how to read them.

    `is_contact`: the text is a contact block, in which a valid national number needs no label.
    """
    found: list[Phone] = []
    text = western_digits(text[:_MAX_CHARS])
    for start, written in _numbers(text):
        if len(found) == _MAX_NUMBERS:
            break
        if _is_part_of_more(text, start, start + len(written)):
            continue  # "1750kv", "GN-24-090112", a price's end
        before = text[max(text.rfind("\n", 0, start) + 1, start - _LABEL_CHARS) : start]
        phone = _phone(start, written, before, region, is_contact=is_contact)
        if phone is not None:
            found.append(phone)
    return tuple(found)


def _is_part_of_more(text: str, start: int, end: int) -> bool:
    """Do letters of an article number, or a price's digits, go on before or behind it?"""
    if text[end : end + 1].isascii() and text[end : end + 1].isalpha():
        return True
    if start == 0:
        return False
    before = text[start - 1]
    if before in ".," and start > 1:
        return text[start - 2].isdigit()
    return before in "-_" or (before.isascii() and before.isalpha())


def choose_phone(contact: str, text: str, region: str | None = None) -> str | None:
    """Return the writer's number in E.164: of several in his contact block the first, else the first in his words."""
    phones = (find_phones(contact, region, is_contact=True) if contact else ()) or find_phones(text, region)
    return phones[0].e164 if phones else None


def regions_of_national_numbers(text: str, regions: Iterable[str]) -> frozenset[str]:
    """Return for which of the regions a contact block's first national numbers are valid: all of them, or none."""
    text = western_digits(text[:_MAX_CHARS])
    possible = frozenset(regions)
    is_any = False
    for start, written in islice(_numbers(text), _MAX_NATIONAL):
        before = text[max(text.rfind("\n", 0, start) + 1, start - _LABEL_CHARS) : start]
        if written.startswith(("+", "00", "＋")) or _FAX.search(before) or _NOT_PHONE.search(before):
            continue
        if _ACCOUNT.search(before) or _DATE.match(written) or not (_LABEL.search(before) or _looks_national(written)):
            continue
        valid = frozenset(region for region in possible if _is_national(written, region))
        if valid:
            possible, is_any = valid, True
    return possible if is_any else frozenset()


def _numbers(text: str) -> Iterator[tuple[int, str]]:
    return chain.from_iterable(map(_pieces, _candidates(text)))


def _pieces(match: re.Match[str]) -> Iterator[tuple[int, str]]:
    """Yield (position, number) of what a run of digits holds: "2055 5133 / 0574-5555 8816" is two, "0941 / 56 30" one."""
    written, position = match[0], match.start()
    while (mark := written.find(" / ")) >= 0 and sum(map(str.isdigit, written[:mark])) > _MOST_AREA_DIGITS:
        yield position, written[:mark]
        position += mark + 3
        written = written[mark + 3 :]
    yield position, written


def _candidates(text: str) -> Iterator[re.Match[str]]:
    """Yield what `_CANDIDATE.finditer` would."""
    position = 0
    while core := _CORE.search(text, position):
        match = _CANDIDATE.search(text, max(position, core.start() - _BEFORE_CORE))
        assert match is not None
        yield match
        position = match.end()


def _phone(position: int, written: str, before: str, region: str | None, *, is_contact: bool) -> Phone | None:
    written = written.replace("＋", "+")
    if _FAX.search(before) or _ACCOUNT.search(before):
        return None
    is_labelled = _LABEL.search(before) is not None
    if not is_labelled and _NOT_PHONE.search(before):
        return None
    is_international = written.startswith(("+", "00"))
    if not (is_international or is_labelled):
        if region is None or _DATE.match(written):
            return None
        if not (is_contact and _looks_national(written)) and not _is_national(written, region):
            return None
    if written.startswith("00"):
        written = "+" + written[2:]
    # +44 (0)20 ...: the zero in brackets is for callers inside.
    number = _read_number(_as_dialled(written.replace("(0)", ""), region), region)
    if number is None and (first := _FIRST_OF_SEVERAL.match(written)):
        number = _read_number(_as_dialled(first[1], region), region)
    if number is None and (is_labelled or is_contact) and not is_international:
        number = _read_without_plus(written, region, before)
        is_international = number is not None
    if number is None:
        return None
    e164, code = number
    return Phone(e164, code, is_international, position)


def _read_without_plus(written: str, region: str | None, before: str) -> tuple[str, str] | None:
    """Read a number that begins with a country's code but no plus: "WhatsApp: 5491155550123", "886-4-2337-5580"."""
    digits = re.sub(r"\D", "", written)
    if len(digits) < (11 if region is None else 10) or digits.startswith("0"):
        return None
    if region is None and _CHINESE_MOBILE.fullmatch(written):
        return _read_number(digits, "CN") if not before.isascii() else None
    if region is not None and not digits.startswith(str(phonenumbers.country_code_for_region(region))):
        return None
    return _read_number("+" + digits, None)


def _as_dialled(written: str, region: str | None) -> str:
    # Mexico gave up 01, 044 and 045 in 2019; people still write them.
    if region == "MX" and (old := _MEXICAN_PREFIX.match(written)):
        return written[old.end() :]
    return written


def _looks_national(written: str) -> bool:
    # Prices and article numbers have no leading zero, no brackets and no groups of a telephone number.
    digits = sum(char.isdigit() for char in written)
    return 7 <= digits <= 13 and (
        written.startswith("0")
        or (written.startswith("(") and ")" in written[:7])
        or len(_GROUP_END.findall(written)) >= 2
        or _CHINESE_MOBILE.fullmatch(written) is not None
    )


@lru_cache(maxsize=4096)
def _is_national(written: str, region: str) -> bool:
    """Is it a valid number as callers inside the region write it?"""
    if not 7 <= sum(char.isdigit() for char in written) <= 13:
        return False
    try:
        number = phonenumbers.parse(_as_dialled(written, region), region)
    except NumberParseException:
        return False
    # Calls within North America share one plan: the area code says where.
    return phonenumbers.is_valid_number_for_region(number, region)


@lru_cache(maxsize=4096)  # customers sign with the same number again
def _read_number(written: str, region: str | None) -> tuple[str, str] | None:
    """Return E.164 and the region ("" for none) of what may be a number; an extension behind it is left out."""
    try:
        number = phonenumbers.parse(written, region)
    except NumberParseException:
        return None
    code = phonenumbers.region_code_for_number(number)
    is_valid = code is not None and phonenumbers.is_valid_number_for_region(number, code)
    if not is_valid and (extension := _EXTENSION.search(written)):
        shorter = _read_number(written[: extension.start()].rstrip(" ("), region)
        if shorter is not None:
            return shorter
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
