# SPDX-License-Identifier: GPL-3.0-or-later
"""A person says whose mail it is: conversations, contacts and domains go to another customer in one step, and stay there.

What is moved teaches: the same address and domain follow from now on, and no letter moves them again.  One operation keeps
what was before; `undo_move` puts it back.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue, NotAllowed, NotFound, Outdated, find_customer
from crm_sync.conversations.merging import move_to_customer
from crm_sync.conversations.shares import share_with_assignees
from crm_sync.customers.party_lookups import PERSON
from crm_sync.customers.transfers import begin_transfers
from crm_sync.directory_rows import DirtyKeys, changed_threads
from crm_sync.duplicates.changed_records import mark_changed
from crm_sync.models.conversations import Conversation, Event
from crm_sync.models.customers import Contact, ContactAddress, Customer, CustomerDomain, Scope
from crm_sync.models.mail import Arrival, Message, MessageLink
from crm_sync.models.operations import Operation
from crm_sync.rights import Action, Entity, Viewer, may
from tradepost.addresses import company_domain

MOVE = "move-to-customer"
_LONGEST_ID = 26


@dataclass(frozen=True, slots=True)
class Relinked:
    """What went to the customer.  `operation` takes it back; "": nothing had to move."""

    operation: str
    customer: str
    conversations: int = 0
    contacts: tuple[str, ...] = ()  # their addresses
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Moves:
    """Keys and what they were before."""

    conversations: dict[int, tuple[int | None, int]]  # (customer, scope)
    contacts: dict[int, int | None]
    addresses: dict[str, str]  # reason
    domains: dict[str, tuple[int, str]]  # (customer, reason)


def relink_conversation(
    session: Session, viewer: Viewer, conversation: str, customer: str, now: datetime, *, teaches: bool = True
) -> Relinked:
    """Give a conversation (public id) to a customer, and with `teaches` who wrote in it and what else he wrote.

    Raises NotFound, NotAllowed.
    """
    begin_transfers(session)
    target = find_customer(session, viewer, customer, Action.EDIT)
    found = _find_conversation(session, viewer, conversation)
    contacts = _writers(session, found) if teaches else ()
    return _move(session, viewer, target, {found.id}, contacts, now)


def relink_mail(
    session: Session, viewer: Viewer, entry_id: str, customer: str, now: datetime, *, teaches: bool = True
) -> Relinked:
    """Give the conversation of a mail (entry id) to a customer, as `relink_conversation`.  Raises NotFound, NotAllowed."""
    find_customer(session, viewer, customer)
    key = entry_id if entry_id.isalnum() and len(entry_id) <= _LONGEST_ID else ""
    public_id = session.scalars(
        select(Conversation.public_id)
        .join(Message, Message.conversation_id == Conversation.id)
        .join(Arrival, Arrival.message_id == Message.id)
        .where(Arrival.entry_id == key, may(viewer, Entity.MESSAGE, Action.SEE, Message.scope_id))
    ).one_or_none()
    if public_id is None:
        raise NotFound(f"mail {entry_id[:60]!r}: there is none that {viewer.actor} may see")
    return relink_conversation(session, viewer, public_id, customer, now, teaches=teaches)


def move_contact(session: Session, viewer: Viewer, contact_id: int, customer: str, now: datetime) -> Relinked:
    """Let a contact work for another customer from the beginning: his mail goes with him.  Raises NotFound, NotAllowed."""
    begin_transfers(session)
    target = find_customer(session, viewer, customer, Action.EDIT)
    contact = find_contact(session, viewer, contact_id, Action.EDIT)
    return _move(session, viewer, target, set(), (contact.id,), now)


def undo_move(session: Session, viewer: Viewer, operation: str, now: datetime) -> int:
    """Put back what an operation moved; return how many conversations went back.  Raises NotFound, NotAllowed, Outdated."""
    begin_transfers(session)
    done = _find_operation(session, viewer, operation)
    before = done.undo
    target = int(before["customer"])
    keys = {int(key) for key in before["conversations"]}
    rows = session.scalars(select(Conversation).where(Conversation.id.in_(keys)).order_by(Conversation.id)).all()
    if any(row.customer_id != target or row.merged_into is not None for row in rows):
        raise Outdated(f"operation {operation}: its conversations were moved again since; move them by hand")
    for row in rows:
        customer_id, scope_id = before["conversations"][str(row.id)]
        _put(session, row, customer_id, scope_id)
    for key, customer_id in before["contacts"].items():
        session.execute(update(Contact).where(Contact.id == int(key)).values(customer_id=customer_id))
    for address, reason in before["addresses"].items():
        session.execute(update(ContactAddress).where(ContactAddress.address_key == address).values(reason=reason))
    for domain, (customer_id, reason) in before["domains"].items():
        wanted = update(CustomerDomain).where(CustomerDomain.domain == domain)
        session.execute(wanted.values(customer_id=customer_id, reason=reason))
    done.undone_at, done.undone_by = now, viewer.actor_id
    _tell(session, viewer, done.public_id, "move-undone", target, before, now)
    return len(rows)


def find_contact(session: Session, viewer: Viewer, contact_id: int, action: Action = Action.SEE) -> Contact:
    """Return a contact of a customer of whom the viewer may do that.  Raises NotFound, NotAllowed."""
    mine = (
        select(Contact)
        .join(Customer, Customer.id == Contact.customer_id)
        .where(Contact.id == contact_id, may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id))
    )
    if session.scalars(mine).one_or_none() is None:
        raise NotFound(f"contact {contact_id}: there is none that {viewer.actor} may see")
    found = session.scalars(mine.where(may(viewer, Entity.CUSTOMER, action, Customer.scope_id))).one_or_none()
    if found is None:
        raise NotAllowed(f"contact {contact_id}: {viewer.actor} may see, but not {action} him")
    return found


def _find_conversation(session: Session, viewer: Viewer, public_id: str) -> Conversation:
    key = public_id if public_id.isalnum() and len(public_id) <= _LONGEST_ID else ""
    mine = select(Conversation).where(
        Conversation.public_id == key,
        Conversation.merged_into.is_(None),
        may(viewer, Entity.MESSAGE, Action.SEE, Conversation.scope_id),
    )
    if session.scalars(mine).one_or_none() is None:
        raise NotFound(f"conversation {public_id[:60]!r}: there is none that {viewer.actor} may see")
    found = session.scalars(mine.where(may(viewer, Entity.MESSAGE, Action.EDIT, Conversation.scope_id))).one_or_none()
    if found is None:
        raise NotAllowed(f"conversation {public_id}: {viewer.actor} may see, but not edit it")
    return found


def _find_operation(session: Session, viewer: Viewer, public_id: str) -> Operation:
    key = public_id if public_id.isalnum() and len(public_id) <= _LONGEST_ID else ""
    found = session.scalars(
        select(Operation)
        .join(Scope, Scope.id == Operation.scope_id)
        .where(
            Operation.public_id == key,
            Operation.kind == MOVE,
            may(viewer, Entity.CUSTOMER, Action.EDIT, Scope.id),
        )
    ).one_or_none()
    if found is None:
        raise NotFound(f"operation {public_id[:60]!r}: there is none that {viewer.actor} may undo")
    if found.undone_at is not None:
        raise InvalidValue(f"operation {public_id}: was undone already")
    return found


def _writers(session: Session, conversation: Conversation) -> Sequence[int]:
    """Return the contacts through whom the conversation came to its customer; an agent's stays the agent's."""
    wanted = (
        select(Message.contact_id)
        .join(Contact, Contact.id == Message.contact_id)
        .where(Message.conversation_id == conversation.id, Contact.customer_id == conversation.customer_id)
        .distinct()
    )
    return tuple(key for key in session.scalars(wanted) if key is not None)


def _move(
    session: Session,
    viewer: Viewer,
    target: Customer,
    conversations: set[int],
    contacts: Collection[int],
    now: datetime,
) -> Relinked:
    before = _before(session, target, conversations, contacts)
    if not (before.conversations or before.contacts or before.domains):
        return Relinked("", target.public_id)
    _require_all(session, viewer, before)
    for row in session.scalars(
        select(Conversation).where(Conversation.id.in_(before.conversations)).order_by(Conversation.id)
    ).all():
        _put(session, row, target.id, target.scope_id)
        session.execute(
            update(MessageLink)
            .where(
                MessageLink.customer_id == target.id,
                MessageLink.message_id.in_(select(Message.id).where(Message.conversation_id == row.id)),
            )
            .values(reason=PERSON, decided_by_id=viewer.actor_id)
        )
    session.execute(update(Contact).where(Contact.id.in_(before.contacts)).values(customer_id=target.id))
    session.execute(
        update(ContactAddress).where(ContactAddress.address_key.in_(before.addresses)).values(reason=PERSON)
    )
    session.execute(
        update(CustomerDomain)
        .where(CustomerDomain.domain.in_(before.domains))
        .values(customer_id=target.id, reason=PERSON)
    )
    cause = str(ULID())
    made = Relinked(
        cause,
        target.public_id,
        len(before.conversations),
        tuple(sorted(before.addresses)),
        tuple(sorted(before.domains)),
    )
    undo: dict[str, Any] = {"customer": target.id, **asdict(before)}
    undo = {
        name: {str(k): v for k, v in part.items()} if isinstance(part, dict) else part for name, part in undo.items()
    }
    session.add(
        Operation(
            public_id=cause,
            kind=MOVE,
            at=now,
            person_id=viewer.actor_id,
            scope_id=target.scope_id,
            summary=asdict(made),
            undo=undo,
        )
    )
    _tell(session, viewer, cause, "moved-to-customer", target.id, undo, now)
    return made


def _before(session: Session, target: Customer, conversations: set[int], contacts: Collection[int]) -> _Moves:
    moving = {
        key: customer
        for key, customer in session.execute(select(Contact.id, Contact.customer_id).where(Contact.id.in_(contacts)))
        if customer != target.id
    }
    addresses = dict(
        session.execute(
            select(ContactAddress.address_key, ContactAddress.reason).where(ContactAddress.contact_id.in_(contacts))
        ).all()
    )
    theirs = select(Conversation.id, Conversation.customer_id, Conversation.scope_id).where(
        Conversation.merged_into.is_(None), func.coalesce(Conversation.customer_id, 0) != target.id
    )
    found = {
        row.id: (row.customer_id, row.scope_id)
        for row in session.execute(theirs.where(Conversation.id.in_(conversations)))
    }
    # What a contact wrote goes along, where nobody else of his old company took part.
    for customer in {one for one in moving.values() if one is not None}:
        written = select(Message.conversation_id).where(Message.contact_id.in_(moving))
        others = (
            select(Message.conversation_id)
            .join(Contact, Contact.id == Message.contact_id)
            .where(Contact.customer_id == customer, Contact.id.not_in(moving))
        )
        wanted = theirs.where(
            Conversation.customer_id == customer, Conversation.id.in_(written), Conversation.id.not_in(others)
        )
        found |= {row.id: (row.customer_id, row.scope_id) for row in session.execute(wanted)}
    return _Moves(found, moving, addresses, _domains(session, target, moving, addresses))


def _domains(
    session: Session, target: Customer, moving: dict[int, int | None], addresses: dict[str, str]
) -> dict[str, tuple[int, str]]:
    """Return the domains that go along: those at which the old company has nobody left."""
    domains = {company_domain(address) for address in addresses} - {""}
    rows = session.execute(select(CustomerDomain).where(CustomerDomain.domain.in_(domains))).scalars().all()
    found = {}
    for row in rows:
        if row.customer_id == target.id:
            continue
        left = session.scalars(
            select(ContactAddress.address_key)
            .join(Contact, Contact.id == ContactAddress.contact_id)
            .where(Contact.customer_id == row.customer_id, Contact.id.not_in(moving))
        )
        if not any(company_domain(address) == row.domain for address in left):
            found[row.domain] = (row.customer_id, row.reason)
    return found


def _require_all(session: Session, viewer: Viewer, before: _Moves) -> None:
    """Raise NotAllowed unless everything that would move is the viewer's to edit."""
    scopes = {scope for _, scope in before.conversations.values()}
    allowed = set(
        session.scalars(
            select(Conversation.scope_id).where(
                Conversation.scope_id.in_(scopes), may(viewer, Entity.MESSAGE, Action.EDIT, Conversation.scope_id)
            )
        )
    )
    customers = {key for key in before.contacts.values() if key is not None}
    customers |= {key for key, _ in before.domains.values()}
    editable = set(
        session.scalars(
            select(Customer.id).where(
                Customer.id.in_(customers), may(viewer, Entity.CUSTOMER, Action.EDIT, Customer.scope_id)
            )
        )
    )
    if scopes - allowed or customers - editable:
        raise NotAllowed(f"{viewer.actor} may not edit all that would move; whoever may edit both customers may")


def _put(session: Session, row: Conversation, customer_id: int | None, scope_id: int) -> None:
    before = row.customer_id
    row.customer_id, row.scope_id = customer_id, scope_id
    row.version += 1
    session.flush()
    move_to_customer(session, row.id, before, customer_id, scope_id)


def _tell(
    session: Session, viewer: Viewer, cause: str, step: str, customer_id: int, moved: dict[str, Any], now: datetime
) -> None:
    """Write the event, share with whoever works on it, and let the directory know, so that the next mark agrees."""
    session.flush()
    conversations = sorted(int(key) for key in moved["conversations"])
    session.add(
        Event(
            cause_id=cause,
            step=step,
            subject=f"customer:{customer_id}",
            at=now,
            customer_id=customer_id,
            person_id=viewer.actor_id,
            details={
                "actor": viewer.actor,
                "conversations": len(conversations),
                "addresses": sorted(moved["addresses"]),
            },
        )
    )
    session.flush()
    share_with_assignees(session, conversations, now, viewer.actor_id)
    mark_changed(session, customers=[customer_id], contacts=[int(key) for key in moved["contacts"]])
    dirty = DirtyKeys(
        addresses=set(moved["addresses"]),
        domains=set(moved["domains"]),
        threads=changed_threads(session, conversations),
        customers={customer_id},
    )
    dirty.write(session)
