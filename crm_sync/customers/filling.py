# SPDX-License-Identifier: GPL-3.0-or-later
"""What headers and signature say of a customer and his contact: it fills what is empty, and what was less surely known."""

from typing import Any

from crm_sync.batch import Batch
from crm_sync.customers.match import Match
from crm_sync.customers.party_states import SIGNS_FOR, ContactState, CustomerState, fill
from crm_sync.customers.sides import Side
from crm_sync.customers.signing import names_another, resembles_domain
from crm_sync.duplicates.name_keys import person_key
from crm_sync.models.customers import ContactPhone, PartySuggestion

_MOST_NAMES = 8  # by which one customer goes
# By these the letter's company is the customer's; a free-mail address may have changed hands.
_SURE_OF_COMPANY = ("company-domain", "signature-and-phone", "signature-and-person", "website-in-signature")
_COMPANY_FIELDS = ("website", "address")


def new_contact_fields(side: Side, header_name: str) -> dict[str, Any]:
    """Return the columns of a new contact that the letter fills."""
    name, origin = (
        (side.signer.person, "signature") if side.signer.person else (header_name, side.party.via or "header")
    )
    origins = {"name": origin if origin in ("signature", "platform", "forward") else "header"} if name else {}
    if side.signer.title:
        origins["title"] = "signature"
    if side.signer.company_key:
        origins[SIGNS_FOR] = side.signer.company_key
    return {
        "name": name[:300],
        "name_key": person_key(name),
        "title": side.signer.title,
        "social": [{"kind": kind, "value": value} for kind, value in side.signer.social],
        "origins": origins,
    }


def learn_from_signature(side: Side, match: Match, own: CustomerState, *, is_new: bool) -> set[str]:
    """Return the key of a name by which the customer goes too, as the signature says; empty where that is not sure."""
    key = side.signer.company_key
    if not key or key in own.names or len(own.names) >= _MOST_NAMES or not is_sure_of_name(side):
        return set()
    is_sure = is_new or match.splits or not own.names or match.reason in _SURE_OF_COMPANY
    return {key} if is_sure or not names_another(side.signer, own.names) else set()


def has_latin(name: str) -> bool:
    """Does a name hold Latin letters?"""
    return any("a" <= sign <= "z" for sign in name.lower())


def is_sure_of_name(side: Side) -> bool:
    """Is what was read as the company's name one?  A stray line has no legal form, no trade, and no likeness to a domain."""
    signer = side.signer
    return signer.is_solid or resembles_domain(signer, side.party.company) or resembles_domain(signer, side.website)


def says_site(side: Side) -> bool:
    """Is the site below the letter the company's own: named after it, as the domain it writes from is?"""
    domain = side.party.company
    if side.signer.is_solid and not side.signer.company.isascii() and not has_latin(side.signer.company):
        return True  # a domain can't be named after it
    return resembles_domain(side.signer, side.website) and (not domain or resembles_domain(side.signer, domain))


def fill_known(batch: Batch, contact: ContactState, side: Side, header_name: str, own: CustomerState) -> None:
    """Fill fields of contact and customer from the letter, and suggest what it shows and no program should decide."""
    signer = side.signer
    if signer.person:
        fill(contact, "name", signer.person, "signature")
    elif header_name:
        fill(contact, "name", header_name[:300], "header")
    if contact.is_changed:
        contact.name_key = person_key(contact.name)
    fill(contact, "title", signer.title, "signature")
    if contact.name_key:
        batch.found.parties.people[contact.name_key][contact.id] = own.id
    for kind, number in signer.phones:
        batch.found.parties.phones[number].add(own.id)
        batch.missing.add(ContactPhone, contact_id=contact.id, e164=number, kind=kind, origin="signature")
    if not signer.company_key:
        return
    if SIGNS_FOR not in contact.origins:
        contact.origins, contact.is_changed = {**contact.origins, SIGNS_FOR: signer.company_key}, True
    if own.names and names_another(signer, own.names):
        if not signer.is_solid:
            return
        _suggest(batch, "works-elsewhere", contact, own, signer.company)
        return
    if is_sure_of_name(side) and fill(own, "name", signer.company, "signature"):
        batch.retold.add(own.id)
    for name in _COMPANY_FIELDS:
        fill(own, name, getattr(signer, name), "signature")
    fill(own, "phone", next((number for kind, number in signer.phones if kind == "phone"), ""), "signature")


def suggest_same_person(batch: Batch, contact: ContactState, side: Side, own: CustomerState) -> None:
    """A new contact has the full name and a number of somebody at another customer: he may have changed the company."""
    others = batch.found.parties.people.get(side.signer.person_key, {})
    called = {key for _, number in side.signer.phones for key in batch.found.parties.phones.get(number, ())}
    known = [key for key, customer in others.items() if customer != own.id and customer in called]
    if len(known) == 1:
        _suggest(batch, "same-person", contact, own, side.signer.company, known[0])


def _suggest(
    batch: Batch, kind: str, contact: ContactState, own: CustomerState, subject: str, other: int | None = None
) -> None:
    batch.missing.add(
        PartySuggestion,
        kind=kind,
        contact_id=contact.id,
        customer_id=own.id,
        other_contact_id=other,
        subject=subject[:300],
        message_id=None,
        at=batch.now,
        state="open",
    )
