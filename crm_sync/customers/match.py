# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose customer the other side is, and why.  One order, first match wins; a name alone decides nothing.  Pure.

| reason | what decided |
| --- | --- |
| conversation | at a domain that is of several companies: who writes in one's conversation and signs for no other |
| contact-address | the address is one of a contact's |
| platform-names-buyer | a second address that a platform gives is one of a contact's |
| company-domain | the registrable domain is one company's |
| signature-at-shared-domain | of the companies at a shared domain, the one that is signed for |
| website-in-signature | the signature's site is one company's domain, and the name is no other's |
| signature-and-phone | company name and a number, both known of one customer |
| signature-and-person | company name and a contact's full name, both known of one customer |
| signs-for-another | a private address signs, with a new number, for another company than before |
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from crm_sync.customers.party_lookups import PERSON, Parties
from crm_sync.customers.party_states import SIGNS_FOR, ContactState, CustomerState
from crm_sync.customers.sides import Side
from crm_sync.customers.signing import names_another, resembles_domain
from tradepost.addresses import is_provider_like

# Signs that a mail is made to be taken for somebody else's: what it says of itself then links it to nobody.
_MADE_TO_BE_TAKEN = frozenset({"looks-like-customer", "looks-like-participant", "looks-like-us", "own-person-outside"})


@dataclass(frozen=True, slots=True)
class Match:
    """The customer that the other side belongs to, None where nobody known is meant.

    `learns`: a domain or website that is his too from now on.  `splits`: the domain turned out to be of several companies,
    and this is another one.  `leaves`: the contact signs at a shared domain for another company than he was put to.
    """

    customer: CustomerState | None = None
    reason: str = ""
    contact: ContactState | None = None
    learns: str = ""
    splits: str = ""
    leaves: bool = False


def match_in_conversation(found: Parties, side: Side, match: Match, customer: CustomerState) -> Match:
    """Return the match of somebody who writes in a customer's conversation: from the same shared domain he is a colleague."""
    domain = side.party.company
    is_new = match.contact is None and (match.customer is None or bool(match.splits))
    is_neighbour = customer.id in found.shared.get(domain, ()) or found.domains.get(domain) == customer.id
    if not domain or not is_new or not is_neighbour or names_another(side.signer, customer.names):
        return match
    return Match(customer, "conversation")


def match_side(found: Parties, side: Side, warnings: Collection[str] = ()) -> Match:
    """Find the customer of the other side."""
    party = side.party
    if not party.address:
        return Match()
    trusted = not _MADE_TO_BE_TAKEN.intersection(warnings)
    contact = found.contacts.get(party.address)
    if contact is not None and (customer := _customer(found, contact.customer_id)) is not None:
        if _signs_for_another_here(found, side, contact, customer):
            other = _signed_at(found, side)
            return Match(other, "signature-at-shared-domain", contact, leaves=True)
        if (
            trusted
            and found.domains.get(party.company) == customer.id
            and _never_was_here(found, side, contact, customer)
        ):
            other = _by_signature(found, side).customer
            other = None if other is customer else other
            return Match(other, "signature-names-another", contact, splits=party.company, leaves=True)
        if trusted and not party.company and _has_changed(found, side, contact, customer):
            other = _by_signature(found, side).customer
            return Match(None if other is customer else other, "signs-for-another", contact, leaves=True)
        return Match(customer, "contact-address", contact)
    also = found.contacts.get(party.also)
    if also is not None and (customer := _customer(found, also.customer_id)) is not None:
        return Match(customer, "platform-names-buyer", also)
    domain = party.company
    if (customer := _customer(found, found.domains.get(domain))) is not None:
        may_be_another = _is_another_company(side, customer) or _is_of_a_provider(side, customer)
        if domain in found.settled or not may_be_another:
            return Match(customer, "company-domain", contact)
        elsewhere = _by_signature(found, side) if trusted else Match()
        if elsewhere.customer is customer:
            return Match(customer, elsewhere.reason, contact)
        return Match(elsewhere.customer, elsewhere.reason or "signature-names-another", contact, splits=domain)
    if domain in found.shared and (customer := _signed_at(found, side)) is not None:
        return Match(customer, "signature-at-shared-domain", contact)
    match = _by_signature(found, side) if trusted else Match()
    is_new_domain = bool(domain) and domain not in found.shared
    return Match(match.customer, match.reason, contact, learns=domain if match.customer and is_new_domain else "")


def _customer(found: Parties, key: int | None) -> CustomerState | None:
    return found.customers.get(key) if key is not None else None


def _is_another_company(side: Side, customer: CustomerState) -> bool:
    """Does the signature name a clearly different company than that of the domain?  A domain of its name is its own."""
    signer, domain = side.signer, side.party.company
    if not signer.is_solid or resembles_domain(signer, domain) or side.website in customer.domains:
        return False
    return names_another(signer, customer.names) and not _is_named_after(domain, customer.names)


def _is_of_a_provider(side: Side, customer: CustomerState) -> bool:
    """Is the domain a provider's by its name, not the customer's, and nothing says that the writer is of his?"""
    signer, domain = side.signer, side.party.company
    if not is_provider_like(domain) or _is_named_after(domain, customer.names) or side.website in customer.domains:
        return False
    if not signer.company_key:
        return True
    return not resembles_domain(signer, domain) and (not customer.names or names_another(signer, customer.names))


def _is_named_after(domain: str, names: Iterable[str]) -> bool:
    label = domain.partition(".")[0].replace("-", "")
    return any(label[:6] in name or name[:6] in label for name in names)


def _never_was_here(found: Parties, side: Side, contact: ContactState, customer: CustomerState) -> bool:
    """Was somebody put to the company of a domain without a word of his own, and signs for another now?"""
    if contact.reason == PERSON or SIGNS_FOR in contact.origins or side.party.company in found.settled:
        return False
    return _is_another_company(side, customer)


def _signs_for_another_here(found: Parties, side: Side, contact: ContactState, customer: CustomerState) -> bool:
    if side.party.company not in found.shared or contact.reason == PERSON:
        return False
    return names_another(side.signer, customer.names)


def _has_changed(found: Parties, side: Side, contact: ContactState, customer: CustomerState) -> bool:
    """Does the owner of a private address sign for another company, with a number that was not the old one's?"""
    signer = side.signer
    if contact.reason == PERSON or not names_another(signer, customer.names):
        return False
    is_he = not contact.name_key or not signer.person_key or signer.person_key == contact.name_key
    new = [customer.id not in found.phones.get(number, ()) for _, number in signer.phones]
    # A name without its legal form may be a slogan: then all his numbers must have changed with it.
    return is_he and (any(new) if signer.is_solid else len(new) > 0 and all(new))


def _signed_at(found: Parties, side: Side) -> CustomerState | None:
    """Return the only one of the companies at a shared domain that is signed for, or whose contact has the full name."""
    here = [found.customers[key] for key in found.shared.get(side.party.company, ()) if key in found.customers]
    key, brand = side.signer.company_key, side.signer.brand
    people = set(found.people.get(side.signer.person_key, {}).values()) if side.signer.person_key else set()
    namesakes = [one for one in here if one.id in people and not names_another(side.signer, one.names)]
    if not key:
        return namesakes[0] if len(namesakes) == 1 else None
    exact = [one for one in here if key in one.names]
    near = exact or [one for one in here if len(brand) >= 4 and any(brand in name for name in one.names)]
    near = near or namesakes
    return near[0] if len(near) == 1 else None


def _by_signature(found: Parties, side: Side) -> Match:
    """Return the customer whom two things in the signature point to."""
    signer = side.signer
    at_site = _customer(found, found.domains.get(side.website)) if side.website else None
    if at_site is not None and signer.company_key and not names_another(signer, at_site.names):
        return Match(at_site, "website-in-signature")
    named = found.named.get(signer.company_key, set()) if signer.company_key else set()
    called: set[int] = set().union(*(found.phones.get(number, set()) for _, number in signer.phones))
    people = set(found.people.get(signer.person_key, {}).values()) if signer.person_key else set()
    for reason, supported in (("signature-and-phone", named & called), ("signature-and-person", named & people)):
        # Several of one name and number are one company twice: the oldest is it, until somebody merges them.
        if (customer := _customer(found, min(supported, default=None))) is not None:
            return Match(customer, reason)
    return Match()
