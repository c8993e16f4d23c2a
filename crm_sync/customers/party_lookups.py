# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch must know of the other sides: contacts, domains, names and phones, asked with one query a table."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, literal, select

from crm_sync.customers.party_states import ContactState, CustomerState
from crm_sync.key_lists import among_keys
from crm_sync.models.customers import (
    Contact,
    ContactAddress,
    ContactPhone,
    Customer,
    CustomerDomain,
    CustomerName,
    Scope,
    SharedDomain,
    SharedDomainCustomer,
)
from tradepost.directory import SHARED

PERSON = "person"  # the reason of what somebody said
_MOST_NAMESAKES = 500  # a name that more people have tells nobody apart

_CONTACTS = (
    select(
        ContactAddress.address_key,
        Contact.id,
        Contact.customer_id,
        Contact.name,
        Contact.name_key,
        Contact.title,
        Contact.origins,
        ContactAddress.reason,
    )
    .join(Contact, Contact.id == ContactAddress.contact_id)
    .where(among_keys(ContactAddress.address_key))
)
_DOMAINS = select(CustomerDomain.domain, CustomerDomain.customer_id, CustomerDomain.reason).where(
    among_keys(CustomerDomain.domain)
)
_SHARED = (
    select(SharedDomain.domain, SharedDomainCustomer.customer_id, literal(SHARED))
    .outerjoin(SharedDomainCustomer, SharedDomainCustomer.domain == SharedDomain.domain)
    .where(among_keys(SharedDomain.domain))
)
_BOTH = _DOMAINS.union_all(_SHARED)
_NAMED = select(CustomerName.name_key, CustomerName.customer_id).where(among_keys(CustomerName.name_key))
_NAMES = select(CustomerName.customer_id, CustomerName.name_key).where(among_keys(CustomerName.customer_id))
_PEOPLE = (
    select(Contact.name_key, Contact.customer_id, Contact.id)
    .where(among_keys(Contact.name_key), Contact.customer_id.is_not(None))
    .order_by(Contact.name_key, Contact.id)
    .limit(_MOST_NAMESAKES)
)
_PHONES = (
    select(ContactPhone.e164, Contact.customer_id)
    .join(Contact, Contact.id == ContactPhone.contact_id)
    .where(among_keys(ContactPhone.e164), Contact.customer_id.is_not(None))
)
_CUSTOMERS = (
    select(
        Customer.id,
        Customer.public_id,
        Customer.scope_id,
        Customer.kind,
        Customer.grade,
        Scope.owner_id,
        Customer.reclaim_days,
        Customer.reclaim_at,
        Customer.name,
        Customer.kind_reason,
        Customer.website,
        Customer.address,
        Customer.phone,
        Customer.origins,
    )
    .join(Scope, Scope.id == Customer.scope_id)
    .where(among_keys(Customer.id), Customer.merged_into.is_(None))
)


@dataclass(frozen=True, slots=True)
class WantedParties:
    """What a batch asks for.  `names`, `people` and `phones` are what newcomers may be known by."""

    addresses: Collection[str]
    domains: Collection[str]
    names: Collection[str] = ()  # keys of companies
    people: Collection[tuple[str, str]] = ()  # (address, key of his name)
    phones: Collection[tuple[str, str]] = ()  # (address, E.164)


@dataclass(slots=True)
class Parties:
    """The answers.  What is not in a mapping does not exist."""

    contacts: dict[str, ContactState] = field(default_factory=dict)
    domains: dict[str, int] = field(default_factory=dict)  # of one company
    settled: set[str] = field(default_factory=set)  # domains of which a person said whose they are
    shared: dict[str, set[int]] = field(default_factory=dict)  # of several
    named: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    people: defaultdict[str, dict[int, int]] = field(
        default_factory=lambda: defaultdict(dict)
    )  # -> contact -> customer
    phones: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    customers: dict[int, CustomerState] = field(default_factory=dict)


def fetch_parties(connection: Connection, wanted: WantedParties, others: Iterable[int]) -> Parties:
    """Ask for everybody a batch names; `others` are customers that it came upon otherwise."""
    found = Parties()
    for row in connection.execute(_CONTACTS, {"keys": list(wanted.addresses)}):
        found.contacts[row.address_key] = ContactState(*row[1:])
    for domain, company, reason in connection.execute(_BOTH, {"keys": list(wanted.domains)}):
        if reason != SHARED:
            found.domains[domain] = company
            if reason == PERSON:
                found.settled.add(domain)
        else:
            found.shared.setdefault(domain, set()).update({company} - {None})
    if wanted.names:
        for key, customer in connection.execute(_NAMED, {"keys": list(wanted.names)}):
            found.named[key].add(customer)
    if people := {key for address, key in wanted.people if address not in found.contacts}:
        for key, employer, contact_id in connection.execute(_PEOPLE, {"keys": list(people)}):
            assert employer is not None
            found.people[key][contact_id] = employer
    if phones := {number for _, number in wanted.phones}:
        for number, employer in connection.execute(_PHONES, {"keys": list(phones)}):
            assert employer is not None
            found.phones[number].add(employer)
    fetch_customers(connection, found, others)
    return found


def fetch_named(connection: Connection, found: Parties, names: Collection[str], domains: Collection[str]) -> None:
    """Ask for the customers of these names and domains too."""
    if new := set(names) - set(found.named):
        for key, customer in connection.execute(_NAMED, {"keys": list(new)}):
            found.named[key].add(customer)
    if new := set(domains) - set(found.domains):
        for domain, customer, _ in connection.execute(_DOMAINS, {"keys": list(new)}):
            found.domains[domain] = customer
    fetch_customers(connection, found, ())


def fetch_customers(connection: Connection, found: Parties, others: Iterable[int]) -> None:
    """Fetch the customers that the answers name, and `others`; a merged one is none."""
    keys: set[int | None] = {*others, *found.domains.values(), *(one.customer_id for one in found.contacts.values())}
    for several in (*found.shared.values(), *found.named.values(), *found.phones.values()):
        keys |= several
    for people in found.people.values():
        keys.update(people.values())
    wanted = [key for key in keys if key is not None and key not in found.customers]
    if not wanted:
        return
    for row in connection.execute(_CUSTOMERS, {"keys": wanted}):
        found.customers[row.id] = CustomerState(*row)
    for customer, key in connection.execute(_NAMES, {"keys": wanted}):
        if customer in found.customers:
            found.customers[customer].names.add(key)
    for domain, customer in found.domains.items():
        if customer in found.customers:
            found.customers[customer].domains.add(domain)
