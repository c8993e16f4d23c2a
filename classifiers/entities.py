# SPDX-License-Identifier: GPL-3.0-or-later
"""First facts of a letter: who writes, for which company, about what, how much, at which price and terms."""

from dataclasses import dataclass

from classifiers.phones import western_digits
from classifiers.products import read_product
from classifiers.tables import any_of, linear, read_table
from classifiers.writers import read_company, read_person
from tradepost.message import Address

_TABLE = read_table("entities")
_UNIT_OF = {word.lower(): unit for unit, words in _TABLE["units"].items() for word in words}
_CURRENCY_OF = {word.lower(): code for code, words in _TABLE["currencies"].items() for word in words}
_NUMBER = r"(\d{1,3}(?:[ .,'’]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?)"
_SPACED_UNIT = any_of(word for word in _UNIT_OF if ord(word[-1]) < 0x0590)
_OTHER_UNIT = any_of(word for word in _UNIT_OF if ord(word[-1]) >= 0x0590)
_MULTIPLIERS = {
    "k": 1_000, "mil": 1_000, "thousand": 1_000, "tausend": 1_000, "тыс": 1_000, "万": 10_000, "萬": 10_000, "千": 1_000, "만": 10_000,
    "천": 1_000, "nghìn": 1_000, "ngàn": 1_000, "ribu": 1_000, "bin": 1_000, "tys": 1_000, "هزار": 1_000, "ألف": 1_000, "آلاف": 1_000,
}  # fmt: skip
_QUANTITY = linear(
    rf"(?i)(?:^|[^A-Za-z\d.,x×*/-]){_NUMBER}(?:(k)|[ ]?({any_of(word for word in _MULTIPLIERS if word != 'k')})\.?)?[ ]?"
    rf"(?:({_SPACED_UNIT})(?:$|[^\pL\d])|({_OTHER_UNIT}))"
)
# A round or grouped number before a plain word counts things ("1,200 of the white chairs"), unless the word measures.
_COUNTED = linear(rf"(?i)(?:^|[^\pL\d.,/:#№$€£¥'’-]){_NUMBER}[ ](?:of[ ]|de[ ]|von[ ]|di[ ])?(\pL{{4,}})")
_MEASURES = frozenset(_TABLE["measures"])
_LEAST_COUNT = 100
_MONEY_WORD = any_of(_CURRENCY_OF)
_MONEY = linear(rf"(?i)(?:(?:^|[^\pL])({_MONEY_WORD})[ ]?{_NUMBER}|{_NUMBER}[ ]?({_MONEY_WORD}))")
_CURRENCY = linear(rf"(?i)(?:^|[^\pL])(?:{_MONEY_WORD})[ ]*$")
_REFERENCE = linear(
    r"(?i)(?:no|nr|nº|n°|№|art|ref|po|pi|order|invoice|auftrag|pedido|bestellung|postfach|zip|plz|code|model|lot|lote|charge)[.:# ]*$"
)
_PRICE_CUE = linear(
    rf"(?i)(?:{any_of(_TABLE['price_cues'])})|/[ ]?(?:pc|pcs|kg|ton|mt|set|unit|m2|sqm|m|pair|st|adet|шт|个|件)"
)
_TARGET = linear(rf"(?i)(?:^|[^\pL])(?:{any_of(word for word in _TABLE['target_words'] if ord(word[0]) < 0x0590)})|"
                 rf"(?:{any_of(word for word in _TABLE['target_words'] if ord(word[0]) >= 0x0590)})")  # fmt: skip
_INCOTERM = linear(
    r"(?:^|[^A-Za-z])(EXW|FCA|FAS|FOB|CFR|CNF|C&F|CIF|CPT|CIP|DAP|DPU|DAT|DDP|DDU|exw|fob|cif|ddp|cfr|dap|Fob|Cif|Ddp)"
    r"(?:$|[^A-Za-z])"
)
_INCOTERM_NAMES = {"CNF": "CFR", "C&F": "CFR"}
_OF = linear(r"(?i)^[ ]?(?:of|de|d'|di|van|von|x|du|des|da|do)[ ]+")
_PRODUCT_END = linear(
    r"(?i)[\n,;.。，；?？!()（）:：]|[ ](?:for|with|to|and|at|in|from|by|per|für|mit|zu|und|para|con|y|a|e|com|pour|avec|et|per|voor|met|en|do|na|z|i|для|с|в|на|и)[ ]"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """What facts are read from."""

    writer: Address
    subject: str
    new_text: str
    contact: str = ""  # signature, or the fields of a form
    is_automatic: bool = False
    is_robot: bool = False
    is_business: bool = False


@dataclass(frozen=True, slots=True)
class Entities:
    """What the letter says; None where it doesn't."""

    person: str | None = None
    company: str | None = None
    product: str | None = None
    quantity: float | None = None
    unit: str | None = None
    target_price: float | None = None
    currency: str | None = None
    incoterm: str | None = None


def read_entities(letter: Letter) -> Entities:
    """Read the facts.  Of a robot's letter only the company; of an absence note only who is absent."""
    company = read_company(letter.writer, letter.contact, letter.new_text)
    if letter.is_robot:
        return Entities(company=company)
    person = read_person(letter.writer, letter.contact, letter.new_text)
    if letter.is_automatic:
        return Entities(person=person, company=company)
    text = western_digits(letter.new_text)
    quantity, unit, behind = read_quantity(text)
    price, currency = read_price(text)
    term = _INCOTERM.search(f"{letter.subject}\n{text}")
    name = term.group(1).upper() if term else None
    return Entities(
        person=person,
        company=company,
        product=read_product(letter.subject, letter.new_text, is_business=letter.is_business) or behind,
        quantity=quantity,
        unit=unit,
        target_price=price,
        currency=currency,
        incoterm=_INCOTERM_NAMES.get(name, name) if name else None,
    )


def parse_number(text: str) -> float:
    """Read a number as people write it: "1.200", "1,200.50", "1 200,5", "12'000".  Raises ValueError for none."""
    text = text.replace(" ", "").replace("'", "").replace("’", "")
    comma, dot = text.rfind(","), text.rfind(".")
    if comma >= 0 and dot >= 0:
        decimal = "," if comma > dot else "."
        return float(text.replace("." if decimal == "," else ",", "").replace(decimal, "."))
    if comma < 0 and dot < 0:
        return float(text)
    mark = "," if comma >= 0 else "."
    whole, _, fraction = text.rpartition(mark)
    # Three digits behind the only mark are thousands, unless a zero stands before it.
    if text.count(mark) > 1 or (len(fraction) == 3 and whole not in ("0", "")):
        return float(text.replace(mark, ""))
    return float(f"{whole}.{fraction}")


def read_quantity(text: str) -> tuple[float | None, str | None, str | None]:
    """Return the first quantity, its unit and the thing counted, when that stands behind it ("300 pcs of pumps")."""
    for match in _QUANTITY.finditer(text):
        number = _number(match.group(1))
        unit = _UNIT_OF.get((match.group(4) or match.group(5) or "").lower())
        if number is None or unit is None:
            continue
        if match.group(2):
            if number >= 1_000:
                continue  # "4000K" is a colour temperature
            number *= 1_000
        number *= _MULTIPLIERS.get((match.group(3) or "").lower(), 1)
        if 0 < number < 1e10:
            return number, unit, _thing_behind(text[match.end() : match.end() + 80])
    return (*_read_count(text), None)


def _read_count(text: str) -> tuple[float | None, str | None]:
    for match in _COUNTED.finditer(text):
        number = _number(match.group(1))
        if number is None or number < _LEAST_COUNT or match.group(2).lower() in _MEASURES or number % 10:
            continue
        is_year = 1900 <= number <= 2100 and match.group(1).isdecimal()
        before = text[max(match.start() - 10, 0) : match.start() + 1]
        if not is_year and not _CURRENCY.search(before + " ") and not _REFERENCE.search(before):
            return number, "pcs"
    return None, None


def _number(text: str) -> float | None:
    try:
        return parse_number(text)
    except ValueError:
        return None


def _thing_behind(text: str) -> str | None:
    of = _OF.search(text)
    if of is None:
        return None
    rest = text[of.end() :]
    ends = [found.start() for found in (_PRODUCT_END.search(rest), _INCOTERM.search(rest)) if found is not None]
    thing = rest[: min(ends, default=None)].strip()
    return thing if 3 <= len(thing) <= 60 else None


def read_price(text: str) -> tuple[float | None, str | None]:
    """Return the price the buyer aims at, when words say so, and the currency in which prices are spoken of."""
    currency = None
    for match in _MONEY.finditer(text):
        code = _CURRENCY_OF.get((match.group(1) or match.group(4)).lower())
        around = text[max(match.start() - 60, 0) : match.end() + 30]
        if _TARGET.search(around):
            return _number(match.group(2) or match.group(3)), code
        if currency is None and _PRICE_CUE.search(around):
            currency = code
    return None, currency
