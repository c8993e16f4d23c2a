# SPDX-License-Identifier: GPL-3.0-or-later
"""The other side of a mail in the records: find customer and contact, make a record where the mail makes one."""

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from ulid import ULID

from crm_sync.batch import Batch
from crm_sync.completion import Known
from crm_sync.conversations.merging import move_to_customer
from crm_sync.customers.clients import find_clients, may_have_clients
from crm_sync.customers.filling import (
    fill_known,
    is_sure_of_name,
    learn_from_signature,
    new_contact_fields,
    says_site,
    suggest_same_person,
)
from crm_sync.customers.kinds import BUYERS, Decided, decide_kind, think_again
from crm_sync.customers.match import Match, match_in_conversation, match_side
from crm_sync.customers.party_states import ContactState, CustomerState
from crm_sync.customers.sides import Side
from crm_sync.letters import Letter
from crm_sync.lookups import ConversationState
from crm_sync.matching import is_human
from crm_sync.models.conversations import Activity, Conversation
from crm_sync.models.customers import (
    Contact,
    ContactAddress,
    Customer,
    CustomerDomain,
    CustomerName,
    Scope,
    SharedDomain,
    SharedDomainCustomer,
)
from crm_sync.models.mail import Message, MessageLink
from crm_sync.row_buffer import insert_missing
from tradepost.addresses import address_key
from tradepost.party import is_ours, is_role
from tradepost.verdict import Direction

_LONGEST_REASON = 40


@dataclass(frozen=True, slots=True)
class Counterpart:
    """Who the other side is in the records, after this mail.

    `customer` is whose conversation it is; `takes_over`: so far it was an agent's, a forwarder's or a supplier's.
    `links` are all whom the mail concerns: (customer key, role, reason).
    """

    customer: CustomerState | None
    contact_id: int | None
    is_new_lead: bool = False
    takes_over: bool = False
    links: tuple[tuple[int, str, str], ...] = ()


def find_known(batch: Batch, letter: Letter, side: Side, conversation: ConversationState | None) -> Known:
    """Return what the records say of the other side."""
    found = batch.found.parties
    match = Match()
    if side.direction is not Direction.INTERNAL and not is_ours(batch.view.policy, side.party.address):
        match = match_side(found, side, letter.labels.warnings)
    key = conversation.customer_id if conversation else None
    customer = found.customers.get(key) if key is not None else None
    if customer is not None and side.direction is Direction.INBOUND:
        match = match_in_conversation(found, side, match, customer)
    clients = find_clients(found, letter, side, match) if may_have_clients(side, match) else ()
    return Known(side, match, conversation, customer, clients)


def settle_counterpart(
    batch: Batch, letter: Letter, known: Known, owner_id: int | None, pool_id: int | None
) -> Counterpart:
    """Find, or make, customer and contact.  A new lead belongs to `owner_id`, else it lies in the pool, claimable."""
    side, match = known.side, known.match
    own, decided = match.customer, None
    if own is None and not is_ours(batch.view.policy, known.party):
        is_theirs = known.conversation_customer is not None and not (match.splits or match.leaves)
        # Somebody else who was drawn into a customer's conversation is nobody new to win, unless he says who he is.
        decided = None if is_theirs else decide_kind(side, letter)
        if decided is not None:
            own = _make_record(batch, letter, side, decided, owner_id, pool_id)
    if match.splits and own is not None:
        _split_domain(batch, match.splits, own)
    if own is not None:
        _learn(batch, side, match, own, is_new=decided is not None)
    contact_id = _settle_contact(batch, letter, known, own)
    if own is not None and decided is None:
        _think_again(batch, letter, known, own)
    reason = match.reason or (decided.reason if decided else "conversation")
    customer, takes_over = _customer_of_conversation(known, own)
    return Counterpart(customer, contact_id, decided is not None, takes_over, _links(known, own, reason))


def _customer_of_conversation(known: Known, own: CustomerState | None) -> tuple[CustomerState | None, bool]:
    """Return whose the conversation is, and whether it changes hands: it is the buyer's, whoever wrote first."""
    client = known.clients[0][0] if known.clients else None
    buyer = client or (own if own is not None and own.kind in BUYERS else None)
    before = known.conversation_customer
    if before is None:
        return client or own, False
    if buyer is None or before.kind in BUYERS or known.side.direction is not Direction.INBOUND:
        return before, False
    return buyer, buyer is not before


def _links(known: Known, own: CustomerState | None, reason: str) -> tuple[tuple[int, str, str], ...]:
    """Return whom the mail concerns: whose conversation it is, who wrote, and for whom."""
    links: dict[int, tuple[int, str, str]] = {}
    if known.conversation_customer is not None and known.conversation_customer is not own:
        links[known.conversation_customer.id] = (known.conversation_customer.id, "party", "conversation")
    for client, why in known.clients:
        links.setdefault(client.id, (client.id, "on-behalf", why))
    if own is not None:
        role = "agent" if links else "party"
        links.setdefault(own.id, (own.id, role, reason))
    if known.side.forwarded_by and own is not None:
        links[own.id] = (own.id, "party", "forwarded-by-colleague")
    return tuple((key, role, why[:_LONGEST_REASON]) for key, role, why in links.values())


def add_links(
    batch: Batch, letter: Letter, message_id: int, conversation: ConversationState, made: Counterpart
) -> None:
    """Write whom a letter concerns, and its line in the story of everybody but the conversation's own customer."""
    kind = "mail-in" if letter.arrival.verdict.direction is Direction.INBOUND else "mail-out"
    links = {key: (role, reason) for key, role, reason in made.links}
    if conversation.customer_id is not None:
        links.setdefault(conversation.customer_id, ("party", "conversation"))
    for key, (role, reason) in links.items():
        batch.rows.add(
            MessageLink, message_id=message_id, customer_id=key, role=role, reason=reason, decided_by_id=None
        )
        if key != conversation.customer_id:
            batch.rows.add(
                Activity,
                customer_id=key,
                at=letter.arrival.arrived_at,
                kind=kind,
                message_id=message_id,
                conversation_id=conversation.id,
            )


def _make_record(
    batch: Batch, letter: Letter, side: Side, decided: Decided, owner_id: int | None, pool_id: int | None
) -> CustomerState:
    scope_id = batch.insert(
        Scope,
        kind="customer",
        owner_id=owner_id,
        team_id=batch.view.team_ids.get(owner_id) if owner_id else None,
        pool_id=None if owner_id else pool_id,
    )
    name, origin = _name_of(letter, side)
    public_id = str(ULID())
    days = batch.view.reclaim.days(None, decided.kind, None) if owner_id else None
    origins = {"name": origin}
    date = batch.view.reclaim.date(batch.now, days)
    key = batch.insert(
        Customer,
        public_id=public_id,
        scope_id=scope_id,
        name=name,
        name_key=name.casefold()[:300],
        kind=decided.kind,
        kind_reason=decided.reason,
        grade=None,
        country=letter.labels.country if side.direction is Direction.INBOUND and not side.forwarded_by else None,
        source=side.party.via if side.party.via in ("platform", "forward") else "mail",
        origins=origins,
        created_at=batch.now,
        version=1,
        reclaim_days=days,
        reclaim_at=date,
    )
    record = CustomerState(
        key, public_id, scope_id, decided.kind, None, owner_id, days, date, name, decided.reason, origins=origins
    )
    batch.found.customers[key] = record
    return record


def _name_of(letter: Letter, side: Side) -> tuple[str, str]:
    """Return what a new record is called, and where that stands."""
    for name, origin in (
        (side.signer.company if is_sure_of_name(side) else "", "signature"),
        (side.party.company, "domain"),
        (side.party.name, side.party.via),
        (side.signer.company, "header"),
        (_display_name(letter, side.party.address), "header"),
    ):
        if name:
            return name[:300], origin
    return side.party.address[:300], "address"


def _split_domain(batch: Batch, domain: str, other: CustomerState) -> None:
    """The domain is of several companies from now on: alone it decides nothing any more."""
    found = batch.found.parties
    first = found.domains.pop(domain, None)
    if first is None:
        return
    batch.flush()
    connection = batch.session.connection()
    connection.execute(delete(CustomerDomain).where(CustomerDomain.domain == domain))
    row = {"domain": domain, "reason": "signature-names-another", "at": batch.now}
    insert_missing(connection, SharedDomain, [row])
    rows = [{"domain": domain, "customer_id": key} for key in sorted({first, other.id})]
    insert_missing(connection, SharedDomainCustomer, rows)
    found.shared[domain] = {first, other.id}
    batch.dirty.domains.add(domain)


def _learn(batch: Batch, side: Side, match: Match, own: CustomerState, *, is_new: bool) -> None:
    """Keep what leads to the customer from now on: his domain, the names he goes by."""
    found = batch.found.parties
    domain = side.party.company if is_new else match.learns
    if domain and domain in found.shared:
        if own.id not in found.shared[domain]:
            found.shared[domain].add(own.id)
            batch.missing.add(SharedDomainCustomer, domain=domain, customer_id=own.id)
    elif domain and domain not in found.domains:
        # Its unique key decides, should two workers make the lead in spite of `crm_sync.batch_locks`.
        reason = "first-mail" if is_new else match.reason
        batch.rows.add(CustomerDomain, domain=domain, customer_id=own.id, reason=reason)
        found.domains[domain] = own.id
        own.domains.add(domain)
        batch.dirty.domains.add(domain)
    if side.website and says_site(side) and side.website not in found.domains and side.website not in found.shared:
        batch.rows.add(CustomerDomain, domain=side.website, customer_id=own.id, reason="website-in-signature")
        found.domains[side.website] = own.id
        own.domains.add(side.website)
        batch.dirty.domains.add(side.website)
    for key in learn_from_signature(side, match, own, is_new=is_new):
        own.names.add(key)
        found.named[key].add(own.id)
        batch.missing.add(CustomerName, name_key=key, customer_id=own.id)


def _settle_contact(batch: Batch, letter: Letter, known: Known, own: CustomerState | None) -> int | None:
    """Return the contact that the other side's address is, made where there is none, filled from what the letter says."""
    side, contact = known.side, known.match.contact
    if own is None or not is_human(letter.labels, known.party):
        return contact.id if contact else None
    if contact is not None and contact.customer_id != own.id:
        if known.match.leaves and known.match.reason != "signs-for-another":
            _take_along(batch, contact, own)
        contact.customer_id, contact.is_changed = own.id, True
        batch.dirty.addresses.add(known.party)
        batch.note(letter.arrival.entry_id, "contact-moved", None, contact=contact.id, customer=own.public_id)
    if contact is None:
        contact = _make_contact(batch, letter, side, own)
        suggest_same_person(batch, contact, side, own)
    for address in (known.party, side.party.also):
        if address and address not in batch.found.contacts:
            reason = "first-mail" if address == known.party else "platform-names-buyer"
            batch.rows.add(ContactAddress, address_key=address, contact_id=contact.id, reason=reason)
            batch.found.contacts[address] = contact
            batch.dirty.addresses.add(address)
    fill_known(batch, contact, side, _header_name(letter, side), own)
    return contact.id


def _take_along(batch: Batch, contact: ContactState, own: CustomerState) -> None:
    """Who turns out to be of another company never was of that of his domain: what he wrote goes with him."""
    batch.flush()
    theirs = (
        select(Conversation.id)
        .where(
            Conversation.customer_id == contact.customer_id,
            Conversation.id.in_(select(Message.conversation_id).where(Message.contact_id == contact.id)),
        )
        .order_by(Conversation.id)
    )
    for key in batch.session.scalars(theirs).all():
        move_to_customer(batch.session, key, contact.customer_id, own.id, own.scope_id)
        state = batch.found.conversations.get(key)
        if state is not None:
            state.customer_id, state.scope_id, state.is_changed = own.id, own.scope_id, True
        else:
            moved = {"customer_id": own.id, "scope_id": own.scope_id, "version": Conversation.version + 1}
            batch.session.execute(update(Conversation).where(Conversation.id == key).values(moved))
        batch.spread.add(key)
        batch.shared.add(key)


def _make_contact(batch: Batch, letter: Letter, side: Side, own: CustomerState) -> ContactState:
    fields = new_contact_fields(side, _header_name(letter, side))
    key = batch.insert(Contact, customer_id=own.id, created_at=batch.now, version=1, **fields)
    contact = ContactState(key, own.id, reason="first-mail", **{k: v for k, v in fields.items() if k != "social"})
    if contact.name_key:
        batch.found.parties.people[contact.name_key][key] = own.id
    for _, number in side.signer.phones:
        batch.found.parties.phones[number].add(own.id)
    return contact


def _think_again(batch: Batch, letter: Letter, known: Known, own: CustomerState) -> None:
    """A lead that writes for a customer of ours is his agent; whom we wrote to first says himself what he is."""
    again = think_again(own, known.side, letter, has_clients=bool(known.clients))
    if again is not None:
        own.kind, own.kind_reason, own.is_changed = again.kind, again.reason, True
        batch.retold.add(own.id)


def _header_name(letter: Letter, side: Side) -> str:
    return side.party.name or _display_name(letter, side.party.address)


def _display_name(letter: Letter, party: str) -> str:
    """Return the name that a header field gives that address, or "".  A role's name is a company's or a desk's."""
    if letter.message is None or is_role(party):
        return ""
    message = letter.message
    named = (message.from_, *message.reply_to, *message.to, *message.cc)
    return next((a.name for a in named if a.name and address_key(a.address) == party), "")
