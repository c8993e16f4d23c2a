# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail of two customers that were one for a while: each conversation goes whole, to whom its writers belong."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.conversations import Activity, Conversation, ConversationParticipant
from crm_sync.models.customers import Contact, ContactAddress, Customer, CustomerDomain
from crm_sync.models.mail import Message
from tradepost.addresses import company_domain

_MESSAGE, _ACTIVITY, _CONVERSATION = table(Message), table(Activity), table(Conversation)


def let_mail_follow(session: Session, kept: Customer, gone: Customer) -> None:
    """Let letters lie where their conversation does: some came, or conversations became one, while both were one."""
    connection = session.connection()
    for one, other in ((kept, gone), (gone, kept)):
        theirs = select(_CONVERSATION.c.id).where(_CONVERSATION.c.customer_id == one.id)
        connection.execute(
            update(_MESSAGE)
            .where(_MESSAGE.c.scope_id == other.scope_id, _MESSAGE.c.conversation_id.in_(theirs))
            .values(scope_id=one.scope_id)
        )
        connection.execute(
            update(_ACTIVITY)
            .where(_ACTIVITY.c.customer_id == other.id, _ACTIVITY.c.conversation_id.in_(theirs))
            .values(customer_id=one.id)
        )


def give_back_later_mail(session: Session, kept: Customer, gone: Customer, since: datetime) -> list[int]:
    """Give the loser what came since the merge from its addresses and domains; return the contacts among it."""
    domains = set(session.scalars(select(CustomerDomain.domain).where(CustomerDomain.customer_id == gone.id)))
    contacts = _new_contacts(session, kept, since, domains)
    if contacts:
        session.connection().execute(
            update(table(Contact)).where(among_keys(Contact.id)).values(customer_id=gone.id), {"keys": contacts}
        )
    addresses = set(
        session.scalars(
            select(ContactAddress.address_key)
            .join(Contact, Contact.id == ContactAddress.contact_id)
            .where(Contact.customer_id == gone.id)
        )
    )
    conversations = _new_conversations(session, kept, since, addresses, domains)
    if conversations:
        connection, wanted = session.connection(), {"keys": conversations}
        connection.execute(
            update(_CONVERSATION)
            .where(among_keys(Conversation.id))
            .values(customer_id=gone.id, scope_id=gone.scope_id, version=_CONVERSATION.c.version + 1),
            wanted,
        )
        let_mail_follow(session, kept, gone)
    return contacts


def _new_contacts(session: Session, kept: Customer, since: datetime, domains: Collection[str]) -> list[int]:
    rows = session.execute(
        select(Contact.id, ContactAddress.address_key)
        .join(ContactAddress, ContactAddress.contact_id == Contact.id)
        .where(Contact.customer_id == kept.id, Contact.created_at >= since)
    )
    return sorted({contact for contact, address in rows if company_domain(address) in domains})


def _new_conversations(
    session: Session, kept: Customer, since: datetime, addresses: Collection[str], domains: Collection[str]
) -> list[int]:
    """Return the survivor's conversations since, in which somebody of the loser took part and nobody of the survivor."""
    own = set(
        session.scalars(
            select(ContactAddress.address_key)
            .join(Contact, Contact.id == ContactAddress.contact_id)
            .where(Contact.customer_id == kept.id)
        )
    )
    own_domains = set(session.scalars(select(CustomerDomain.domain).where(CustomerDomain.customer_id == kept.id)))
    rows = session.execute(
        select(ConversationParticipant.conversation_id, ConversationParticipant.address_key)
        .join(Conversation, Conversation.id == ConversationParticipant.conversation_id)
        .where(Conversation.customer_id == kept.id, Conversation.opened_at >= since)
    )
    theirs: set[int] = set()
    ours: set[int] = set()
    for conversation, address in rows:
        if address in addresses or company_domain(address) in domains:
            theirs.add(conversation)
        elif address in own or company_domain(address) in own_domains:
            ours.add(conversation)
    return sorted(theirs - ours)
