# SPDX-License-Identifier: GPL-3.0-or-later
"""Customers with contacts, domains and conversations, put into the records directly: what is tested here is not recording."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailroom import START
from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.models.conversations import Conversation, ConversationParticipant, MessageAnchor
from crm_sync.models.customers import Contact, ContactAddress, Customer, CustomerDomain, Scope
from crm_sync.models.people import Person, Pool
from crm_sync.rights import Action, Entity, Viewer, fetch_viewer, may
from tradepost.directory import id_digest


@dataclass
class Plot:
    """One planted customer."""

    id: int
    public_id: str
    scope_id: int
    conversations: list[int] = field(default_factory=list)


def person_id(session: Session, email: str) -> int:
    """Return somebody's key."""
    return session.scalars(select(Person.id).where(Person.email == email)).one()


def viewer(session: Session, email: str) -> Viewer:
    """Return somebody as a viewer."""
    found = fetch_viewer(session, person_id(session, email))
    assert found is not None
    return found


def plant(
    session: Session,
    name: str,
    owner: str | None = None,
    pool: str | None = None,
    *,
    conversations: tuple[tuple[str | None, str], ...] = (),
    country: str | None = None,
    at: datetime = START,
    kind: str = "lead",
    grade: str | None = None,
) -> Plot:
    """Plant a customer; `conversations` are (assignee, status)."""
    key = person_id(session, owner) if owner else None
    team = session.get_one(Person, key).team_id if key else None
    pool_id = session.scalars(select(Pool.id).where(Pool.name == pool)).one() if pool else None
    scope = Scope(kind="customer", owner_id=key, team_id=team, pool_id=pool_id)
    session.add(scope)
    session.flush()
    customer = Customer(
        public_id=str(ULID()),
        scope_id=scope.id,
        name=name,
        name_key=name.casefold(),
        kind=kind,
        grade=grade,
        country=country,
        created_at=at,
        version=1,
    )
    session.add(customer)
    session.flush()
    session.add(CustomerDomain(domain=f"{name.casefold()}.example", customer_id=customer.id))
    contact = Contact(customer_id=customer.id, name=f"Buyer of {name}", created_at=at)
    session.add(contact)
    session.flush()
    session.add(ContactAddress(address_key=f"buyer@{name.casefold()}.example", contact_id=contact.id))
    planted = Plot(customer.id, customer.public_id, scope.id)
    for number, (assignee, status) in enumerate(conversations):
        planted.conversations.append(
            talk(session, f"{name.casefold()}{number}", scope.id, customer.id, assignee, status, at)
        )
    session.flush()
    return planted


def talk(
    session: Session, name: str, scope_id: int, customer_id: int | None, assignee: str | None, status: str, at: datetime
) -> int:
    """Plant a conversation that the id <name@x.example> leads to, and count it for whoever does the work."""
    worker = session.get_one(Person, person_id(session, assignee)) if assignee else None
    conversation = Conversation(
        public_id=str(ULID()),
        scope_id=scope_id,
        customer_id=customer_id,
        assignee_id=worker.id if worker else None,
        status=status,
        subject=f"Talk {name}",
        opened_at=at,
        last_in_at=at,
        last_out_at=at + timedelta(hours=1),
        version=1,
    )
    session.add(conversation)
    if worker is not None and status == "open":
        worker.open_conversations += 1
    session.flush()
    session.add(MessageAnchor(id_digest=id_digest(f"<{name}@x.example>"), conversation_id=conversation.id))
    session.add(ConversationParticipant(conversation_id=conversation.id, address_key=f"buyer@{name}.example"))
    return conversation.id


def seen_customers(session: Session, who: str) -> set[str]:
    """Return the names of all customers somebody sees."""
    allowed = may(viewer(session, who), Entity.CUSTOMER, Action.SEE, Customer.scope_id)
    return set(session.scalars(select(Customer.name).where(allowed)))
