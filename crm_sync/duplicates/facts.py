# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what is compared of customers and contacts: many at a time, one question a table."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_sync.duplicates.block_keys import ContactFacts, CustomerFacts
from crm_sync.key_lists import among_keys
from crm_sync.models.customers import Contact, ContactAddress, ContactPhone, Customer, CustomerDomain, CustomerName

# A customer is found by his first contacts; with all of a platform's buyers he would be found by everybody.
_CONTACTS = 20

_CUSTOMERS = select(
    Customer.id, Customer.name, Customer.country, Customer.website, Customer.phone, Customer.address
).where(among_keys(Customer.id), Customer.merged_into.is_(None))
_DOMAINS = select(CustomerDomain.customer_id, CustomerDomain.domain).where(among_keys(CustomerDomain.customer_id))
_NAMES = select(CustomerName.customer_id, CustomerName.name_key).where(among_keys(CustomerName.customer_id))
_NUMBERED = (
    select(
        Contact.id,
        Contact.customer_id,
        Contact.name,
        func.row_number().over(partition_by=Contact.customer_id, order_by=Contact.id).label("number"),
    )
    .where(among_keys(Contact.customer_id))
    .subquery()
)
_PEOPLE = select(_NUMBERED.c.id, _NUMBERED.c.customer_id, _NUMBERED.c.name).where(_NUMBERED.c.number <= _CONTACTS)
_CONTACTS_THEMSELVES = select(Contact.id, Contact.customer_id, Contact.name).where(
    among_keys(Contact.id), Contact.merged_into.is_(None)
)
_ADDRESSES = (
    select(ContactAddress.contact_id, ContactAddress.address_key)
    .where(among_keys(ContactAddress.contact_id))
    .order_by(ContactAddress.address_key)
)
_PHONES = (
    select(ContactPhone.contact_id, ContactPhone.e164)
    .where(among_keys(ContactPhone.contact_id))
    .order_by(ContactPhone.e164)
)
_CUSTOMERS_OF = select(Contact.customer_id).where(among_keys(Contact.id), Contact.customer_id.is_not(None)).distinct()


def fetch_customer_facts(session: Session, keys: Collection[int]) -> dict[int, CustomerFacts]:
    """Return the customers of these keys; those that were merged into others are left out."""
    connection, wanted = session.connection(), {"keys": list(keys)}
    domains, names = (_grouped(connection.execute(one, wanted)) for one in (_DOMAINS, _NAMES))
    people: defaultdict[int, list[str]] = defaultdict(list)
    works_for: dict[int, int] = {}
    for contact, customer, name in connection.execute(_PEOPLE, wanted):
        works_for[contact] = customer
        people[customer].append(name)
    addresses, phones = _of_contacts(session, works_for)
    reached, called = defaultdict[int, list[str]](list), defaultdict[int, list[str]](list)
    for contact, customer in works_for.items():
        reached[customer] += addresses[contact]
        called[customer] += phones[contact]
    return {
        key: CustomerFacts(
            id=key,
            name=name,
            country=country,
            names=tuple(names[key]),
            domains=tuple(domains[key]),
            website=website,
            phones=(phone, *called[key]),
            people=tuple(people[key]),
            addresses=tuple(reached[key]),
            postal=postal,
        )
        for key, name, country, website, phone, postal in connection.execute(_CUSTOMERS, wanted)
    }


def fetch_contact_facts(session: Session, keys: Collection[int]) -> dict[int, ContactFacts]:
    """Return the contacts of these keys; those that were merged into others are left out."""
    addresses, phones = _of_contacts(session, keys)
    rows = session.connection().execute(_CONTACTS_THEMSELVES, {"keys": list(keys)})
    return {
        key: ContactFacts(key, name, customer, tuple(addresses[key]), tuple(phones[key]))
        for key, customer, name in rows
    }


def customers_of(session: Session, contacts: Collection[int]) -> set[int]:
    """Return whom these contacts work for."""
    found = session.connection().scalars(_CUSTOMERS_OF, {"keys": list(contacts)})
    return {key for key in found if key is not None}


def _of_contacts(
    session: Session, contacts: Iterable[int]
) -> tuple[defaultdict[int, list[str]], defaultdict[int, list[str]]]:
    connection, wanted = session.connection(), {"keys": list(contacts)}
    if not wanted["keys"]:
        return defaultdict(list), defaultdict(list)
    return (
        _grouped(connection.execute(_ADDRESSES, wanted)),
        _grouped(connection.execute(_PHONES, wanted)),
    )


def _grouped(rows: Iterable[tuple[int, str]]) -> defaultdict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for key, value in rows:
        found[key].append(value)
    return found
