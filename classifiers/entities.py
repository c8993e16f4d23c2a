# SPDX-License-Identifier: GPL-3.0-or-later
"""First facts of a letter: who writes, for which company, about what, how much, at which price and terms."""

from dataclasses import dataclass

from classifiers.automatic import Automation
from classifiers.phones import find_phones, western_digits
from classifiers.signatures import has_contact, is_closing
from classifiers.tables import any_of, linear, read_table
from tradepost.addresses import is_free_mail
from tradepost.message import Address

_TABLE = read_table("entities")
_WORDS = read_table("frames")
_UNITS: dict[str, list[str]] = _TABLE["units"]
_UNIT_OF = {word.lower(): unit for unit, words in _UNITS.items() for word in words}
_CURRENCY_OF = {word.lower(): code for code, words in _TABLE["currencies"].items() for word in words}
_NUMBER = r"(\d{1,3}(?:[ .,'’]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?)"
_SPACED_UNIT = any_of(word for word in _UNIT_OF if ord(word[-1]) < 0x0590)
_OTHER_UNIT = any_of(word for word in _UNIT_OF if ord(word[-1]) >= 0x0590)
_QUANTITY = linear(rf"(?i){_NUMBER} ?(?:(k|mil|thousand|tausend|тыс\.?|万|千|만|천|nghìn|ngàn|ribu|bin|tys\.?|هزار|ألف|آلاف) ?)?"
                   rf"(?:({_SPACED_UNIT})(?:$|[^\pL\pN])|({_OTHER_UNIT}))")  # fmt: skip
_MONEY_WORD = any_of(_CURRENCY_OF)
_MONEY = linear(rf"(?i)(?:(?:^|[^\pL])({_MONEY_WORD}) ?{_NUMBER}|{_NUMBER} ?({_MONEY_WORD}))")
_CURRENCY = linear(rf"(?i)(?:^|[^\pL])({_MONEY_WORD})(?:$|[^\pL])")
_INCOTERM = linear(
    r"(?:^|[^A-Za-z])(EXW|FCA|FAS|FOB|CFR|CNF|C&F|CIF|CPT|CIP|DAP|DPU|DAT|DDP|DDU|exw|fob|cif|ddp|cfr|dap|Fob|Cif|Ddp)(?:$|[^A-Za-z])"
)
_TARGET = linear(rf"(?i)(?:{any_of(_TABLE['target_words'])})")
_PRODUCT = linear(rf"(?im)(?:{any_of(_TABLE['product_cues'])})[ \t]*[:：]?[ \t]*([^\n,;.。，；?？!]{{3,60}})")
_LEGAL = [
    word
    for word in _WORDS["legal_forms"]
    if word not in ("PT", "Group", "Trading", "Holding", "Industries", "Enterprises", "Imports", "公司", "厂", "无限")
]
_LEGAL_FORM = linear(rf"(?i)(?:^|[\s,.(（\"«“])(?:{any_of(word for word in _LEGAL if word[0].isascii())})(?:$|[\s,.)\"»”|/;-])|"
                     rf"(?:{any_of(word for word in _LEGAL if not word[0].isascii())})")  # fmt: skip
_NAME_NOISE = linear(r"(?i)^(?:mr|mrs|ms|dr|ing|lic|herr|frau|sr|sra|dipl)\.? ")
_SEPARATOR = linear(r" [|/·•–—-] |[|｜]")
_INCOTERMS = {"CNF": "CFR", "C&F": "CFR"}
_MULTIPLIERS = {"k": 1_000, "mil": 1_000, "thousand": 1_000, "tausend": 1_000, "тыс": 1_000, "万": 10_000, "千": 1_000, "만": 10_000, "천": 1_000,
                "nghìn": 1_000, "ngàn": 1_000, "ribu": 1_000, "bin": 1_000, "tys": 1_000, "هزار": 1_000, "ألف": 1_000, "آلاف": 1_000}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entities:
    """What the letter says; None where it doesn't."""

    person: str | None = None
    company: str | None = None
    phone: str | None = None
    product: str | None = None
    quantity: float | None = None
    unit: str | None = None
    target_price: float | None = None
    currency: str | None = None
    incoterm: str | None = None


def read_entities(
    writer: Address, new_text: str, signature: str, subject: str, country: str | None, automation: Automation
) -> Entities:
    """Read facts from the words and the contact block; `country` tells how to read a national telephone number."""
    is_person = not automation.is_automatic
    quantity, unit = read_quantity(western_digits(new_text)) if is_person else (None, None)
    price, currency = read_price(western_digits(new_text)) if is_person else (None, None)
    incoterm = _INCOTERM.search(f"{subject}\n{new_text}")
    phones = find_phones(signature, country) or (find_phones(new_text, country) if is_person else ())
    term = incoterm.group(1).upper() if incoterm else None
    return Entities(
        person=read_person(writer, signature, new_text),
        company=read_company(writer, signature, new_text),
        phone=phones[0].e164 if phones else None,
        product=read_product(subject, new_text) if is_person else None,
        quantity=quantity,
        unit=unit,
        target_price=price,
        currency=currency,
        incoterm=_INCOTERMS.get(term, term) if term else None,
    )


def parse_number(text: str) -> float:
    """Read a number as people write it: "1.200", "1,200.50", "1 200,5", "12'000"."""
    text = text.replace(" ", "").replace("'", "").replace("’", "")
    comma, dot = text.rfind(","), text.rfind(".")
    if comma >= 0 and dot >= 0:
        decimal = "," if comma > dot else "."
        text = text.replace("." if decimal == "," else ",", "").replace(decimal, ".")
    elif comma >= 0 or dot >= 0:
        mark = "," if comma >= 0 else "."
        whole, _, fraction = text.rpartition(mark)
        # Three digits behind the only mark are thousands, unless a zero stands before it.
        text = (
            text.replace(mark, "")
            if text.count(mark) > 1 or (len(fraction) == 3 and whole not in ("0", ""))
            else f"{whole.replace(mark, '')}.{fraction}"
        )
    return float(text)


def read_quantity(text: str) -> tuple[float | None, str | None]:
    """Return the first quantity with its unit."""
    for match in _QUANTITY.finditer(text):
        unit = _UNIT_OF.get((match.group(3) or match.group(4) or "").lower())
        try:
            number = parse_number(match.group(1))
        except ValueError:
            continue
        factor = _MULTIPLIERS.get((match.group(2) or "").lower().rstrip("."), 1)
        if unit and 0 < number * factor < 1e10:
            return number * factor, unit
    return None, None


def read_price(text: str) -> tuple[float | None, str | None]:
    """Return the price the buyer aims at (only when words say so) and the currency of any money named."""
    currency = price = None
    for match in _MONEY.finditer(text):
        word = match.group(1) or match.group(4)
        currency = currency or _CURRENCY_OF.get(word.lower())
        before = text[max(match.start() - 60, 0) : match.end() + 30]
        if price is None and _TARGET.search(before):
            try:
                price = parse_number(match.group(2) or match.group(3))
                currency = _CURRENCY_OF.get(word.lower())
            except ValueError:
                continue
    if currency is None:
        named = _CURRENCY.search(text)
        currency = _CURRENCY_OF.get(named.group(1).lower()) if named and len(named.group(1)) == 3 else None
    return price, currency


def read_person(writer: Address, signature: str, new_text: str) -> str | None:
    """Return the writer's name: as signed, else as the address shows it."""
    for line in [line for line in signature.split("\n") if line.strip()][:4]:
        bare = line.strip().strip("*_-–— ").strip()
        if not bare or is_closing(bare):
            continue
        first = bare[: match.start()].strip() if (match := _SEPARATOR.search(bare)) else bare.split(",")[0].strip()
        if _is_person_name(first):
            return _without_title(first)
        break
    name = writer.name.strip()
    if _is_person_name(name):
        return name
    last = next((line.strip() for line in reversed(new_text.split("\n")) if line.strip()), "").strip("-–— ,.")
    return (
        last
        if 0 < len(last) <= 24 and len(last.split()) <= 2 and _is_person_name(last) and not is_closing(last)
        else None
    )


def _without_title(name: str) -> str:
    match = _NAME_NOISE.search(name)
    return name[match.end() :] if match else name


def _is_person_name(text: str) -> bool:
    if not 2 <= len(text) <= 40 or any(char.isdigit() for char in text) or "@" in text or len(text.split()) > 5:
        return False
    return not has_contact(text) and not is_closing(text) and not text[0].islower()


def read_company(writer: Address, signature: str, new_text: str) -> str | None:
    """Return the company: the line of the signature with a legal form, else a part of the display name that has one."""
    for source in (signature, writer.name, "\n".join(new_text.split("\n")[-3:]) if not signature else ""):
        for line in source.split("\n"):
            if _LEGAL_FORM.search(line) and len(line) < 120:
                return _company_of(line)
    if signature and not is_free_mail(writer.address.rpartition("@")[2]):
        stem = writer.address.rpartition("@")[2].split(".")[0].replace("-", "").lower()
        for line in signature.split("\n")[1:]:
            squeezed = "".join(char for char in line.lower() if char.isalnum())
            if (
                len(stem) > 3
                and (stem in squeezed or (len(squeezed) > 3 and squeezed in stem))
                and "@" not in line
                and "www" not in line.lower()
            ):
                return _company_of(line)
    return None


def _company_of(line: str) -> str:
    pieces = [
        piece.strip()
        for piece in line.replace("｜", "|").replace(" / ", "|").replace(" · ", "|").replace(" – ", "|").split("|")
    ]
    best = next((piece for piece in pieces if _LEGAL_FORM.search(piece)), pieces[0])
    return best.strip(" *_,-–—")


def read_product(subject: str, new_text: str) -> str | None:
    """Return what a cue ("quotation for ...", "询价：") names in the subject, else in the text."""
    for source in (subject, new_text[:1_500]):
        match = _PRODUCT.search(source)
        if match is not None:
            return match.group(1).strip(" \"'“”:：-–") or None
    return None
