# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a letter says wrote it: the company, person, phones and details of its signature, as keys to match by.  Pure.

Only what stands in the letter counts: a company guessed from the mail domain says nothing that the domain does not.
"""

from dataclasses import dataclass
from functools import cached_property

import phonenumbers

from crm_sync.duplicates.name_keys import company_keys, fold, is_common, person_key
from tradepost.addresses import registrable_domain
from tradepost.analysis import Extract
from tradepost.party import Party
from tradepost.verdict import Direction

_LONGEST_NAME = 300
_CALLED = ("phone", "mobile", "whatsapp")
_SHORTEST_NAME = 4  # letters of a key: shorter ones are many companies'


@dataclass(frozen=True)
class Signer:
    """What a letter says of its writer; "" or () for what it doesn't.  `phones`: (kind, E.164)."""

    company: str = ""
    person: str = ""
    title: str = ""
    phones: tuple[tuple[str, str], ...] = ()
    address: str = ""
    website: str = ""
    social: tuple[tuple[str, str], ...] = ()

    @cached_property
    def company_key(self) -> str:
        """The company's name in Latin letters without its legal form; "": it names nobody in particular."""
        key = company_keys(self.company).joined if self.company else ""
        return key if len(key) >= _SHORTEST_NAME and not is_common(self.company) else ""

    @cached_property
    def is_solid(self) -> bool:
        """Does it look like a company's full name, and is it said who signs or how he is called?  A stray line is neither."""
        keys = company_keys(self.company) if self.company_key else None
        if keys is None or not (self.phones or self.person_key):
            return False
        return keys.plain != fold(self.company) or keys.core != keys.joined

    @cached_property
    def brand(self) -> str:
        """What tells the company's name from others: without legal form, trade words and places."""
        return company_keys(self.company).brand if self.company else ""

    @cached_property
    def person_key(self) -> str:
        """The full name, or ""."""
        return person_key(self.person) if self.person else ""

    @cached_property
    def country_codes(self) -> frozenset[int]:
        """The countries of the numbers, as calling codes."""
        codes = set()
        for _, number in self.phones:
            try:
                codes.add(phonenumbers.parse(number).country_code or 0)
            except phonenumbers.NumberParseException:
                continue
        return frozenset(codes)


NOBODY = Signer()


def read_form_signer(party: Party) -> Signer:
    """Return what a carrier says of the writer: a platform in the fields of its form, a colleague by his name."""
    try:
        number = phonenumbers.parse(party.phone) if party.phone.startswith("+") else None
    except phonenumbers.NumberParseException:
        number = None
    called = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if number else ""
    return Signer(party.employer, party.name, phones=(("phone", called[:20]),) if called else ())


def read_signer(extract: Extract | None, direction: Direction) -> Signer:
    """Return who signs an inbound letter; the signature below what we write is ours."""
    if extract is None or direction is not Direction.INBOUND:
        return NOBODY
    stands = {span.fact for span in extract.spans}
    # Without spans nothing says where a fact stands; the classifiers give them, a plain reader may not.
    named = extract.company if extract.company and (not extract.spans or "company" in stands) else ""
    phones = [(one.kind, one.value) for one in extract.phones if one.kind in _CALLED]
    if extract.phone and extract.phone not in {number for _, number in phones}:
        phones.append(("phone", extract.phone))
    return Signer(
        company=named[:_LONGEST_NAME],
        person=(extract.person or "")[:_LONGEST_NAME],
        title=(extract.title or "")[:200],
        phones=tuple((kind, number[:20]) for kind, number in phones if number.startswith("+"))[:5],
        address=(extract.address or "")[:500],
        website=(extract.website or "")[:300],
        social=tuple((one.kind, one.value[:200]) for one in extract.social)[:5],
    )


def domain_label(domain: str) -> str:
    """Return what stands before the ending of a registrable domain, without hyphens."""
    return registrable_domain(domain).partition(".")[0].replace("-", "")


def resembles_domain(signer: Signer, domain: str) -> bool:
    """Is the domain named after the company: "bluewave.example" after Blue Wave Trading, or "bwt.example"?"""
    label = domain_label(domain)
    if not label or not signer.company_key:
        return False
    brand = signer.brand or signer.company_key
    if label in signer.company_key or (len(brand) >= _SHORTEST_NAME and brand in label):
        return True
    if len(label) >= 5 and brand[:5] == label[:5]:
        return True
    initials = "".join(word[0] for word in company_keys(signer.company).plain.split())
    return len(initials) > 2 and label.startswith(initials)


def names_another(signer: Signer, known: frozenset[str] | set[str]) -> bool:
    """Is the company signed for clearly none of these names (keys)?  A part, or another script, is no contradiction."""
    key, brand = signer.company_key, signer.brand
    if not key or not known or not brand:
        return False
    return not any(
        key in other or other in key or (len(brand) >= _SHORTEST_NAME and brand in other) or brand[:5] == other[:5]
        for other in known
    )
