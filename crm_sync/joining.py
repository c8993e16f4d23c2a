# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a letter join its conversation: open one where there is none, say who does the work, who took part, what changed."""

from dataclasses import dataclass
from datetime import datetime

from ulid import ULID

from crm_sync.batch import Batch, counted_for
from crm_sync.completion import Known
from crm_sync.conversations.binding import CLOSED, OPEN, WAITING
from crm_sync.conversations.likeness import Opened, likeness_key
from crm_sync.conversations.merging import give_customer
from crm_sync.letters import Letter
from crm_sync.lookups import ConversationState
from crm_sync.models.conversations import (
    Conversation,
    ConversationParticipant,
    ConversationPool,
    MessageAnchor,
)
from crm_sync.models.customers import Scope
from crm_sync.parties import Counterpart
from tradepost.party import find_writer, outsiders
from tradepost.verdict import Direction

_IDLE_CATEGORIES = ("marketing", "spam", "automatic")


@dataclass(frozen=True, slots=True)
class Decision:
    """Who gets a mail that nobody has yet, and where it was addressed."""

    known: Known
    owner: str | None  # email
    reason: str
    owner_id: int | None  # of a person still registered
    pool_ids: tuple[int, ...]


def join_conversation(
    batch: Batch, letter: Letter, decision: Decision, counterpart: Counterpart, bound: ConversationState | None
) -> ConversationState:
    """Return the conversation of a new letter, opened or brought up to date."""
    before = counted_for(bound) if bound else None
    assignee_id = _assignee_in_force(batch, letter, decision, counterpart, bound)
    state = bound or _open(batch, letter, decision, counterpart, assignee_id)
    if bound is not None and counterpart.takes_over:
        state.customer_id = None  # whose it was wrote for somebody else: what he wrote stays on his timeline too
    if bound is not None and state.customer_id is None and counterpart.customer is not None:
        batch.flush()  # its messages, and the customer, may lie in this very batch
        give_customer(batch.session, state, counterpart.customer.id, counterpart.customer.scope_id)
        batch.spread.add(state.id)
        batch.shared.add(state.id)
    _assign(batch, letter, decision, state, assignee_id, is_new=bound is None)
    _note_difference(batch, letter, state)
    _stamp(batch, letter, state)
    batch.recount(before, counted_for(state))
    _add_participants(batch, letter, decision, state)
    add_pools(batch, decision, state)
    _add_anchors(batch, letter, state)
    return state


def join_again(batch: Batch, letter: Letter, decision: Decision, state: ConversationState) -> None:
    """The same letter came once more: its pools join, nothing counts twice."""
    add_pools(batch, decision, state)
    _note_difference(batch, letter, state)


def _assignee_in_force(
    batch: Batch, letter: Letter, decision: Decision, counterpart: Counterpart, bound: ConversationState | None
) -> int | None:
    """Who does the work: the conversation's assignee, else the customer's owner, else whom the decision names."""
    if letter.arrival.verdict.direction is Direction.INTERNAL:
        return bound.assignee_id if bound else None
    works_here = batch.view.emails  # who left without a hand-over decides nothing any more, as at arrival
    if bound is not None and bound.assignee_id in works_here:
        return bound.assignee_id
    if counterpart.customer is not None and counterpart.customer.owner_id in works_here:
        return counterpart.customer.owner_id
    return decision.owner_id


def _open(
    batch: Batch, letter: Letter, decision: Decision, counterpart: Counterpart, assignee_id: int | None
) -> ConversationState:
    verdict = letter.arrival.verdict
    is_work = (
        verdict.direction is not Direction.INTERNAL
        and not letter.labels.is_automatic
        and letter.labels.category not in _IDLE_CATEGORIES
    )
    customer = counterpart.customer
    if customer is not None:
        scope_id, holder = customer.scope_id, customer.owner_id
    else:
        holder = assignee_id or batch.view.person_id(verdict.operator)
        scope_id = batch.insert(
            Scope,
            kind="conversation",
            owner_id=holder,
            team_id=batch.view.team_ids.get(holder) if holder else None,
            pool_id=None if holder else next(iter(decision.pool_ids), None),
        )
    public_id = str(ULID())
    status = OPEN if is_work else CLOSED
    assert letter.message is not None
    known = decision.known
    alike = likeness_key(letter.message.subject, known.company or known.party) if is_work else ""
    key = batch.insert(
        Conversation,
        public_id=public_id,
        scope_id=scope_id,
        customer_id=customer.id if customer else None,
        assignee_id=assignee_id,
        status=status,
        subject=letter.message.subject,
        opened_at=letter.arrival.arrived_at,
        last_in_at=None,
        last_out_at=None,
        unanswered_since=None,
        snoozed_until=None,
        likeness_key=alike,
        version=1,
    )
    if alike:
        batch.alike[key] = Opened(alike, letter.arrival.arrived_at)
    if assignee_id is not None and holder != assignee_id:
        batch.shared.add(key)
    state = ConversationState(key, public_id, scope_id, customer.id if customer else None, assignee_id, status)
    batch.found.conversations[key] = state
    batch.note(letter.arrival.entry_id, "opened", state)
    return state


def _assign(
    batch: Batch,
    letter: Letter,
    decision: Decision,
    state: ConversationState,
    assignee_id: int | None,
    *,
    is_new: bool,
) -> None:
    if assignee_id is None or not (is_new or state.assignee_id not in batch.view.emails):
        return
    if not is_new:
        state.assignee_id, state.is_changed = assignee_id, True
        batch.spread.add(state.id)
        batch.shared.add(state.id)
    reason = decision.reason if assignee_id == decision.owner_id else "company-domain"
    batch.note(letter.arrival.entry_id, "assigned", state, person=batch.view.emails.get(assignee_id), reason=reason)


def _note_difference(batch: Batch, letter: Letter, state: ConversationState) -> None:
    """If the header named somebody else than who has it, the record says so: both must be told."""
    verdict = letter.arrival.verdict
    if verdict.direction is not Direction.INBOUND or verdict.owner is None:
        return
    in_force = batch.view.emails.get(state.assignee_id) if state.assignee_id is not None else None
    if in_force != verdict.owner:
        batch.note(letter.arrival.entry_id, "owner-differs", state, header=verdict.owner, in_force=in_force)


def _stamp(batch: Batch, letter: Letter, state: ConversationState) -> None:
    """Move the clocks and the status.  Automatic mail does neither: it is no answer of a human being (trap 7)."""
    if letter.labels.is_automatic:
        return
    direction = letter.arrival.verdict.direction
    if direction is Direction.INBOUND:
        _stamp_theirs(batch, letter, state)
    elif direction is Direction.OUTBOUND:
        _stamp_ours(batch, letter, state)
    state.is_changed = True


def _stamp_theirs(batch: Batch, letter: Letter, state: ConversationState) -> None:
    at = letter.arrival.arrived_at
    state.last_in_at = _later(state.last_in_at, at)
    # Mail may be recorded in any order: what was answered already by the time it is recorded is no news.
    if letter.labels.category in _IDLE_CATEGORIES or (state.last_out_at is not None and at <= state.last_out_at):
        return
    state.unanswered_since = min(state.unanswered_since or at, at)
    if state.snoozed_until is not None:
        state.snoozed_until = None
        batch.note(letter.arrival.entry_id, "woken", state)
    if state.status != OPEN:
        before, state.status = state.status, OPEN
        batch.note(letter.arrival.entry_id, "reopened", state, before=before)


def _stamp_ours(batch: Batch, letter: Letter, state: ConversationState) -> None:
    at = letter.arrival.arrived_at
    if state.last_in_at is not None and (state.last_out_at is None or state.last_out_at < state.last_in_at):
        batch.note(letter.arrival.entry_id, "answered", state, person=letter.arrival.verdict.operator)
    state.last_out_at = _later(state.last_out_at, at)
    is_last_word = state.last_in_at is None or state.last_in_at <= at
    if state.unanswered_since is not None and state.unanswered_since <= at:
        state.unanswered_since = None if is_last_word else state.last_in_at
    if state.status == OPEN and is_last_word:
        state.status = WAITING


def _later(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else max(known, at)


def _add_participants(batch: Batch, letter: Letter, decision: Decision, state: ConversationState) -> None:
    """Note who took part: who wrote, and to whom we wrote; whom somebody outside named stands apart from them."""
    if letter.labels.is_automatic and state.participants:
        return  # a mail server that gives something back has no part in it
    policy = batch.view.policy
    direction = letter.arrival.verdict.direction
    named = set(outsiders(policy, letter.arrival.envelope, letter.message))
    acting = set[str]()
    if direction is Direction.OUTBOUND:
        acting = named
    else:
        writers = [decision.known.party]
        if direction is Direction.INBOUND:
            writers.append(find_writer(letter.arrival.envelope, letter.message))
        acting.update(address for address in writers if "@" in address and not policy.is_own(address))
    new = (named | acting) - state.participants
    for address in sorted(new):
        batch.rows.add(
            ConversationParticipant,
            conversation_id=state.id,
            address_key=address,
            is_named_only=address not in acting,
        )
    batch.acting.update((state.id, address) for address in acting - state.active - new)
    if new and state.participants:
        batch.spread.add(state.id)
    state.participants |= new
    state.active |= acting


def add_pools(batch: Batch, decision: Decision, state: ConversationState) -> None:
    """Let the conversation be in every pool it was addressed to."""
    for pool in decision.pool_ids:
        if pool not in state.pools:
            batch.rows.add(ConversationPool, conversation_id=state.id, pool_id=pool)
            state.pools.add(pool)
            batch.spread.add(state.id)


def _add_anchors(batch: Batch, letter: Letter, state: ConversationState) -> None:
    # Sorted, so that two workers lock the same ids in the same order.
    for digest in sorted(letter.ids.anchors):
        hits = batch.found.anchors[digest]
        if state.id not in hits:
            batch.rows.add(MessageAnchor, id_digest=digest, conversation_id=state.id)
            hits.add(state.id)
        # Also a known id: its conversation's last answer may have moved.
        batch.dirty.threads.add(digest)
