# SPDX-License-Identifier: GPL-3.0-or-later
"""Contacts as people see and change them: names, titles, addresses, numbers, and what mail suggests about them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue, NotAllowed, NotFound, Outdated, find_customer
from crm_sync.customers.party_lookups import PERSON
from crm_sync.customers.profile_views import ContactView, SuggestionView
from crm_sync.customers.relinking import find_contact
from crm_sync.customers.transfers import begin_transfers
from crm_sync.directory_rows import DirtyKeys
from crm_sync.duplicates.changed_records import mark_changed
from crm_sync.duplicates.name_keys import person_key
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Contact, ContactAddress, ContactPhone, Customer, PartySuggestion
from crm_sync.rights import Action, Entity, Viewer, may
from tradepost.addresses import LONGEST_ADDRESS, address_key

TEXTS = {"name": 300, "title": 200}
_MOST_ROWS = 500


def fetch_contacts_of(session: Session, customer: Customer) -> tuple[ContactView, ...]:
    """Return a customer's contacts, to whoever was shown the customer."""
    found = session.scalars(
        select(Contact).where(Contact.customer_id == customer.id).order_by(Contact.id).limit(_MOST_ROWS)
    ).all()
    return _as_views(session, found, [customer])


def list_contacts(
    session: Session, viewer: Viewer, *, customer: str | None = None, before: int | None = None, limit: int = 50
) -> tuple[ContactView, ...]:
    """Return the newest contacts the viewer may see, newest first, older than the key `before`.  Raises NotFound."""
    wanted = (
        select(Contact, Customer)
        .join(Customer, Customer.id == Contact.customer_id)
        .where(may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id))
        .order_by(Contact.id.desc())
        .limit(max(1, min(limit, _MOST_ROWS)))
    )
    if customer is not None:
        wanted = wanted.where(Contact.customer_id == find_customer(session, viewer, customer).id)
    if before is not None:
        wanted = wanted.where(Contact.id < before)
    rows = session.execute(wanted).all()
    return _as_views(session, [row.Contact for row in rows], [row.Customer for row in rows])


def fetch_contact(session: Session, viewer: Viewer, contact_id: int) -> ContactView:
    """Return a contact.  Raises NotFound."""
    found = find_contact(session, viewer, contact_id)
    return _as_views(session, [found], [session.get_one(Customer, found.customer_id)])[0]


def edit_contact(
    session: Session,
    viewer: Viewer,
    contact_id: int,
    wanted: Mapping[str, str],
    now: datetime,
    *,
    version: int | None = None,
) -> tuple[str, ...]:
    """Give fields what a person says; no letter overwrites it from then on.  Return the names of those that changed.

    `version`: of the contact as it was read.  Raises NotFound, NotAllowed, InvalidValue, Outdated.
    """
    found = find_contact(session, viewer, contact_id, Action.EDIT)
    if version is not None and version != found.version:
        raise Outdated(f"contact {found.id}: was changed since you read it; read it again (version {found.version})")
    changed = {}
    for name, value in wanted.items():
        text = value.strip()
        if name not in TEXTS:
            raise InvalidValue(f"field {name[:40]!r}: can't be edited; {', '.join(TEXTS)} can")
        if len(text) > TEXTS[name] or not text.isprintable():
            raise InvalidValue(f"{name}: is at most {TEXTS[name]} printable characters")
        if getattr(found, name) != text:
            changed[name] = [getattr(found, name), text]
            setattr(found, name, text)
        found.origins = {**found.origins, name: PERSON}
    if not changed:
        return ()
    found.name_key = person_key(found.name)
    found.version += 1
    _tell(session, viewer, found, "contact-edited", {"changes": changed}, now)
    return tuple(changed)


def add_address(session: Session, viewer: Viewer, contact_id: int, address: str, now: datetime) -> str:
    """Say that an address is this contact's: mail from it is his from now on.  Return it as kept.

    Whose it was is only told to whoever may edit that contact too.  Raises NotFound, NotAllowed, InvalidValue.
    """
    begin_transfers(session)
    found = find_contact(session, viewer, contact_id, Action.EDIT)
    key = address_key(address) if address.isprintable() else ""
    if "@" not in key.strip("@") or len(key) > LONGEST_ADDRESS or any(sign.isspace() for sign in key):
        raise InvalidValue(f"address {address[:60]!r}: is no e-mail address")
    known = session.get(ContactAddress, key)
    if known is None:
        session.add(ContactAddress(address_key=key, contact_id=found.id, reason=PERSON))
    else:
        if known.contact_id != found.id:
            _require_other(session, viewer, known.contact_id, key)
        known.contact_id, known.reason = found.id, PERSON
    _tell(session, viewer, found, "address-given", {"address": key}, now, {key})
    return key


def list_suggestions(session: Session, viewer: Viewer, *, limit: int = 50) -> tuple[SuggestionView, ...]:
    """Return what mail suggests about contacts the viewer may edit, newest first."""
    rows = session.execute(
        select(
            PartySuggestion.id,
            PartySuggestion.kind,
            Contact.id,
            Contact.name,
            Customer.public_id,
            PartySuggestion.subject,
            PartySuggestion.at,
        )
        .join(Contact, Contact.id == PartySuggestion.contact_id)
        .join(Customer, Customer.id == Contact.customer_id)
        .where(PartySuggestion.state == "open", may(viewer, Entity.CUSTOMER, Action.EDIT, Customer.scope_id))
        .order_by(PartySuggestion.id.desc())
        .limit(max(1, min(limit, _MOST_ROWS)))
    )
    return tuple(SuggestionView(*row) for row in rows)


def dismiss_suggestion(session: Session, viewer: Viewer, suggestion_id: int, now: datetime) -> None:
    """Say that a suggestion is settled.  Raises NotFound, NotAllowed."""
    found = session.get(PartySuggestion, suggestion_id)
    if found is None or found.state != "open":
        raise NotFound(f"suggestion {suggestion_id}: there is none that {viewer.actor} may settle")
    try:
        contact = find_contact(session, viewer, found.contact_id, Action.EDIT)
    except (NotFound, NotAllowed):
        raise NotFound(f"suggestion {suggestion_id}: there is none that {viewer.actor} may settle") from None
    found.state = "dismissed"
    _tell(session, viewer, contact, "suggestion-settled", {"kind": found.kind, "says": found.subject}, now)


def _require_other(session: Session, viewer: Viewer, contact_id: int, address: str) -> None:
    try:
        find_contact(session, viewer, contact_id, Action.EDIT)
    except (NotFound, NotAllowed):
        raise NotAllowed(f"address {address}: is not {viewer.actor}'s to give; whoever may edit all may") from None


def _as_views(session: Session, found: Sequence[Contact], customers: Iterable[Customer]) -> tuple[ContactView, ...]:
    keys = [one.id for one in found]
    addresses: defaultdict[int, list[str]] = defaultdict(list)
    phones: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    rows = select(ContactAddress.contact_id, ContactAddress.address_key).order_by(ContactAddress.address_key)
    for key, address in session.execute(rows.where(ContactAddress.contact_id.in_(keys))):
        addresses[key].append(address)
    numbers = select(ContactPhone.contact_id, ContactPhone.kind, ContactPhone.e164).order_by(ContactPhone.e164)
    for key, kind, number in session.execute(numbers.where(ContactPhone.contact_id.in_(keys))):
        phones[key].append((kind, number))
    known: dict[int | None, Customer] = {one.id: one for one in customers}
    return tuple(
        ContactView(
            id=one.id,
            name=one.name,
            title=one.title,
            decision_role=one.decision_role,
            addresses=tuple(addresses[one.id]),
            phones=tuple(phones[one.id]),
            social=tuple((account["kind"], account["value"]) for account in one.social),
            customer=known[one.customer_id].public_id if one.customer_id in known else None,
            customer_name=known[one.customer_id].name if one.customer_id in known else "",
            origins=dict(one.origins),
            version=one.version,
        )
        for one in found
    )


def _tell(
    session: Session,
    viewer: Viewer,
    contact: Contact,
    step: str,
    details: dict[str, Any],
    now: datetime,
    addresses: set[str] | None = None,
) -> None:
    session.add(
        Event(
            cause_id=str(ULID()),
            step=step,
            subject=f"contact:{contact.id}",
            at=now,
            customer_id=contact.customer_id,
            person_id=viewer.actor_id,
            details={"actor": viewer.actor, **details},
        )
    )
    session.flush()
    mark_changed(session, contacts=[contact.id])
    customers = {contact.customer_id} if contact.customer_id is not None else set()
    DirtyKeys(addresses=addresses or set(), customers=customers).write(session)
