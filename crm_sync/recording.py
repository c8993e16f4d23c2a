# SPDX-License-Identifier: GPL-3.0-or-later
"""Record a batch of letters in one transaction: arrival, message, conversation, customer.  Twice is the same as once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm_sync.arrival_rows import add_arrival, add_message_rows, add_recipients, name_blobs
from crm_sync.batch import Batch, counted_for
from crm_sync.batch_locks import lock_batch
from crm_sync.completion import OWNER_FIELDS, complete_owner, pools_addressed
from crm_sync.conversations.apart import fetch_apart
from crm_sync.conversations.binding import Claim, bound_conversations, keep_apart
from crm_sync.conversations.claims import claim_of, customers_of
from crm_sync.conversations.merging import merge_conversations
from crm_sync.customers.clients import look_for_names, speaks_for_others
from crm_sync.customers.match import match_side
from crm_sync.customers.sides import Side, complete_direction, read_side, wanted_parties
from crm_sync.joining import Decision, join_again, join_conversation
from crm_sync.letters import Letter
from crm_sync.lookups import ConversationState, MessageState, Wanted, fetch_lookups
from crm_sync.matching import party_kind
from crm_sync.models.mail import Message, MessageRecipient
from crm_sync.new_keys import NewKeys
from crm_sync.parties import Counterpart, add_links, find_known, settle_counterpart
from crm_sync.pipeline.inquiries import is_business
from crm_sync.policy_store import PolicyView
from tradepost.addresses import company_domain
from tradepost.verdict import Direction, Verdict

_CUSTOMER_KINDS = ("customer", "lead")


def record_letters(session: Session, view: PolicyView, letters: Sequence[Letter], now: datetime) -> int:
    """Record letters; return how many were new.  Nothing is kept of any of them unless the caller commits.

    Raises whatever a bad letter causes: the caller then records its letters one by one and finds it.
    """
    connection = session.connection()
    sides = {letter.arrival.entry_id: read_side(view.policy, letter) for letter in letters}
    wanted = _wanted(letters, sides)
    lock_batch(connection, view.policy, letters, sides, wanted)
    found = fetch_lookups(connection, wanted)
    speaking = [
        (letter, side) for letter in letters if speaks_for_others(found.parties, side := sides[letter.arrival.entry_id])
    ]
    if speaking:
        look_for_names(connection, found.parties, speaking)
    batch = Batch(session, view, found, now, NewKeys(connection, len(letters)), sides)
    name_blobs(connection, letters)
    new = 0
    for letter in letters:
        if letter.arrival.entry_id not in batch.found.recorded:
            batch.found.recorded.add(letter.arrival.entry_id)
            _record(batch, letter)
            new += 1
    batch.finish()
    return new


def _wanted(letters: Sequence[Letter], sides: Mapping[str, Side]) -> Wanted:
    digests: set[str] = set()
    for letter in letters:
        if letter.message is not None:
            digests |= letter.ids.asked
    return Wanted(
        entry_ids=[letter.arrival.entry_id for letter in letters],
        content_keys=[letter.content_key for letter in letters if letter.content_key],
        id_digests=digests,
        parties=wanted_parties(sides),
    )


def _record(batch: Batch, letter: Letter) -> None:
    stored = letter.arrival.verdict
    if "direction" in stored.missing:
        letter = _directed(letter, complete_direction(batch.view.policy, letter.arrival))
    if letter.message is None:
        add_arrival(batch, letter, stored, None, _decided(letter, stored, {}))
        return
    before = batch.found.messages.get(letter.content_key)
    if before is not None:
        _record_again(batch, letter, stored, before)
    else:
        _record_new(batch, letter, stored)


def _directed(letter: Letter, direction: Direction) -> Letter:
    verdict = letter.arrival.verdict
    if verdict.direction is direction:
        return letter
    return replace(letter, arrival=replace(letter.arrival, verdict=replace(verdict, direction=direction)))


def _record_new(batch: Batch, letter: Letter, stored: Verdict) -> None:
    has_clash = bool(batch.found.carriers.get(letter.ids.own))
    bound = _bind(batch, letter)
    crossed = letter
    # What a colleague passes on counts as its writer's; where it belongs, the colleague vouches for.
    letter = _directed(letter, batch.sides[letter.arrival.entry_id].direction)
    decision = _decide(batch, letter, bound)
    pool_id = next(iter(decision.pool_ids), None)
    counterpart = settle_counterpart(batch, letter, decision.known, decision.owner_id, pool_id)
    conversation = join_conversation(batch, letter, decision, counterpart, bound)
    customer = counterpart.customer
    kind = party_kind(
        batch.view.policy, letter.labels, decision.known.side.party, customer.kind if customer is not None else None
    )
    message_id = add_message_rows(batch, letter, conversation, counterpart, kind=kind, has_clash=has_clash)
    add_links(batch, letter, message_id, conversation, counterpart)
    batch.found.messages[letter.content_key] = MessageState(message_id, conversation.id)
    if is_business(letter):
        batch.business.append(letter)
    if has_clash:
        _flag_clash(batch, letter, conversation)
    if letter.ids.own:
        batch.found.carriers[letter.ids.own].add(conversation.id)
    found = _found_fields(decision, conversation, counterpart)
    add_arrival(batch, crossed, stored, message_id, _decided(crossed, stored, found))


def _record_again(batch: Batch, letter: Letter, stored: Verdict, before: MessageState) -> None:
    """The same letter by another transaction: one more arrival, no more messages, its pools united (trap 15)."""
    conversation = batch.found.conversations[before.conversation_id]
    batch.flush()  # the first arrival may lie in this very batch
    known = select(MessageRecipient.address_key, MessageRecipient.kind).where(MessageRecipient.message_id == before.id)
    add_recipients(batch, letter, before.id, set(batch.session.execute(known)))
    decision = _decide(batch, letter, conversation)
    join_again(batch, letter, decision, conversation)
    counterpart = Counterpart(decision.known.customer, decision.known.contact_id)
    found = _found_fields(decision, conversation, counterpart)
    add_arrival(batch, letter, stored, before.id, _decided(letter, stored, found))


def _bind(batch: Batch, letter: Letter) -> ConversationState | None:
    """Return the conversation the letter belongs to, merged where its ids show that several are one."""
    claim = claim_of(batch.view.policy, letter)
    if not claim.is_internal:
        known = customers_of(batch.found, claim.speakers)
        claim = replace(claim, customers=known or _signed_for(batch, letter))
    if claim.vouched and _is_passed_to_customer(batch, claim):
        claim = replace(claim, vouched=False)
    bound = bound_conversations(batch.found, claim)
    if len(bound) > 1:
        bound = keep_apart(bound, fetch_apart(batch.session, [state.id for state in bound]))
    if len(bound) < 2:
        return bound[0] if bound else None
    batch.flush()
    for state in bound:
        batch.recount(counted_for(state), None)
    gone = [state.public_id for state in bound[1:]]
    batch.shared.update(state.id for state in bound)
    kept = merge_conversations(batch.session, batch.found, bound)
    batch.recount(None, counted_for(kept))
    batch.spread.add(kept.id)
    batch.note(letter.arrival.entry_id, "merged", kept, merged=gone)
    return kept


def _signed_for(batch: Batch, letter: Letter) -> frozenset[int | None]:
    """Return the customer whose record a letter from an unknown address goes to by its signature, if any.

    A person who changed to another address answers there what was written to the old one.
    """
    side = batch.sides[letter.arrival.entry_id]
    is_answer = letter.arrival.verdict.direction is Direction.INBOUND and bool(letter.ids.references)
    if not is_answer or side.party.via:
        return frozenset()
    customer = match_side(batch.found.parties, side, letter.labels.warnings).customer
    return frozenset({customer.id}) if customer is not None else frozenset()


def _is_passed_to_customer(batch: Batch, claim: Claim) -> bool:
    """Does one of ours pass a letter on to a customer?  What another customer wrote is no part of that one's story."""
    if not claim.people or claim.speakers != claim.people:
        return False
    contact = batch.found.contacts.get(claim.people[0])
    key = contact.customer_id if contact else batch.found.domains.get(company_domain(claim.people[0]))
    return key is not None and batch.found.customers[key].kind in _CUSTOMER_KINDS


def _decide(batch: Batch, letter: Letter, conversation: ConversationState | None) -> Decision:
    """Take the owner that arrival named; where it named none for want of knowledge, decide from the records."""
    policy, verdict = batch.view.policy, letter.arrival.verdict
    envelope, message = letter.arrival.envelope, letter.message
    side = batch.sides[letter.arrival.entry_id]
    known = find_known(batch, letter, side, conversation)
    if "owner" in verdict.missing or side.forwarded_by:
        owner, reason = complete_owner(batch.desk(), letter, known)
    else:
        owner, reason = verdict.owner, verdict.owner_reason or ""
    addressed = list(envelope.recipients)
    if verdict.direction is not Direction.INBOUND and message is not None:
        addressed += [envelope.sender, message.from_.address]  # what is sent as a pool belongs to it
    pools = (batch.view.pool_ids[pool.name] for pool in pools_addressed(policy, tuple(addressed)))
    return Decision(known, owner, reason, batch.view.person_id(owner), tuple(pools))


def _found_fields(decision: Decision, conversation: ConversationState, counterpart: Counterpart) -> dict[str, Any]:
    return {
        "customer": counterpart.customer.public_id if counterpart.customer else None,
        "contact": counterpart.contact_id,
        "conversation": conversation.public_id,
        "owner": decision.owner,
    }


def _decided(letter: Letter, stored: Verdict, found: dict[str, Any]) -> dict[str, Any]:
    """Return what the worker decided: exactly the fields that arrival left open."""
    decided = {name: getattr(letter.labels, name) for name in letter.labelled}
    decided |= {name: found[name] for name in OWNER_FIELDS if name in stored.missing and name in found}
    if "direction" in stored.missing:
        decided["direction"] = letter.arrival.verdict.direction
    return decided


def _flag_clash(batch: Batch, letter: Letter, conversation: ConversationState) -> None:
    """Flag every message that carries this Message-ID with other content (trap 47)."""
    batch.found.ids_repeated.add(letter.ids.own)
    batch.flush()  # another one that carries it may lie in this very batch
    batch.session.connection().execute(
        update(Message).where(Message.id_digest == letter.ids.own).values(has_id_clash=True)
    )
    batch.note(letter.arrival.entry_id, "id-clash", conversation)
