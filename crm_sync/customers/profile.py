# SPDX-License-Identifier: GPL-3.0-or-later
"""Customers as people see and change them: lists, profiles, fields, what kind of party they are, why mail is theirs."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import phonenumbers
from babel import Locale
from sqlalchemy import Select, select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue, NotFound, Outdated, find_customer
from crm_sync.customers.contacts import fetch_contacts_of
from crm_sync.customers.kinds import KINDS
from crm_sync.customers.profile_views import CustomerRow, CustomerView, DomainView, LinkView
from crm_sync.customers.reclaim import refresh_reclaim_dates
from crm_sync.customers.transfers import begin_transfers
from crm_sync.directory_rows import DirtyKeys, changed_customers
from crm_sync.duplicates.changed_records import mark_changed
from crm_sync.duplicates.name_keys import company_keys, is_common
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Customer, CustomerDomain, CustomerName, Scope, SharedDomainCustomer
from crm_sync.models.mail import Arrival, Message, MessageLink
from crm_sync.models.people import Person
from crm_sync.rights import Action, Entity, Viewer, may

# Free texts: field -> longest.  Industry, size and source are chosen from lists (`crm_sync.choices`).
TEXTS = {"name": 300, "website": 300, "address": 500, "phone": 40, "profile": 20_000}
EDITABLE = (*TEXTS, "country", "star")
_HIDEABLE = ("grade", "industry", "size", "source")
_MOST_ROWS = 500
_COUNTRIES = frozenset(code for code in map(str, Locale("en").territories) if len(code) == 2 and code.isalpha())
PERSON = "person"


def list_customers(
    session: Session, viewer: Viewer, *, kind: str | None = None, before: str | None = None, limit: int = 50
) -> tuple[CustomerRow, ...]:
    """Return the newest customers the viewer may see, newest first, older than the one with the public id `before`."""
    wanted = _rows(viewer).where(Customer.merged_into.is_(None))
    if kind is not None:
        wanted = wanted.where(Customer.kind == _checked_kind(kind))
    if before is not None:
        wanted = wanted.where(Customer.id < find_customer(session, viewer, before).id)
    found = session.execute(wanted.order_by(Customer.id.desc()).limit(max(1, min(limit, _MOST_ROWS))))
    return tuple(_as_row(viewer, row) for row in found)


def fetch_customer(session: Session, viewer: Viewer, customer: str) -> CustomerView:
    """Return a profile.  Raises NotFound."""
    found = find_customer(session, viewer, customer)
    row = _as_row(viewer, session.execute(_rows(viewer).where(Customer.id == found.id)).one())
    alone = select(CustomerDomain.domain, CustomerDomain.reason).where(CustomerDomain.customer_id == found.id)
    several = select(SharedDomainCustomer.domain).where(SharedDomainCustomer.customer_id == found.id)
    domains = [DomainView(domain, reason, False) for domain, reason in session.execute(alone)]
    domains += [DomainView(domain, "shared", True) for domain in session.scalars(several)]

    def shown(name: str) -> Any:
        return None if viewer.hides(Entity.CUSTOMER, name) else getattr(found, name)

    return CustomerView(
        row=row,
        kind_reason=found.kind_reason,
        industry=shown("industry"),
        size=shown("size"),
        source=shown("source"),
        website=found.website,
        address=found.address,
        phone=found.phone,
        profile=found.profile,
        domains=tuple(sorted(domains, key=lambda one: one.domain)),
        contacts=fetch_contacts_of(session, found),
        origins={name: origin for name, origin in found.origins.items() if not viewer.hides(Entity.CUSTOMER, name)},
        version=found.version,
    )


def fetch_links(session: Session, viewer: Viewer, entry_id: str) -> tuple[LinkView, ...]:
    """Return whom a mail concerns and why, as far as the viewer may see those customers.  Raises NotFound."""
    key = session.scalars(
        select(Message.id)
        .join(Arrival, Arrival.message_id == Message.id)
        .where(
            Arrival.entry_id == (entry_id if entry_id.isprintable() else ""),
            may(viewer, Entity.MESSAGE, Action.SEE, Message.scope_id),
        )
    ).one_or_none()
    if key is None:
        raise NotFound(f"mail {entry_id[:60]!r}: there is none that {viewer.actor} may see")
    rows = session.execute(
        select(Customer.public_id, Customer.name, MessageLink.role, MessageLink.reason, Person.email)
        .join(MessageLink, MessageLink.customer_id == Customer.id)
        .outerjoin(Person, Person.id == MessageLink.decided_by_id)
        .where(MessageLink.message_id == key, may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id))
        .order_by(MessageLink.role.desc(), Customer.id)
    )
    return tuple(LinkView(*row) for row in rows)


def edit_customer(
    session: Session,
    viewer: Viewer,
    customer: str,
    wanted: Mapping[str, str | bool],
    now: datetime,
    *,
    version: int | None = None,
) -> tuple[str, ...]:
    """Give fields what a person says; no letter overwrites it from then on.  Return the names of those that changed.

    `version`: of the profile as it was read.  Raises NotFound, NotAllowed, InvalidValue, Outdated.
    """
    found = find_customer(session, viewer, customer, Action.EDIT)
    _require_version(found, version)
    changed = {}
    for name, value in wanted.items():
        checked = _checked(name, value)
        if getattr(found, name) != checked:
            changed[name] = [getattr(found, name), checked]
            setattr(found, name, checked)
        found.origins = {**found.origins, name: PERSON}
    if not changed:
        return ()
    if "name" in changed:
        found.name_key = found.name.casefold()[:300]
        key = company_keys(found.name).joined
        if key and not is_common(found.name) and session.get(CustomerName, (key, found.id)) is None:
            session.add(CustomerName(name_key=key, customer_id=found.id))
    _finish(session, viewer, found, "customer-edited", changed, now)
    return tuple(changed)


def set_kind(session: Session, viewer: Viewer, customer: str, kind: str, now: datetime) -> bool:
    """Say what a party is to us; it stays so.  Return whether that changed anything.

    Raises NotFound, NotAllowed, InvalidValue.
    """
    _checked_kind(kind)
    begin_transfers(session)
    found = find_customer(session, viewer, customer, Action.EDIT)
    if (found.kind, found.kind_reason) == (kind, PERSON):
        return False
    change = {"kind": [found.kind, kind]}
    found.kind, found.kind_reason = kind, PERSON
    _finish(session, viewer, found, "kind-set", change, now)
    refresh_reclaim_dates(session, [found.id])  # suppliers fall into no pool
    return True


def _rows(viewer: Viewer) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Customer.public_id,
            Customer.name,
            Customer.kind,
            Customer.grade,
            Customer.country,
            Person.email,
            Customer.star,
            Customer.created_at,
            Customer.reclaim_at,
        )
        .join(Scope, Scope.id == Customer.scope_id)
        .outerjoin(Person, Person.id == Scope.owner_id)
        .where(may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id))
    )


def _as_row(viewer: Viewer, found: Any) -> CustomerRow:
    row = CustomerRow(*found)
    return replace(row, grade=None) if viewer.hides(Entity.CUSTOMER, "grade") else row


def _checked_kind(kind: str) -> str:
    if kind not in KINDS:
        raise InvalidValue(f"kind {kind[:40]!r}: there is none; there are {', '.join(KINDS)}")
    return kind


def _checked(name: str, value: str | bool) -> str | bool | None:
    if name == "star":
        return bool(value)
    text = str(value).strip()
    if name == "country":
        code = text.upper()
        if code and code not in _COUNTRIES:
            raise InvalidValue(f"country {text[:40]!r}: is no ISO 3166 code, as DE or CN")
        return code or None
    if name not in TEXTS:
        raise InvalidValue(f"field {name[:40]!r}: can't be edited; {', '.join(EDITABLE)} can")
    printable = text.replace("\n", " ") if name in ("profile", "address") else text
    if len(text) > TEXTS[name] or not printable.isprintable() or (name == "name" and not text):
        raise InvalidValue(f"{name}: is at most {TEXTS[name]} printable characters, and a name is not empty")
    return checked_phone(text) if name == "phone" and text else text


def checked_phone(text: str) -> str:
    """Return a number as E.164.  Raises InvalidValue."""
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise InvalidValue(f"phone {text[:40]!r}: is no number with its country, as +49 30 1234567")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _require_version(found: Customer, version: int | None) -> None:
    if version is not None and version != found.version:
        raise Outdated(
            f"customer {found.public_id}: was changed since you read it; read it again (version {found.version})"
        )


def _finish(
    session: Session, viewer: Viewer, found: Customer, step: str, changes: Mapping[str, Any], now: datetime
) -> None:
    found.version += 1
    session.add(
        Event(
            cause_id=str(ULID()),
            step=step,
            subject=f"customer:{found.id}",
            at=now,
            customer_id=found.id,
            person_id=viewer.actor_id,
            details={"actor": viewer.actor, "changes": dict(changes)},
        )
    )
    session.flush()
    mark_changed(session, customers=[found.id])
    dirty = DirtyKeys()
    changed_customers(session, dirty, [found.id])
    dirty.write(session)
