# SPDX-License-Identifier: GPL-3.0-or-later
"""The customers of a company file: found again by domain, contact or name, made when they are new."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.company_file import CompanyFileError, CustomerEntry
from crm_sync.customers.reclaim import ReclaimRules, refresh_reclaim_dates
from crm_sync.customers.tenures import Holder, Why
from crm_sync.customers.transfers import Moved, fetch_held, transfer
from crm_sync.directory_rows import DirtyKeys, changed_customers
from crm_sync.models.customers import Contact, ContactAddress, Customer, CustomerDomain, Scope
from crm_sync.models.people import Person
from tradepost.addresses import address_key, is_free_mail, registrable_domain


def apply_customers(session: Session, entries: Sequence[CustomerEntry], dirty: DirtyKeys) -> list[str]:
    """Make the records say what the entries say; return one line per difference.  Raises CompanyFileError."""
    people = dict(session.execute(select(Person.email, Person.id)).all())
    lines: list[str] = []
    for entry in entries:
        owner = address_key(entry.owner) if entry.owner else ""
        if owner and owner not in people:
            raise CompanyFileError(f"customer {entry.name}: the owner {entry.owner} is no registered person")
        lines += _apply(session, entry, people.get(owner), dirty)
    return lines


def _apply(session: Session, entry: CustomerEntry, owner_id: int | None, dirty: DirtyKeys) -> list[str]:
    domains = [_company_domain(entry, domain) for domain in entry.domains]
    emails = [address_key(contact.email) for contact in entry.contacts]
    customer = _find(session, entry, domains, emails)
    lines: list[str] = []
    if customer is None:
        customer = _make(session, entry, owner_id)
        lines.append(f"+ customer {entry.name}")
    else:
        lines += _change(session, entry, customer, owner_id)
    lines += _add_domains(session, entry, customer, domains, dirty)
    lines += _add_contacts(session, entry, customer, dirty)
    if lines:
        session.flush()
        refresh_reclaim_dates(session, [customer.id])
        changed_customers(session, dirty, [customer.id])
    return lines


def _company_domain(entry: CustomerEntry, domain: str) -> str:
    if is_free_mail(domain):
        raise CompanyFileError(f"customer {entry.name}: anybody gets an address at {domain}: it names no company")
    found = registrable_domain(domain)
    if not found:
        raise CompanyFileError(f"customer {entry.name}: {domain} is a public suffix, not a company's domain")
    return found


def _find(session: Session, entry: CustomerEntry, domains: list[str], emails: list[str]) -> Customer | None:
    by_domain = select(CustomerDomain.customer_id).where(CustomerDomain.domain.in_(domains))
    by_email = (
        select(Contact.customer_id)
        .join(ContactAddress, ContactAddress.contact_id == Contact.id)
        .where(ContactAddress.address_key.in_(emails), Contact.customer_id.is_not(None))
    )
    found = set(session.scalars(by_domain)) | set(session.scalars(by_email))
    if not found:
        by_name = select(Customer.id).where(Customer.name_key == entry.name.casefold(), Customer.source == "file")
        found = set(session.scalars(by_name))
    if len(found) > 1:
        raise CompanyFileError(f"customer {entry.name}: its domains and contacts belong to {len(found)} customers")
    return session.get_one(Customer, found.pop()) if found else None


def _make(session: Session, entry: CustomerEntry, owner_id: int | None) -> Customer:
    scope = Scope(kind="customer", owner_id=owner_id, team_id=_team_of(session, owner_id))
    session.add(scope)
    session.flush()
    customer = Customer(
        public_id=str(ULID()),
        scope_id=scope.id,
        name=entry.name,
        name_key=entry.name.casefold(),
        kind=entry.kind,
        grade=entry.grade or None,
        grade_by="person" if entry.grade else None,
        country=entry.country.upper() or None,
        source="file",
        created_at=datetime.now(UTC),
        version=1,
    )
    session.add(customer)
    session.flush()
    return customer


def _change(session: Session, entry: CustomerEntry, customer: Customer, owner_id: int | None) -> list[str]:
    wanted = {
        "name": entry.name,
        "name_key": entry.name.casefold(),
        "kind": entry.kind,
        "country": entry.country.upper() or None,
        "source": "file",
    }
    if entry.grade or customer.grade_by == "person":  # one that points gave is not the file's to take away
        wanted |= {"grade": entry.grade or None, "grade_by": "person" if entry.grade else None}
    changed = [name for name, value in wanted.items() if getattr(customer, name) != value]
    for name in changed:
        setattr(customer, name, wanted[name])
    if changed:
        customer.version += 1
    if session.get_one(Scope, customer.scope_id).owner_id != owner_id:
        _give(session, customer, owner_id)
        changed.append("owner")
    shown = [name for name in changed if name not in ("name_key", "grade_by")]
    return [f"~ customer {entry.name}: {', '.join(shown)}"] if shown else []


def _give(session: Session, customer: Customer, owner_id: int | None) -> None:
    """Let somebody own it, or nobody: then it falls into the pool.  Its work follows, as whenever one changes hands."""
    session.flush()
    [held] = fetch_held(session, [customer.id])
    pool_id = held.pool_id or held.home_pool_id or ReclaimRules.fetch(session).default_id
    to = Holder(owner_id=owner_id) if owner_id is not None else Holder(pool_id=pool_id)
    why = Why("given", str(ULID()), datetime.now(UTC), None)
    moved = Moved()
    transfer(session, [(held, to)], why, moved)
    moved.finish(session, why)
    session.expire_all()


def _team_of(session: Session, person_id: int | None) -> int | None:
    return session.get_one(Person, person_id).team_id if person_id is not None else None


def _add_domains(
    session: Session, entry: CustomerEntry, customer: Customer, domains: list[str], dirty: DirtyKeys
) -> list[str]:
    known = set(session.scalars(select(CustomerDomain.domain).where(CustomerDomain.domain.in_(domains))))
    new = [domain for domain in dict.fromkeys(domains) if domain not in known]
    session.add_all(CustomerDomain(domain=domain, customer_id=customer.id) for domain in new)
    dirty.domains.update(new)
    return [f"~ customer {entry.name}: + domain {domain}" for domain in new]


def _add_contacts(session: Session, entry: CustomerEntry, customer: Customer, dirty: DirtyKeys) -> list[str]:
    lines = []
    for wanted in entry.contacts:
        key = address_key(wanted.email)
        found = session.get(ContactAddress, key)
        if found is None:
            contact = Contact(customer_id=customer.id, name=wanted.name, created_at=datetime.now(UTC))
            session.add(contact)
            session.flush()
            session.add(ContactAddress(address_key=key, contact_id=contact.id))
            dirty.addresses.add(key)
            lines.append(f"~ customer {entry.name}: + contact {key}")
            continue
        contact = session.get_one(Contact, found.contact_id)
        if (contact.name, contact.customer_id) != (wanted.name or contact.name, customer.id):
            contact.name, contact.customer_id = wanted.name or contact.name, customer.id
            dirty.addresses.add(key)
            lines.append(f"~ customer {entry.name}: contact {key}")
    return lines
