# SPDX-License-Identifier: GPL-3.0-or-later
"""The records that can have fields of their own, named as people name them, and only those that the viewer may touch."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotAllowed, NotFound, find_customer
from crm_sync.models.customers import Contact, ContactAddress, Customer
from crm_sync.models.pipeline import Opportunity
from crm_sync.rights import Action, Entity, Viewer, may
from tradepost.addresses import address_key


@dataclass(frozen=True, slots=True)
class Record:
    """A record: the table's key, the scope it hangs on, and the customer whose story tells of changes."""

    entity: str
    id: int
    scope_id: int
    customer_id: int | None


def find_record(session: Session, viewer: Viewer, about: str, action: Action = Action.SEE) -> Record:
    """Return what `customer:ID`, `contact:ADDRESS` (one of his) or `opportunity:ID` means.

    Raises NotFound, NotAllowed, InvalidValue.
    """
    entity, colon, key = about.partition(":")
    if entity == "customer" and colon:
        customer = find_customer(session, viewer, key, action)
        return Record(entity, customer.id, customer.scope_id, customer.id)
    if entity == "contact" and colon:
        return _find_contact(session, viewer, key, action)
    if entity == "opportunity" and colon:
        return _find_opportunity(session, viewer, key, action)
    raise InvalidValue(f"{about[:60]!r}: say customer:ID, contact:ADDRESS or opportunity:ID")


def _find_contact(session: Session, viewer: Viewer, address: str, action: Action) -> Record:
    key = address_key(address) if address.isprintable() else ""
    wanted = (
        select(Contact.id, Customer.scope_id, Customer.id)
        .join(ContactAddress, ContactAddress.contact_id == Contact.id)
        .join(Customer, Customer.id == Contact.customer_id)
        .where(ContactAddress.address_key == key)
    )
    seen = session.execute(wanted.where(may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id))).one_or_none()
    if seen is None:
        raise NotFound(f"contact {address[:60]!r}: there is none that {viewer.actor} may see")
    if session.execute(wanted.where(may(viewer, Entity.CUSTOMER, action, Customer.scope_id))).one_or_none() is None:
        raise NotAllowed(f"contact {address[:60]!r}: {viewer.actor} may see, but not {action} him")
    return Record("contact", *seen)


def _find_opportunity(session: Session, viewer: Viewer, public_id: str, action: Action) -> Record:
    wanted = select(Opportunity.id, Opportunity.scope_id, Opportunity.customer_id).where(
        Opportunity.public_id == (public_id if public_id.isalnum() and public_id.isascii() else "")
    )
    seen = session.execute(
        wanted.where(may(viewer, Entity.OPPORTUNITY, Action.SEE, Opportunity.scope_id))
    ).one_or_none()
    if seen is None:
        raise NotFound(f"opportunity {public_id[:60]!r}: there is none that {viewer.actor} may see")
    allowed = wanted.where(may(viewer, Entity.OPPORTUNITY, action, Opportunity.scope_id))
    if session.execute(allowed).one_or_none() is None:
        raise NotAllowed(f"opportunity {public_id[:60]!r}: {viewer.actor} may see, but not {action} it")
    return Record("opportunity", *seen)
