# SPDX-License-Identifier: GPL-3.0-or-later
"""The other side of a mail in the records: find customer and contact, make a lead where the mail makes one."""

from dataclasses import dataclass

from ulid import ULID

from crm_sync.batch import Batch
from crm_sync.completion import Known
from crm_sync.letters import Letter
from crm_sync.lookups import ContactState, ConversationState, CustomerState
from crm_sync.matching import is_human, makes_lead
from crm_sync.models.customers import Contact, ContactAddress, Customer, CustomerDomain, Scope
from tradepost.addresses import address_key
from tradepost.party import Party
from tradepost.verdict import Direction


@dataclass(frozen=True, slots=True)
class Counterpart:
    """Who the other side is in the records, after this mail."""

    customer: CustomerState | None
    contact_id: int | None
    is_new_lead: bool = False


def find_known(batch: Batch, party: Party, conversation: ConversationState | None) -> Known:
    """Return what the records say of the other side."""
    found = batch.found
    contact = found.contacts.get(party.address)

    def customer(key: int | None) -> CustomerState | None:
        return found.customers[key] if key is not None else None

    return Known(
        party=party.address,
        company=party.company,
        contact_id=contact.id if contact else None,
        contact_customer=customer(contact.customer_id) if contact else None,
        domain_customer=customer(found.domains.get(party.company)) if party.company else None,
        conversation=conversation,
        conversation_customer=customer(conversation.customer_id) if conversation else None,
    )


def settle_counterpart(
    batch: Batch, letter: Letter, known: Known, owner_id: int | None, pool_id: int | None
) -> Counterpart:
    """Find, or make, customer and contact.  A new lead belongs to `owner_id`, else it lies in the pool, claimable."""
    customer = known.customer
    direction = letter.arrival.verdict.direction
    is_stranger = customer is None and known.conversation is None and not batch.view.policy.is_own(known.party)
    is_new_lead = is_stranger and makes_lead(direction, letter.labels, known.party)
    if is_new_lead:
        customer = _make_lead(batch, letter, known, owner_id, pool_id)
    contact_id = known.contact_id
    # Somebody else who was drawn into a customer's conversation (a forwarder in Cc) does not work for the customer.
    is_theirs = customer is not None and (is_new_lead or known.domain_customer is customer)
    if contact_id is None and is_theirs and is_human(letter.labels, known.party):
        assert customer is not None
        contact_id = _make_contact(batch, letter, known.party, customer)
    return Counterpart(customer, contact_id, is_new_lead)


def _make_lead(batch: Batch, letter: Letter, known: Known, owner_id: int | None, pool_id: int | None) -> CustomerState:
    scope_id = batch.insert(
        Scope,
        kind="customer",
        owner_id=owner_id,
        team_id=batch.view.team_ids.get(owner_id) if owner_id else None,
        pool_id=None if owner_id else pool_id,
    )
    domain = known.company
    # What a signature names is the writer's company: on the way out that is ours.
    is_inbound = letter.arrival.verdict.direction is Direction.INBOUND
    named = letter.extract.company if letter.extract and is_inbound else None
    name = (named or domain or _display_name(letter, known.party) or known.party)[:300]
    public_id = str(ULID())
    days = batch.view.reclaim.days(None, "lead", None) if owner_id else None
    key = batch.insert(
        Customer,
        public_id=public_id,
        scope_id=scope_id,
        name=name,
        name_key=name.casefold()[:300],
        kind="lead",
        grade=None,
        country=letter.labels.country if is_inbound else None,
        source="mail",
        created_at=batch.now,
        version=1,
        reclaim_days=days,
        reclaim_at=batch.view.reclaim.date(batch.now, days),
    )
    lead = CustomerState(key, public_id, scope_id, "lead", None, owner_id)
    batch.found.customers[key] = lead
    if domain:
        # Its unique key decides, should two workers make the lead in spite of `crm_sync.batch_locks`.
        batch.rows.add(CustomerDomain, domain=domain, customer_id=key)
        batch.found.domains[domain] = key
        batch.dirty.domains.add(domain)
    return lead


def _make_contact(batch: Batch, letter: Letter, party: str, customer: CustomerState) -> int:
    name = _display_name(letter, party)
    key = batch.insert(Contact, customer_id=customer.id, name=name, created_at=batch.now)
    batch.rows.add(ContactAddress, address_key=party, contact_id=key)
    batch.found.contacts[party] = ContactState(key, customer.id)
    batch.dirty.addresses.add(party)
    return key


def _display_name(letter: Letter, party: str) -> str:
    """Return the name that a header field gives that address, or ""."""
    if letter.message is None:
        return ""
    message = letter.message
    named = (message.from_, *message.reply_to, *message.to, *message.cc)
    return next((a.name for a in named if a.name and address_key(a.address) == party), "")
