# SPDX-License-Identifier: GPL-3.0-or-later
"""A person says whose a domain is, or that several companies write from it.  What he says no letter changes."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue, NotAllowed, find_customer
from crm_sync.customers.party_lookups import PERSON
from crm_sync.customers.transfers import begin_transfers
from crm_sync.directory_rows import DirtyKeys
from crm_sync.duplicates.changed_records import mark_changed
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Customer, CustomerDomain, SharedDomain, SharedDomainCustomer
from crm_sync.rights import Action, Entity, Viewer, may
from tradepost.addresses import company_domain, domain_key, is_free_mail


def give_domain(session: Session, viewer: Viewer, customer: str, domain: str, now: datetime) -> str:
    """Let the company domain be this customer's alone; return it as kept.  Mail that stands elsewhere stays there.

    Raises NotFound, NotAllowed, InvalidValue.
    """
    begin_transfers(session)
    target = find_customer(session, viewer, customer, Action.EDIT)
    key = _company(domain)
    _require_holders(session, viewer, key)
    _forget(session, key)
    session.add(CustomerDomain(domain=key, customer_id=target.id, reason=PERSON))
    _tell(session, viewer, target, "domain-given", key, now)
    return key


def share_domain(session: Session, viewer: Viewer, customer: str, domain: str, now: datetime) -> str:
    """Mark a domain as that of several companies, this customer among them: alone it decides nothing from now on.

    Raises NotFound, NotAllowed, InvalidValue.
    """
    begin_transfers(session)
    target = find_customer(session, viewer, customer, Action.EDIT)
    key = _company(domain)
    _require_holders(session, viewer, key)
    holders = _holders(session, key) | {target.id}
    _forget(session, key)
    session.add(SharedDomain(domain=key, reason=PERSON, at=now))
    session.flush()
    session.add_all(SharedDomainCustomer(domain=key, customer_id=holder) for holder in sorted(holders))
    _tell(session, viewer, target, "domain-shared", key, now)
    return key


def forget_domain(session: Session, viewer: Viewer, customer: str, domain: str, now: datetime) -> str:
    """Take a domain from a customer; the next newcomer from there is asked for anew.  Raises as `give_domain`."""
    begin_transfers(session)
    target = find_customer(session, viewer, customer, Action.EDIT)
    key = _company(domain)
    if target.id not in _holders(session, key):
        raise InvalidValue(f"domain {key}: is none of {target.public_id}'s")
    session.execute(delete(CustomerDomain).where(CustomerDomain.domain == key, CustomerDomain.customer_id == target.id))
    session.execute(
        delete(SharedDomainCustomer).where(
            SharedDomainCustomer.domain == key, SharedDomainCustomer.customer_id == target.id
        )
    )
    _tell(session, viewer, target, "domain-taken", key, now)
    return key


def _company(domain: str) -> str:
    key = domain_key(domain.strip()[:300]) if domain.isprintable() else ""
    if is_free_mail(key):
        raise InvalidValue(f"domain {key}: anybody gets an address there; move the contact instead")
    company = company_domain(f"@{key}")
    if not company:
        raise InvalidValue(f"domain {domain[:60]!r}: is no company's own: a public suffix, a platform, or no domain")
    return company


def _holders(session: Session, domain: str) -> set[int]:
    alone = session.scalars(select(CustomerDomain.customer_id).where(CustomerDomain.domain == domain))
    several = select(SharedDomainCustomer.customer_id).where(SharedDomainCustomer.domain == domain)
    return {*alone, *session.scalars(several)}


def _require_holders(session: Session, viewer: Viewer, domain: str) -> None:
    """Raise NotAllowed unless the viewer may edit whose the domain is now.  One word for his own and for strangers'."""
    holders = _holders(session, domain)
    wanted = select(Customer.id).where(
        Customer.id.in_(holders), may(viewer, Entity.CUSTOMER, Action.EDIT, Customer.scope_id)
    )
    if holders - set(session.scalars(wanted)):
        raise NotAllowed(f"domain {domain}: is not {viewer.actor}'s to give; whoever may edit all customers may")


def _forget(session: Session, domain: str) -> None:
    session.execute(delete(CustomerDomain).where(CustomerDomain.domain == domain))
    session.execute(delete(SharedDomainCustomer).where(SharedDomainCustomer.domain == domain))
    session.execute(delete(SharedDomain).where(SharedDomain.domain == domain))


def _tell(session: Session, viewer: Viewer, customer: Customer, step: str, domain: str, now: datetime) -> None:
    customer.version += 1
    session.add(
        Event(
            cause_id=str(ULID()),
            step=step,
            subject=f"customer:{customer.id}",
            at=now,
            customer_id=customer.id,
            person_id=viewer.actor_id,
            details={"actor": viewer.actor, "domain": domain},
        )
    )
    session.flush()
    mark_changed(session, customers=[customer.id])
    DirtyKeys(domains={domain}, customers={customer.id}).write(session)
