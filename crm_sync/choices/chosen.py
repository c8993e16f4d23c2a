# SPDX-License-Identifier: GPL-3.0-or-later
"""What was chosen for a customer or one of his contacts.

Industry, size and part in decisions have a column of their own, because signatures tell them too: there the key is kept.
Everything else is a row a choice.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue, NotAllowed, NotFound, find_customer
from crm_sync.choices.lists import find_choices
from crm_sync.models.choices import Choice, ChoiceList, ContactChoice, CustomerChoice
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Contact, Customer
from crm_sync.models.pipeline import ScoreDue
from crm_sync.rights import Action, Entity, Viewer

_COLUMNS: Final[Mapping[str, str]] = {"industry": "industry", "size": "size", "decision-role": "decision_role"}
_MOST_CHOSEN: Final = 50


def fetch_chosen(session: Session, viewer: Viewer, customer: str) -> dict[str, tuple[str, ...]]:
    """Return list -> chosen keys of a customer, without fields that are hidden from the viewer.  Raises NotFound."""
    found = find_customer(session, viewer, customer)
    rows = session.execute(
        select(Choice.list_key, Choice.key)
        .join(CustomerChoice, CustomerChoice.choice_id == Choice.id)
        .where(CustomerChoice.customer_id == found.id)
        .order_by(Choice.list_key, Choice.position, Choice.id)
    )
    chosen: dict[str, list[str]] = {}
    for list_key, key in rows:
        chosen.setdefault(list_key, []).append(key)
    for list_key in ("industry", "size"):
        if value := getattr(found, list_key):
            chosen[list_key] = [value]
    return {name: tuple(keys) for name, keys in sorted(chosen.items()) if not viewer.hides(Entity.CUSTOMER, name)}


def choose_for_customer(
    session: Session, viewer: Viewer, customer: str, list_key: str, keys: Sequence[str], now: datetime
) -> None:
    """Make these the customer's choices of a list; none takes back what was chosen.

    Raises NotFound, NotAllowed, InvalidValue.
    """
    found = find_customer(session, viewer, customer, Action.EDIT)
    choices = _check(session, viewer, "customer", list_key, keys)
    if list_key in _COLUMNS:
        _set_column(found, list_key, keys)
    else:
        of_list = select(Choice.id).where(Choice.list_key == list_key)
        session.execute(
            delete(CustomerChoice).where(CustomerChoice.customer_id == found.id, CustomerChoice.choice_id.in_(of_list))
        )
        session.add_all(CustomerChoice(customer_id=found.id, choice_id=choice.id) for choice in choices)
    found.version += 1
    _finish(session, viewer, found, now, list=list_key, chosen=list(keys))


def choose_for_contact(
    session: Session, viewer: Viewer, customer: str, contact_id: int, list_key: str, keys: Sequence[str], now: datetime
) -> None:
    """Make these the choices of a list for one of the customer's contacts.  Raises NotFound, NotAllowed, InvalidValue."""
    found = find_customer(session, viewer, customer, Action.EDIT)
    contact = session.scalars(
        select(Contact).where(Contact.id == contact_id, Contact.customer_id == found.id).with_for_update()
    ).one_or_none()
    if contact is None:
        raise NotFound(f"contact {contact_id}: works for no customer of that name")
    choices = _check(session, viewer, "contact", list_key, keys)
    if list_key in _COLUMNS:
        _set_column(contact, list_key, keys)
    else:
        of_list = select(Choice.id).where(Choice.list_key == list_key)
        session.execute(
            delete(ContactChoice).where(ContactChoice.contact_id == contact.id, ContactChoice.choice_id.in_(of_list))
        )
        session.add_all(ContactChoice(contact_id=contact.id, choice_id=choice.id) for choice in choices)
    contact.version += 1
    _finish(session, viewer, found, now, list=list_key, chosen=list(keys), contact=contact_id)


def _check(session: Session, viewer: Viewer, subject: str, list_key: str, keys: Sequence[str]) -> list[Choice]:
    found = session.get(ChoiceList, list_key) if list_key.isprintable() else None
    if found is None or found.subject != subject:
        raise NotFound(f"list {list_key[:40]!r}: there is none for a {subject}; 'tradepost choice lists' names them")
    if viewer.hides(Entity.CUSTOMER, list_key):
        raise NotAllowed(f"list {list_key!r}: {viewer.actor} does not see that field")
    if len(keys) > (_MOST_CHOSEN if found.takes_many else 1):
        raise InvalidValue(f"list {list_key!r}: takes {_MOST_CHOSEN if found.takes_many else 'one choice'} at most")
    return find_choices(session, list_key, keys)


def _set_column(row: Customer | Contact, list_key: str, keys: Sequence[str]) -> None:
    column = _COLUMNS[list_key]
    setattr(row, column, keys[0] if keys else "")
    row.origins = {**(row.origins or {}), column: "person"}


def _finish(session: Session, viewer: Viewer, customer: Customer, now: datetime, **details: object) -> None:
    session.add(ScoreDue(customer_id=customer.id))
    session.add(
        Event(
            cause_id=str(ULID()),
            step="chosen",
            subject=f"customer:{customer.id}",
            at=now,
            customer_id=customer.id,
            person_id=viewer.actor_id,
            details=details,
        )
    )
    session.flush()
